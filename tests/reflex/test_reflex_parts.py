"""Parts of the reflex process without a broker: lines, books, long bodies, who may read the token."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import deque
from datetime import UTC, datetime, timedelta

import pytest

from actuation.reflex import journal
from actuation.reflex.bodies import Bodies, BodyLostError
from actuation.reflex.book import Book
from actuation.reflex.cursor import Cursor
from actuation.reflex.register import Place, Register
from actuation.reflex.runner import BURST, SLOW_BATCH, SLOW_S, Runner, _Turn
from actuation.reflex.token import TokenError, read_token
from actuation.scenario.effect import Cause, CommandDevices, NotifyPeople, Target
from actuation.scenario.event import Event
from city.settings import ROOT, Settings
from ingest.broker.packets import Message
from ingest.contracts.ledger_entry import LedgerEntry

NOW = datetime(2026, 11, 25, 20, 50, 0, 123_456, UTC)
CAUSE = Cause("missile_alert", "v1", "open_doors", "run-1", "alert", "a,b,c")


def command(effect_id: str = "e1") -> CommandDevices:
    return CommandDevices(effect_id, CAUSE, "live", Target("za", None, ("door",)), "unlock", NOW + timedelta(hours=1))


def register(count: int = 3) -> Register:
    places = [
        Place(f"d{n}", "door", "za", "Дверь", "Door", None, "ул. Мира, 1", "Иванов, +7", 57.6, 39.9, ("unlock", "lock"))
        for n in range(count)
    ]
    return Register({place.device_id: place for place in places})


def line(entry) -> LedgerEntry:
    return LedgerEntry.model_construct(**{**entry.__dict__, "ledger_id": "l", "seq": 1, "prev_hash": "", "hash": ""})


@pytest.mark.parametrize("size", [10, 50_000], ids=["short", "longer than a line"])
def test_an_event_comes_back_from_its_line(tmp_path, size):
    event = Event("alert", "a,b,c", NOW, {"info": [{"description": "ж" * size}]}, ("za",), "verified", "Иванова")
    entry = journal.seen(event, NOW, Bodies(tmp_path))
    assert len(entry.detail or "") <= 10_000
    assert journal.seen_of(line(entry), Bodies(tmp_path)) == (event, NOW)


def test_a_long_body_that_was_changed_is_lost_and_not_believed(tmp_path):
    text = Bodies(tmp_path).shorten(b'{"a":"' + b"x" * 20_000 + b'"}')
    (file,) = tmp_path.glob("*/*.json")
    file.write_text("{}")
    with pytest.raises(BodyLostError, match="not what"):
        Bodies(tmp_path).whole(text)


@pytest.mark.parametrize("effect", [command(), NotifyPeople("n1", CAUSE, "drill", "duty", "t", "minor", {"a": 1})])
def test_an_effect_comes_back_from_its_line(tmp_path, effect):
    entry = journal.created(effect, NOW, Bodies(tmp_path), {"seq": 7})
    found, more = journal.created_of(line(entry), Bodies(tmp_path))
    assert (found, more["seq"]) == (effect, 7)


def test_a_line_like_another_is_valid_and_differs_where_it_says():
    entry = journal.line(at=NOW, kind="acked", entity="e", mode="live", answer_ms=1.5)
    again = journal.like(entry, kind="refused", reason="clock")
    assert (again.kind, again.reason, again.answer_ms, entry.kind) == ("refused", "clock", 1.5, "acked")
    assert again.model_dump() == type(entry).model_validate(again.model_dump()).model_dump()


def test_answers_are_counted_once_and_a_refusal_may_be_followed_by_the_deed():
    book = Book(register())
    one = book.created(command(), "zone:za", 1, journal.milliseconds(NOW))
    now_ms = journal.milliseconds(NOW)
    assert book.answered(one, "d0", "refused", "clock", now_ms + 5) == 5.0
    assert book.answered(one, "d0", "done", None, now_ms + 9) == 9.0
    assert book.answered(one, "d0", "done", None, now_ms + 20) is None
    assert book.answered(one, "d0", "refused", "repeated", now_ms + 30) is None
    row = one.row()
    assert (row["expected"], row["done"], row["refused"], row["silent"]) == (3, 1, 0, 2)


def test_a_book_is_the_same_after_json():
    import orjson

    book = Book(register())
    one = book.created(command(), "zone:za", 1, journal.milliseconds(NOW))
    book.answered(one, "d1", "failed", "not_reached", journal.milliseconds(NOW) + 5_000)
    book.sensed("d1", "locked", journal.milliseconds(NOW))
    again = Book.from_json(orjson.loads(orjson.dumps(book.to_json())), register())
    assert again.device_rows(["d0", "d1"]) == book.device_rows(["d0", "d1"])
    assert again.commands["e1"].row() == one.row()


def test_open_commands_end_once():
    book = Book(register())
    one = book.created(command(), "zone:za", 1, journal.milliseconds(NOW))
    assert book.next_due_ms() == one.expires_ms
    assert book.due(one.expires_ms - 1) == []
    assert book.due(one.expires_ms) == [one]
    book.close(one)
    assert (book.due(one.expires_ms + 1), book.open(), book.next_due_ms()) == ([], [], None)


def test_a_cursor_of_another_ledger_begins_anew(tmp_path):
    Cursor(tmp_path / "c", "one").move(7)
    assert Cursor(tmp_path / "c", "one").seq == 7
    assert Cursor(tmp_path / "c", "two").seq == 0


def test_a_token_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "keys" / "api-token"
    path.parent.mkdir()
    path.write_text("secret\n")
    path.chmod(0o644)
    with pytest.raises(TokenError, match="mode 644"):
        read_token(Settings(home=tmp_path))
    path.chmod(0o600)
    assert read_token(Settings(home=tmp_path)) == "secret"


def test_the_client_imports_no_key_and_no_ledger():
    program = "import sys, actuation.reflex.client; print(sorted(m for m in sys.modules if m.startswith('actuation.')))"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "actuation.keys" not in run.stdout
    assert "actuation.ledger" not in run.stdout


def test_in_a_burst_answers_go_before_what_sensors_say() -> None:
    """Order is kept for each device, a reading never waits, and each is acknowledged when it is taken."""
    runner, taken = Runner.__new__(Runner), []
    runner._slow = deque()
    runner._take_sensed = lambda device_id, payload, turn: taken.append(device_id)  # type: ignore[method-assign]
    burst, quiet = _Turn(answers=BURST), _Turn()
    state, reading = (Message("t", payload, 7) for payload in (b'{"state":"open"}', b'{"reading":{"speed":1}}'))
    assert runner._may_wait(state, burst)
    assert not runner._may_wait(reading, burst)
    assert not runner._may_wait(state, quiet)
    runner._slow += [(time.monotonic(), f"d{number}", state) for number in range(SLOW_BATCH + 1)]
    assert runner._may_wait(state, quiet), "an older one of the device may be waiting"
    runner._take_slow(burst)
    assert (taken, burst.mids) == ([], [])
    runner._slow[0] = (time.monotonic() - SLOW_S - 1, "d0", state)
    runner._take_slow(burst)
    assert (taken, burst.mids) == (["d0"], [7])
    runner._take_slow(quiet)
    assert taken == [f"d{number}" for number in range(SLOW_BATCH + 1)]
    assert len(quiet.mids) == SLOW_BATCH
    assert not runner._slow
    runner._slow += [(time.monotonic(), name, state) for name in ("a", "b", "a")]
    runner._take_older("a", burst)
    assert taken[-2:] == ["a", "a"], "before a reading of the same device, whose number is higher"
    assert [each[1] for each in runner._slow] == ["b"]
