"""What the duty officer must know first: rules without a screen. Commanded, answered and sensed are never mixed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from actuation.reflex.shapes import DeviceRow, Draft, RunRow
from apps.streamlit.look import Level

ANSWER_S = 3.0
"""A device that has said nothing for so long after its command is called silent: on screen within five seconds."""

SENSED_OLD_S = 200.0
"""Devices tell their state each minute (docs/devices-protocol.md); one that missed three times is not believed."""

KINDS = ("door", "siren", "display", "lamp")
Standing = Literal["silent", "failed", "refused", "waiting", "done", "idle"]
ORDER: tuple[Standing, ...] = ("silent", "failed", "refused", "waiting", "done", "idle")
LEVEL: dict[Standing, Level] = {
    "silent": "bad", "failed": "bad", "refused": "bad", "waiting": "warn", "done": "good", "idle": "none",
}  # fmt: skip
OPEN = frozenset({"unlocked", "open", "opened", "on", "light_on", "siren_on", "shown", "showing"})
SHUT = frozenset({"locked", "closed", "shut", "off", "light_off", "siren_off", "blank", "idle"})
Sense = Literal["open", "shut", "other", "old", "unknown"]
RGB: dict[Sense, tuple[int, int, int]] = {
    "open": (0, 114, 178),
    "shut": (94, 106, 116),
    "other": (213, 94, 0),
    "old": (170, 178, 186),
    "unknown": (200, 205, 210),
}


@dataclass(frozen=True)
class Count:
    """Of devices that a run's commands expect answers of. opened: by their own sensors."""

    expected: int
    done: int
    refused: int
    failed: int
    silent: int
    waiting: int
    opened: int

    @property
    def answered(self) -> int:
        return self.done + self.refused + self.failed


def moment(text: str | None) -> datetime | None:
    """A time of the API."""
    if not text:
        return None
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def standing(row: DeviceRow, now: datetime) -> Standing:
    """How a device stands to its last command."""
    if row["commanded"] is None:
        return "idle"
    answered = row["answered"]
    if answered in ("done", "would_do"):
        return "done"
    if answered == "refused":
        return "refused"
    if answered == "failed":
        return "failed"
    at = moment(row["commanded_at"])
    return "waiting" if at is not None and (now - at).total_seconds() < ANSWER_S else "silent"


def sense(row: DeviceRow, now: datetime) -> Sense:
    """What the device's own sensor says, for the map's colour; what was commanded plays no part."""
    state, at = row["sensed"], moment(row["sensed_at"])
    if state is None:
        return "unknown"
    if at is not None and (now - at).total_seconds() > SENSED_OLD_S:
        return "old"
    return "open" if state in OPEN else "shut" if state in SHUT else "other"


def worst_first(rows: Iterable[DeviceRow], now: datetime) -> list[DeviceRow]:
    """By standing; doors before what only sounds or shines."""
    kinds = {kind: index for index, kind in enumerate(KINDS)}
    return sorted(
        rows, key=lambda row: (ORDER.index(standing(row, now)), kinds.get(row["kind"], len(kinds)), row["device_id"])
    )


def count(rows: Iterable[DeviceRow], now: datetime) -> Count:
    stands: list[Standing] = []
    opened = 0
    for row in rows:
        stands.append(standing(row, now))
        opened += sense(row, now) == "open"
    tally = {name: stands.count(name) for name in ORDER}
    return Count(
        expected=len(stands) - tally["idle"], done=tally["done"], refused=tally["refused"], failed=tally["failed"],
        silent=tally["silent"], waiting=tally["waiting"], opened=opened,
    )  # fmt: skip


def each_once(rows: Iterable[DeviceRow], now: datetime) -> list[DeviceRow]:
    """A device that several runs command, once: as it stands worst, then by its newest command."""
    found: dict[str, DeviceRow] = {}
    for row in rows:
        before = found.get(row["device_id"])
        if before is None or _rank(row, now) < _rank(before, now):
            found[row["device_id"]] = row
    return list(found.values())


def _rank(row: DeviceRow, now: datetime) -> tuple[int, float]:
    at = moment(row["commanded_at"])
    return ORDER.index(standing(row, now)), -at.timestamp() if at is not None else 0.0


def need_a_call(rows: Iterable[DeviceRow], now: datetime) -> list[DeviceRow]:
    """Devices that somebody must go to: silent, failed or refusing."""
    return [row for row in worst_first(rows, now) if standing(row, now) in ("silent", "failed", "refused")]


Scene = Literal["alarm", "waiting", "drill", "acting", "drafts", "calm"]


def scene(runs: Sequence[RunRow], drafts: Sequence[Draft]) -> Scene:
    """What is going on, the gravest thing of it. acting: something runs that opens nothing."""
    live = [run for run in runs if run["mode"] == "live" and not run["waiting_confirmation"]]
    if any(loud(run) for run in live):
        return "alarm"
    if any(run["waiting_confirmation"] for run in runs):
        return "waiting"
    if any(run["mode"] == "drill" for run in runs):
        return "drill"
    if any(draft["state"] == "waiting" for draft in drafts):
        return "drafts"
    return "acting" if live else "calm"


def loud(run: RunRow) -> bool:
    """It opens doors or sounds sirens."""
    return any(command["action"] in ("unlock", "siren_on") for command in run["commands"])


def gravest_first(runs: Sequence[RunRow]) -> list[RunRow]:
    def rank(run: RunRow) -> tuple[int, str]:
        if run["waiting_confirmation"]:
            return 1, run["started_at"]
        return (0 if run["mode"] == "live" and loud(run) else 2 if run["mode"] == "drill" else 3), run["started_at"]

    return sorted(runs, key=rank)


def dial(contact: str | None) -> str:
    """tel: link of the first telephone in a contact; empty where there is none."""
    digits, started = "", False
    for sign in contact or "":
        if sign == "+" and not started:
            started, digits = True, "+"
        elif started and sign.isdigit():
            digits += sign
        elif started and sign not in " ()-":
            break
    return f"tel:{digits}" if len(digits) > 6 else ""


def name_and_number(contact: str) -> tuple[str, str]:
    """ "Анна, +7 4850 55-01-21" as the name and the number, which must not break over two lines."""
    name, plus, number = contact.partition("+")
    return (name.rstrip(" ,"), f"+{number}".replace(" ", "\u00a0").replace("-", "\u2011")) if plus else (contact, "")
