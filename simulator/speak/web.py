"""The HTTP feeds on one port, loopback by default. http.server is enough for one puller on one machine.

/gtfs-rt/vehicle-positions.pb   /gtfs-rt/trip-updates.pb   /gtfs.zip
/open311/v2/services.json   /open311/v2/requests.json   /open311/v2/requests/{id}.json
/cap/index.atom   /cap/{identifier}.xml
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import logging
import math
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from city.profile import City
from city.settings import Settings
from simulator.life.alerts import HISTORY_DAYS, Alerts
from simulator.life.complaints import Complaints
from simulator.life.fleet import Fleet
from simulator.options import Options
from simulator.speak import cap, gtfs_rt, open311
from simulator.truth import Key, Truth

log = logging.getLogger(__name__)

JSON = "application/json; charset=utf-8"
PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True, slots=True)
class Page:
    """modified_s: when the content came to be, for Last-Modified; None = now."""

    body: bytes
    kind: str
    status: int = 200
    modified_s: float | None = None
    feed: str | None = None
    keys: list[Key] = field(default_factory=list)


class World:
    """What the pages are made of."""

    def __init__(
        self,
        city: City,
        options: Options,
        truth: Truth,
        *,
        fleet: Fleet | None,
        complaints: Complaints,
        alerts: Alerts,
        sign: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self._city = city
        self._options = options
        self._truth = truth
        self._fleet = fleet
        self._complaints = complaints
        self._alerts = alerts
        self._sign = sign
        self._feed = functools.lru_cache(maxsize=8)(self._feed_of)

    def page(self, path: str, query: dict[str, str], base: str) -> Page:
        """The answer to a GET; the truth notes what was served."""
        page = self._answer(path, query, base)
        if page.feed in self._options.silent:
            return Page(b'{"error": "out of service"}', JSON, 503)
        return page

    def served(self, page: Page, path: str) -> None:
        if page.feed and page.keys:
            self._truth.note("served", feed=page.feed, path=path, keys=page.keys)

    def _answer(self, path: str, query: dict[str, str], base: str) -> Page:
        now = time.time()
        if path == "/":
            return Page(json.dumps({"city": self._city.code, "paths": PATHS}, indent=1).encode(), JSON)
        if path.startswith("/gtfs"):
            return self._transit(path, now)
        if path.startswith("/open311/v2/"):
            return self._open311(path.removeprefix("/open311/v2/"), query, now)
        if path.startswith("/cap/"):
            return self._cap(path.removeprefix("/cap/"), base, now)
        return _missing(path)

    def _transit(self, path: str, now: float) -> Page:
        if self._fleet is None:
            return _missing(path)
        if path == "/gtfs.zip":
            return Page(_zip(self._city.folder / "gtfs"), "application/zip")
        step = math.floor(now / gtfs_rt.STEP_S) * gtfs_rt.STEP_S
        if path in ("/gtfs-rt/vehicle-positions.pb", "/gtfs-rt/trip-updates.pb"):
            return self._feed(path, step)
        return _missing(path)

    def _feed_of(self, path: str, step: int) -> Page:
        assert self._fleet is not None
        if path.endswith("vehicle-positions.pb"):
            body, keys = gtfs_rt.vehicle_positions(self._fleet, step)
            return Page(body, PROTOBUF, 200, step, "vehicle_position", keys)
        body, keys = gtfs_rt.trip_updates(self._fleet, step)
        return Page(body, PROTOBUF, 200, step, "trip_update", keys)

    def _open311(self, rest: str, query: dict[str, str], now: float) -> Page:
        if rest == "services.json":
            reply = open311.services(self._city)
        elif rest == "requests.json":
            reply = open311.requests(self._complaints, query, now)
        elif rest.startswith("requests/") and rest.endswith(".json"):
            reply = open311.request(self._complaints, rest.removeprefix("requests/").removesuffix(".json"), now)
        else:
            return _missing(f"/open311/v2/{rest}")
        return Page(reply.body, JSON, reply.status, None, "complaint", reply.keys)

    def _cap(self, rest: str, base: str, now: float) -> Page:
        alerts = list(self._alerts.between(now - HISTORY_DAYS * 86_400, now))
        if rest == "index.atom":
            newest = alerts[-1].sent_s if alerts else None
            body = cap.atom_index(alerts, base, now)
            return Page(body, "application/atom+xml; charset=utf-8", 200, newest, "alert")
        for alert in alerts:
            if rest == f"{alert.identifier}.xml":
                key = (alert.sender, alert.identifier, alert.sent)
                return Page(self._sign(cap.cap_xml(alert)), "application/cap+xml", 200, alert.sent_s, "alert", [key])
        return _missing(f"/cap/{rest}")


PATHS = [line.strip() for line in __doc__.split("\n\n")[1].replace("   /", "\n/").splitlines()]


def _missing(path: str) -> Page:
    return Page(json.dumps([{"code": 404, "description": f"{path} is not here"}]).encode(), JSON, 404)


@functools.lru_cache(maxsize=2)
def _zip(folder: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.glob("*.txt")):
            archive.write(path, path.name)
    return content.getvalue()


class Web:
    """The server; `port` is the real one when the setting is 0."""

    def __init__(self, settings: Settings, world: World) -> None:
        self._server = ThreadingHTTPServer((settings.host, settings.simulator_port), _handler(world))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="simulator-web")
        self._thread.daemon = True

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def _handler(world: World) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do_GET(self) -> None:
            self._reply(with_body=True)

        def do_HEAD(self) -> None:
            self._reply(with_body=False)

        def _reply(self, with_body: bool) -> None:
            parts = urlsplit(self.path)
            host, port = self.connection.getsockname()[:2]
            base = f"http://{self.headers.get('Host') or f'{host}:{port}'}"
            page = world.page(parts.path, dict(parse_qsl(parts.query)), base)
            tag = f'"{hashlib.sha256(page.body).hexdigest()[:32]}"'
            if page.status == 200 and self._unchanged(tag, page):
                self._head(304, page, tag, None)
                return
            self._head(page.status, page, tag, len(page.body))
            if with_body:
                world.served(page, parts.path)
                self.wfile.write(page.body)

        def _unchanged(self, tag: str, page: Page) -> bool:
            """RFC 9110: If-None-Match decides before If-Modified-Since."""
            if (asked := self.headers.get("If-None-Match")) is not None:
                return asked.strip() == "*" or tag in [one.strip().removeprefix("W/") for one in asked.split(",")]
            since = self.headers.get("If-Modified-Since")
            if since is None or page.modified_s is None:
                return False
            try:
                return math.floor(page.modified_s) <= parsedate_to_datetime(since).timestamp()
            except ValueError:
                return False

        def _head(self, status: int, page: Page, tag: str, length: int | None) -> None:
            self.send_response(status)
            self.send_header("ETag", tag)
            if page.modified_s is not None:
                self.send_header("Last-Modified", formatdate(math.floor(page.modified_s), usegmt=True))
            if length is not None:
                self.send_header("Content-Type", page.kind)
                self.send_header("Content-Length", str(length))
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            log.debug(format, *arguments)

    return Handler
