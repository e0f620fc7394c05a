"""The index's arithmetic, as far as it is known."""

from __future__ import annotations

from collections.abc import Sequence

DIRECTION_MAX = 12.0


def min_max_points(value: float, peers: Sequence[float], direction_max: float = DIRECTION_MAX) -> float | None:
    """Points of a value among its peers: (x - min) / (max - min) * 12, within 0…12.

    peers: the values of the cities of one size group and year, the city itself among them. A value outside
    them raises ValueError; all peers equal give None, because the method as found does not say what then.

    Basis: method `range_ind` of a third-party program written from the ministry's task (source S2 of the
    methodology file), not the order itself. How the order turns indicators where less is better was not
    found, so the caller gives values that are better when higher.
    """
    low, high = min(peers), max(peers)
    if not low <= value <= high:
        raise ValueError(f"value {value:g} lies outside its peers' {low:g}…{high:g}: the city is one of the peers")
    if low == high:
        return None
    return (value - low) / (high - low) * direction_max


def total(direction_points: Sequence[float]) -> float:
    """The index: the sum of the ten directions' points, two decimals (basis: S2; fits the maximum of 120)."""
    if len(direction_points) != 10:
        raise ValueError(f"{len(direction_points)} directions: the index has 10")
    return round(sum(direction_points), 2)
