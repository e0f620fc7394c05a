"""The JSON that the reflex process's API speaks: pages, Dagster and the command line read these and nothing else.

Times are RFC 3339 text in UTC; durations say their unit in the name. Kept free of every other module of `actuation`,
so that a page that imports the client imports no key and no ledger.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

Press = Literal["start", "confirm", "all_clear", "drill", "stop"]
Role = Literal["viewer", "duty", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "duty", "admin")
PRESSES: tuple[Press, ...] = ("start", "confirm", "all_clear", "drill", "stop")


class Problem(TypedDict):
    """Body of every 4xx: which field holds which value, and what to do."""

    error: str
    field: str
    value: Any
    remedy: str


class SourceStatus(TypedDict):
    """code: a CAP source of the city, or a feed that scenarios listen to."""

    code: str
    last_seen: str | None
    last_what: str | None
    accepted: int
    refused: int


class Holder(TypedDict):
    """Who may act now. epoch: grows with each takeover; a command's number begins with it."""

    holder: str | None
    epoch: int
    mine: bool
    since: str | None


class Status(TypedDict):
    """live_doors: False where the broker has no access lists: only drills run for doors there."""

    now: str
    holder: Holder
    broker: dict[str, Any]
    live_doors: bool
    sources: list[SourceStatus]
    counts: dict[str, int]
    latency_ms: dict[str, float | None]
    ledger: dict[str, Any]


class CommandRow(TypedDict):
    """One signed command. silent = expected - done - refused - failed. p50, p99, last: answers, from its creation."""

    command_id: str
    target: str
    action: str
    mode: str
    created_at: str
    sent_at: str | None
    expires_at: str
    expected: int
    done: int
    refused: int
    failed: int
    silent: int
    p50_ms: float | None
    p99_ms: float | None
    last_ms: float | None


class RunRow(TypedDict):
    """One activation of a scenario. waiting_confirmation: a second person must press `confirm`."""

    run_id: str
    scenario: str
    title_ru: str
    title_en: str
    mode: str
    started_at: str
    event_key: str
    headline: str
    zones: list[str]
    waiting_confirmation: bool
    ends_at: str | None
    ended_at: str | None
    started_by: str | None
    commands: list[CommandRow]


class DeviceRow(TypedDict):
    """Commanded, answered and sensed are three things; none stands for another.

    commanded: the action asked for. answered: done, would_do, refused, failed or None. sensed: the device's own sensor.
    """

    device_id: str
    kind: str
    zone_id: str
    name_ru: str
    name_en: str
    address: str | None
    contact: str | None
    latitude: float
    longitude: float
    command_id: str | None
    mode: str | None
    commanded: str | None
    commanded_at: str | None
    answered: str | None
    answered_at: str | None
    answer_ms: float | None
    reason: str | None
    sensed: str | None
    sensed_at: str | None


class PressBody(TypedDict, total=False):
    """scenario and press are required; run_id for confirm, all_clear and stop of one run."""

    scenario: str
    press: Press
    zones: list[str]
    run_id: str | None
    note: str | None


class Pressed(TypedDict):
    """runs: those that the press started or changed. commands: how many commands it caused."""

    event_key: str
    runs: list[str]
    commands: int
    effects: int


class CapVerdict(TypedDict):
    """result: accepted, repeated (acted on before), held (waits for a person), or refused with reason and field.

    runs: the scenario runs that it started or changed. commands: those that it caused.
    """

    result: Literal["accepted", "repeated", "held", "refused"]
    event_key: str | None
    reason: str | None
    field: str | None
    value: str | None
    runs: list[str]
    commands: list[str]


class Draft(TypedDict):
    """A CAP alert made from text; acts when a duty officer has confirmed it."""

    draft_id: str
    created_at: str
    source: str
    text: str
    alert: dict[str, Any]
    zones: list[str]
    state: Literal["waiting", "confirmed", "rejected", "acted"]
    doubts: list[str]


class TimelineLine(TypedDict, total=False):
    """A line of the ledger (ingest.contracts.ledger_entry): seq, at, kind, entity, mode and what else it has."""

    seq: int
    at: str
    kind: str
    entity: str
    mode: str
    command_id: str | None
    target: str | None
    device_id: str | None
    action: str | None
    scenario: str | None
    run_id: str | None
    by: str | None
    reason: str | None
    answer_ms: float | None
    detail: str | None
