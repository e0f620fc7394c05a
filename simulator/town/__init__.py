"""Draws the fictional town of Gorodok: the same seed gives the same files, byte for byte.

    python -m simulator.town --out cities/gorodok

`city.toml` and `sources.toml` are written by hand; everything else in `cities/gorodok/` comes from here.
"""
