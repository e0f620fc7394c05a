"""The audit of a day: what the engine and the core wrote is found whole; each later change of it is found too."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from city.settings import ROOT, Settings
from orchestration.defs import audit as definitions_of_audit
from orchestration.lib import audit
from orchestration.lib.audit import Audit, audit_day
from warehouse.lake import open_lake

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
DAY = date(2026, 3, 5)
NEXT = date(2026, 3, 6)


@contextmanager
def changed(settings: Settings, *statements: str) -> Iterator[None]:
    """The lake's copy after somebody's SQL, and as before when it is over."""
    with open_lake(settings) as lake:
        lake.execute("CREATE TABLE ops.kept AS SELECT * FROM raw.ledger_entry")
        for statement in statements:
            lake.execute(statement)
    try:
        yield
    finally:
        with open_lake(settings) as lake:
            lake.execute("DELETE FROM raw.ledger_entry")
            lake.execute("INSERT INTO raw.ledger_entry SELECT * FROM ops.kept")
            lake.execute("DROP TABLE ops.kept")


@pytest.fixture(autouse=True)
def no_checkpoint(told: Settings) -> Iterator[None]:
    yield
    shutil.rmtree(told.home / "audit", ignore_errors=True)


def clean(found: Audit) -> bool:
    return not found.chain and not found.replay


def test_what_was_written_replays_to_the_same_lines(told: Settings) -> None:
    found = audit_day(told, DAY)
    assert (found.chain, found.replay) == ([], [])
    assert found.events == 4  # the alert, its cancel, the lock that was due, the drill's button
    assert found.effects > 10
    assert found.other_version == 0
    assert found.lines > found.effects


def test_the_next_day_goes_on_from_where_the_last_audit_ended(told: Settings) -> None:
    first = audit_day(told, DAY)
    again = audit_day(told, NEXT)  # nothing was written on that day
    assert (again.lines, again.events) == (0, 0)
    assert audit_day(told, DAY).lines in (0, first.lines)
    (checkpoint,) = (told.home / "audit").rglob("*.json")
    assert checkpoint.stem == DAY.isoformat()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE raw.ledger_entry SET device_id = 'door-shelter-04' WHERE kind = 'acked'", "was changed"),
        ("UPDATE raw.ledger_entry SET answer_ms = 1 WHERE kind = 'acked'", "was changed"),
        ("DELETE FROM raw.ledger_entry WHERE kind = 'escalated'", "are not in the lake"),
    ],
)
def test_a_changed_or_missing_line_breaks_the_chain(told: Settings, statement: str, said: str) -> None:
    with changed(told, statement):
        found = audit_day(told, DAY)
        assert said in found.chain[0].what
        assert not (told.home / "audit").exists()  # nothing is built on it
    assert clean(audit_day(told, DAY))


def test_a_command_that_no_event_caused_is_found(told: Settings) -> None:
    """Somebody with the lake's rights adds a whole line, hash and all, in place of the last one."""
    unlock = "FROM raw.ledger_entry WHERE kind = 'created' AND action = 'unlock' AND mode = 'live'"
    forged = (
        "UPDATE raw.ledger_entry SET kind = 'created', action = 'unlock', "
        "entity = repeat('f', 32), command_id = repeat('f', 32), "
        f"detail = replace((SELECT any_value(detail) {unlock}), (SELECT any_value(entity) {unlock}), repeat('f', 32)) "
        "WHERE seq = (SELECT max(seq) FROM raw.ledger_entry)"
    )
    with changed(told, forged):
        found = audit_day(told, DAY)
        assert any("the replay does not give it" in each.what for each in found.replay)


def test_an_effect_that_left_no_line_is_found(told: Settings) -> None:
    with changed(
        told, "UPDATE raw.ledger_entry SET kind = 'other', action = 'x' WHERE action = 'siren_on' AND kind = 'created'"
    ):
        found = audit_day(told, DAY)
        assert any("no line of it" in each.what for each in found.replay)


def test_scenarios_of_another_version_are_counted_and_not_accused(told: Settings, tmp_path: Path) -> None:
    """The file was changed since: its lines cannot be replayed, and that is said."""
    cities = tmp_path / "cities"
    shutil.copytree(ROOT / "cities", cities)
    path = cities / "gorodok" / "scenarios" / "missile_alert.yaml"
    path.write_text(path.read_text().replace("max_hold_s: 10800", "max_hold_s: 9000"))
    found = audit_day(told.model_copy(update={"cities_dir": cities}), DAY)
    assert found.chain == []
    assert found.other_version > 10
    assert all("no line of it" in each.what for each in found.replay)


def test_what_a_process_with_other_scenarios_began_is_not_replayed(told: Settings) -> None:
    """Its lease line names their version; the next process has ours again, and only what it began is compared."""
    from actuation.reflex.bodies import Bodies
    from actuation.scenario.load import load_scenarios
    from actuation.scenario.state import EngineState
    from city.profile import load_city
    from ingest.contracts.ledger_entry import LedgerEntry

    def lease(version: str) -> LedgerEntry:
        detail = json.dumps({"epoch": 1, "scenarios": version})
        return LedgerEntry.model_construct(
            ledger_id="l", seq=0, hash="", kind="other", action="lease", detail=detail, run_id=None
        )

    program = load_scenarios(load_city(told))
    lines = audit.read_lines(told, _ledger_id(told), 0, audit_end())
    drill = next(index for index, line in enumerate(lines) if line.kind == "seen" and line.by)
    told_lines = [lease("another"), *lines[:drill], lease(program.version), *lines[drill:]]
    found = Audit()
    bodies = Bodies(told.ledger_path.parent / "bodies")
    after = audit._replay(program, told_lines, audit._Checkpoint(EngineState()), bodies, found)
    assert found.replay == []
    assert (found.events, found.other_version > 5, found.effects > 4) == (1, True, True)
    assert len(after.foreign) == 1


def test_the_file_of_the_reflex_process_is_held_against_the_lake(told: Settings, tmp_path: Path) -> None:
    """The file was written anew, with a whole chain of its own: the lake's last line is the witness."""
    home = tmp_path / "home"
    shutil.copytree(told.home / "ledger", home / "ledger")
    path = home / "ledger" / "ledger.sqlite"
    with sqlite3.connect(path) as ledger:
        ledger.execute("DROP TRIGGER line_is_not_deleted")
        ledger.execute("DELETE FROM line WHERE seq > 30")
        ledger.execute("DROP TRIGGER head_only_rises")
        ledger.execute("UPDATE head SET seq = 30, hash = (SELECT hash FROM line WHERE seq = 30)")
    lines = audit.read_lines(told, _ledger_id(told), 0, audit_end())
    moved = told.model_copy(update={"home": home})
    (fault,) = audit._against_the_file(moved, _ledger_id(told), lines)
    assert "the last lines are missing" in fault.what


def test_the_asset_has_a_check_for_each_and_a_partition_a_day(told: Settings) -> None:
    definitions = definitions_of_audit.definitions(told)
    job = definitions.resolve_job_def("audit_ledger")
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, partition_key=DAY.isoformat())
        assert result.success
        checks = {each.check_name: each.passed for each in result.get_asset_check_evaluations()}
    assert checks == {"chain_is_whole": True, "replay_equals_ledger": True}


def _ledger_id(settings: Settings) -> str:
    from warehouse.read import query

    return str(query(settings, "SELECT any_value(ledger_id) FROM raw.ledger_entry").item())


def audit_end():  # type: ignore[no-untyped-def]
    from datetime import UTC, datetime

    return datetime(2026, 3, 7, tzinfo=UTC)
