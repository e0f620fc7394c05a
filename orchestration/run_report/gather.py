"""What a report says, from the marts and the ledger's copy in the lake; names and places from the city's folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

import duckdb

from actuation.scenario.load import load_scenarios
from city.contacts import Contacts, load_contacts
from city.profile import City, load_city
from city.settings import Settings
from warehouse.lake import LakeMissingError
from warehouse.read import query

RUN = "SELECT * FROM marts.mart_scenario_run WHERE run_id = ?"

DEVICES = """
WITH asked AS (SELECT * FROM marts.mart_command WHERE run_id = ? AND mode IN ('live', 'drill')),
first_asked AS (SELECT device_id, arg_min(action, commanded_at) AS action FROM asked GROUP BY device_id)
SELECT
    device_id,
    any_value(asked.device_kind) AS kind,
    any_value(asked.zone_id) AS zone_id,
    any_value(asked.house_id) AS house_id,
    coalesce(any_value(asked.address), any_value(device.name_ru)) AS address,
    any_value(device.name_ru) AS name_ru,
    any_value(device.latitude) AS latitude,
    any_value(device.longitude) AS longitude,
    asked.action,
    coalesce(arg_max(asked.result, asked.result IN ('done', 'would_do')), 'silent') AS result,
    arg_max(asked.reason, asked.commanded_at) AS reason,
    min(asked.answer_ms) FILTER (asked.result IN ('done', 'would_do')) AS answer_ms,
    arg_max(asked.sensed, asked.sensed_at) AS sensed,
    max(asked.attempts) AS attempts,
    max(asked.escalated_at) AS escalated_at
FROM asked
INNER JOIN first_asked USING (device_id, action)
LEFT JOIN ops.device AS device USING (device_id)
GROUP BY device_id, asked.action
ORDER BY address, device_id
"""

COMMANDS = """
SELECT command_id, any_value(target) AS target, any_value(action) AS action, min(commanded_at) AS commanded_at,
    count(*) AS expected, count(*) FILTER (result IN ('done', 'would_do')) AS done,
    count(*) FILTER (result = 'refused') AS refused, count(*) FILTER (result = 'failed') AS failed,
    count(*) FILTER (result IS NULL) AS silent, quantile_cont(answer_ms, 0.5) AS p50_ms,
    quantile_cont(answer_ms, 0.9) AS p90_ms, quantile_cont(answer_ms, 0.99) AS p99_ms, max(answer_ms) AS last_ms
FROM marts.mart_command WHERE run_id = ? AND mode IN ('live', 'drill')
GROUP BY command_id ORDER BY commanded_at, action, target
"""

ANSWERS = "SELECT answer_ms FROM marts.mart_command WHERE run_id = ? AND answer_ms IS NOT NULL ORDER BY answer_ms"

# what happened to many devices at once is one line with a number; what a person or the engine did stands by itself
TIMELINE = """
WITH lines AS (
    SELECT * FROM staging.stg_ledger_entry
    WHERE run_id = ? OR (kind IN ('seen', 'pressed') AND (trigger_kind, trigger_key) IN (
        SELECT DISTINCT (trigger_kind, trigger_key) FROM staging.stg_ledger_entry WHERE run_id = ?
    ))
)
SELECT min(written_at) AS first_at, kind, coalesce(action, trigger_kind) AS what, target,
    any_value(by_whom) AS by_whom, count(*) AS lines, min(device_id) AS device_id,
    CASE WHEN count(DISTINCT reason) = 1 THEN any_value(reason) END AS reason
FROM lines
GROUP BY kind, coalesce(action, trigger_kind), target, coalesce(command_id, entity)
ORDER BY first_at, min(seq) LIMIT 300
"""


SLACK = timedelta(seconds=1)
"""A run ends with a line of its own, or by time with none: then the line before it is the last."""


class RunMissingError(LookupError):
    """The lake knows no such run (yet)."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """run, devices, commands, timeline: rows by column name. answers: ms, ascending. titles: Russian, English."""

    city: City
    zone: tzinfo
    titles: tuple[str, str]
    run: Mapping[str, Any]
    devices: Sequence[Mapping[str, Any]]
    commands: Sequence[Mapping[str, Any]]
    timeline: Sequence[Mapping[str, Any]]
    answers: Sequence[float]

    @property
    def silent(self) -> list[Mapping[str, Any]]:
        """Devices that did not do it."""
        return [row for row in self.devices if row["result"] not in ("done", "would_do")]

    def moment(self, at: datetime | None, form: str = "%d.%m.%Y %H:%M:%S") -> str:
        """On the city's wall."""
        return "—" if at is None else at.astimezone(self.zone).strftime(form)


def in_the_lake(settings: Settings, ended: Mapping[str, datetime]) -> list[str]:
    """Those of these runs (run_id → when it ended) that are modelled, with every line up to their end."""
    try:
        known = set(query(settings, "SELECT run_id FROM marts.mart_scenario_run")["run_id"])
        last = query(settings, "SELECT max(written_at) AS last_at FROM staging.stg_ledger_entry").item()
    except (LakeMissingError, duckdb.CatalogException):  # nothing was loaded, or nothing was built yet
        return []
    return [run_id for run_id, at in ended.items() if run_id in known and last is not None and last >= at - SLACK]


def gather(settings: Settings, run_id: str) -> RunReport:
    """Raises RunMissingError."""
    city = load_city(settings)
    found = query(settings, RUN, [run_id])
    if found.is_empty():
        raise RunMissingError(f"run {run_id} is not in marts.mart_scenario_run: has the ledger been loaded and built?")
    run = found.row(0, named=True)
    contacts = load_contacts(city.folder)
    devices = [_with_contact(row, contacts) for row in query(settings, DEVICES, [run_id]).iter_rows(named=True)]
    return RunReport(
        city=city,
        zone=city.timezone,
        titles=_titles(city, run["scenario"]),
        run=run,
        devices=devices,
        commands=query(settings, COMMANDS, [run_id]).rows(named=True),
        timeline=query(settings, TIMELINE, [run_id, run_id]).rows(named=True),
        answers=query(settings, ANSWERS, [run_id])["answer_ms"].to_list(),
    )


def _titles(city: City, code: str | None) -> tuple[str, str]:
    """The scenario's own words; its code where the city has it no longer."""
    scenario = load_scenarios(city).scenarios.get(str(code))
    return (scenario.title.ru, scenario.title.en) if scenario is not None else (str(code), str(code))


def _with_contact(row: dict[str, Any], contacts: Contacts) -> dict[str, Any]:
    one = contacts.of(device_id=row["device_id"], building_id=row["house_id"])
    return {**row, "contact": f"{one.name}, {one.phone}" if one is not None else None}
