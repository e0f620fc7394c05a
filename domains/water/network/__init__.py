"""The network as the science needs it: read once from an EPANET file, then plain arrays."""
