"""The ledger keeps what it acknowledged, and tells which line is not as it was written."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from actuation.ledger import Broken, Ledger, LedgerBusyError, LedgerDamagedError, NewEntry, open_reader, read_ledger
from apps.cli.main import app
from city.settings import settings
from ingest.contracts.ledger_entry import LedgerEntry

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)


def entry(number: int = 0, **over: Any) -> NewEntry:
    said: dict[str, Any] = {
        "at": AT + timedelta(seconds=number),
        "kind": "acked",
        "entity": f"c-{number}",
        "mode": "live",
        "device_id": "door-1",
        "reason": "дверь «открыта»",
        "answer_ms": 1.5,
        "detail": '{"n":1}',
    } | over
    return NewEntry(**said)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger" / "ledger.sqlite"


def _filled(path: Path, lines: int = 20) -> None:
    with Ledger.open(path) as ledger:
        ledger.append([entry(number) for number in range(lines)])


def _break(path: Path, *statements: str) -> Broken | None:
    """What verify says after somebody who owns the file has changed it: triggers dropped, statements run."""
    with sqlite3.connect(path) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
    connection.close()
    with open_reader(path) as reader:
        return reader.verify()


def test_lines_come_back_as_they_were_returned(path: Path) -> None:
    with Ledger.open(path) as ledger:
        first = ledger.append([entry(1), entry(2)])
        second = ledger.append([entry(3)])
        assert ledger.append([]) == []
        assert [line.seq for line in (*first, *second)] == [1, 2, 3]
        assert ledger.read() == [*first, *second]
        assert ledger.read(1, 1) == [first[1]]
        assert ledger.read(since=AT + timedelta(seconds=3)) == second
        for line in first:
            assert LedgerEntry.model_validate(line.model_dump()) == line, "what is not validated again is valid"
            assert line.model_dump(exclude_unset=True).keys() >= {"seq", "hash", "entity"}
        assert ledger.verify() is None
    assert list(read_ledger(path, limit=1)) == [*first, *second]


def test_hash_is_what_the_docs_say(path: Path) -> None:
    with Ledger.open(path) as ledger:
        (line,) = ledger.append([entry(1, answer_ms=None)])
        said = {key: value for key, value in line.model_dump(mode="json").items() if value is not None}
        del said["hash"], said["prev_hash"]
        said["at"] = "2026-11-25T12:00:01.000000Z"
        text = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        start = hashlib.sha256(f"gorodok-ledger:{ledger.ledger_id}".encode()).hexdigest()
        assert line.prev_hash == start
        assert line.hash == hashlib.sha256(f"{start}\n{text}".encode()).hexdigest()


def test_it_goes_on_after_a_restart(path: Path) -> None:
    _filled(path, 3)
    with Ledger.open(path) as ledger:
        (line,) = ledger.append([entry(9)])
        assert line.seq == 4
        assert ledger.verify() is None


def test_append_is_all_or_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Ledger.open(path) as ledger:
        ledger.append([entry(1)])
        from actuation.ledger import ledger as module

        calls = iter([b"{}"])
        monkeypatch.setattr(module, "canonical", lambda fields: next(calls))
        with pytest.raises((StopIteration, RuntimeError)):
            ledger.append([entry(2), entry(3)])
        monkeypatch.undo()
        assert ledger.append([entry(2)])[0].seq == 2
        assert ledger.verify() is None


def test_one_writer(path: Path) -> None:
    with Ledger.open(path), pytest.raises(LedgerBusyError, match="another process"):
        Ledger.open(path)
    with Ledger.open(path):
        pass


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE line SET line = '{}' WHERE seq = 2",
        "DELETE FROM line WHERE seq = 2",
        "INSERT OR REPLACE INTO line SELECT seq, at, line, prev_hash, hash FROM line WHERE seq = 2",
        "DELETE FROM head",
        "UPDATE head SET seq = 1",
        "UPDATE command_number SET reserved = 0",
    ],
)
def test_triggers_refuse_what_is_no_append(path: Path, statement: str) -> None:
    _filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE command_number SET reserved = 5")
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(statement)


@pytest.mark.parametrize(
    ("statements", "seq", "why"),
    [
        (["UPDATE line SET line = CAST(replace(line, 'c-6', 'c-X') AS BLOB) WHERE seq = 7"], 7, "changed"),
        (["UPDATE line SET hash = prev_hash WHERE seq = 7"], 7, "changed"),
        (["UPDATE line SET at = '2020' WHERE seq = 7"], 7, "time"),
        (["DELETE FROM line WHERE seq = 7"], 7, "missing"),
        (["DELETE FROM line WHERE seq > 15"], 16, "last lines"),
        (["DELETE FROM line"], 1, "last lines"),
        (["DELETE FROM line WHERE seq = 1"], 1, "missing"),
        (
            [
                "UPDATE line SET seq = 1007 WHERE seq = 7",
                "UPDATE line SET seq = 7 WHERE seq = 8",
                "UPDATE line SET seq = 8 WHERE seq = 1007",
            ],
            7,
            "follow",
        ),
        (["INSERT INTO line SELECT 21, at, line, prev_hash, hash FROM line WHERE seq = 20"], 21, "follow"),
        (["UPDATE head SET ledger_id = 'another'"], 1, "follow"),
        (["DELETE FROM head"], 1, "damaged"),
    ],
)
def test_altered_removed_and_reordered_lines_are_found(path: Path, statements: list[str], seq: int, why: str) -> None:
    _filled(path)
    broken = _break(path, *statements)
    assert broken is not None
    assert broken.seq == seq
    assert why in broken.why


@pytest.mark.parametrize("statement", ["DELETE FROM line WHERE seq > 15", "DELETE FROM head", "DROP TABLE head"])
def test_nobody_goes_on_writing_behind_a_damaged_end(path: Path, statement: str) -> None:
    _filled(path)
    _break(path, statement)
    for _ in range(2):
        with pytest.raises(LedgerDamagedError, match="aside"):
            Ledger.open(path)


def test_chain_written_anew_is_found_by_a_witness(path: Path) -> None:
    _filled(path)
    with open_reader(path) as reader:
        witness = reader.head()
    path.unlink()
    _filled(path, 30)
    with open_reader(path) as reader:
        assert reader.verify() is None
        broken = reader.verify(witness)
        assert broken is not None
        assert broken.seq == 20
        shorter = reader.verify((31, "0" * 64))
        assert shorter is not None
        assert shorter.seq == 31


def test_torn_and_overwritten_file_is_found(path: Path) -> None:
    _filled(path, 2_000)
    whole = path.read_bytes()
    chance = random.Random(7)
    for _ in range(10):
        data = bytearray(whole)
        at = chance.randrange(len(data) // 2, len(data) - 600)
        data[at : at + 512] = bytes(512)
        path.write_bytes(data)
        with open_reader(path) as reader:
            assert reader.verify() is not None, at
    path.write_bytes(whole[: len(whole) // 2])
    with open_reader(path) as reader:
        assert reader.verify() is not None
    path.write_bytes(whole)
    with open_reader(path) as reader:
        assert reader.verify() is None


def test_readers_beside_the_writer(path: Path) -> None:
    stop = threading.Event()
    faults: list[Any] = []

    def reads() -> None:
        while not stop.is_set():
            with open_reader(path) as reader:
                lines = reader.read()
                faults.extend([reader.verify()] if reader.verify() else [])
                faults.extend(lines if [line.seq for line in lines] != list(range(1, len(lines) + 1)) else [])

    with Ledger.open(path) as ledger:
        threads = [threading.Thread(target=reads) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(100):
            ledger.append([entry(number), entry(number)])
        stop.set()
        for thread in threads:
            thread.join()
        assert faults == []
        assert len(ledger.read()) == 200


def test_many_threads_share_the_writer(path: Path) -> None:
    with Ledger.open(path) as ledger:
        numbers: list[int] = []

        def write() -> None:
            for number in range(20):
                ledger.append([entry(number)])
                numbers.append(ledger.next_seq())

        threads = [threading.Thread(target=write) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ledger.verify() is None
        assert len(set(numbers)) == 160


def test_command_numbers_rise_over_restarts_and_blocks(path: Path) -> None:
    numbers = []
    for _ in range(3):
        with Ledger.open(path) as ledger:
            numbers += [ledger.next_seq() for _ in range(1_500)]
    assert numbers == sorted(set(numbers))


def test_command_numbers_of_a_ledger_that_was_lost_go_on(path: Path) -> None:
    """Devices hold the highest number that they saw, and would refuse everything of a ledger that begins anew."""
    with Ledger.open(path) as ledger:
        last = [ledger.next_seq() for _ in range(50)][-1]
    time.sleep(0.1)
    for file in path.parent.iterdir():
        file.unlink()
    with Ledger.open(path) as ledger:
        assert last < ledger.next_seq() < 2**53


def test_commit_that_fails_leaves_no_open_transaction(path: Path) -> None:
    """A full disk: the append fails, the next one after it is good, and nothing is half there."""
    with Ledger.open(path) as ledger:
        ledger.append([entry(1)])
        pages = ledger._db.execute("PRAGMA page_count").fetchone()[0]
        ledger._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            ledger.append([entry(number) for number in range(500)])
        ledger._db.execute("PRAGMA max_page_count = 1000000")
        assert [line.seq for line in ledger.append([entry(2)])] == [2]
        assert ledger.verify() is None


def test_entry_that_is_no_contract_is_refused() -> None:
    for over in ({"kind": "done"}, {"entity": ""}, {"at": datetime(2026, 1, 1)}, {"more": 1}, {"answer_ms": -1.0}):
        with pytest.raises(ValueError, match="validation error"):
            entry(1, **over)


def _write_until_killed(path: Path, told: int) -> None:
    """What a child does: appends of growing size, and a line to the pipe for each one that was acknowledged."""
    ledger = Ledger.open(path)
    size = 1
    while True:
        done = ledger.append([entry(number) for number in range(size)])
        os.write(told, f"{done[-1].seq} {done[-1].hash} {ledger.next_seq()}\n".encode())
        size = size % 300 + 37


@pytest.mark.fault
def test_sigkill_in_mid_append_loses_nothing_acknowledged(path: Path) -> None:
    """At 50 random moments: the chain is whole, each line that was acknowledged is there, and no number comes twice."""
    chance = random.Random(20261125)
    highest = 0
    for turn in range(50):
        if turn % 10 == 0:  # a chain of its own, or following it takes longer and longer
            path = path.with_name(f"ledger-{turn}.sqlite")
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            try:
                _write_until_killed(path, writing)
            finally:
                os._exit(1)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            told = [pipe.readline()]
            time.sleep(chance.uniform(0, 0.05))
            os.kill(child, signal.SIGKILL)
            told += pipe.readlines()
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL
        seq, hash_, number = next(line for line in reversed(told) if line.endswith("\n")).split()
        with Ledger.open(path) as ledger:
            assert ledger.verify((int(seq), hash_)) is None
            assert int(number) > highest, "a command number came twice"
            highest = ledger.next_seq()
            assert highest > int(number)


def test_power_cut_image_is_whole(path: Path, tmp_path: Path) -> None:
    """The files as they lie after an append, without a close, as a power cut would leave them: WAL torn at any byte
    behind the last commit changes nothing that was acknowledged."""
    ledger = Ledger.open(path)
    (first,) = ledger.append([entry(1)])
    wal = path.with_name("ledger.sqlite-wal")
    committed = wal.stat().st_size
    ledger.append([entry(number) for number in range(2, 40)])
    end = wal.stat().st_size
    for cut in (committed, committed + 1, (committed + end) // 2, end - 1, end):
        copy = tmp_path / f"cut-{cut}" / "ledger.sqlite"
        copy.parent.mkdir()
        shutil.copy(path, copy)
        copy.with_name("ledger.sqlite-wal").write_bytes(wal.read_bytes()[:cut])
        with Ledger.open(copy) as torn:
            assert torn.verify() is None
            assert torn.read()[0] == first
            assert len(torn.read()) in (1, 39)
    ledger.close()


def test_ten_thousand_lines_in_one_append(path: Path) -> None:
    """The goal is well under 0.3 s (bench/wire.py); here processor time, with room for a busy machine."""
    lines = [entry(number) for number in range(10_000)]
    with Ledger.open(path) as ledger:
        ledger.append(lines[:100])
        clock = time.process_time()
        ledger.append(lines)
        assert time.process_time() - clock < 1.0
        assert ledger.verify() is None


# ---- as a user types it


@pytest.fixture
def run(path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.setenv("GORODOK_HOME", str(path.parent.parent))
    settings.cache_clear()

    def call(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["ledger", *words])
        assert done.exit_code == code, done.output
        return done.stdout if code == 0 and "--json" in words else done.output

    return call


def test_command_prints_lines_and_says_that_the_chain_is_whole(path: Path, run: Callable[..., str]) -> None:
    _filled(path, 3)
    lines = [json.loads(line) for line in run("--json").splitlines()]
    assert [line["seq"] for line in lines] == [1, 2, 3]
    assert len(run("--since", "2026-11-25T12:00:02Z", "--json").splitlines()) == 1
    assert "цепочка цела" in run()


def test_command_exits_1_when_the_chain_is_broken(path: Path, run: Callable[..., str]) -> None:
    _filled(path)
    _break(path, "DELETE FROM line WHERE seq = 7")
    assert "7" in run(code=1)
    run("--json", code=1)


def test_command_on_a_file_that_is_no_ledger_or_torn(path: Path, run: Callable[..., str]) -> None:
    _filled(path, 2_000)
    whole = path.read_bytes()
    for data in (b"rubbish" * 1_000, whole[: len(whole) // 2]):
        path.write_bytes(data)
        assert "1" in run("--since", "2026-11-25T12:00:02Z", code=1)


def test_command_without_a_ledger_and_with_a_bad_time(path: Path, run: Callable[..., str]) -> None:
    assert "gorodok reflex" in run(code=2)
    _filled(path)
    assert "--since" in run("--since", "yesterday", code=2)
