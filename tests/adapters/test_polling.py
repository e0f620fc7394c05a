"""The coordinator: every fetch leaves an outcome, failures wait longer, what was not safe comes again."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from pathlib import Path
from typing import Any, Self

import polars as pl
import pytest
from google.transit import gtfs_realtime_pb2 as pb
from typer.testing import CliRunner

from city.settings import Settings
from ingest.adapters.backoff import LONGEST_S, Backoff
from ingest.adapters.outlet import LandingOutlet, OutletError
from ingest.adapters.polling import Poller
from ingest.adapters.pulling import Pulling
from ingest.adapters.source import Source
from ingest.contracts.ingest_outcome import IngestOutcome
from ingest.parcel import Parcel, Refusal


def request(number: int, status: str = "open", **more: object) -> dict[str, object]:
    return {
        "service_request_id": str(number),
        "status": status,
        "service_code": "1",
        "requested_datetime": "2026-03-01T10:00:00Z",
        **more,
    }


def http(body: bytes, status: bytes = b"200 OK", extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n" % (status, extra, len(body)) + body


def open311(server: Any) -> Source:
    return Source(code="t", adapter="open311", url=server.url + "/requests.json", timeout_s=3, every_s=60)


def rows(parcels: list[Parcel | Refusal]) -> list[str]:
    return [row["service_request_id"] for p in parcels if isinstance(p, Parcel) for row in json.loads(p.payload)]


def test_only_what_is_new_is_handed_over(server: Any) -> None:
    async def go() -> list[list[str]]:
        async with Poller(open311(server)) as poller:
            found = []
            for told, kept in (
                ([request(1), request(2)], False),  # not safe: must come again
                ([request(1), request(2)], True),
                ([request(1), request(2)], True),
                ([request(1, "closed", updated_datetime="2026-03-02T10:00:00Z"), request(2), request(3)], True),
            ):
                server.serve(http(json.dumps(told).encode()))
                found.append(rows((await poller.poll()).parcels))
                if kept:
                    poller.keep()
            return found

    assert asyncio.run(go()) == [["1", "2"], ["1", "2"], [], ["1", "3"]]


def test_outcome_counts_rows_refusals_and_what_was_dropped(server: Any) -> None:
    body = json.dumps([request(1, votes=2), request(2, votes=3), request(3, status="?")]).encode()
    server.serve(http(body))

    async def go() -> IngestOutcome:
        async with Poller(open311(server)) as poller:
            return (await poller.poll()).outcome

    outcome = asyncio.run(go())
    assert (outcome.stage, outcome.success, outcome.rows, outcome.quarantined) == ("fetch", True, 2, 1)
    assert (outcome.messages, outcome.bytes) == (1, len(body))
    assert outcome.subject == f"open311:{server.url}/requests.json"
    assert "votes 2" in (outcome.reason or "")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (http(b"", b"500 No"), "status"),
        (b"garbage", "protocol"),
        (http(b"<html>busy</html>"), "nothing of the answer"),
        (http(b"", b"503 Busy", b"Retry-After: 500\r\n"), "status"),
    ],
)
def test_failure_is_an_outcome_and_a_longer_wait(server: Any, reply: bytes, kind: str) -> None:
    server.serve(reply)

    async def go() -> list[tuple[IngestOutcome, float]]:
        source = open311(server)
        async with Poller(source, Backoff(source.every_s, chance=lambda: 1.0)) as poller:
            return [(pulled.outcome, pulled.wait_s) for pulled in [await poller.poll() for _ in range(3)]]

    told = asyncio.run(go())
    assert all(not outcome.success and kind in (outcome.reason or "") for outcome, _ in told)
    waits = [wait for _, wait in told]
    assert waits == ([500, 500, 500] if b"Retry-After" in reply else [120, 240, 480])


def test_backoff_is_jittered_bounded_and_forgets() -> None:
    backoff = Backoff(15)
    waits = [backoff.failed() for _ in range(2_000)]
    assert 15 <= min(waits) <= max(waits) <= LONGEST_S
    assert len({round(wait) for wait in waits[20:]}) > 500
    assert backoff.failed(retry_after_s=7_200) >= 7_200
    assert backoff.succeeded() == 15
    assert backoff.failed() <= 30


class Broken:
    """An outlet that fails as often as it is told to, then lands."""

    def __init__(self, failures: list[int], settings: Settings) -> None:
        self._failures = failures
        self._landing = LandingOutlet(settings)

    def __enter__(self) -> Self:
        self._landing.__enter__()
        return self

    def __exit__(self, *problem: Any) -> None:
        self._landing.__exit__(None, None, None)

    def submit(self, parcel: Parcel | Refusal) -> None:
        if self._failures[0] > 0:
            self._failures[0] -= 1
            raise OutletError("the broker is away")
        self._landing.submit(parcel)

    def note(self, outcome: IngestOutcome) -> None:
        self._landing.note(outcome)

    def finish(self) -> dict[str, int]:
        return self._landing.finish()


def test_nothing_is_lost_while_the_outlet_is_away(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ingest.adapters.pulling as module

    monkeypatch.setattr(module, "RECONNECT_S", 0.05)
    settings = Settings(home=tmp_path)
    server.serve(http(json.dumps([request(n) for n in range(10)]).encode(), extra=b'ETag: "x"\r\n'))
    failures = [3]

    async def go() -> None:
        stop = asyncio.Event()
        pulling = Pulling(lambda: Broken(failures, settings), lambda source, pulled: stop.set())
        await asyncio.wait_for(pulling.forever([open311(server)], stop), 20)

    asyncio.run(go())
    assert failures == [0]
    assert pl.read_parquet(tmp_path / "landing/complaint/sealed/*.parquet").height == 10


def test_stop_ends_at_once(server: Any, tmp_path: Path) -> None:
    server.serve(http(b"[]"))

    async def go() -> float:
        stop = asyncio.Event()
        pulling = Pulling(lambda: LandingOutlet(Settings(home=tmp_path)), lambda source, pulled: stop.set())
        started = time.monotonic()
        await asyncio.wait_for(pulling.forever([open311(server)], stop), 10)
        return time.monotonic() - started

    assert asyncio.run(go()) < 5


def city(tmp_path: Path, url: str, down: str) -> Path:
    """A city with one source of each adapter, and one that is down."""
    folder = tmp_path / "cities" / "gorodok"
    folder.mkdir(parents=True)
    paths = {"gtfs-rt": "/vp.pb", "open311": "/requests.json", "cap": "/cap/index.atom"}
    told = [f'[[source]]\ncode = "{a}"\nadapter = "{a}"\nurl = "{url}{p}"\n' for a, p in paths.items()]
    told.append(f'[[source]]\ncode = "down"\nadapter = "cap"\nurl = "{down}/x"\n')
    (folder / "sources.toml").write_text("\n".join(told), encoding="utf-8")
    return folder.parent


CAP = b"""<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>a</identifier><sender>s</sender>
<sent>2026-03-01T12:00:00+03:00</sent><status>Actual</status><msgType>Alert</msgType><scope>Public</scope></alert>"""


def test_pull_command_fetches_all_and_says_what_failed(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import typer

    from apps.cli.commands import pull
    from city.settings import settings

    message = pb.FeedMessage()
    message.header.gtfs_realtime_version = "2.0"
    message.header.timestamp = 1_775_069_766
    entity = message.entity.add(id="1")
    entity.vehicle.vehicle.id, entity.vehicle.position.latitude, entity.vehicle.position.longitude = "b", 1.0, 2.0
    replies = {
        "/vp.pb": message.SerializeToString(),
        "/requests.json": json.dumps([request(1)]).encode(),
        "/cap/index.atom": b'<feed xmlns="http://www.w3.org/2005/Atom"><entry><link href="a.cap"/></entry></feed>',
        "/cap/a.cap": CAP,
    }

    def reply(connection: socket.socket, head: str) -> None:
        connection.sendall(http(replies[head.split()[1].partition("?")[0]]))

    server.serve(reply)
    with socket.create_server(("127.0.0.1", 0)) as free:
        down = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("GORODOK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GORODOK_CITIES_DIR", str(city(tmp_path, server.url, down)))
    settings.cache_clear()
    app = typer.Typer()
    app.callback()(lambda: None)
    pull.register(app)
    try:
        bad = CliRunner().invoke(app, ["pull", "--once", "--via", "landing", "--json"])
        good = CliRunner().invoke(app, ["pull", "--once", "--via", "landing", "--json", "--only", "cap"])
        wrong = CliRunner().invoke(app, ["pull", "--once", "--only", "nothing"])
    finally:
        settings.cache_clear()
    told = {row["source"]: (row["success"], row["rows"]) for row in json.loads(bad.stdout)}
    assert told == {"gtfs-rt": (True, 1), "open311": (True, 1), "cap": (True, 1), "down": (False, 0)}
    assert (bad.exit_code, good.exit_code, wrong.exit_code) == (1, 0, 2)
    landing = tmp_path / "home" / "landing"
    for feed in ("vehicle_position", "complaint", "alert"):
        assert pl.read_parquet(landing / feed / "sealed/*.parquet").height >= 1
    outcomes = pl.concat(pl.read_parquet(path) for path in (landing / "ingest_outcome/sealed").glob("*.parquet"))
    fetches = outcomes.filter(pl.col("stage") == "fetch")
    assert fetches.height == 5
    assert "connection" in fetches.filter(~pl.col("success"))["reason"].to_list()[0]
