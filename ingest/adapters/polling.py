"""One coordinator a source: fetch, decode, hand over, remember, tell the outcome, and say when to come again."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Protocol, Self

import httpx

from ingest.adapters.backoff import Backoff
from ingest.adapters.cap import Cap, in_force
from ingest.adapters.decoding import Decoding
from ingest.adapters.fetching import Document, Fetcher, FetchError
from ingest.adapters.gtfs_rt import GtfsRt
from ingest.adapters.open311 import Open311
from ingest.adapters.outcomes import outcome
from ingest.adapters.parcels import cut
from ingest.adapters.source import Source
from ingest.contracts.ingest_outcome import IngestOutcome
from ingest.parcel import Parcel, Refusal

log = logging.getLogger(__name__)

REMEMBERED = 500_000
"""Digests of messages that were handed over; 500,000 of 16 bytes are about 60 MB in Python."""


class Adapter(Protocol):
    """A protocol: what to fetch (FetchError when it cannot be had) and what a document of it means (never raises)."""

    async def fetch(self, fetcher: Fetcher) -> list[Document]: ...

    def decode(self, document: Document) -> Decoding: ...


ADAPTERS: MappingProxyType[str, Callable[[Source], Adapter]] = MappingProxyType(
    {"gtfs-rt": GtfsRt, "open311": Open311, "cap": Cap}
)


@dataclass(slots=True)
class Pulled:
    """What one poll brought. parcels: to hand over; outcome: to note, whatever happened; wait_s: until the next.

    originals: alerts as their sender made them, for who judges them before they may act (empty unless asked for).
    """

    outcome: IngestOutcome
    wait_s: float
    parcels: list[Parcel | Refusal] = field(default_factory=list)
    originals: list[bytes] = field(default_factory=list)


class Poller:
    """Polls one source. Call `keep()` when a poll's parcels are safe; what was not kept comes again."""

    def __init__(
        self,
        source: Source,
        backoff: Backoff | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        remembered: int = REMEMBERED,
        keep_originals: bool = False,
    ) -> None:
        self.source = source
        self._adapter = ADAPTERS[source.adapter](source)
        self._backoff = backoff or Backoff(source.every_s)
        self._fetcher = Fetcher(source, transport)
        self._remembered = remembered
        self._keep_originals = keep_originals and source.adapter == "cap"
        self._handed_over: OrderedDict[bytes, None] = OrderedDict()
        self._fresh: list[bytes] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *problem: object) -> None:
        await self._fetcher.__aexit__(*problem)

    async def poll(self) -> Pulled:
        """Never raises for what a server does: that is an outcome without success."""
        started, clock = datetime.now(UTC), time.monotonic()
        self._fetcher.forget()
        self._fetcher.told.clear()
        self._fresh.clear()
        try:
            documents = await self._adapter.fetch(self._fetcher)
            decodings = await asyncio.to_thread(self._decode, documents)
        except FetchError as error:
            log.warning("%s: %s", self.source.code, error.reason)
            wait_s = self._backoff.failed(error.retry_after_s)
            return Pulled(self._outcome(started, clock, False, f"{error.kind}: {error.reason}"), wait_s)
        parcels = self._new(decodings)
        originals = self._originals(documents) if self._keep_originals else []
        failed = (
            bool(documents)
            and all(decoding.rows == 0 and decoding.refusals for decoding in decodings)
            and bool(decodings)
        )
        wait_s = self._backoff.failed() if failed else self._backoff.succeeded()
        told = self._outcome(
            started,
            clock,
            not failed,
            _remarks(decodings, self._fetcher.told, failed),
            messages=len(documents),
            rows=sum(decoding.rows for decoding in decodings),
            quarantined=sum(len(decoding.refusals) for decoding in decodings),
            size_bytes=sum(len(document.data) for document in documents),
        )
        return Pulled(told, wait_s, parcels, originals)

    def keep(self) -> None:
        """The last poll's parcels are safe."""
        self._fetcher.keep()
        for digest in self._fresh:
            self._handed_over[digest] = None
            self._handed_over.move_to_end(digest)
        self._fresh.clear()
        while len(self._handed_over) > self._remembered:
            self._handed_over.popitem(last=False)

    def _decode(self, documents: list[Document]) -> list[Decoding]:
        return [self._adapter.decode(document) for document in documents if not document.unchanged]

    def _new(self, decodings: list[Decoding]) -> list[Parcel | Refusal]:
        """Parcels of what was not handed over before: a server repeats the same requests at every poll."""
        found: list[Parcel | Refusal] = []
        for decoding in decodings:
            for feed, texts in decoding.texts.items():
                found += cut(feed, decoding.source, [text for text in texts if self._is_new(text.encode())])
            found += [refusal for refusal in decoding.refusals if self._is_new(refusal.payload)]
        return found

    def _originals(self, documents: list[Document]) -> list[bytes]:
        """New alerts, byte for byte; not those whose time is over, of which a server's index is full."""
        found = [part for document in documents if not document.unchanged for part in in_force(document.data)]
        return [part for part in found if self._is_new(b"original:" + part)]

    def _is_new(self, data: bytes) -> bool:
        digest = hashlib.blake2b(data, digest_size=16).digest()
        if digest in self._handed_over:
            self._handed_over.move_to_end(digest)
            return False
        self._fresh.append(digest)
        return True

    def _outcome(
        self, started: datetime, clock: float, success: bool, reason: str | None, **counts: Any
    ) -> IngestOutcome:
        seconds = time.monotonic() - clock
        return outcome("fetch", self.source.address, started, seconds, success, reason=reason, **counts)


def _remarks(decodings: list[Decoding], told: list[str], failed: bool) -> str | None:
    """What was left aside, by name and number; for a document that is no such thing at all, why."""
    dropped: dict[str, int] = {}
    for decoding in decodings:
        for name, count in decoding.dropped.items():
            dropped[name] = dropped.get(name, 0) + count
    remarks = list(told)
    if failed:
        remarks.append("nothing of the answer could be used: " + decodings[0].refusals[0].reason)
    if dropped:
        listed = sorted(dropped.items(), key=lambda pair: -pair[1])
        remarks.append(
            "left aside, no field in the contract: " + ", ".join(f"{name} {count}" for name, count in listed)
        )
    return "; ".join(remarks)[:10_000] or None
