"""Chance that repeats: a stream of random numbers named by the seed and what it is for.

Two runs with one seed draw the same numbers in the same places, whatever else was drawn between.
"""

from __future__ import annotations

import hashlib
import random

import numpy as np


def number(*names: object) -> int:
    """64 bits from the names, the same on every machine and Python (unlike `hash`)."""
    text = "\x1f".join(str(name) for name in names)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def stream(*names: object) -> random.Random:
    """A generator of its own for these names."""
    return random.Random(number(*names))  # noqa: S311 a simulation, not a secret


def share(*names: object) -> float:
    """One number in [0, 1) for these names."""
    return number(*names) / 2**64


def array(*names: object) -> np.random.Generator:
    """A numpy generator of its own for these names."""
    return np.random.default_rng(number(*names))
