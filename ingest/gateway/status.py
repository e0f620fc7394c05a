"""/health and /metrics of the gateway, on loopback unless told otherwise."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from city.settings import Settings
from ingest.gateway.receiver import Receiver
from ingest.intake import Intake

StartResponse = Callable[..., Any]


class _Collector:
    """Reads the intake's totals when asked, so that counting costs the hot path nothing."""

    def __init__(self, intake: Intake, receiver: Receiver) -> None:
        self._intake = intake
        self._receiver = receiver

    def collect(self) -> Iterator[Metric]:
        totals = self._intake.totals
        yield CounterMetricFamily("gorodok_messages", "Messages made durable", value=totals.messages)
        yield CounterMetricFamily("gorodok_flushes", "Flushes of the landing log", value=totals.flushes)
        yield CounterMetricFamily("gorodok_flush_failures", "Flushes that could not be written", value=totals.failures)
        yield CounterMetricFamily("gorodok_landed_bytes", "Bytes written to the landing log", value=totals.bytes)
        rows = CounterMetricFamily("gorodok_rows", "Rows made durable", labels=["feed"])
        for feed, count in list(totals.rows_by_feed.items()):
            rows.add_metric([feed], count)
        yield rows
        refused = CounterMetricFamily("gorodok_quarantined", "Messages refused and kept", labels=["feed"])
        for feed, count in list(totals.quarantined_by_feed.items()):
            refused.add_metric([feed], count)
        yield refused
        yield GaugeMetricFamily(
            "gorodok_pending_bytes", "Bytes received and not durable yet", value=totals.pending_bytes
        )
        yield GaugeMetricFamily("gorodok_stalled", "1 while the landing cannot be written", value=bool(totals.stalled))
        connected = self._receiver.connected.is_set()
        yield GaugeMetricFamily("gorodok_broker_connected", "1 while connected to the broker", value=connected)


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a scrape every few seconds is no news."""


class StatusServer:
    """A thread that answers /health (200 or 503, JSON) and /metrics (Prometheus text)."""

    def __init__(self, settings: Settings, intake: Intake, receiver: Receiver) -> None:
        self._settings = settings
        self._intake = intake
        self._receiver = receiver
        self._server: WSGIServer | None = None
        registry = CollectorRegistry()
        registry.register(_Collector(intake, receiver))
        self._metrics = make_wsgi_app(registry)

    def start(self) -> None:
        """Raises OSError when the port is taken."""
        settings = self._settings
        self._server = make_server(settings.host, settings.gateway_port, self._answer, handler_class=_Quiet)
        threading.Thread(target=self._server.serve_forever, name="status", daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _answer(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == "/metrics":
            return list(self._metrics(environ, start_response))
        if environ.get("PATH_INFO") == "/health":
            return self._health(start_response)
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"/health or /metrics\n"]

    def _health(self, start_response: StartResponse) -> Iterable[bytes]:
        totals, receiver = self._intake.totals, self._receiver
        trouble = totals.stalled or receiver.reason
        body = {
            "ok": trouble is None,
            "trouble": trouble,
            "broker": self._settings.mqtt_url,
            "connected": receiver.connected.is_set(),
            "stalled": totals.stalled,
            "messages": totals.messages,
            "rows": totals.rows,
            "quarantined": totals.quarantined,
            "pending_bytes": totals.pending_bytes,
        }
        status = "200 OK" if trouble is None else "503 Service Unavailable"
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(body).encode() + b"\n"]
