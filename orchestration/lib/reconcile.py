"""Desired against reported: what was commanded and answered, beside what the device's own sensor says. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from actuation.reflex.shapes import DeviceRow, RunRow
from ingest.contracts.incident import Incident

SETTLES = timedelta(seconds=30)
"""A bolt needs seconds, and a sensor's word a moment more."""

SAYS = {
    "unlock": frozenset({"unlocked", "open"}),
    "lock": frozenset({"locked", "open"}),  # an open leaf is somebody walking out: the bolt follows when it shuts
    "light_on": frozenset({"on"}),
    "light_off": frozenset({"off"}),
    "siren_on": frozenset({"on"}),
    "siren_off": frozenset({"off"}),
    "show": frozenset({"shown"}),
}
"""Action → states of the reference devices (device/) that fit it."""

STAYS = frozenset({"lock", "light_off", "siren_off"})
"""These end nothing later by themselves; others hold until the command's time is over."""

PREFIX = "device_differs-"


def differences(devices: Iterable[DeviceRow], runs: Iterable[RunRow], now: datetime) -> list[DeviceRow]:
    """Devices whose sensor says something else than the newest live command that they said to have done."""
    holds = {
        command["command_id"]
        for run in runs
        for command in run["commands"]
        if datetime.fromisoformat(command["expires_at"]) > now
    }
    return [row for row in devices if _differs(row, holds, now)]


def _differs(row: DeviceRow, holds: set[str], now: datetime) -> bool:
    action, sensed, answered_at = row["commanded"], row["sensed"], row["answered_at"]
    if row["mode"] != "live" or row["answered"] != "done" or action not in SAYS:
        return False
    if sensed is None or answered_at is None or now - datetime.fromisoformat(answered_at) < SETTLES:
        return False
    return (action in STAYS or row["command_id"] in holds) and sensed not in SAYS[action]


def incidents(found: Sequence[DeviceRow], opened: Iterable[Incident], now: datetime) -> list[Incident]:
    """Opens one for each device that differs, closes those of devices that no longer do."""
    known = {each.incident_id: each for each in opened if each.incident_id.startswith(PREFIX)}
    wanted = {f"{PREFIX}{row['device_id']}": row for row in found}
    fresh = [_open(incident_id, row, now) for incident_id, row in wanted.items() if incident_id not in known]
    gone = [each for incident_id, each in known.items() if incident_id not in wanted]
    return fresh + [each.model_copy(update={"status": "closed", "event_time": now}) for each in gone]


def _open(incident_id: str, row: DeviceRow, now: datetime) -> Incident:
    place = row["address"] or row["name_ru"]
    return Incident(
        incident_id=incident_id,
        event_time=now,
        status="open",
        kind="other",
        severity="major",
        subject=row["device_id"],
        title=f"{row['name_ru']}: датчик не согласен с командой · {row['name_en']}: the sensor disagrees"[:512],
        detail=(
            f"Команда / commanded: {row['commanded']}; ответ / answered: {row['answered']}; "
            f"датчик / sensed: {row['sensed']}. {place}. {row['contact'] or ''}"
        ),
        latitude=row["latitude"],
        longitude=row["longitude"],
    )
