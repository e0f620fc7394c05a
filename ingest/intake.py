"""From bytes to durable rows: decode, set the bad aside, append, fsync, tell the listeners, acknowledge.

The gateway, the adapters and the replays all go through here, so that nothing enters the lake unvalidated.
"""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from city.settings import Settings
from ingest.contracts import CONTRACTS, Contract
from ingest.contracts.ingest_outcome import IngestOutcome
from ingest.contracts.quarantine import Quarantine
from ingest.decode import Decoder, Reject
from ingest.derive.arrow import to_batch
from ingest.landing.landing import Landing
from ingest.landing.segments import Sealed
from ingest.parcel import Parcel, Refusal

log = logging.getLogger(__name__)

UNKNOWN_FEED = "unknown"
OUTCOME_EVERY_S = 60.0
MAX_PENDING_BYTES = 128 * 2**20
"""More than this waits in memory only when the disk is full or slow; then `submit` blocks."""
CROWD = 500
"""So many waiting messages are flushed at once: half of what a broker sends before it wants acknowledgements."""

Listener = Callable[[str, Sequence[Contract], pa.RecordBatch], None]
"""Called after a feed's rows are durable, with the models and their batch, in the flushing thread."""


@dataclass(slots=True)
class Totals:
    """Counts since start; `stalled` holds the reason while the landing cannot be written."""

    messages: int = 0
    rows: int = 0
    quarantined: int = 0
    bytes: int = 0
    flushes: int = 0
    failures: int = 0
    pending_bytes: int = 0
    stalled: str | None = None
    rows_by_feed: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    quarantined_by_feed: dict[str, int] = field(default_factory=lambda: defaultdict(int))


@dataclass(slots=True)
class _Item:
    parcel: Parcel | Refusal
    received_at: datetime
    ack: Callable[[], None] | None


@dataclass(slots=True)
class _Flush:
    """What one flush will write; kept when the write fails, and tried again unchanged."""

    items: list[_Item]
    messages: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    bytes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    models: dict[str, list[Contract]] = field(default_factory=dict)
    batches: dict[str, pa.RecordBatch] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=lambda: defaultdict(int))


@dataclass(slots=True)
class _Tally:
    """Flushes of a feed that went well since the last outcome row."""

    started_at: datetime
    steps: int = 0
    seconds: float = 0.0
    messages: int = 0
    rows: int = 0
    quarantined: int = 0
    bytes: int = 0


class Intake:
    """One writer of the landing. `submit` may be called from any thread, `flush` and `seal` from any one."""

    def __init__(self, settings: Settings, writer: str = "replay", listeners: Sequence[Listener] = ()) -> None:
        self._settings = settings
        self._listeners = tuple(listeners)
        self._landing = Landing(settings.landing_dir)
        limit = settings.max_payload_kb * 1024
        self._decoders: dict[str, Decoder[Contract]] = {
            feed: Decoder(contract, limit) for feed, contract in CONTRACTS.items()
        }
        self._process = f"{writer}@{socket.gethostname()}/{os.getpid()}"
        self._pending: list[_Item] = []
        self._room = threading.Condition()
        self._flush_lock = threading.Lock()
        self._stuck: _Flush | None = None
        self._tallies: dict[str, _Tally] = {}
        self._told = time.monotonic()
        self._outcomes: list[IngestOutcome] = []
        self.totals = Totals()
        self.crowded = threading.Event()

    def __enter__(self) -> Self:
        self.recover()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- in

    def submit(self, parcel: Parcel | Refusal, ack: Callable[[], None] | None = None) -> None:
        """Hands over one message; `ack` is called when it is durable. Blocks while too much waits."""
        item = _Item(parcel, datetime.now(UTC), ack)
        with self._room:
            while self.totals.pending_bytes > MAX_PENDING_BYTES:
                self._room.wait(1.0)
            self._pending.append(item)
            self.totals.pending_bytes += len(parcel.payload)
            if len(self._pending) == CROWD:
                self.crowded.set()

    def note(self, outcome: IngestOutcome) -> None:
        """Adds an outcome row (a fetch, a load) to the next flush."""
        self._outcomes.append(outcome)

    # --- out

    def flush(self) -> bool:
        """Makes everything submitted so far durable; False when the landing could not be written."""
        with self._flush_lock:
            if self._stuck is not None and not self._write(self._stuck):
                return False
            with self._room:
                items, self._pending = self._pending, []
                self.crowded.clear()
            if not items and not self._outcomes:
                return True
            return self._write(self._prepare(items))

    def seal(self, older_than_s: float = 0, larger_than_bytes: int = 0) -> list[Sealed]:
        """Seals logs that are due (all by default); a failure is told and leaves the log for `recover`."""
        return self._noted("seal", lambda: self._landing.seal(older_than_s, larger_than_bytes))

    def warm_up(self) -> None:
        """Does once what pyarrow does at its first array (it imports pandas: 1 to 5 s), before messages wait for it."""
        for feed in CONTRACTS:
            to_batch(feed, [], [], [])

    def recover(self) -> list[Sealed]:
        """Seals what a killed process left."""
        return self._noted("seal", self._landing.recover)

    def close(self) -> None:
        """Flushes, tells the outcomes that are still untold, and seals."""
        self.flush()
        self._tell_flushes(now=True)
        self.flush()
        self.seal()

    # --- how

    def _prepare(self, items: list[_Item]) -> _Flush:
        flush = _Flush(items)
        models: dict[str, list[Contract]] = defaultdict(list)
        received: dict[str, list[datetime]] = defaultdict(list)
        sources: dict[str, list[str]] = defaultdict(list)
        refused: list[tuple[str, str, datetime, Reject]] = []
        for item in items:
            parcel = item.parcel
            feed, source = parcel.feed, parcel.source
            known = feed if feed in CONTRACTS else UNKNOWN_FEED
            flush.messages[known] += 1
            flush.bytes[known] += len(parcel.payload)
            good, rejects = self._decode(parcel)
            if good:
                models[feed] += good
                received[feed] += [item.received_at] * len(good)
                sources[feed] += [source] * len(good)
            if rejects:
                refused += [(feed, source, item.received_at, reject) for reject in rejects]
        for feed, good_ones in models.items():
            self._add(flush, feed, good_ones, received[feed], sources[feed], refused)
        self._add_quarantine(flush, refused)
        return flush

    def _decode(self, parcel: Parcel | Refusal) -> tuple[list[Contract], list[Reject]]:
        if isinstance(parcel, Refusal):
            return [], [Reject(parcel.reason, parcel.field, parcel.value, parcel.payload)]
        decoder = self._decoders.get(parcel.feed)
        if decoder is None:
            reason = f"no contract is called {parcel.feed!r}: publish to one of {', '.join(CONTRACTS)}"
            return [], [Reject(reason, None, None, parcel.payload)]
        decoded = decoder.decode(parcel.payload)
        return decoded.good, decoded.rejects

    def _add(
        self,
        flush: _Flush,
        feed: str,
        models: list[Contract],
        received: list[datetime],
        sources: list[str],
        refused: list[tuple[str, str, datetime, Reject]],
    ) -> None:
        try:
            flush.batches[feed] = to_batch(feed, models, received, sources)
            flush.models[feed] = models
        except (pa.ArrowException, ValueError, OverflowError) as error:
            if len(models) == 1:
                payload = models[0].model_dump_json().encode()
                refused.append(
                    (feed, sources[0], received[0], Reject(f"cannot be stored: {error}", None, None, payload))
                )
                return
            parts = [self._part(feed, *one, refused) for one in zip(models, received, sources, strict=True)]
            whole = [part for part in parts if part is not None]
            if whole:
                flush.batches[feed] = pa.Table.from_batches([b for _, b in whole]).combine_chunks().to_batches()[0]
                flush.models[feed] = [model for model, _ in whole]

    def _part(
        self,
        feed: str,
        model: Contract,
        received: datetime,
        source: str,
        refused: list[tuple[str, str, datetime, Reject]],
    ) -> tuple[Contract, pa.RecordBatch] | None:
        alone = _Flush([])
        self._add(alone, feed, [model], [received], [source], refused)
        return (model, alone.batches[feed]) if feed in alone.batches else None

    def _add_quarantine(self, flush: _Flush, refused: list[tuple[str, str, datetime, Reject]]) -> None:
        if not refused:
            return
        rows: list[Contract] = []
        for feed, source, received_at, reject in refused:
            known = feed if feed in CONTRACTS else UNKNOWN_FEED
            flush.quarantined[known] += 1
            rows.append(
                Quarantine.model_construct(
                    quarantine_id=quarantine_id(feed, source, reject.payload),
                    feed=known,
                    topic=_clean(source),
                    refused_at=received_at,
                    reason=_clean(reject.reason),
                    field=None if reject.field is None else _clean(reject.field),
                    value=None if reject.value is None else _clean(reject.value),
                    payload=reject.payload,
                    retried_at=None,
                )
            )
        times = [received_at for _, _, received_at, _ in refused]
        origins = [_clean(source) for _, source, _, _ in refused]
        batch = to_batch("quarantine", rows, times, origins)
        if "quarantine" in flush.batches:
            batch = pa.Table.from_batches([flush.batches["quarantine"], batch]).combine_chunks().to_batches()[0]
            rows = flush.models["quarantine"] + rows
        flush.batches["quarantine"], flush.models["quarantine"] = batch, rows

    def _write(self, flush: _Flush) -> bool:
        started, clock = datetime.now(UTC), time.monotonic()
        outcomes, self._outcomes = self._outcomes, []
        batches = dict(flush.batches)
        if outcomes:
            batch = to_batch("ingest_outcome", outcomes, [started] * len(outcomes), [self._process] * len(outcomes))
            if "ingest_outcome" in batches:
                batch = pa.Table.from_batches([batches["ingest_outcome"], batch]).combine_chunks().to_batches()[0]
            batches["ingest_outcome"] = batch
        try:
            written = self._landing.append(batches)
        except OSError as error:
            self._stall(flush, outcomes, error, started, clock)
            return False
        self._stuck = None
        self._done(flush, written, started, time.monotonic() - clock)
        return True

    def _stall(
        self, flush: _Flush, outcomes: list[IngestOutcome], error: OSError, started: datetime, clock: float
    ) -> None:
        if self.totals.stalled is None:
            log.error("landing cannot be written, nothing is acknowledged until it can: %s", error)
            seconds = time.monotonic() - clock
            outcomes.append(self._outcome("flush", "landing", started, seconds, False, reason=str(error)))
        self._outcomes = outcomes + self._outcomes
        self._stuck = flush
        self.totals.stalled = str(error)
        self.totals.failures += 1

    def _done(self, flush: _Flush, written: int, started: datetime, seconds: float) -> None:
        if self.totals.stalled is not None:
            log.warning("landing can be written again")
        totals = self.totals
        totals.stalled = None
        totals.flushes += 1
        totals.messages += len(flush.items)
        totals.bytes += written
        for feed, batch in flush.batches.items():
            totals.rows_by_feed[feed] += batch.num_rows
        totals.rows += sum(batch.num_rows for feed, batch in flush.batches.items() if feed != "quarantine")
        for feed, count in flush.quarantined.items():
            totals.quarantined += count
            totals.quarantined_by_feed[feed] += count
        self._count(flush, started, seconds)
        self._tell_listeners(flush)
        for item in flush.items:
            if item.ack is not None:
                item.ack()
        with self._room:
            totals.pending_bytes -= sum(flush.bytes.values())
            self._room.notify_all()
        self._tell_flushes()

    def _tell_listeners(self, flush: _Flush) -> None:
        for feed, models in flush.models.items():
            for listener in self._listeners:
                try:
                    listener(feed, models, flush.batches[feed])
                except Exception:  # the rows are durable: a listener's fault must not hold their acknowledgement
                    log.exception("a listener failed on %d rows of %s", len(models), feed)

    def _count(self, flush: _Flush, started: datetime, seconds: float) -> None:
        for feed, count in flush.messages.items():
            tally = self._tallies.setdefault(feed, _Tally(started))
            tally.steps += 1
            tally.seconds += seconds
            tally.messages += count
            tally.bytes += flush.bytes[feed]
            tally.rows += flush.batches[feed].num_rows if feed in flush.batches else 0
            tally.quarantined += flush.quarantined.get(feed, 0)

    def _tell_flushes(self, now: bool = False) -> None:
        """One outcome row a feed and minute: a row a flush would be 1.7 million a day."""
        if not now and time.monotonic() - self._told < OUTCOME_EVERY_S:
            return
        self._told = time.monotonic()
        tallies, self._tallies = self._tallies, {}
        for feed, tally in tallies.items():
            self._outcomes.append(
                self._outcome(
                    "flush",
                    feed,
                    tally.started_at,
                    tally.seconds,
                    True,
                    steps=tally.steps,
                    messages=tally.messages,
                    rows=tally.rows,
                    quarantined=tally.quarantined,
                    bytes=tally.bytes,
                )
            )

    def _noted(self, stage: str, step: Callable[[], list[Sealed]]) -> list[Sealed]:
        started, clock = datetime.now(UTC), time.monotonic()
        try:
            done = step()
        except OSError as error:
            log.error("%s failed, the log stays for the next try: %s", stage, error)
            self.note(self._outcome(stage, "landing", started, time.monotonic() - clock, False, reason=str(error)))
            return []
        for sealed in done:
            if sealed.torn_bytes:
                log.warning(
                    "%s: cut a torn tail of %d bytes that was never acknowledged", sealed.path, sealed.torn_bytes
                )
        return done

    def _outcome(
        self, stage: str, subject: str, started: datetime, seconds: float, success: bool, **more: Any
    ) -> IngestOutcome:
        return IngestOutcome.model_construct(
            outcome_id=uuid.uuid4().hex,
            stage=stage,
            subject=subject,
            started_at=started,
            seconds=seconds,
            success=success,
            process=self._process,
            **more,
        )


def quarantine_id(feed: str, source: str, payload: bytes) -> str:
    """Digest of what came and from where: the same refused message delivered again is the same row."""
    head = f"{feed}\0{source}\0".encode(errors="replace")
    return hashlib.blake2b(head + payload, digest_size=16).hexdigest()


def _clean(text: str) -> str:
    """Text that can be stored as UTF-8 (a topic or a reason may hold lone surrogates)."""
    return text.encode("utf-8", errors="replace").decode()
