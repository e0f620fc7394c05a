"""The reflex process's HTTP API: loopback, a bearer token, roles. It decides nothing: a Desk answers.

uvicorn in a thread of its own. The event loop must not wait for a disk, so the Desk's calls run in a few threads.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import unquote

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from actuation.reflex.shapes import (
    PRESSES,
    ROLES,
    CapVerdict,
    DeviceRow,
    Draft,
    Problem,
    Role,
    RunRow,
    Status,
    TimelineLine,
)

MAX_BODY = 2_097_152
"""As the broker's largest packet: a larger alert is refused before it is read."""
LONGEST_POLL_S = 10.0
LOOPBACK = "127.0.0.1"
AGAIN_S = 2.0
log = logging.getLogger(__name__)
Handler = Callable[[Request], Awaitable[Response]]


class RefusedError(Exception):
    """The Desk says no; becomes `Problem` with the status."""

    def __init__(self, status: int, error: str, field: str, value: Any, remedy: str) -> None:
        super().__init__(error)
        self.status = status
        self.problem: Problem = {"error": error, "field": field, "value": value, "remedy": remedy}


class Desk(Protocol):
    """What the API asks of the process. Any thread may call; raises RefusedError."""

    def health(self) -> dict[str, Any]: ...
    def status(self) -> Status: ...
    def runs(self, past: bool, since: str | None) -> Sequence[RunRow]: ...
    def run_devices(self, run_id: str) -> Sequence[DeviceRow]: ...
    def devices(self) -> Sequence[DeviceRow]: ...
    def press(self, body: Mapping[str, Any], by: str, role: Role) -> Mapping[str, Any]: ...
    def cap(self, source: str, data: bytes) -> CapVerdict: ...
    def too_large(self, source: str, size: int) -> None: ...
    def text(self, source: str, text: str) -> Sequence[Draft]: ...
    def drafts(self) -> Sequence[Draft]: ...
    def decide_draft(self, draft_id: str, confirm: bool, by: str) -> CapVerdict: ...
    def event(self, body: Mapping[str, Any], by: str | None) -> Mapping[str, Any]: ...
    def retry(self, command_id: str, body: Mapping[str, Any], by: str) -> Mapping[str, Any]: ...
    def escalate(self, command_id: str, body: Mapping[str, Any], by: str) -> Mapping[str, Any]: ...
    def notes(self, body: Mapping[str, Any]) -> Mapping[str, Any]: ...
    def timeline(self, since_seq: int, limit: int, wait_s: float) -> Sequence[TimelineLine]: ...


def make_app(desk: Desk, token: str) -> Starlette:
    """GET for everybody with the token; POST by a person needs the role duty or admin, and a name."""
    if not token:
        raise ValueError("the API's token is empty: whoever sends none would match it; run `gorodok keys new`")
    return Starlette(routes=_Routes(desk, token).table())


class _Routes:
    def __init__(self, desk: Desk, token: str) -> None:
        self._desk, self._token = desk, token.encode()

    def table(self) -> list[Route]:
        desk = self._desk
        return [
            self._route("/health", lambda _: desk.health(), open_to_all=True),
            self._route("/status", lambda _: desk.status()),
            self._route("/runs", lambda r: desk.runs(_flag(r, "past"), r.query_params.get("since"))),
            self._route("/runs/{run_id}/devices", lambda r: desk.run_devices(r.path_params["run_id"])),
            self._route("/devices", lambda _: desk.devices()),
            self._route("/drafts", lambda _: desk.drafts()),
            self._route("/timeline", self._timeline),
            self._posted("/press", lambda r, body: desk.press(_press(body), _person(r), _role(r))),
            self._posted("/events", lambda r, body: desk.event(_mapping(body), _user(r))),
            self._posted("/notes", lambda r, body: desk.notes(_mapping(body))),
            self._posted(
                "/commands/{id}/retry", lambda r, body: desk.retry(r.path_params["id"], _mapping(body), _actor(r))
            ),
            self._posted(
                "/commands/{id}/escalate",
                lambda r, body: desk.escalate(r.path_params["id"], _mapping(body), _actor(r)),
            ),
            self._posted("/text/{source}", lambda r, body: desk.text(r.path_params["source"], _text(body))),
            self._posted("/drafts/{id}/confirm", lambda r, _: desk.decide_draft(r.path_params["id"], True, _person(r))),
            self._posted("/drafts/{id}/reject", lambda r, _: desk.decide_draft(r.path_params["id"], False, _person(r))),
            Route("/cap/{source}", self._guarded(self._cap), methods=["POST"]),
        ]

    def _timeline(self, request: Request) -> Sequence[TimelineLine]:
        since, limit = _number(request, "since_seq", 0), _number(request, "limit", 500)
        wait_s = min(LONGEST_POLL_S, max(0.0, float(_number(request, "wait_s", 0))))
        return self._desk.timeline(int(since), max(1, min(5_000, int(limit))), wait_s)

    async def _cap(self, request: Request) -> Response:
        source = request.path_params["source"]
        try:
            data = await _body(request)
        except RefusedError as refused:
            await run_in_threadpool(self._desk.too_large, source, int(refused.problem["value"]))
            raise
        verdict = await run_in_threadpool(self._desk.cap, source, data)
        return _json(verdict, 422 if verdict["result"] == "refused" else 202)

    def _route(self, path: str, ask: Callable[[Request], Any], *, open_to_all: bool = False) -> Route:
        async def handler(request: Request) -> Response:
            return _json(await run_in_threadpool(ask, request))

        return Route(path, self._guarded(handler, open_to_all=open_to_all), methods=["GET"])

    def _posted(self, path: str, ask: Callable[[Request, Any], Any]) -> Route:
        async def handler(request: Request) -> Response:
            data = await _body(request)
            try:
                body = orjson.loads(data) if data else {}
            except ValueError as error:
                shown = data[:80].decode(errors="replace")
                raise RefusedError(422, f"not JSON: {error}", "body", shown, "Send JSON") from None
            return _json(await run_in_threadpool(ask, request, body))

        return Route(path, self._guarded(handler), methods=["POST"])

    def _guarded(self, handler: Handler, *, open_to_all: bool = False) -> Handler:
        async def guarded(request: Request) -> Response:
            try:
                if not open_to_all:
                    self._check_token(request)
                return await handler(request)
            except RefusedError as refused:
                return _json(refused.problem, refused.status)

        return guarded

    def _check_token(self, request: Request) -> None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
        if not hmac.compare_digest(given, self._token):
            raise RefusedError(
                401, "wrong token", "Authorization", "", "Send `Bearer <token>` of GORODOK_HOME/keys/api-token"
            )


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _body(request: Request) -> bytes:
    """The whole body, or 413 as soon as it is larger than MAX_BODY."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            raise RefusedError(413, "too large", "body", size, f"At most {MAX_BODY} bytes")
        parts.append(part)
    return b"".join(parts)


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value, default=str), status, media_type="application/json")


def _flag(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() in ("1", "true", "yes")


def _number(request: Request, name: str, default: float) -> float:
    text = request.query_params.get(name)
    try:
        return default if text is None else float(text)
    except ValueError:
        raise RefusedError(422, f"{name} is no number", name, text, "Send a number") from None


def _mapping(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise RefusedError(422, "not an object", "body", str(body)[:80], "Send a JSON object")
    return body


def _press(body: Any) -> Mapping[str, Any]:
    found = _mapping(body)
    if found.get("press") not in PRESSES:
        raise RefusedError(422, "unknown button", "press", found.get("press"), f"One of: {', '.join(PRESSES)}")
    if not isinstance(found.get("scenario"), str):
        raise RefusedError(422, "no scenario", "scenario", found.get("scenario"), "Send the scenario's code")
    zones = found.get("zones", [])
    if not isinstance(zones, list) or not all(isinstance(zone, str) for zone in zones):
        raise RefusedError(422, "zones is no list of text", "zones", str(zones)[:80], "Send a list of zone ids")
    return found


def _text(body: Any) -> str:
    text = _mapping(body).get("text")
    if not isinstance(text, str) or not text.strip():
        raise RefusedError(422, "no text", "text", text, "Send the message's text")
    return text


def _user(request: Request) -> str | None:
    name = unquote(request.headers.get("x-gorodok-user", "")).strip()
    return name[:128] or None


def _role(request: Request) -> Role:
    said = request.headers.get("x-gorodok-role", "viewer")
    return next((role for role in ROLES if role == said), "viewer")


def _person(request: Request) -> str:
    """The name of somebody who may press; 403 otherwise."""
    name, role = _user(request), _role(request)
    if name is None:
        raise RefusedError(403, "nobody's name", "X-Gorodok-User", None, "Sign in: every press has a name")
    if role == "viewer":
        raise RefusedError(403, "a viewer may not press", "X-Gorodok-Role", role, "Ask for the role duty or admin")
    return name


def _actor(request: Request) -> str:
    """A person, or one of our own jobs, which has the token and its own name."""
    return _user(request) or "orchestration"


class Server:
    """uvicorn in a thread. A port that is taken is tried again and again: alerts are acted on without the API, too."""

    def __init__(self, desk: Desk, token: str, host: str, port: int) -> None:
        if not is_loopback(host):
            log.warning("the API would carry its token in clear text on %s: it listens on 127.0.0.1 instead", host)
            host = LOOPBACK
        self._config = uvicorn.Config(
            make_app(desk, token), host=host, port=port, log_level="critical", access_log=False, lifespan="off"
        )
        self._server = uvicorn.Server(self._config)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reflex-api", daemon=True)
        self._where = f"{host}:{port}"

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._server.run()
            except (Exception, SystemExit):  # uvicorn calls sys.exit when it cannot bind
                log.error(
                    "the API cannot listen on %s: something else does; tried again. Alerts are acted on", self._where
                )
            if not self._stopping.wait(AGAIN_S):
                self._server = uvicorn.Server(self._config)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._server.should_exit = True
        self._thread.join(5)
