"""What a reviewer found in the reflex process: each test fails until its finding is mended."""

from __future__ import annotations

import threading
from collections import deque
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from actuation.reflex.capdesk import MOST_BYTES, CapDesk
from actuation.reflex.numbers import ABOVE, Numbers
from actuation.reflex.runner import Counts, Runner
from actuation.reflex.server import Server, is_loopback, make_app


def test_no_api_without_a_token() -> None:
    """keys/api-token that is empty (a full disk when it was made): a request without a token matches it."""
    with pytest.raises(ValueError, match="token is empty"):
        make_app(SimpleNamespace(status=lambda: {"live": True}), "")  # type: ignore[arg-type]


def test_a_request_without_a_token_is_refused_whatever_the_token() -> None:
    try:
        app = make_app(SimpleNamespace(status=lambda: {"live": True}), "")  # type: ignore[arg-type]
    except ValueError:
        return
    assert TestClient(app).get("/status").status_code == 401


def test_the_loops_time_follows_a_clock_that_is_put_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day ahead for a second (a virtual machine that woke, a bad time server), then right again: commands made by
    the loop's time bear nbf of tomorrow, devices go by the beacon, which is right, and refuse with not_yet."""
    runner: Any = Runner.__new__(Runner)
    runner.lease, runner.lock, runner.counts = SimpleNamespace(fresh=lambda: True), threading.RLock(), Counts()
    runner._now = datetime.now(UTC) + timedelta(days=1)
    runner._slow = []
    for name in ("_keep_link", "_take_messages", "_take_inbox", "_take_time", "_commit", "_housekeeping"):
        monkeypatch.setattr(Runner, name, lambda *_, **__: None)
    runner._one()
    assert abs(runner._now - datetime.now(UTC)) < timedelta(minutes=1)


NOW_US = 1_795_000_000_000_000


def test_numbers_rise_when_the_ledger_and_the_brokers_memory_are_lost() -> None:
    """The machine with both is lost after a year of daily restarts; a new one begins a day later, by its clock."""
    before = [Numbers(iter([NOW_US + restart]).__next__, lambda: 0).next() for restart in range(365)]
    assert Numbers(iter([NOW_US + 86_400_000_000]).__next__, lambda: 0).next() > max(before)


def test_numbers_rise_when_the_next_holders_clock_is_two_hours_behind() -> None:
    old = Numbers(iter(range(NOW_US, NOW_US + 10)).__next__, lambda: 0)
    said = [old.next() for _ in range(3)][-1]
    unsaid = [old.next() for _ in range(5)]
    new = Numbers(iter(range(NOW_US - 7_200_000_000, NOW_US)).__next__, lambda: said)
    numbers = [new.next() for _ in range(1_000)]
    assert numbers[0] > unsaid[-1]
    assert numbers == sorted(set(numbers))


def test_numbers_do_not_run_away_from_the_clock() -> None:
    """Each takeover may add ABOVE, one second: devices would refuse a machine that begins by its clock."""
    heard = 0
    for second in range(1_000):
        heard = Numbers(iter([NOW_US + 2_000_000 * second]).__next__, lambda heard=heard: heard).next()  # type: ignore[misc]
    assert heard < NOW_US + 2_000_000 * 1_000 + 2 * ABOVE
    assert heard < 2**53, "a double holds it"


def test_a_restricted_alert_is_not_published_to_the_open_feed() -> None:
    """Its body would lie in the lake, in the city state and on pages that everybody sees."""
    from actuation.cap import Accepted
    from actuation.reflex.capdesk import Judged
    from actuation.reflex.runner import _Turn

    runner: Any = Runner.__new__(Runner)
    runner._accepted_now, runner._settings = set(), SimpleNamespace(city="gorodok")
    alert = SimpleNamespace(scope="Restricted", status="Actual", msgType="Alert", info=[])
    verdict = Accepted("s", "k", "verified", alert, {"scope": "Restricted"}, (), "d")  # type: ignore[arg-type]
    turn = _Turn()
    runner._take_judged(Judged("s", b"", "mqtt", verdict), turn, 0, None)
    assert [out for out in turn.batch.outgoing if "/alert/" in out.topic] == []


@pytest.mark.parametrize(
    ("host", "inside"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("city.example", False),
    ],
)
def test_the_api_keeps_to_loopback(host: str, inside: bool) -> None:
    """GORODOK_HOST=0.0.0.0 is for pages; the API's token would go in clear text."""
    server = Server(SimpleNamespace(), "t", host, 0)  # type: ignore[arg-type]
    assert is_loopback(host) is inside
    assert server._config.host == (host if inside else "127.0.0.1")


def test_a_flood_of_large_alerts_keeps_to_its_bytes() -> None:
    desk: Any = CapDesk.__new__(CapDesk)
    source = SimpleNamespace(code="s")
    desk.sources = SimpleNamespace(of=lambda code: source)
    desk._queues, desk._turns, desk._some = {}, deque(), threading.Condition()
    refused: list[Any] = []
    size = 2 * 2**20
    for _ in range(40):
        desk.submit("s", b"x" * size, "mqtt", refused.append)
    assert len(desk._queues["s"]) == MOST_BYTES // size
    assert len(refused) == 40 - MOST_BYTES // size
    assert "flood" in refused[0].why
