"""A living city with a seed and a ground truth; speaks the platform's public interfaces and nothing else."""
