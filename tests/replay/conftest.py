"""Real files, and small files written as a test needs them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from ingest.contracts import CONTRACTS
from ingest.decode import Decoder
from ingest.parcel import Refusal
from ingest.replay import ReplayOptions, read

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def data() -> Path:
    if not DATA.is_dir():
        pytest.skip(f"real data are not here: {DATA}")
    return DATA


Played = tuple[pl.DataFrame, list[Refusal]]


@pytest.fixture(scope="session")
def played() -> Callable[..., Played]:
    """Plays a file; every parcel must pass its contract. Gives the rows as a table, and the refusals."""

    def play(name: str, path: Path, **options: object) -> Played:
        rows: list[dict[str, object]] = []
        refusals: list[Refusal] = []
        for thing in read(name, path, ReplayOptions(**options)):
            if isinstance(thing, Refusal):
                refusals.append(thing)
                continue
            decoded = Decoder(CONTRACTS[thing.feed]).decode(thing.payload)
            assert not decoded.rejects, decoded.rejects[0]
            assert len(decoded.good) <= 500
            assert len(thing.payload) <= 1_048_576
            rows += json.loads(thing.payload)
        return pl.DataFrame(rows, infer_schema_length=None), refusals

    return play


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def write(content: bytes | str, name: str = "file.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write
