"""meters-csv: all of DAIAD against polars alone, and the two hours of a year in which local time lies."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

HEADER = "user.key;datetime;meter.reading;diff\n"
DAIAD = "water_meters/daiad_swm_trialA_clean.zip"


@pytest.mark.slow
def test_daiad_equals_polars(data: Path, played: Callable[..., Any]) -> None:
    rows, refusals = played("meters-csv", data / DAIAD)
    with zipfile.ZipFile(data / DAIAD) as archive:
        told = pl.read_csv(
            archive.read("swm_trialA_clean.csv"), separator=";", schema_overrides={"meter.reading": pl.Float64}
        )  # R wrote 400000 as 4e+05
    assert (rows.height, refusals) == (told.height, []) == (673_927, [])
    assert rows["meter_id"].n_unique() == told["user.key"].n_unique() == 92
    assert rows["volume_m3"].sum() == pytest.approx(told["meter.reading"].sum() / 1_000, rel=1e-9)
    read = rows["event_time"].str.to_datetime("%Y-%m-%dT%H:%M:%SZ").dt.replace_time_zone("UTC")
    local = read.dt.convert_time_zone("Europe/Madrid").dt.replace_time_zone(None)
    assert (local == told["datetime"].str.to_datetime("%d/%m/%Y %H:%M:%S")).all()
    # the autumn hour has as many readings in its second pass as any hour of that night (76 to 81); what is more in its
    # first are meters that gave three readings in it, of which the middle one could be of either pass
    per_hour = dict(rows.group_by(pl.col("event_time").str.slice(0, 13)).len().iter_rows())
    first, second = per_hour["2016-10-30T00"], per_hour["2016-10-30T01"]
    assert first + second == 178
    assert 76 <= second <= 81
    assert first - second <= 22


def test_autumn_hour_is_told_apart_by_the_order_of_the_file(
    played: Callable[..., Any], file: Callable[..., Path]
) -> None:
    lines = [
        ("a", "01:30"), ("a", "02:30"), ("a", "02:30"), ("a", "03:30"),  # repeats the hour
        ("b", "02:59"), ("b", "02:01"), ("b", "02:50"),  # goes back once, then on
        ("c", "02:30"), ("c", "03:30"),  # a single reading: the first pass
    ]  # fmt: skip
    text = HEADER + "".join(f"{meter};30/10/2016 {at}:00;1000;0\n" for meter, at in lines)
    rows, refusals = played("meters-csv", file(text))
    assert refusals == []
    assert [time[11:16] for time in rows["event_time"]] == [
        "23:30", "00:30", "01:30", "02:30",
        "00:59", "01:01", "01:50",
        "00:30", "02:30",
    ]  # fmt: skip


@pytest.mark.parametrize("size", [40, 60, 100, 150])
def test_autumn_hour_across_blocks(
    played: Callable[..., Any], file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    import ingest.replay.lines as lines

    text = HEADER + "".join(
        f"a;30/10/2016 {at}:00;1;0\n" for at in ("01:40", "02:10", "02:40", "02:10", "02:40", "03:10")
    )
    monkeypatch.setattr(lines.line_tables, "__defaults__", (size,))
    rows, _ = played("meters-csv", file(text))
    assert [time[11:16] for time in rows["event_time"]] == ["23:40", "00:10", "00:40", "01:10", "01:40", "02:10"]


def test_hour_that_the_spring_jump_leaves_out_is_refused(played: Callable[..., Any], file: Callable[..., Path]) -> None:
    text = HEADER + "a;27/03/2016 01:59:59;1;0\na;27/03/2016 02:30:00;2;1\na;27/03/2016 03:00:00;3;1\n"
    rows, [refusal] = played("meters-csv", file(text))
    assert rows["event_time"].to_list() == ["2016-03-27T00:59:59Z", "2016-03-27T01:00:00Z"]
    assert refusal.reason.startswith("line 3: datetime is no local time of Europe/Madrid")
    assert refusal.value == "27/03/2016 02:30:00"


def test_another_zone_and_medium(played: Callable[..., Any], file: Callable[..., Path]) -> None:
    path = file(HEADER + "a;27/03/2016 02:30:00;68321;0\n")
    rows, refusals = played("meters-csv", path, time_zone="Europe/Moscow", medium="hot_water", zone_id="z1")
    assert refusals == []
    assert rows.row(0, named=True) == {
        "meter_id": "a",
        "event_time": "2016-03-26T23:30:00Z",
        "medium": "hot_water",
        "scope": "flat",
        "volume_m3": 68.321,
        "zone_id": "z1",
    }


@pytest.mark.parametrize(
    "line",
    [
        "a;1/1/16;5;0",
        "a;2016-01-01 00:00:00;5;0",
        "a;01/01/2016 00:00:00;litres;0",
        ";01/01/2016 00:00:00;5;0",
        "a;01/01/2016 00:00:00;;0",
    ],
)
def test_malformed_line(played: Callable[..., Any], file: Callable[..., Path], line: str) -> None:
    rows, [refusal] = played("meters-csv", file(f"{HEADER}a;01/01/2016 00:00:00;5;0\n{line}\n"))
    assert rows.height == 1
    assert (refusal.payload, refusal.reason[:7]) == (line.encode(), "line 3:")


def test_zip_with_litter_is_read_and_others_are_refused(played: Callable[..., Any], tmp_path: Path) -> None:
    text = HEADER + "a;01/01/2016 00:00:00;5;0\n"

    def packed(name: str, members: dict[str, str]) -> Path:
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members.items():
                archive.writestr(member, content)
        return tmp_path / name

    good = packed("good.zip", {"__MACOSX/._a.csv": "junk", "sub/": "", "sub/a.csv": text, "sub/._a.csv": "junk"})
    assert played("meters-csv", good)[0].height == 1
    for path, reason in (
        (packed("two.zip", {"a.csv": text, "b.csv": text}), "holds 2 files"),
        (packed("none.zip", {"__MACOSX/x": ""}), "holds 0 files"),
    ):
        rows, [refusal] = played("meters-csv", path)
        assert rows.height == 0
        assert reason in refusal.reason
    broken = tmp_path / "broken.zip"
    broken.write_bytes(good.read_bytes()[:60])
    assert "cannot be opened" in played("meters-csv", broken)[1][0].reason
    damaged = bytearray(good.read_bytes())
    at = good.read_bytes().index(b"sub/a.csv") + 15
    damaged[at : at + 10] = b"\xff" * 10
    broken.write_bytes(damaged)
    assert "cannot be unpacked" in played("meters-csv", broken)[1][-1].reason


def test_bomb_in_a_zip_is_cut(played: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ingest.replay.files as files

    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", HEADER + "\n" * 30_000_000)
    monkeypatch.setattr(files.opened.__wrapped__, "__defaults__", (10_000_000,))
    rows, refusals = played("meters-csv", tmp_path / "bomb.zip")
    assert rows.height == 0
    assert "more than the limit" in refusals[-1].reason
