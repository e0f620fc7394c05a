"""Real files played through the same contracts as live feeds: `read("positions-csv", path)`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Protocol, cast

from ingest.parcel import Parcel, Refusal
from ingest.replay import formats as _formats
from ingest.replay.files import UnreadableFileError, head
from ingest.replay.items import Items, parcels
from ingest.replay.options import ReplayOptions

__all__ = ["Items", "ReplayOptions", "formats", "items", "read"]


class Format(Protocol):
    """What a module of ingest/replay/formats offers."""

    NAME: str
    FEED: str
    TITLE: str

    @staticmethod
    def items(path: Path, options: ReplayOptions) -> Iterator[Items | Refusal]: ...


@cache
def formats() -> dict[str, Format]:
    """All formats by the word that names them."""
    found = (
        importlib.import_module(f"{_formats.__name__}.{module.name}")
        for module in pkgutil.iter_modules(_formats.__path__)
    )
    return {cast(Format, module).NAME: cast(Format, module) for module in sorted(found, key=lambda m: str(m.NAME))}


def items(name: str, path: Path, options: ReplayOptions | None = None) -> Iterator[Items | Refusal]:
    """A file's messages as tables. A file that cannot be read as a whole is one Refusal with its first bytes."""
    chosen = formats()[name]
    try:
        yield from chosen.items(path, options or ReplayOptions())
    except UnreadableFileError as error:
        yield Refusal(chosen.FEED, f"replay:{name}:{path.name}", head(path), f"{path.name} {error}")


def read(name: str, path: Path, options: ReplayOptions | None = None) -> Iterator[Parcel | Refusal]:
    """A file's messages as parcels of at most 500, in the file's order, and a Refusal for each line that is none."""
    return parcels(items(name, path, options))
