"""The form's HTTP: the page of a route, its three files, and where visits are posted.

    GET  /r/<token>          the page; works without a network after it was opened once (sw.js)
    POST /r/<token>/visits   [visit, …] → {"accepted": [visit_id, …], "refused": [{visit_id, field, why}, …]}

A visit is accepted when the broker has it and the gateway heard it: only then does the phone forget it. 503: keep it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route as Path_

from apps.web.survey.routes import RouteBook, as_page
from apps.web.survey.visits import read_visits
from city.settings import Settings
from ingest.broker.client import BrokerUnreachableError
from ingest.contracts.meter_visit import MeterVisit
from ingest.publish import NotDeliveredError, Publisher

LOG = logging.getLogger(__name__)
STATIC = Path(__file__).with_name("static")
FILES = {"survey.js": "text/javascript", "survey.css": "text/css", "sw.js": "text/javascript"}
LARGEST_BODY = 256 * 1024
STALL_S = 8.0
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def build(settings: Settings) -> Starlette:
    """The application; one process, loopback."""
    book = RouteBook(settings)

    async def page(request: Request) -> Response:
        route = book.find(request.path_params["token"])
        if route is None:
            return HTMLResponse((STATIC / "gone.html").read_text("utf-8"), 404, HEADERS)
        text = (STATIC / "survey.html").read_text("utf-8").replace("{{route}}", as_page(route))
        return HTMLResponse(text, headers=HEADERS)

    async def visits(request: Request) -> Response:
        token = request.path_params["token"]
        route = book.find(token)
        if route is None:
            return _no(404, "this route is unknown or over")
        body = await _body(request)
        if body is None:
            return _no(413, f"at most {LARGEST_BODY:,} bytes at once")
        try:
            good, refused = read_visits(json.loads(body), route)
        except (ValueError, RecursionError) as error:
            return _no(422, f"not a list of visits: {error}")
        known = book.done(token)
        fresh = list({one.visit_id: one for one in good if one.visit_id not in known}.values())
        try:
            await run_in_threadpool(_publish, settings, fresh)
        except (BrokerUnreachableError, NotDeliveredError) as error:
            LOG.warning("visits wait on the phone: %s", error)
            return _no(503, "the broker or the gateway does not answer; the phone keeps the visits")
        book.mark_done(token, [one.visit_id for one in fresh])
        return JSONResponse(
            {"accepted": [one.visit_id for one in good], "refused": [vars(one) for one in refused]}, headers=HEADERS
        )

    async def health(request: Request) -> Response:
        return JSONResponse({"ok": True}, headers=HEADERS)

    files = [Path_(f"/{name}", _file(name, kind)) for name, kind in FILES.items()]
    return Starlette(
        routes=[
            Path_("/health", health), Path_("/r/{token}", page), Path_("/r/{token}/visits", visits, methods=["POST"]),
            *files,
        ]
    )  # fmt: skip


def _file(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        return Response((STATIC / name).read_bytes(), media_type=f"{kind}; charset=utf-8", headers=HEADERS)

    return serve


async def _body(request: Request) -> bytes | None:
    """The body, or None when it is too large; it is not read further than that."""
    found = bytearray()
    async for part in request.stream():
        found += part
        if len(found) > LARGEST_BODY:
            return None
    return bytes(found)


def _no(status: int, error: str) -> Response:
    return JSONResponse({"error": error}, status, HEADERS)


def _publish(settings: Settings, visits: Sequence[MeterVisit]) -> None:
    """Returns when the broker has them and somebody heard; raises what the publisher raises."""
    if not visits:
        return
    with Publisher(settings, stall_s=STALL_S) as publisher:
        for one in visits:
            publisher.publish("meter_visit", "survey", one.model_dump_json(exclude_none=True).encode())
        totals = publisher.drain(STALL_S)
    if totals.unheard:
        raise NotDeliveredError("no gateway listens", totals)
