"""All sources of a city side by side, into one outlet."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from ingest.adapters.outlet import Outlet, OutletError
from ingest.adapters.polling import Poller, Pulled
from ingest.adapters.source import Source
from ingest.contracts.ingest_outcome import IngestOutcome

log = logging.getLogger(__name__)

RECONNECT_S = 5.0

Told = Callable[[Source, Pulled], None]


class Originals(Protocol):
    """Where the original bytes of some sources' alerts go, beside their parsed rows."""

    def wanted(self, source: Source) -> bool: ...

    def submit(self, source: Source, originals: Sequence[bytes]) -> None:
        """Returns when they are safe; OutletError when they are not: they come again with the next poll."""
        ...


class Pulling:
    """The outlet is opened when first needed, and opened anew after it failed; meanwhile nothing is marked as kept."""

    def __init__(
        self,
        open_outlet: Callable[[], Outlet],
        told: Told = lambda source, pulled: None,
        originals: Originals | None = None,
    ) -> None:
        self._open_outlet = open_outlet
        self._told = told
        self._originals = originals
        self._outlet: Outlet | None = None
        self._turn = asyncio.Lock()

    async def once(self, sources: Sequence[Source]) -> list[IngestOutcome]:
        """Every source once. Raises OutletError when nothing can be handed over."""
        try:
            return await asyncio.gather(*(self._once(source) for source in sources))
        finally:
            await asyncio.to_thread(self._close)

    async def forever(self, sources: Sequence[Source], stop: asyncio.Event) -> None:
        """Until `stop` is set."""
        tasks = [asyncio.create_task(self._keep_on(source, stop)) for source in sources]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.to_thread(self._close)

    async def _once(self, source: Source) -> IngestOutcome:
        async with self._poller(source) as poller:
            pulled = await poller.poll()
            await self._hand_over(poller, pulled)
            return pulled.outcome

    async def _keep_on(self, source: Source, stop: asyncio.Event) -> None:
        async with self._poller(source) as poller:
            while not stop.is_set():
                wait_s = await self._round(poller)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), wait_s)

    def _poller(self, source: Source) -> Poller:
        return Poller(source, keep_originals=self._originals is not None and self._originals.wanted(source))

    async def _round(self, poller: Poller) -> float:
        pulled = await poller.poll()
        try:
            await self._hand_over(poller, pulled)
        except OutletError as error:
            log.error("%s: %s", poller.source.code, error)
            return RECONNECT_S
        return pulled.wait_s

    async def _hand_over(self, poller: Poller, pulled: Pulled) -> None:
        async with self._turn:
            if pulled.originals and self._originals is not None:
                await asyncio.to_thread(self._originals.submit, poller.source, pulled.originals)
            await asyncio.to_thread(self._submit, pulled)
        poller.keep()
        self._told(poller.source, pulled)

    def _submit(self, pulled: Pulled) -> None:
        if self._outlet is None:
            self._outlet = self._open_outlet().__enter__()
        try:
            for parcel in pulled.parcels:
                self._outlet.submit(parcel)
            self._outlet.note(pulled.outcome)
            self._outlet.finish()
        except OutletError:
            self._close()
            raise

    def _close(self) -> None:
        outlet, self._outlet = self._outlet, None
        if outlet is not None:
            outlet.__exit__(None, None, None)
