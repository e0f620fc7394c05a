"""Where parcels go: to the broker, so that the one gateway writes all, or straight to the landing on this machine.

Both end at the same contract validation; neither says that it is done before the data are safe: PUBACK of every
message, or fsync of the log.
"""

from __future__ import annotations

import ssl
import threading
import uuid
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from city.settings import Settings
from ingest.adapters.sockets import without_delay
from ingest.contracts.ingest_outcome import IngestOutcome
from ingest.contracts.quarantine import Quarantine
from ingest.intake import Intake, quarantine_id
from ingest.parcel import Parcel, Refusal

IN_FLIGHT = 1_000
"""Messages that wait for their PUBACK at a time; paho's own default of 20 throttles QoS 1."""

CONNECT_S = 15.0
ANSWER_S = 60.0
"""With no PUBACK at all for so long, the broker is taken for gone."""

SESSION_S = 300
"""The broker keeps our session over a short break of the line, s (MQTT 5)."""

FLUSH_BYTES = 8 * 2**20
NO_SUBSCRIBER = 0x10

KEPT_BYTES = 256 * 1024
"""Of refused bytes that are published, so many are kept (a message must pass the broker's limit)."""


class OutletError(Exception):
    """The data are not known to be safe; the text says what happened and what to do."""


class Outlet(Protocol):
    """A place for parcels. `finish` returns when all that was submitted is safe, and raises OutletError if not."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None: ...

    def submit(self, parcel: Parcel | Refusal) -> None: ...

    def note(self, outcome: IngestOutcome) -> None: ...

    def finish(self) -> dict[str, int]:
        """Counts for a summary."""
        ...


class LandingOutlet:
    """Validates and appends to the landing log in this process."""

    def __init__(self, settings: Settings, writer: str = "replay") -> None:
        self._intake = Intake(settings, writer=writer)
        self._settings = settings
        self._held = 0

    def __enter__(self) -> Self:
        self._intake.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._intake.close()

    def submit(self, parcel: Parcel | Refusal) -> None:
        self._intake.submit(parcel)
        self._held += len(parcel.payload)
        if self._held >= FLUSH_BYTES:
            self._flush()

    def note(self, outcome: IngestOutcome) -> None:
        self._intake.note(outcome)

    def finish(self) -> dict[str, int]:
        self._flush()
        self._intake.seal()
        totals = self._intake.totals
        return {"landed": totals.rows - totals.rows_by_feed.get("ingest_outcome", 0), "quarantined": totals.quarantined}

    def _flush(self) -> None:
        self._held = 0
        if not self._intake.flush():
            raise OutletError(f"the landing cannot be written: {self._intake.totals.stalled}: make room, then repeat")
        self._intake.seal(self._settings.seal_s, self._settings.seal_mb * 2**20)


class MqttOutlet:
    """Publishes with QoS 1; a refusal goes out as a message of the feed `quarantine`."""

    def __init__(self, settings: Settings, publisher: str, in_flight: int = IN_FLIGHT) -> None:
        self._settings = settings
        self._publisher = publisher
        self._limit = in_flight
        self._state = threading.Condition()
        self._waiting: set[int] = set()
        self._early: set[int] = set()
        self._problem: str | None = None
        self._connected = False
        self._counts = {"published": 0, "unheard": 0}
        self._client = self._new_client()

    def __enter__(self) -> Self:
        address = urlsplit(self._settings.mqtt_url)
        port = address.port or (8883 if address.scheme == "mqtts" else 1883)
        where = f"{address.hostname}:{port}"
        try:
            self._client.connect(address.hostname or "127.0.0.1", port, keepalive=30, **self._connect_options())
        except (OSError, ValueError) as error:
            raise OutletError(
                f"no broker at {where}: {error}: start one (`gorodok demo`), set GORODOK_MQTT_URL, or use --via landing"
            ) from error
        self._client.loop_start()
        with self._state:
            self._state.wait_for(lambda: self._connected or self._problem is not None, CONNECT_S)
            problem = self._problem or (None if self._connected else f"no answer within {CONNECT_S:.0f} s")
        if problem is not None:
            self._client.loop_stop()
            raise OutletError(f"the broker at {where} does not let us in: {problem}: check user and password")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def submit(self, parcel: Parcel | Refusal) -> None:
        if isinstance(parcel, Refusal):
            parcel = quarantined(parcel)
        self._publish(parcel.feed, parcel.payload)

    def note(self, outcome: IngestOutcome) -> None:
        self._publish("ingest_outcome", outcome.model_dump_json().encode())

    def finish(self) -> dict[str, int]:
        with self._state:
            self._wait(lambda: not self._waiting)
            return dict(self._counts)

    # --- how

    def _publish(self, feed: str, payload: bytes) -> None:
        with self._state:
            self._wait(lambda: len(self._waiting) < self._limit)
        info = self._client.publish(f"gorodok/v1/{self._settings.city}/{feed}/{self._publisher}", payload, qos=1)
        if info.rc not in (
            mqtt.MQTT_ERR_SUCCESS,
            mqtt.MQTT_ERR_NO_CONN,
        ):  # without a connection paho keeps it and resends
            raise OutletError(f"cannot publish: {mqtt.error_string(info.rc)}")
        with self._state:
            if info.mid in self._early:
                self._early.discard(info.mid)
            else:
                self._waiting.add(info.mid)

    def _wait(self, ready: Any) -> None:
        """Waits while PUBACKs still come; holds the lock."""
        while not ready():
            before = self._counts["published"]
            if self._problem is not None:
                raise OutletError(f"the broker refused a message: {self._problem}")
            heard = self._state.wait_for(lambda: ready() or self._problem is not None, ANSWER_S)
            if not heard and self._counts["published"] == before:
                raise OutletError(
                    f"{len(self._waiting)} messages got no PUBACK for {ANSWER_S:.0f} s: is the broker up? "
                    "Repeat the command: repeats are recognised by their key"
                )

    def _new_client(self) -> mqtt.Client:
        version5 = self._settings.mqtt_version == "5"
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"gorodok-{self._publisher}-{uuid.uuid4().hex[:8]}",
            protocol=mqtt.MQTTv5 if version5 else mqtt.MQTTv311,
            clean_session=None if version5 else False,
        )
        address = urlsplit(self._settings.mqtt_url)
        password = self._settings.mqtt_password
        if address.username:
            client.username_pw_set(unquote(address.username), password.get_secret_value() if password else None)
        if address.scheme == "mqtts":
            authority = self._settings.mqtt_ca_file
            client.tls_set_context(ssl.create_default_context(cafile=None if authority is None else str(authority)))
        client.max_inflight_messages_set(self._limit)
        client.on_socket_open = without_delay
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        return client

    def _connect_options(self) -> dict[str, Any]:
        if self._settings.mqtt_version != "5":
            return {}
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_S
        return {"clean_start": False, "properties": properties}

    def _on_connect(self, client: mqtt.Client, data: Any, flags: Any, code: Any, properties: Any) -> None:
        with self._state:
            if code.is_failure:
                if not self._connected:
                    self._problem = str(code)
            else:
                self._connected = True
                self._limit = min(self._limit, getattr(properties, "ReceiveMaximum", None) or self._limit)
            self._state.notify_all()

    def _on_publish(self, client: mqtt.Client, data: Any, mid: int, code: Any, properties: Any) -> None:
        with self._state:
            if mid in self._waiting:
                self._waiting.discard(mid)
            else:
                self._early.add(mid)
            self._counts["published"] += 1
            if code is not None and code.value == NO_SUBSCRIBER:
                self._counts["unheard"] += 1
            elif code is not None and code.is_failure:
                self._problem = str(code)
            self._state.notify_all()


def outlet(via: str, settings: Settings, publisher: str) -> Outlet:
    """The outlet by the word on the command line: `mqtt` or `landing`."""
    if via == "mqtt":
        return MqttOutlet(settings, publisher)
    if via == "landing":
        return LandingOutlet(settings, writer=publisher)
    raise ValueError(f"via: no outlet is called {via!r}: use mqtt or landing")


def quarantined(refusal: Refusal) -> Parcel:
    """A refusal as a message of the feed `quarantine`, so that it can travel by MQTT."""
    kept = refusal.payload[:KEPT_BYTES]
    cut = len(refusal.payload) - len(kept)
    row = Quarantine.model_construct(
        quarantine_id=quarantine_id(refusal.feed, refusal.source, refusal.payload),
        feed=refusal.feed,
        topic=_storable(refusal.source, 70_000),
        refused_at=datetime.now(UTC),
        reason=_storable(refusal.reason + (f" ({cut} more bytes are not kept)" if cut else ""), 10_000),
        field=None if refusal.field is None else _storable(refusal.field, 1_024),
        value=None if refusal.value is None else _storable(refusal.value, 10_000),
        payload=kept,
        retried_at=None,
    )
    return Parcel("quarantine", refusal.source, row.model_dump_json().encode())


def _storable(text: str, limit: int) -> str:
    return text.encode("utf-8", errors="replace").decode()[:limit]
