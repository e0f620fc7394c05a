"""What the reflex process says, asked at most once a second for all who look; and the presses of a person.

The page keeps no state of its own: doors are what the process says, and when it does not answer the page says that.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, cast

import streamlit as st

from actuation.reflex.client import ReflexAwayError, ReflexClient, ReflexRefusedError
from actuation.reflex.shapes import DeviceRow, Draft, Press, RunRow, Status, TimelineLine
from apps.streamlit.data import Trouble, current
from apps.streamlit.who import Person

LOOK_S = 0.9
"""A page that redraws each second asks anew each time; ten pages ask no more than one."""

CALM_S = 4.0
"""How old the list of all devices may be while nothing runs."""

TIMEOUT_S = 5.0
ROWS_A_SECOND, SLOWEST_S = 2_000, 2.0
LINES = 300


@dataclass(frozen=True)
class Seen:
    """One look at the process. devices: of all; run_devices: of each active run."""

    status: Status
    runs: Sequence[RunRow]
    devices: Sequence[DeviceRow]
    run_devices: dict[str, Sequence[DeviceRow]]
    drafts: Sequence[Draft]


@dataclass
class _Line:
    """One connection of this server process to the reflex process, and what it last said."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    kept: dict[str, tuple[float, Any]] = field(default_factory=dict)
    lines: list[TimelineLine] = field(default_factory=list)
    client: ReflexClient | None = None


def _hang_up(line: _Line) -> None:
    if line.client is not None:
        line.client.close()
    line.client, line.lines, line.kept = None, [], {}


@st.cache_resource(show_spinner=False, on_release=_hang_up)
def _line(home: str, port: int) -> _Line:
    return _Line()


def look() -> Seen:
    """Everything that the duty officer's page shows. Raises Trouble when the process does not answer."""
    return cast(Seen, _kept("seen", LOOK_S, _look))


def _look(client: ReflexClient, line: _Line) -> Seen:
    runs = client.runs()
    before = line.kept.get("seen")
    old = cast("Seen | None", before[1] if before else None)
    had = {run["run_id"] for run in old.runs} if old is not None else set()
    changed = old is None or had != {run["run_id"] for run in runs}
    devices = _sized(line, "devices", client.devices, 0.0 if changed else CALM_S if not runs else LOOK_S)
    asked = {
        run["run_id"]: _sized(line, f"run {run['run_id']}", partial(client.run_devices, run["run_id"]), LOOK_S)
        for run in runs
    }
    return Seen(client.status(), runs, devices, asked, client.drafts())


def _sized(line: _Line, name: str, ask: Callable[[], Sequence[DeviceRow]], seconds: float) -> Sequence[DeviceRow]:
    """Rows of devices, asked less often the more there are: 10,000 doors are 7 MB of JSON, and two seconds apart."""
    at, rows = line.kept.get(name, (float("-inf"), ()))
    if time.monotonic() - at >= max(seconds, min(len(rows) / ROWS_A_SECOND, SLOWEST_S)):
        rows = ask()
        line.kept[name] = (time.monotonic(), rows)
    return cast("Sequence[DeviceRow]", rows)


def past(since: datetime) -> list[RunRow]:
    """Runs that have ended, newest first."""
    hour = since.replace(minute=0, second=0, microsecond=0)
    return cast("list[RunRow]", _kept(f"past{hour}", 5.0, lambda client, _: client.runs(past=True, since=hour)))


def timeline() -> list[TimelineLine]:
    """The newest lines of the ledger, newest first."""
    return cast("list[TimelineLine]", _kept("timeline", LOOK_S, _timeline))


def _timeline(client: ReflexClient, line: _Line) -> list[TimelineLine]:
    if not line.lines:
        line.lines = client.timeline(_before_last(client.status()), limit=LINES)
    while True:
        more = client.timeline(line.lines[-1]["seq"] if line.lines else 0, limit=1_000)
        line.lines = [*line.lines, *more][-LINES:]
        if len(more) < 1_000:
            return line.lines[::-1]


def _before_last(status: Status) -> int:
    """Where the newest lines begin: a ledger of a year is not read from its first line."""
    told = status["ledger"]
    last = next((told[name] for name in ("seq", "last_seq", "lines") if isinstance(told.get(name), int)), 0)
    return max(0, last - LINES)


def _kept(name: str, seconds: float, ask: Callable[[ReflexClient, _Line], Any]) -> Any:
    chosen = current()
    line = _line(str(chosen.home), chosen.reflex_port)
    with line.lock:
        at, value = line.kept.get(name, (float("-inf"), None))
        if time.monotonic() - at < seconds:
            return value
        try:
            if line.client is None:
                line.client = ReflexClient(chosen, timeout_s=TIMEOUT_S)
            value = ask(line.client, line)
        except (ReflexAwayError, ReflexRefusedError, RuntimeError) as error:
            # a token or a ledger of the process before: the next look begins anew
            _hang_up(line)
            raise Trouble(
                "reflex_refused" if isinstance(error, ReflexRefusedError) else "reflex_away", str(error)
            ) from None
        line.kept[name] = (time.monotonic(), value)
        return value


@dataclass(frozen=True)
class Said:
    """What came of a press: done, or not and why, in the process's own words."""

    done: bool
    text: str = ""
    remedy: str = ""


def press(
    who: Person,
    scenario: str,
    button: Press,
    zones: Sequence[str] = (),
    run_id: str | None = None,
    note: str | None = None,
) -> Said:
    """A person's press. The process checks the role again, and the ledger gets the name."""
    return _told(who, lambda client: client.press(scenario, button, zones, run_id=run_id, note=note))


def decide(who: Person, draft_id: str, confirm: bool) -> Said:
    """A draft made from text becomes an alert, or does not."""
    return _told(who, lambda client: client.confirm_draft(draft_id) if confirm else client.reject_draft(draft_id))


def _told(who: Person, work: Callable[[ReflexClient], Any]) -> Said:
    try:
        with ReflexClient(current(), user=who.label, role=who.role) as client:
            work(client)
    except ReflexRefusedError as refused:
        problem = refused.problem
        return Said(False, f"{problem['error']} ({problem['field']}: {problem['value']})", problem["remedy"])
    except (ReflexAwayError, RuntimeError) as away:
        return Said(False, str(away))
    forget()
    return Said(True)


def forget() -> None:
    """After a press the next look asks anew."""
    chosen = current()
    line = _line(str(chosen.home), chosen.reflex_port)
    with line.lock:
        line.kept = {}
