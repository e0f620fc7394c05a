"""A pedestrian crossing with ground truth: who comes (`people`) and what a radar says of them (`radar`).

One axis across the road, metres: below 0 the pavement of side A, 0 … WIDTH_M the carriageway, above it side B.
"""
