"""The gateway's life: recover, listen, flush every few milliseconds, seal every minute, stop without loss."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Sequence

from city.settings import Settings
from ingest.gateway.receiver import Receiver
from ingest.gateway.status import StatusServer
from ingest.intake import Intake, Listener

log = logging.getLogger(__name__)

RETRY_S = 1.0


class Gateway:
    """One process of ingest. `listeners` are told of rows that are durable (the city state, later reflexes)."""

    def __init__(self, settings: Settings, listeners: Sequence[Listener] = ()) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self.intake = Intake(settings, writer=settings.gateway_id, listeners=listeners)
        self.receiver = Receiver(settings, self.intake)
        self._status = StatusServer(settings, self.intake, self.receiver)
        self.before_close: Callable[[], None] | None = None
        """Called when nothing comes in any more, before the last flush: a listener hands over what it still has."""

    def run(self) -> None:
        """Works until `stop`; then flushes, seals and leaves. Raises OSError when the status port is taken."""
        self.intake.warm_up()
        _calm_garbage_collector()
        recovered = self.intake.recover()
        if recovered:
            log.warning("sealed %d logs that a killed process left", len(recovered))
        self._status.start()
        self.receiver.start()
        sealer = threading.Thread(target=self._seal_loop, name="sealer", daemon=True)
        sealer.start()
        try:
            self._flush_loop()
        finally:
            self._stop.set()
            sealer.join()
            self.receiver.stop()
            self.intake.flush()
            if self.before_close is not None:
                self.before_close()
            self.intake.close()
            self._status.stop()

    def stop(self) -> None:
        self._stop.set()
        self.intake.crowded.set()

    def _flush_loop(self) -> None:
        pause = self._settings.flush_ms / 1000
        while True:
            self.intake.crowded.wait(pause)
            if self._stop.is_set():
                return
            flushed = self.intake.flush()
            self.receiver.acknowledge()
            if not flushed:
                self._stop.wait(RETRY_S)

    def _seal_loop(self) -> None:
        settings = self._settings
        tick = min(1.0, settings.seal_s / 4)
        last_recovery = time.monotonic()
        while not self._stop.wait(tick):
            self.intake.seal(older_than_s=settings.seal_s, larger_than_bytes=settings.seal_mb * 2**20)
            if time.monotonic() - last_recovery > settings.seal_s:
                self.intake.recover()
                last_recovery = time.monotonic()


def _calm_garbage_collector() -> None:
    """Models and rows hold no cycles, so counting frees them; the collector would walk pyarrow and pydantic for nothing
    (15 % of the time of batched messages). What exists now is left out of it for good."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
