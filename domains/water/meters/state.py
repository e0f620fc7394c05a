"""What is remembered of every meter: columns of numbers, one place a meter. Saved as one .npz file."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

RING = 4
"""Moments of the last readings that a repeat is looked for in."""
NEVER = np.iinfo(np.int64).min

COLUMNS: dict[str, tuple[Any, Any, int]] = {
    # name: (type, value of a new meter, width)
    "last_us": (np.int64, NEVER, 1),  # the last reading that was believed
    "last_m3": (np.float64, 0.0, 1),
    "moved_us": (np.int64, NEVER, 1),  # when the counter last went up
    "moved_m3": (np.float64, 0.0, 1),
    "habit_m3_s": (np.float64, 0.0, 1),  # mean flow, of about the last 30 days in which it moved
    "still_us": (np.int64, 0, 1),  # the longest time that it stood still and went on by itself
    "other_us": (np.int64, NEVER, 1),  # a row of readings that is not believed yet
    "other_m3": (np.float64, 0.0, 1),
    "others": (np.int32, 0, 1),
    "ring_us": (np.int64, NEVER, RING),
    "ring_at": (np.int32, 0, 1),
    "flags": (np.int32, 0, 1),
    "largest_m3_us": (np.float64, 0.0, 1),
}


class State:
    """Columns grow by doubling; `places` gives each meter its place."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self._room = 0
        self.columns: dict[str, NDArray[Any]] = {}
        self._grow(64)

    def __getattr__(self, name: str) -> NDArray[Any]:
        try:
            return self.__dict__["columns"][name]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(name) from None

    def add(self, meter_id: str, largest_m3_h: float) -> int:
        place = len(self.places)
        if place == self._room:
            self._grow(self._room * 2)
        self.places[meter_id] = place
        self.columns["largest_m3_us"][place] = largest_m3_h / 3.6e9
        return place

    def _grow(self, room: int) -> None:
        for name, (dtype, new, width) in COLUMNS.items():
            column = np.full((room, width) if width > 1 else room, new, dtype=dtype)
            if name in self.columns:
                column[: self._room] = self.columns[name]
            self.columns[name] = column
        self._room = room

    def to_bytes(self) -> bytes:
        count = len(self.places)
        buffer = io.BytesIO()
        saved: dict[str, Any] = {name: column[:count] for name, column in self.columns.items()}
        np.savez(buffer, meter_id=np.array(list(self.places), dtype=np.str_), **saved)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> State:
        """ValueError where the bytes are no state of this version."""
        state = cls()
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as saved:
                names = saved["meter_id"].tolist()
                state._grow(max(64, len(names)))
                state.places = {name: place for place, name in enumerate(names)}
                for name in COLUMNS:
                    state.columns[name][: len(names)] = saved[name]
        except (OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"no saved state of the meter checks: {error}") from error
        return state
