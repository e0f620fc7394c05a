"""Where parcels go: to the broker, so that the one gateway writes all, or straight to the landing on this machine.

Both end at the same contract validation; neither says that it is done before the data are safe: PUBACK of every
message, or fsync of the log.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Protocol, Self

from city.settings import Settings
from ingest.broker.client import BrokerUnreachableError
from ingest.contracts.ingest_outcome import IngestOutcome
from ingest.contracts.quarantine import Quarantine
from ingest.intake import Intake, quarantine_id
from ingest.parcel import Parcel, Refusal
from ingest.publish import NotDeliveredError, Publisher

FLUSH_BYTES = 8 * 2**20

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

    def __init__(self, settings: Settings, publisher: str) -> None:
        self._name = publisher
        self._publisher = Publisher(settings, f"gorodok-{publisher}-{uuid.uuid4().hex[:8]}")

    def __enter__(self) -> Self:
        try:
            self._publisher.__enter__()
        except BrokerUnreachableError as error:
            raise OutletError(f"{error}, or use --via landing") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _told():
            self._publisher.__exit__(kind, error, trace)

    def submit(self, parcel: Parcel | Refusal) -> None:
        if isinstance(parcel, Refusal):
            parcel = quarantined(parcel)
        with _told():
            self._publisher.publish(parcel.feed, self._name, parcel.payload)

    def note(self, outcome: IngestOutcome) -> None:
        with _told():
            self._publisher.publish("ingest_outcome", self._name, outcome.model_dump_json().encode())

    def finish(self) -> dict[str, int]:
        with _told():
            totals = self._publisher.drain()
        return {"published": totals.acked, "unheard": totals.unheard}


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What the publisher could not deliver, in an outlet's words."""
    try:
        yield
    except (NotDeliveredError, ValueError) as error:
        raise OutletError(f"{error} Repeat the command: repeats are recognised by their key") from error


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
