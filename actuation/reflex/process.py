"""`gorodok reflex`: waits for the ledger's lock and the lease, then holds them until it is told to stop or loses them.

Several processes may wait. On one machine the ledger's file lock goes to the next as soon as the kernel sees the
holder dead; between machines the lease at the broker does (actuation.reflex.lease).
"""

from __future__ import annotations

import gc
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from actuation.cap import CapSources, ZoneIndex, load_cap_sources
from actuation.cap.out import CapKeyError, CapOut, ReceiversError
from actuation.cap.text import TextRules, load_text_rules
from actuation.keys import KeyRing
from actuation.ledger import Ledger, LedgerBusyError, NewEntry
from actuation.people.notifier import Notifier
from actuation.reflex import snapshot
from actuation.reflex.bodies import Bodies
from actuation.reflex.book import Book
from actuation.reflex.capdesk import CapDesk
from actuation.reflex.core import Core, utc_now
from actuation.reflex.desk import RunnerDesk
from actuation.reflex.effects import EffectsWorker
from actuation.reflex.forward import Forwarder
from actuation.reflex.lease import Lease
from actuation.reflex.link import broker_is_open
from actuation.reflex.listening import Listening
from actuation.reflex.numbers import Numbers
from actuation.reflex.register import Register, load_register
from actuation.reflex.runner import LeaseLostError, Runner
from actuation.reflex.server import Server
from actuation.reflex.texts import Texts
from actuation.scenario.effect import Effect
from actuation.scenario.load import load_scenarios
from actuation.scenario.program import Program
from city.profile import City, load_city
from city.settings import Settings
from ingest.broker.client import BrokerUnreachableError

log = logging.getLogger(__name__)

POLL_S = 0.1
COLLECT_EACH = 50_000
"""New objects until the collector looks for cycles; Python's 700 would make a burst of answers wait for it often."""
SWITCH_S = 0.0005
"""The loop gets the interpreter's lock back from the API's and the notices' threads after so long, not after 5 ms."""


class ReflexProcess:
    """`run` blocks; `stop` from any thread or signal handler."""

    def __init__(self, settings: Settings) -> None:
        """Reads keys, scenarios, sources and devices: KeysError, CityError, CapSourcesError say what is wrong."""
        self._settings = settings
        self.name = settings.reflex_id or f"{socket.gethostname()}-{os.getpid()}"
        self._keys = KeyRing.load(settings)
        self._city: City = load_city(settings)
        self._program: Program = load_scenarios(self._city)
        self._register: Register = load_register(self._city)
        self._sources: CapSources = load_cap_sources(settings)
        self._zones = ZoneIndex.of(self._city, self._sources.geocodes)
        self._rules: TextRules | None = load_text_rules(settings)
        self._stop = threading.Event()
        self._runner: Runner | None = None
        self.ready = threading.Event()

    def stop(self) -> None:
        self._stop.set()
        if self._runner is not None:
            self._runner.stop()

    def run(self) -> None:
        """Waits and holds, again and again, until `stop`."""
        while not self._stop.is_set():
            ledger = self._wait_for_ledger()
            if ledger is None:
                return
            try:
                self._with_ledger(ledger)
            except LeaseLostError as error:
                log.warning("reflex %s stops acting: %s", self.name, error)
            finally:
                self.ready.clear()
                ledger.close()

    def _wait_for_ledger(self) -> Ledger | None:
        told = False
        while not self._stop.is_set():
            try:
                return Ledger.open(self._settings.ledger_path)
            except LedgerBusyError:
                if not told:
                    log.info("reflex %s waits: another process writes the ledger of this machine", self.name)
                told = True
                self._stop.wait(POLL_S)
        return None

    def _with_ledger(self, ledger: Ledger) -> None:
        folder = self._settings.ledger_path.parent
        key = self._keys.device_keys("reflex-lease")[0]
        lease = Lease(self._settings, self.name, ledger.ledger_id, key, folder / "lease.json", self._woken)
        lease.start()
        try:
            while not lease.fresh() and not self._stop.is_set():
                time.sleep(0.02)
            if not self._stop.is_set():
                self._hold(ledger, lease)
        finally:
            lease.stop()
            self._runner = None

    def _woken(self) -> None:
        runner = self._runner
        if runner is not None:
            runner.wake()

    def _hold(self, ledger: Ledger, lease: Lease) -> None:
        settings, folder = self._settings, self._settings.ledger_path.parent
        sys.setswitchinterval(SWITCH_S)
        bodies = Bodies(folder / "bodies")
        numbers = Numbers(ledger.next_seq, lambda: lease.heard_number)
        lease.used = lambda: numbers.last
        number = numbers.next

        core = Core(
            settings.city, self._program, Book(self._register), self._keys, number, bodies,
            live_doors=self._live_doors(),
        )  # fmt: skip
        began = time.monotonic()
        lines = restore(core, ledger, folder)
        log.info("state restored from %d lines of the ledger in %.2f s", lines, time.monotonic() - began)
        self._adopt(core, ledger, lease, bodies)
        cap = CapDesk(self._sources, self._zones, folder / "seen.sqlite")
        parts: list[Callable[[], Any]] = []
        workers: list[EffectsWorker] = []

        def submit(seq: int, effects: Sequence[Effect]) -> None:
            workers[0].submit(seq, effects)

        runner = Runner(
            settings, core, ledger, self._keys, lease, Listening(settings.city, self._program), cap, bodies, number,
            submit,
        )  # fmt: skip
        forwarder = Forwarder(settings, ledger.ledger_id, lambda: runner.last_line[0])
        try:
            notifier = Notifier(settings).start()
            parts.append(notifier.close)
            cap_out = self._cap_out()
            if cap_out is not None:
                cap_out.start()
                parts.append(cap_out.stop)
            workers.append(EffectsWorker(settings, ledger.ledger_id, bodies, notifier, cap_out, runner.note))
            texts = Texts(runner, self._sources, self._rules, self._zones, folder / "drafts.sqlite")
            parts.append(texts.close)
            self._append(ledger, lease)
            for start, stop in ((cap.start, cap.stop), (workers[0].start, workers[0].stop),
                                (forwarder.start, forwarder.stop)):  # fmt: skip
                start()
                parts.append(stop)
            server = Server(
                RunnerDesk(settings, runner, forwarder, texts), self._token(), settings.host, settings.reflex_port
            )
            server.start()
            parts.append(server.stop)
            self._runner = runner
            if self._stop.is_set():
                return
            log.info(
                "reflex %s holds epoch %d; API on %s:%d", self.name, lease.epoch, settings.host, settings.reflex_port
            )
            self.ready.set()
            gc.collect()
            gc.freeze()  # scenarios, devices and keys stay: no collection walks them again
            gc.set_threshold(COLLECT_EACH, 10, 10)
            runner.run()
        finally:
            gc.unfreeze()
            for part in reversed(parts):
                part()

    def _append(self, ledger: Ledger, lease: Lease) -> None:
        """The line that says who acts from here on, and by which scenarios."""
        said = orjson.dumps({"epoch": lease.epoch, "scenarios": self._program.version}).decode()
        ledger.append(
            [
                NewEntry.model_construct(
                    at=utc_now(), kind="other", entity=self.name[:128], mode="none", action="lease", by=self.name[:128],
                    detail=said,
                )
            ]
        )  # fmt: skip

    def _adopt(self, core: Core, ledger: Ledger, lease: Lease, bodies: Bodies) -> None:
        """What a holder on another machine handed on, unless our own ledger is newer."""
        handed = lease.handed
        if handed is None or handed["ledger"] == ledger.ledger_id or handed["epoch"] < _last_epoch(ledger):
            return
        found = {"state": handed["state"], "book": handed["book"], "runs": handed["runs"]}
        detail = bodies.shorten(orjson.dumps(found))
        ledger.append(
            [
                NewEntry.model_construct(
                    at=utc_now(), kind="other", entity=str(handed["ledger"])[:128], mode="none", action="adopted",
                    by=self.name[:128], detail=detail,
                )
            ]
        )  # fmt: skip
        core.adopt(found)
        log.warning("reflex %s takes over the runs of ledger %s", self.name, handed["ledger"])

    def _live_doors(self) -> bool:
        """Whether doors may be commanded live at this broker."""
        if self._settings.unsafe_live_doors:
            log.warning("GORODOK_UNSAFE_LIVE_DOORS: doors are commanded live whoever may publish here; for tests only")
            return True
        while not self._stop.is_set():
            try:
                is_open = broker_is_open(self._settings)
                break
            except BrokerUnreachableError:
                self._stop.wait(0.5)
        else:
            return False
        if is_open:
            log.warning(
                "this broker has no access lists: a stranger may publish commands; live door commands are refused, "
                "drills run. Use mosquitto with the lists of `gorodok acl`"
            )
        return not is_open

    def _token(self) -> str:
        secret = self._settings.reflex_token
        return secret.get_secret_value() if secret is not None else self._keys.api_token

    def _cap_out(self) -> CapOut | None:
        try:
            return CapOut.open(self._settings)
        except (CapKeyError, ReceiversError) as error:
            log.error("our own alerts are not sent onward: %s", error)
            return None


def restore(core: Core, ledger: Ledger, folder: Any) -> int:
    """The state of the last line: a snapshot, and the lines after it. Gives how many lines were replayed."""
    since = 0
    found = snapshot.load(folder / "snapshot.json", ledger.ledger_id, ledger.head()[0])
    if found is not None:
        try:
            core.adopt(found[1])
            since = found[0]
        except (KeyError, ValueError, TypeError, AssertionError) as error:
            log.warning("the snapshot cannot be used (%s); the whole ledger is replayed", error)
    count = 0
    while lines := ledger.read(since):
        count += core.replay(lines)
        since = lines[-1].seq
    return count


def _last_epoch(ledger: Ledger) -> int:
    """Of our own last time as the holder; 0 when there was none."""
    newest = 0
    since = max(0, ledger.head()[0] - 200_000)
    while lines := ledger.read(since):
        since = lines[-1].seq
        for line in lines:
            if line.kind == "other" and line.action == "lease":
                newest = int(orjson.loads(line.detail or "{}").get("epoch", 0))
    return newest
