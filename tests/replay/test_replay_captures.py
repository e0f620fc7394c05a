"""gtfs-rt, open311, cap: the adapters' own decode over files, folders and packed files."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.transit import gtfs_realtime_pb2 as pb

from ingest.replay import formats


def test_formats_are_the_issues() -> None:
    assert list(formats()) == ["cap", "gtfs-rt", "meters-csv", "open311", "positions-csv", "scada-csv", "scada-parquet"]


@pytest.mark.parametrize("kind", ["vehicle_positions", "trip_updates"])
def test_louisville_equals_the_protobuf(data: Path, played: Callable[..., Any], kind: str) -> None:
    path = data / f"transit/louisville_{kind}.pb.bz2"
    rows, refusals = played("gtfs-rt", path)
    message = pb.FeedMessage.FromString(bz2.decompress(path.read_bytes()))
    assert refusals == []
    if kind == "vehicle_positions":
        assert rows["latitude"].sum() == pytest.approx(
            sum(e.vehicle.position.latitude for e in message.entity), abs=1e-3
        )
        assert rows.height == len(message.entity) == 78
    else:
        stops = [stop for entity in message.entity for stop in entity.trip_update.stop_time_update]
        assert rows.height == len(stops) == 15_216
        assert rows["departure_delay_s"].sum() == sum(stop.departure.delay for stop in stops)
        assert rows["trip_id"].n_unique() == len({entity.trip_update.trip.trip_id for entity in message.entity})


def test_packed_files_give_the_same(data: Path, played: Callable[..., Any], file: Callable[..., Path]) -> None:
    raw = bz2.decompress((data / "transit/louisville_vehicle_positions.pb.bz2").read_bytes())
    plain, _ = played("gtfs-rt", file(raw, "a.pb"))
    packed, _ = played("gtfs-rt", file(gzip.compress(raw), "a.pb.gz"))
    assert plain.height == 78
    assert packed.equals(plain)


@pytest.mark.parametrize(
    ("name", "content"), [("a.pb.bz2", b"no bzip2"), ("a.pb.gz", b"\x1f\x8bbroken"), ("a.zip", b"PK"), ("a.bz2", b"")]
)
def test_damaged_packing_is_one_refusal(
    played: Callable[..., Any], file: Callable[..., Path], name: str, content: bytes
) -> None:
    rows, [refusal] = played("gtfs-rt", file(content, name))
    assert rows.height == 0
    assert refusal.payload == content


def test_bzip2_bomb_is_cut(played: Callable[..., Any], file: Callable[..., Path]) -> None:
    bomb = bz2.compress(bytes(100_000_000))
    rows, [refusal] = played("gtfs-rt", file(bomb, "a.pb.bz2"))
    assert rows.height == 0
    assert "more than the limit" in refusal.reason


def test_cologne(data: Path, played: Callable[..., Any]) -> None:
    rows, refusals = played("open311", data / "311/r311/koeln-requests.json")
    assert (rows.height, refusals) == (50, [])


def test_cap_folder(data: Path, played: Callable[..., Any]) -> None:
    """36 files with one alert, one with 17; an attack and an index are refused."""
    rows, refusals = played("cap", data / "cap")
    assert rows.height == 36 + 17
    assert sorted(refusal.source.rsplit(":", 1)[1] for refusal in refusals) == ["nws_atom_feed_example.xml", "xee.cap"]
