"""The city state keeps the newest message of every entity, whatever the order of arrival."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from city.settings import Settings
from city_state.read import feeds, latest
from city_state.writer import CityStateWriter
from ingest.contracts.vehicle_position import VehiclePosition
from ingest.derive.arrow import to_batch

NOW = datetime.now(UTC).replace(microsecond=0)


def fix(second: int, sequence: int = 0, vehicle: str = "bus") -> VehiclePosition:
    return VehiclePosition(
        vehicle_id=vehicle,
        timestamp=NOW - timedelta(seconds=500) + timedelta(seconds=second),
        latitude=57.6,
        longitude=float(second % 90),
        sequence=sequence,
    )


def tell(writer: CityStateWriter, *fixes: VehiclePosition) -> None:
    writer("vehicle_position", fixes, to_batch("vehicle_position", fixes, [NOW] * len(fixes), ["t"] * len(fixes)))


@settings(max_examples=25, deadline=None)
@given(seconds=st.lists(st.integers(0, 400), min_size=1, max_size=30, unique=True), seed=st.integers())
def test_the_newest_wins_in_any_order(tmp_path_factory, seconds: list[int], seed: int) -> None:  # type: ignore[no-untyped-def]
    home = Settings(home=tmp_path_factory.mktemp("state"))
    writer = CityStateWriter(home.state_path)
    shuffled = [fix(second) for second in seconds]
    rng = random.Random(seed)
    rng.shuffle(shuffled)
    while shuffled:  # in flushes of any size, some of them delivered twice
        size = rng.randrange(1, len(shuffled) + 1)
        tell(writer, *shuffled[:size])
        if rng.random() < 0.3:
            tell(writer, *shuffled[:size])
        shuffled = shuffled[size:]
    row = latest(home, "vehicle_position").row(0, named=True)
    assert row["longitude"] == float(max(seconds) % 90)


def test_equal_times_are_ranked_by_the_devices_counter(tmp_path: Path) -> None:
    home = Settings(home=tmp_path)
    writer = CityStateWriter(home.state_path)
    tell(writer, fix(10, sequence=5))
    tell(writer, fix(10, sequence=4))
    assert '"sequence":5' in latest(home).row(0, named=True)["payload"]


def test_a_clock_that_is_ahead_does_not_freeze_its_entity(tmp_path: Path) -> None:
    """The trusted event time ranks, not the device's: a fix from 2090 would otherwise stay for ever."""
    home = Settings(home=tmp_path)
    writer = CityStateWriter(home.state_path)
    wild = fix(0).model_copy(update={"timestamp": datetime(2090, 1, 1, tzinfo=UTC)})
    writer("vehicle_position", [wild], to_batch("vehicle_position", [wild], [NOW - timedelta(minutes=9)], ["t"]))
    tell(writer, fix(400))
    assert latest(home).row(0, named=True)["clock_status"] == "ok"


def test_feeds_say_when_they_were_last_heard(tmp_path: Path) -> None:
    home = Settings(home=tmp_path)
    assert feeds(home).is_empty()
    assert latest(home).is_empty()
    writer = CityStateWriter(home.state_path)
    tell(writer, fix(1), fix(2, vehicle="other"))
    row = feeds(home).row(0, named=True)
    assert (row["feed"], row["messages"], row["last_received_at"]) == ("vehicle_position", 2, NOW)
