"""An immutable mapping of which a changed copy is cheap: 64 small dicts, of which a change copies one.

Thousands of runs and of ended ones are in the engine's state; copying all of them for each event would cost more than
the event. No order is promised: whoever needs one sorts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, TypeVar, overload

V = TypeVar("V")
MASK = 63


class Shards(Mapping[str, V]):
    """Equal to any mapping of the same items."""

    __slots__ = ("_size", "parts")

    def __init__(self, parts: tuple[dict[str, V], ...], size: int) -> None:
        self.parts, self._size = parts, size

    @classmethod
    def of(cls, items: Mapping[str, V]) -> Shards[V]:
        """The same items; itself where it is one already."""
        if isinstance(items, Shards):
            return items
        parts: tuple[dict[str, V], ...] = tuple({} for _ in range(MASK + 1))
        for key, value in items.items():
            parts[hash(key) & MASK][key] = value
        return cls(parts, len(items))

    def __getitem__(self, key: str) -> V:
        return self.parts[hash(key) & MASK][key]

    @overload
    def get(self, key: str, default: None = None, /) -> V | None: ...
    @overload
    def get(self, key: str, default: Any, /) -> Any: ...
    def get(self, key: str, default: Any = None, /) -> Any:
        return self.parts[hash(key) & MASK].get(key, default)

    def __contains__(self, key: object) -> bool:
        return key in self.parts[hash(key) & MASK]

    def __iter__(self) -> Iterator[str]:
        for part in self.parts:
            yield from part

    def __len__(self) -> int:
        return self._size

    def __eq__(self, other: object) -> bool:
        return dict(self) == dict(other) if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(dict(self))


class Draft(MutableMapping[str, V]):
    """A copy to be changed; the original stays as it is. After `frozen` it must not be changed any more."""

    __slots__ = ("_own", "_parts", "_size")

    def __init__(self, items: Mapping[str, V]) -> None:
        before = Shards.of(items)
        self._parts, self._size, self._own = list(before.parts), len(before), set[int]()

    def frozen(self) -> Shards[V]:
        return Shards(tuple(self._parts), self._size)

    def _mine(self, key: str) -> dict[str, V]:
        at = hash(key) & MASK
        if at not in self._own:
            self._parts[at] = dict(self._parts[at])
            self._own.add(at)
        return self._parts[at]

    def __setitem__(self, key: str, value: V) -> None:
        part = self._mine(key)
        self._size += key not in part
        part[key] = value

    def __delitem__(self, key: str) -> None:
        del self._mine(key)[key]
        self._size -= 1

    def __getitem__(self, key: str) -> V:
        return self._parts[hash(key) & MASK][key]

    def __contains__(self, key: object) -> bool:
        return key in self._parts[hash(key) & MASK]

    def __iter__(self) -> Iterator[str]:
        for part in self._parts:
            yield from part

    def __len__(self) -> int:
        return self._size


def changed(before: Mapping[str, V], after: Mapping[str, V]) -> Iterator[tuple[str, V | None, V | None]]:
    """(key, old, new) of what differs by identity; what both share is not looked at."""
    for old, new in zip(Shards.of(before).parts, Shards.of(after).parts, strict=True):
        if old is new:
            continue
        for key, value in new.items():
            was = old.get(key)
            if was is not value:
                yield key, was, value
        for key, was in old.items():
            if key not in new:
                yield key, was, None
