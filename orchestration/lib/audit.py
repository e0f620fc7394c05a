"""Audit of the command ledger from its copy in the lake: the chain is whole, and a replay gives what was written.

A `seen` line holds an event and the engine's `now`; fed to the engine in the ledger's order it must give the `created`
lines that follow. The engine is pure, so a difference means that somebody changed the scenarios' files without a
trace, the engine, or the lines. What is read here was landed and loaded like any feed: not the reflex process's file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from actuation.ledger import open_reader
from actuation.ledger.entry import canonical, chain, genesis, instant
from actuation.reflex import journal
from actuation.reflex.bodies import Bodies, BodyLostError
from actuation.scenario.load import load_scenarios
from actuation.scenario.program import Program
from actuation.scenario.state import EngineState
from city.profile import load_city
from city.settings import Settings
from ingest.contracts.ledger_entry import LedgerEntry
from warehouse.read import query

SHOWN = 20
"""Differences that a check lists; the number counts all."""

COLUMNS = tuple(LedgerEntry.model_fields)
LISTED = ", ".join(f'"{name}"' for name in COLUMNS)
LINES = f"SELECT {LISTED} FROM raw.ledger_entry"  # noqa: S608 - names come from the contract


@dataclass(frozen=True, slots=True)
class Difference:
    """A line that is not as it must be. ledger: the first eight of its id; seq: the line's number."""

    ledger: str
    seq: int
    what: str


@dataclass(slots=True)
class Audit:
    """What one day's audit found. events, effects: replayed; other_version: created lines of scenarios that the city's

    folder no longer holds in that version, which cannot be replayed and are counted apart.
    """

    lines: int = 0
    events: int = 0
    effects: int = 0
    other_version: int = 0
    chain: list[Difference] = field(default_factory=list)
    replay: list[Difference] = field(default_factory=list)


@dataclass(slots=True)
class _Checkpoint:
    """The engine before the next line of a ledger.

    made: effects that lines were written of, oldest first. ours: the process that wrote runs the scenarios that the
    city's folder holds now. foreign: runs that other scenarios began, which nobody can replay any more.
    """

    state: EngineState
    seq: int = 0
    last_hash: str = ""
    made: dict[str, str] = field(default_factory=dict)
    ours: bool = True
    foreign: set[str] = field(default_factory=set)

    def lease(self, version: str | None, ours: str) -> None:
        """A process took over, with scenarios of this version: what another version left is not known here."""
        if version == ours and not self.ours:
            self.state = EngineState()
        self.ours = version is None or version == ours


KEEP_EFFECTS = timedelta(days=8)
"""The reflex process knows an ended command for seven days: the same effect again leaves no line while it does."""


def audit_day(settings: Settings, day: date) -> Audit:
    """Audits every ledger that wrote on this local day; goes on from the audit of the day before where there is one."""
    city = load_city(settings)
    program = load_scenarios(city)
    start = datetime(day.year, day.month, day.day, tzinfo=city.timezone)
    tomorrow = day + timedelta(days=1)
    end = datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=city.timezone)
    audit = Audit()
    ledgers = query(
        settings, "SELECT DISTINCT ledger_id FROM raw.ledger_entry WHERE event_at >= ? AND event_at < ?", [start, end]
    )
    for ledger_id in sorted(ledgers["ledger_id"]):
        _audit_ledger(settings, program, ledger_id, day, end, audit)
    return audit


def _audit_ledger(settings: Settings, program: Program, ledger_id: str, day: date, end: datetime, audit: Audit) -> None:
    before = _load(settings, ledger_id, day - timedelta(days=1)) or _Checkpoint(EngineState(), 0, genesis(ledger_id))
    lines = read_lines(settings, ledger_id, before.seq, end)
    audit.lines += len(lines)
    audit.chain += chain_faults(lines, before.seq, before.last_hash)
    after = _replay(program, lines, before, Bodies(settings.ledger_path.parent / "bodies"), audit)
    audit.chain += _against_the_file(settings, ledger_id, lines)
    if not audit.chain and not audit.replay:  # what is built on a difference would differ every day after it
        _save(settings, ledger_id, day, after)


def read_lines(settings: Settings, ledger_id: str, after_seq: int, end: datetime) -> list[LedgerEntry]:
    """Lines above `after_seq` written before `end`, in order, from the lake."""
    found = query(
        settings,
        f"{LINES} WHERE ledger_id = ? AND seq > ? AND event_at < ? ORDER BY seq",
        [ledger_id, after_seq, end],
    )
    return [LedgerEntry.model_construct(**row) for row in found.iter_rows(named=True)]


def chain_faults(lines: Sequence[LedgerEntry], after_seq: int, last_hash: str) -> list[Difference]:
    """Numbers without gaps, each line behind the one before, each hash that of its text."""
    faults = []
    for line in lines:
        name = line.ledger_id[:8]
        if line.seq != after_seq + 1:
            faults.append(Difference(name, line.seq, f"lines {after_seq + 1}…{line.seq - 1} are not in the lake"))
        elif line.prev_hash != last_hash:
            faults.append(Difference(name, line.seq, "does not follow the line before it"))
        if chain(line.prev_hash, text_of(line)) != line.hash:
            faults.append(Difference(name, line.seq, "its text is not what its hash is of: it was changed"))
        after_seq, last_hash = line.seq, line.hash
    return faults


def text_of(line: LedgerEntry) -> bytes:
    """The canonical bytes of a line, made again from its columns."""
    return canonical({**line.__dict__, "at": instant(line.at)})


def _replay(
    program: Program, lines: Iterable[LedgerEntry], before: _Checkpoint, bodies: Bodies, audit: Audit
) -> _Checkpoint:
    """The checkpoint after the lines; `before` itself is used up."""
    versions = {(each.scenario, each.version) for each in program.scenarios.values()}
    expected: list[Mapping[str, Any]] = []

    def close(at: LedgerEntry) -> None:
        for effect in expected:
            what = f"the replay also gives {_named(effect)}: no line of it"
            audit.replay.append(Difference(at.ledger_id[:8], at.seq, what))
        expected.clear()

    last = None
    for line in lines:
        last = line
        before.seq, before.last_hash = line.seq, line.hash
        try:
            if line.kind == "seen":
                close(line)
                if before.ours:
                    event, now = journal.seen_of(line, bodies)
                    before.state, effects = program.step(before.state, event, now)
                    audit.events += 1
                    expected += [found for found in map(_plain, effects) if not _known(found, before.made)]
            elif line.kind == "created":
                if not before.ours:
                    before.foreign.add(str(line.run_id))
                if line.run_id in before.foreign:
                    audit.other_version += 1
                else:
                    _compare(line, _plain(journal.created_of(line, bodies)[0]), expected, versions, audit)
                before.made[line.entity] = line.at.isoformat()
            elif line.kind == "other" and line.action in ("lease", "adopted"):
                close(line)
                said = bodies.whole(line.detail or "{}")
                if line.action == "lease":
                    before.lease(said.get("scenarios"), program.version)
                else:
                    before.state = EngineState.from_json(said["state"])
        except (BodyLostError, KeyError, TypeError, ValueError) as error:
            audit.replay.append(Difference(line.ledger_id[:8], line.seq, f"cannot be read: {error}"))
    if last is not None:
        close(last)
    before.made = _young(before.made)
    return before


def _compare(
    line: LedgerEntry,
    written: Mapping[str, Any],
    expected: list[Mapping[str, Any]],
    versions: set[tuple[str, str]],
    audit: Audit,
) -> None:
    """A created line against what the replay gave next."""
    audit.effects += 1
    name = line.ledger_id[:8]
    same = next((each for each in expected if each["effect_id"] == written["effect_id"]), None)
    if same is not None:
        expected.remove(same)
        if same != written:
            keys = sorted(key for key in written if same.get(key) != written[key])
            audit.replay.append(Difference(name, line.seq, f"{_named(written)} differs in {', '.join(keys)}"))
    elif (written["cause"]["scenario"], written["cause"]["version"]) not in versions:
        audit.other_version += 1
    else:
        audit.replay.append(Difference(name, line.seq, f"{_named(written)}: the replay does not give it"))


def _plain(effect: Any) -> dict[str, Any]:
    """An effect as the JSON that a line would hold."""
    found: dict[str, Any] = orjson.loads(orjson.dumps(journal.effect_json(effect)))
    return found


def _known(effect: Mapping[str, Any], made: Mapping[str, str]) -> bool:
    return effect["do"] == "command" and effect["effect_id"] in made


def _named(effect: Mapping[str, Any]) -> str:
    cause = effect["cause"]
    return f"{effect['do']} of step {cause['step']} of {cause['scenario']} ({str(effect['effect_id'])[:8]})"


def _young(made: Mapping[str, str]) -> dict[str, str]:
    if not made:
        return {}
    oldest = datetime.fromisoformat(max(made.values())) - KEEP_EFFECTS
    return {key: at for key, at in made.items() if datetime.fromisoformat(at) >= oldest}


def _against_the_file(settings: Settings, ledger_id: str, lines: Sequence[LedgerEntry]) -> Iterator[Difference]:
    """The reflex process's own file, where it is on this machine: the lake's last line is its witness."""
    if not lines or not settings.ledger_path.is_file():
        return
    with open_reader(settings.ledger_path) as ledger:
        if ledger.ledger_id != ledger_id:
            return
        broken = ledger.verify(witness=(lines[-1].seq, lines[-1].hash))
    if broken is not None:
        yield Difference(ledger_id[:8], broken.seq, f"in the file {settings.ledger_path}: {broken.why}")


def _path(settings: Settings, ledger_id: str, day: date) -> Path:
    return settings.home / "audit" / ledger_id / f"{day.isoformat()}.json"


def _save(settings: Settings, ledger_id: str, day: date, found: _Checkpoint) -> None:
    path = _path(settings, ledger_id, day)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(
        json.dumps(
            {
                "state": found.state.to_json(),
                "seq": found.seq,
                "last_hash": found.last_hash,
                "made": found.made,
                "ours": found.ours,
                "foreign": sorted(found.foreign),
            }
        )
    )
    fresh.replace(path)


def _load(settings: Settings, ledger_id: str, day: date) -> _Checkpoint | None:
    """The newest audit up to this day; None: the ledger is replayed from its first line."""
    folder = _path(settings, ledger_id, day).parent
    known = sorted(path for path in folder.glob("*.json") if path.stem <= day.isoformat())
    if not known:
        return None
    found = json.loads(known[-1].read_text())
    return _Checkpoint(
        EngineState.from_json(found["state"]), found["seq"], found["last_hash"], found["made"], found["ours"],
        set(found["foreign"]),
    )  # fmt: skip
