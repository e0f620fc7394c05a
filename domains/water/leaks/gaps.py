"""Means and medians down the columns of tables with gaps, without a word about columns that are all gap: NaN."""

from __future__ import annotations

import numpy as np

from domains.water.network.arrays import Floats


def mean(table: Floats) -> Floats:
    """(columns,) of (rows, columns)."""
    counts = np.isfinite(table).sum(axis=0)
    total = np.where(np.isfinite(table), table, 0.0).sum(axis=0)
    return np.where(counts > 0, total / np.maximum(counts, 1), np.nan)


def median(table: Floats) -> Floats:
    """(columns,) of (rows, columns)."""
    told = np.full(table.shape[1], np.nan)
    some = np.isfinite(table).any(axis=0)
    if some.any():
        told[some] = np.nanmedian(table[:, some], axis=0)
    return told
