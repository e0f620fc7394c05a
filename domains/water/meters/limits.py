"""What a meter can show: by its scope, or by its own size where the city knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

OVERLOAD = 1.25
"""Q4 / Q3 (ISO 4064-1:2014, 4.1.4: the overload flow is 1.25 of the permanent flow; section not verified)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """q3_m3_h: permanent flow rate by scope (`flat`, `house`); of_meter: the same for meters that are known better.

    ahead_s: a clock may run so far ahead. confirm: so many readings in a row that agree with each other and not with
    the past make a new meter. stuck_m3, stuck_s: still for so long, and for so much water by the meter's own habit.
    """

    q3_m3_h: Mapping[str, float] = field(default_factory=lambda: {"flat": 2.5, "house": 25.0})
    of_meter: Mapping[str, float] = field(default_factory=dict)
    ahead_s: float = 900.0
    confirm: int = 3
    confirm_unit: int = 24
    stuck_m3: float = 2.5
    stuck_s: float = 43_200.0

    def largest_m3_h(self, meter_id: str, scope: str) -> float:
        """Q4: more than this an hour did not go through."""
        return OVERLOAD * self.of_meter.get(meter_id, self.q3_m3_h.get(scope, 25.0))
