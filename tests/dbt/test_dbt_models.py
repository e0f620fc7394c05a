"""One lake through its life: empty, filled, filled late and twice, rebuilt from nothing; and its totals by hand.

The days are 2026-03-05 … 2026-03-09 in Moscow (UTC+3), so each local day begins at 21:00 UTC.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from click.testing import Result
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from apps.cli.main import app
from city.settings import settings
from domains.kpi.catalogue import Kpi, catalogue
from ingest.contracts import CONTRACTS
from warehouse.lake import open_lake
from warehouse.read import query

SEED = 20260310
FIRST = datetime.fromisoformat("2026-03-05T00:00:00+03:00")
DAYS = 5
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def hours(step: timedelta) -> Iterator[datetime]:
    at = FIRST
    while at < FIRST + timedelta(days=DAYS):
        yield at
        at += step


def positions() -> list[dict[str, Any]]:
    """Two buses on the equator, a fix each minute from 06:00 to 08:00; bus a goes 600 m a minute, b stands."""
    rows = []
    for day in range(DAYS):
        for minute in range(121):
            at = FIRST + timedelta(days=day, hours=6) + minute * MINUTE
            for vehicle, step in (("a", 600.0), ("b", 0.0)):
                if vehicle == "b" and 30 < minute < 45:
                    continue  # a gap of 15 minutes
                rows.append(
                    {
                        "vehicle_id": vehicle, "timestamp": at, "latitude": 0.0,
                        "longitude": minute * step / 111_195.08, "route_id": "1",
                        "boot_id": f"day-{day}", "sequence": minute,
                    }
                )  # fmt: skip
    return rows


def meters() -> list[dict[str, Any]]:
    """Four flats of 0.25 m3/h in zone z, the meter of their house with 1.25 m3/h, and an electricity meter."""
    rows = []
    for number, at in enumerate(hours(HOUR)):
        for flat in range(4):
            # flat 3 delivers every 5 hours; on the third day its meter was replaced
            if flat == 3 and number % 5:
                continue
            counter = 100 + number * 0.25 if not (flat == 3 and number >= 60) else (number - 60) * 0.25
            rows.append(
                {
                    "meter_id": f"flat-{flat}", "event_time": at, "medium": "cold_water", "scope": "flat",
                    "volume_m3": counter, "house_id": "h", "zone_id": "z",
                }
            )  # fmt: skip
        common = {"medium": "cold_water", "scope": "house", "house_id": "h", "zone_id": "z"}
        rows.append({"meter_id": "house", "event_time": at, "volume_m3": 5000 + number * 1.25, **common})
        if number % 24 == 12:
            rows.append({"meter_id": "power", "event_time": at, "medium": "electricity", "energy_kwh": number * 0.5})
    return rows


def flows() -> list[dict[str, Any]]:
    """Zone z is fed 2.5 m3/h and gives 1 m3/h away: 36 m3 a day net, of which 30 are metered."""
    rows = []
    for at in hours(15 * MINUTE):
        for sensor, role, value in (("in", "inlet", 2.5), ("out", "outlet", 1.0)):
            rows.append(
                {
                    "sensor_id": sensor, "event_time": at, "quantity": "flow_m3_h", "value": value, "role": role,
                    "zone_id": "z",
                }
            )  # fmt: skip
    return rows


def complaints() -> list[dict[str, Any]]:
    """Ten a day; due in a day; the even ones are closed after 6 hours, the odd ones after 30."""
    rows = []
    for day in range(DAYS):
        for number in range(10):
            asked = FIRST + timedelta(days=day, hours=10)
            base = {
                "service_request_id": f"r-{day}-{number}", "service_code": "light", "requested_datetime": asked,
                "deadline": asked + timedelta(days=1), "description": "Не горит фонарь", "lat": 59.2, "long": 39.9,
            }  # fmt: skip
            closed = asked + timedelta(hours=30 if number % 2 else 6)
            rows.append({**base, "status": "open", "updated_datetime": asked})
            rows.append({**base, "status": "closed", "updated_datetime": closed})
    return rows


def cameras() -> list[dict[str, Any]]:
    """Two waste sites a day: the first is full, the second is empty."""
    return [
        {
            "event_id": f"{day}-{site}", "camera_id": f"cam-{site}", "site_id": f"site-{site}",
            "event_time": FIRST + timedelta(days=day, hours=9), "class_name": kind, "confidence": 0.9,
        }
        for day in range(DAYS)
        for site, kind in ((1, "waste_full"), (2, "waste_empty"))
    ]  # fmt: skip


def ledger() -> list[dict[str, Any]]:
    """A live command a day to the doors of zone dma-2: the first opens after 200 ms, the second never answers."""
    rows = []
    for day in range(DAYS):
        at = FIRST + timedelta(days=day, hours=12)
        common = {
            "ledger_id": "l", "mode": "live", "command_id": f"c-{day}", "entity": f"c-{day}", "target": "zone:dma-2",
            "action": "unlock", "scenario": "missile_alert", "version": "1", "run_id": f"run-{day}",
            "trigger_kind": "alert", "trigger_key": f"a-{day}", "prev_hash": "0" * 64, "hash": "0" * 64,
        }  # fmt: skip
        lines = [
            (0.0, {"kind": "created", "detail": '{"expected": 2, "effect": {"target": {"kinds": ["door"]}}}'}),
            (0.001, {"kind": "sent"}),
            (0.2, {"kind": "acked", "device_id": "door-shelter-01", "answer_ms": 200.0}),
            (300.0, {"kind": "expired", "device_id": "door-shelter-04", "reason": "silent"}),
        ]
        rows += [
            {**common, "seq": day * 4 + number + 1, "at": at + timedelta(seconds=seconds), **more}
            for number, (seconds, more) in enumerate(lines)
        ]
    return rows


def meter_flags() -> list[dict[str, Any]]:
    """Twenty, each cleared after two hours."""
    rows = []
    for number in range(20):
        words = {"reason_ru": "скачок", "reason_en": "a jump", "house_id": "h", "zone_id": "z"}
        for status, after in (("raised", 0), ("cleared", 2)):
            at = FIRST + (number * 5 + after) * HOUR
            meter = f"flat-{number % 4}"
            rows.append({"meter_id": meter, "event_time": at, "kind": "rate_high", "status": status, **words})
    return rows


def leak_findings() -> list[dict[str, Any]]:
    """Ten of 2 m3/h, each found ten hours after it began; the even ones closed a day later."""
    rows = []
    for number in range(10):
        at = FIRST + number * 10 * HOUR
        told = {
            "finding_id": f"f{number}", "zone_id": "z", "pipe": "p1", "first_seen": at,
            "likely_start": at - 10 * HOUR, "flow_m3_h": 2.0, "confidence": 0.8,
        }  # fmt: skip
        rows.append({**told, "event_time": at, "status": "open"})
        if number % 2 == 0:
            ended = at + 24 * HOUR
            rows.append({**told, "event_time": ended, "status": "closed", "ended_at": ended})
    return rows


def work_orders() -> list[dict[str, Any]]:
    """One a finding, due in a day; the even ones are done after 12 hours, the odd ones after 30."""
    rows = []
    for number in range(10):
        at = FIRST + number * 10 * HOUR
        told = {
            "order_id": f"o{number}", "kind": "leak_repair", "finding_id": f"f{number}", "contractor": "crew",
            "zone_id": "z", "place": "p1", "ordered_at": at, "deadline_at": at + 24 * HOUR,
        }  # fmt: skip
        done = at + (30 if number % 2 else 12) * HOUR
        rows.append({**told, "event_time": at, "stage": "ordered"})
        rows.append({**told, "event_time": done, "stage": "done", "done_at": done, "cost_rub": 40_000.0})
    return rows


FEEDS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "vehicle_position": positions,
    "meter_reading": meters,
    "scada_reading": flows,
    "complaint": complaints,
    "camera_event": cameras,
    "ledger_entry": ledger,
    "meter_flag": meter_flags,
    "leak_finding": leak_findings,
    "work_order": work_orders,
}


class Story:
    """The lake and what was built in it on the way."""

    def __init__(self, lake: Any) -> None:
        self.lake = lake
        lake.build("--exclude", "source:*", "resource_type:test")  # on an empty lake, unit tests included
        chance = random.Random(SEED)
        late = {feed: [] for feed in FEEDS}
        for feed, make in FEEDS.items():
            early = []
            for row in make():
                (late if chance.random() < 0.2 else {feed: early})[feed].append(row)
            # the last day has not come yet
            event = {"vehicle_position": "timestamp", "complaint": "updated_datetime", "ledger_entry": "at"}.get(
                feed, "event_time"
            )
            today = FIRST + timedelta(days=DAYS - 1)
            late[feed] += [row for row in early if row[event] >= today]
            early = [row for row in early if row[event] < today]
            lake.land(feed, early)
            late[feed] += chance.sample(early, max(1, len(early) // 10))  # sent twice
        lake.load()
        lake.run()
        for feed, rows in late.items():
            chance.shuffle(rows)
            for start in range(0, len(rows), max(1, len(rows) // 3)):
                lake.land(feed, rows[start : start + max(1, len(rows) // 3)])
        lake.load()
        lake.run()
        self.incremental = self.tables()
        lake.build("--full-refresh", "--exclude-resource-type", "unit_test", "--exclude", "source:*")
        self.full = self.tables()

    def tables(self) -> dict[str, pl.DataFrame]:
        with open_lake(self.lake.settings) as lake:
            names = lake.execute(
                "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE database_name = 'lake' "
                "AND schema_name IN ('intermediate', 'marts') AND table_name <> 'built_through'"
            ).fetchall()
            return {name: lake.execute(f"SELECT * FROM {name}").pl() for (name,) in names}

    def kpi(self, code: str) -> dict[date, float | None]:
        rows = self.lake.rows("SELECT day, value FROM marts.mart_kpi_daily WHERE code = ? ORDER BY day", [code])
        return {row["day"]: row["value"] for row in rows}


@pytest.fixture(scope="module")
def story(new_lake: Callable[[str], Any]) -> Story:
    return Story(new_lake("dbt"))


def day(number: int) -> date:
    return (FIRST + timedelta(days=number)).date()


def test_incremental_equals_full_refresh(story: Story) -> None:
    """A fifth of the rows came late, a tenth came twice, in four loads and three builds."""
    assert story.incremental.keys() == story.full.keys()
    for name, full in story.full.items():
        key = [column for column, kind in full.schema.items() if kind not in (pl.Float64, pl.Boolean)]
        assert_frame_equal(
            story.incremental[name].sort(key, nulls_last=True), full.sort(key, nulls_last=True),
            check_exact=False, rel_tol=1e-9, abs_tol=1e-9,
        )  # fmt: skip
    assert full.height > 0


def test_nothing_is_lost_or_doubled(story: Story) -> None:
    health = {row["feed"]: row for row in story.lake.rows("SELECT * FROM marts.mart_feed_health")}
    assert health.keys() == CONTRACTS.keys()
    for feed, make in FEEDS.items():
        assert health[feed]["rows_total"] == len(make()), feed
        assert health[feed]["duplicates_total"] > 0, feed
        assert health[feed]["conflicts_total"] == 0
    assert health["trip_update"]["rows_total"] == 0
    assert health["trip_update"]["is_silent"] is None
    assert health["scada_reading"]["is_silent"] is True  # 15 h before AS_OF
    assert story.lake.rows("SELECT count(*) AS n FROM marts.mart_sequence_gap WHERE entity = 'a'")[0]["n"] == 0


def test_vehicle_days(story: Story) -> None:
    rows = story.lake.rows("SELECT * FROM marts.mart_vehicle_day ORDER BY day, vehicle_id")
    assert len(rows) == 2 * DAYS
    for row in rows:
        if row["vehicle_id"] == "a":
            assert row["fixes"] == 121
            assert row["distance_m"] == pytest.approx(120 * 600, rel=1e-6)
            assert row["moving_s"] == 7200
        else:
            assert (row["fixes"], row["distance_m"], row["max_gap_s"]) == (107, 0, 900)
    gaps = story.lake.rows("SELECT missing FROM marts.mart_sequence_gap WHERE entity = 'b'")
    assert [gap["missing"] for gap in gaps] == [14] * DAYS
    assert story.kpi("transit_speed") == {day(n): pytest.approx(36, rel=1e-6) for n in range(DAYS)}
    assert story.kpi("transit_vehicles_with_gaps") == {day(n): 50 for n in range(DAYS)}


def test_meter_days(story: Story) -> None:
    rows = story.lake.rows(
        "SELECT * FROM marts.mart_meter_day WHERE scope = 'flat' AND medium = 'cold_water' ORDER BY day"
    )
    by_meter: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_meter.setdefault(row["meter_key"], []).append(row)
    assert len(by_meter) == 4
    assert all(len(key) == 16 and "flat" not in key for key in by_meter)
    regular = [days for days in by_meter.values() if not any(row["steps_back"] for row in days)]
    assert len(regular) == 3
    for days in regular:
        # the last day ends with its 23:00 reading (19:00 of the meter that delivers every 5 hours)
        assert [row["used_m3"] for row in days] == pytest.approx([6, 6, 6, 6, 5.75])
        assert [row["covered_share"] for row in days] == pytest.approx([1, 1, 1, 1, 23 / 24])
    (replaced,) = [days for days in by_meter.values() if any(row["steps_back"] for row in days)]
    # hour 60 is 12:00 of the third day: the step over 07:00-12:00 runs backwards and is nobody's use
    assert [row["steps_back"] for row in replaced] == [0, 0, 1, 0, 0]
    assert [row["used_m3"] for row in replaced] == pytest.approx([6, 6, 6 - 5 * 0.25, 6, 19 * 0.25])
    power = story.lake.rows("SELECT used_kwh FROM marts.mart_meter_day WHERE medium = 'electricity' ORDER BY day")
    assert [row["used_kwh"] for row in power] == pytest.approx([6, 12, 12, 12, 6])


def test_zone_balance(story: Story) -> None:
    rows = story.lake.rows("SELECT * FROM marts.mart_zone_day WHERE zone_id = 'z' ORDER BY day")
    assert [row["inflow_m3"] for row in rows[:DAYS]] == pytest.approx([36] * 5)
    assert [row["metered_m3"] for row in rows[:4]] == pytest.approx([30] * 4)
    assert [row["loss_m3"] for row in rows[:4]] == pytest.approx([6] * 4)
    assert [row["night_flow_m3_h"] for row in rows[:DAYS]] == pytest.approx([1.5] * 5)
    # the last 15-minute reading holds for half an hour, 15 minutes of it into a sixth day that nobody measured
    assert rows[DAYS]["inflow_m3"] == pytest.approx(1.5 / 4)
    assert rows[DAYS]["loss_m3"] is None
    losses = story.kpi("water_loss_share")
    assert [losses[day(n)] for n in range(4)] == pytest.approx([100 / 6] * 4)
    assert losses[day(DAYS)] is None
    assert story.kpi("water_use_per_flat")[day(0)] == pytest.approx(6000)


def test_water_balance_closes(story: Story) -> None:
    """A whole day: 36 m3 in, the house's meter counts 30 of them; the terms add up to the input."""
    rows = story.lake.rows("SELECT * FROM marts.mart_water_balance_day ORDER BY day")
    assert [row["day"] for row in rows] == [day(n) for n in range(DAYS)]
    for row in rows:
        parts = row["authorised_m3"] + row["apparent_m3"] + row["real_m3"]
        assert parts == pytest.approx(row["system_input_m3"], rel=1e-12)
        assert row["losses_low_m3"] < row["losses_m3"] < row["losses_high_m3"]
    one = rows[1]
    assert one["system_input_m3"] == pytest.approx(36)
    assert one["billed_metered_m3"] == pytest.approx(30)
    assert one["system_input_pm_m3"] == pytest.approx(0.02 * (60**2 + 24**2) ** 0.5)  # two sensors: 60 in, 24 out
    assert one["authorised_pm_m3"] == pytest.approx(((0.03 * 30) ** 2 + (0.5 * 0.005 * 36) ** 2) ** 0.5)
    assert one["real_m3"] == pytest.approx(36 - 30 - 0.0075 * 36 - 30 * 0.02 / 0.98)
    assert one["losses_rub"] == pytest.approx((36 - 30 - 0.005 * 36) * 32)
    [month] = story.lake.rows("SELECT * FROM marts.mart_water_balance_month")
    assert (month["month"], month["days"]) == (date(2026, 3, 1), DAYS)
    assert month["real_m3"] == pytest.approx(sum(row["real_m3"] for row in rows))
    # a meter's error is the same every day: half-widths of a month add up, they do not average out
    assert month["system_input_pm_m3"] == pytest.approx(sum(row["system_input_pm_m3"] for row in rows))


def test_house_against_flats_and_night(story: Story) -> None:
    """Flats 24 m3 of the house's 30; 30 − 24 · 1.03 = 5.28. The night's net inflow is 1.5 m3/h."""
    rows = story.lake.rows("SELECT * FROM marts.mart_house_balance_day ORDER BY day")
    assert rows[1]["excess_m3"] == pytest.approx(5.28)
    assert rows[1]["excess_m3"] > rows[1]["excess_pm_m3"]
    nights = story.lake.rows("SELECT * FROM marts.mart_night_flow_day ORDER BY day")
    assert [row["night_min_m3_h"] for row in nights] == [pytest.approx(1.5)] * DAYS
    assert story.kpi("water_houses_out_of_balance")[day(1)] == 100


def test_flags_findings_and_orders(story: Story) -> None:
    flags = story.lake.rows("SELECT * FROM marts.mart_meter_flag")
    assert len(flags) == 20
    assert {(row["cleared_at"] - row["raised_at"], row["is_open"]) for row in flags} == {(2 * HOUR, False)}
    assert not any(row["meter_key"].startswith("flat-") for row in flags)
    found = {row["finding_id"]: row for row in story.lake.rows("SELECT * FROM marts.mart_leak_finding")}
    assert (found["f0"]["status"], found["f0"]["lost_m3"]) == ("closed", 2.0 * 34)
    assert (found["f1"]["status"], found["f1"]["lost_m3"]) == ("open", 2.0 * 10)
    orders = {row["order_id"]: row for row in story.lake.rows("SELECT * FROM marts.mart_work_order")}
    assert [orders[f"o{n}"]["is_in_time"] for n in range(10)] == [n % 2 == 0 for n in range(10)]
    assert orders["o0"]["saved_m3_h"] == pytest.approx(0)


def test_cli_tells_the_balance(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GORODOK_HOME", str(story.lake.settings.home))
    settings.cache_clear()
    try:
        told = CliRunner().invoke(app, ["water", "balance", "--month", "2026-03", "--dma", "z", "--json"])
        assert told.exit_code == 0, told.output
        [zone] = json.loads(told.output)["zones"]
        assert zone["zone_id"] == "z"
        assert zone["days"] == DAYS
        text = CliRunner().invoke(app, ["water", "balance"])
        assert "реальные / real" in text.output
        for wrong, code in ((["--dma", "q"], 1), (["--month", "2026-13"], 2), (["--month", "2020-01"], 1)):
            assert CliRunner().invoke(app, ["water", "balance", *wrong]).exit_code == code
        walk = CliRunner().invoke(app, ["water", "survey", "--json"])
        assert walk.exit_code == 0, walk.output
        assert json.loads(walk.output)["stops"] == []  # house h of the hand-made days stands on no map
    finally:
        settings.cache_clear()


def test_appeals(story: Story) -> None:
    """A day: five closed in 6 h, five of the day before closed late; nobody is overdue at midnight but after 24 h."""
    on_time = story.kpi("appeals_closed_on_time")
    assert on_time[day(0)] == 100
    assert [on_time[day(n)] for n in range(1, 5)] == [50] * 4
    assert story.kpi("appeals_hours_to_close")[day(1)] == 18
    assert story.kpi("appeals_open_overdue")[day(1)] == 0
    assert not any("фонарь" in str(row) for row in story.lake.rows("SELECT * FROM marts.mart_complaint"))


def test_cameras_and_platform(story: Story) -> None:
    assert set(story.kpi("waste_sites_clean").values()) == {50}
    site = story.lake.rows("SELECT * FROM marts.mart_site WHERE site_id = 'site-1'")[0]
    assert (site["last_class"], site["events_7d"], site["open_tasks"]) == ("waste_full", 5, 0)
    clocks = story.kpi("platform_clock_trouble_share")
    assert [clocks[day(n)] for n in range(DAYS)] == [0.0] * DAYS
    kept = story.lake.rows("SELECT * FROM marts.mart_kpi_daily WHERE denominator = 0 OR denominator IS NULL")
    assert kept
    assert all(row["value"] is None for row in kept)


def test_commands_of_the_ledger(story: Story) -> None:
    """A door of the city's register that answered and one that did not, each day."""
    rows = story.lake.rows("SELECT * FROM marts.mart_command ORDER BY commanded_at, device_id")
    assert len(rows) == 2 * DAYS
    assert [row["result"] for row in rows] == ["done", None] * DAYS
    assert {row["house_id"] for row in rows} == {"b-011", "b-139"}
    runs = story.lake.rows("SELECT expected, done, silent, doors, doors_answered, p99_ms FROM marts.mart_scenario_run")
    assert runs == [{"expected": 2, "done": 1, "silent": 1, "doors": 2, "doors_answered": 1, "p99_ms": 200}] * DAYS
    assert story.kpi("alert_doors_answered") == {day(n): 50 for n in range(DAYS)}
    assert story.kpi("alert_last_answer_seconds") == {day(n): pytest.approx(0.2) for n in range(DAYS)}
    assert story.kpi("alert_commands_refused") == {day(n): 0 for n in range(DAYS)}
    assert story.kpi("alert_houses_ready") == {}  # nobody drilled: not known, never zero
    houses = story.lake.rows("SELECT answered_share FROM marts.mart_drill_house")
    assert len(houses) == 4
    assert {house["answered_share"] for house in houses} == {None}


def test_iq_is_thin_and_honest(story: Story) -> None:
    rows = {row["code"]: row for row in story.lake.rows("SELECT * FROM marts.mart_iq_indicator")}
    assert len(rows) == 47
    assert {code for code, row in rows.items() if row["value"] is not None} == {"c1", "c13", "c18", "c28"}
    assert rows["c13"]["value"] == 1 / 4
    assert rows["c13"]["computed_from"] == "33: camera_event"
    directions = story.lake.rows("SELECT * FROM marts.mart_iq_direction ORDER BY direction")
    assert [row["covered"] for row in directions] == [1, 0, 1, 0, 1, 1, 0, 0, 0, 0]
    assert sum(row["indicators"] for row in directions) == 47


def test_the_pseudonyms_key_stands_nowhere(story: Story) -> None:
    views = story.lake.rows("SELECT sql FROM duckdb_views() WHERE database_name = 'lake'")
    assert views
    assert not any("gorodok-demo" in str(row["sql"]) for row in views)
    target = story.lake.settings.home / "target"
    assert not [path for path in target.rglob("*.sql") if "gorodok-demo" in path.read_text(errors="ignore")]
    # a reader without the key sees nothing where a person would be
    assert story.lake.rows("SELECT count(meter_key) AS n FROM staging.stg_meter_reading")[0]["n"] == 0


def test_every_column_has_a_description(story: Story) -> None:
    manifest = json.loads((story.lake.settings.home / "target" / "manifest.json").read_text())
    columns: dict[tuple[str, str], set[str]] = {}
    for row in story.lake.rows("SELECT schema_name, table_name, column_name FROM duckdb_columns()"):
        columns.setdefault((row["schema_name"], row["table_name"]), set()).add(row["column_name"])
    for node in manifest["nodes"].values():
        if node["resource_type"] not in ("model", "seed"):
            continue
        assert node["description"], node["name"]
        have = columns[node["schema"], node["name"]]
        told = {name for name, column in node["columns"].items() if column["description"]}
        assert have == told, node["name"]


def gorodok(story: Story, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    """The command line on the story's lake."""
    monkeypatch.setenv("GORODOK_HOME", str(story.lake.settings.home))
    settings.cache_clear()
    try:
        return CliRunner().invoke(app, ["kpi", *arguments])
    finally:
        settings.cache_clear()


def test_cli_tells_the_day(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    told = gorodok(story, monkeypatch, "--day", "2026-03-06", "--json")
    assert told.exit_code == 0, told.output
    kpis = {row["code"]: row for row in json.loads(told.stdout)["kpis"]}
    assert [row["code"] for row in kpis.values()] == [one.code for one in catalogue().kpis]
    on_time = kpis["appeals_closed_on_time"]
    assert (on_time["value"], on_time["numerator"], on_time["denominator"]) == (50, 5, 10)
    assert (on_time["previous_value"], on_time["trend"], on_time["on_target"]) == (100, "worse", False)
    assert kpis["alert_commands_done"]["value"] == 50
    assert kpis["alert_houses_ready"]["value"] is None
    table = gorodok(story, monkeypatch, "--day", "2026-03-06")
    assert "Обращения" in table.stdout
    assert "50 ▼ !" in table.stdout


def test_cli_explains_down_to_the_segments(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    told = gorodok(story, monkeypatch, "--explain", "appeals_closed_on_time", "--day", "2026-03-06", "--json")
    assert told.exit_code == 0, told.output
    page = json.loads(told.stdout)
    assert page["source_url"] == "https://github.com/cityofaustin/atd-data-tech/issues/21672"
    assert page["rows_total"] == 10
    assert sum(row["is_overdue"] for row in page["rows"]) == 5
    landed = {row["segment"] for row in story.lake.rows("SELECT segment FROM ops.segment WHERE feed = 'complaint'")}
    assert {row["segment"] for row in page["segments"]} <= landed
    assert sum(row["rows_of_day"] for row in page["segments"]) == 10 + 10  # ten asked, ten closed on the day
    person = gorodok(story, monkeypatch, "--explain", "appeals_closed_on_time", "--day", "2026-03-06")
    assert "Обращения, закрытые в срок / Requests closed on time" in person.stdout
    assert "21672" in person.stdout


@pytest.mark.parametrize("one", catalogue().kpis, ids=lambda one: one.code)
def test_every_drill_down_runs(story: Story, monkeypatch: pytest.MonkeyPatch, one: Kpi) -> None:
    """A ratio of counted rows comes back from its own drill-down; the others at least run."""
    monkeypatch.setenv("GORODOK_HOME", str(story.lake.settings.home))
    query(story.lake.settings, one.drill_sql("Europe/Moscow"), [day(1)])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--day", "1999-01-01"], 1),
        (["--explain", "no_such_kpi"], 1),
        (["--explain", "transit_speed", "--day", "1999-01-01"], 1),
        (["--day", "yesterday"], 2),
    ],
)
def test_cli_says_no(story: Story, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int) -> None:
    assert gorodok(story, monkeypatch, *arguments).exit_code == code


def test_pages_are_exposed(story: Story) -> None:
    manifest = json.loads((story.lake.settings.home / "target" / "manifest.json").read_text())
    names = {node["name"] for node in manifest["exposures"].values()}
    assert names == {"home", "kpi", "digital_twin", "water_loss", "cleaning", "crossing", "data"}
