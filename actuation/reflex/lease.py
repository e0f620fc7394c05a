"""Which of several reflex processes may act: a lease kept at the broker, numbered so that an old holder is harmless.

Why the broker and not a database: without the broker nobody can command anything, so it adds nothing that may fail.
It also orders: all subscribers see the messages of a topic in one order, so of two claims to one epoch the first in
the broker's order wins for everybody.

A claim is a retained message {holder, ledger, epoch, number, at}, sealed by HMAC under a key of the ring. The holder
repeats it every RENEW_S; it may act only while its last repetition that came back is younger than OWN_S, by its own
monotonic clock. Others claim epoch + 1 when they have heard nothing for DEAD_S, which is longer; at once when the
holder says that it leaves, or when the broker's will says that it died (a SIGKILL: its socket closed). Three fences
stop an old holder that slept through it: its own clock; the broker, which cut its connection when the new one
connected under the same client id; and the devices, since a new holder's numbers begin above those that the claim
names (numbers.py).
"""

from __future__ import annotations

import contextlib
import hmac
import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import paho.mqtt.client as mqtt

from actuation.topics import control_topic
from actuation.wire.answer import seal
from actuation.wire.base64url import decode
from city.settings import Settings
from ingest.broker.address import parse_address
from ingest.broker.client import build_client

log = logging.getLogger(__name__)

RENEW_S, OWN_S, DEAD_S = 0.5, 2.5, 3.5
FIRST_LOOK_S = 0.7
"""So long a new process waits for the retained claim of another."""
TICK_S = 0.05


@dataclass(frozen=True, slots=True)
class Claim:
    holder: str | None
    ledger: str
    epoch: int
    at: str
    number: int = 0
    """The highest command number that its holder had used when it said so."""


class Lease:
    """One thread, one connection. `fresh()` from any thread; `lost` and `won` are read by the runner's loop."""

    def __init__(
        self,
        settings: Settings,
        name: str,
        ledger_id: str,
        key: bytes,
        memory: Path,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """memory: a file that keeps the highest epoch seen, for a broker that lost its retained messages."""
        self._settings, self._name, self._ledger, self._key, self._memory = settings, name, ledger_id, key, memory
        self._wake = wake
        self._topic = control_topic(settings.city, "lease", "reflex")
        self._lock = threading.Lock()
        self._known = Claim(None, "", self._remembered(), "")
        self._heard_s = time.monotonic()
        self._claimed_s: dict[int, float] = {}
        self._serial = 0
        self._valid_until_s = 0.0
        self._connected = False
        self._looked_s: float | None = None
        self.used: Callable[[], int] = lambda: 0
        """Gives the highest command number that this process has used; our claims name it."""
        self._heard_number = 0
        self.handed: dict[str, Any] | None = None
        """What the last holder handed on: the state of its runs and commands."""
        self._told = False
        """A claim has come since we connected: there is no need to wait for one."""
        self._stop = threading.Event()
        self._client = self._make()
        self._thread = threading.Thread(target=self._run, name="reflex-lease", daemon=True)

    @property
    def known(self) -> Claim:
        with self._lock:
            return self._known

    @property
    def heard_number(self) -> int:
        """The highest command number that a claim of another process named."""
        with self._lock:
            return self._heard_number

    @property
    def epoch(self) -> int:
        return self.known.epoch

    @property
    def mine(self) -> bool:
        """Ours by what we have heard; whether we may act is `fresh`."""
        return self.known.holder == self._name

    def fresh(self) -> bool:
        with self._lock:
            return self._known.holder == self._name and time.monotonic() < self._valid_until_s

    def start(self) -> None:
        address = parse_address(self._settings.mqtt_url)
        five = self._settings.mqtt_version == "5"
        more: dict[str, Any] = {"clean_start": True} if five else {}
        self._client.connect_async(address.host, address.port, keepalive=2, **more)
        self._client.loop_start()
        self._thread.start()

    def stop(self) -> None:
        """Says that we leave, so that another takes over at once."""
        self._stop.set()
        self._thread.join(2)
        if self.mine and self._connected:
            leaving = Claim(None, self._ledger, self.epoch, _now(), self._highest())
            with contextlib.suppress(ValueError, RuntimeError):
                self._client.publish(self._topic, self._sealed(leaving), qos=1, retain=True).wait_for_publish(1.0)
        self._client.disconnect()
        self._client.loop_stop()

    def _make(self) -> mqtt.Client:
        client = build_client(self._settings, f"gorodok-lease-{self._name}", mqtt.Client)
        client.reconnect_delay_set(1, 1)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        died = orjson.dumps({"died": self._name, "at": _now()})
        client.will_set(control_topic(self._settings.city, "lease", "will"), seal(died, self._key), qos=1)
        return client

    def _run(self) -> None:
        renewed_s = 0.0
        while not self._stop.wait(TICK_S):
            now = time.monotonic()
            with self._lock:
                known, heard_s, connected, looked_s = self._known, self._heard_s, self._connected, self._looked_s
            if not connected or looked_s is None or (now - looked_s < FIRST_LOOK_S and not self._told):
                continue
            if known.holder == self._name:
                if now - renewed_s >= RENEW_S:
                    renewed_s = now
                    self._say(known.epoch)
            elif known.holder is None or now - heard_s > DEAD_S or known.ledger == self._ledger:
                # known.ledger is ours: its file's lock is ours too, so its holder is dead
                self._say(known.epoch + 1)
                renewed_s = now
                self._stop.wait(RENEW_S)

    def _say(self, epoch: int) -> None:
        """A claim, or its repetition: counts when it comes back."""
        with self._lock:
            self._serial += 1
            serial = self._serial
            self._claimed_s[serial] = time.monotonic()
            for old in [each for each in self._claimed_s if each < serial - 50]:
                del self._claimed_s[old]
        claim = Claim(self._name, self._ledger, epoch, _now(), self._highest())
        self._client.publish(self._topic, self._sealed(claim, serial), qos=1, retain=True)

    def _sealed(self, claim: Claim, serial: int = 0) -> bytes:
        said = {
            "holder": claim.holder,
            "by": self._name,
            "ledger": claim.ledger,
            "epoch": claim.epoch,
            "number": claim.number,
            "serial": serial,
            "at": claim.at,
        }
        return seal(orjson.dumps(said), self._key)

    def _highest(self) -> int:
        """Ours, or what we have heard of: a holder that has commanded nothing hands on what it knows."""
        return max(self.used(), self.heard_number)

    def _opened(self, payload: bytes) -> dict[str, Any] | None:
        body, _, mac = payload.rpartition(b".")
        try:
            good = hmac.compare_digest(hmac.digest(self._key, body, "sha256"), decode(mac))
            return dict(orjson.loads(body)) if good else None
        except ValueError:
            return None

    def _on_connect(self, client: mqtt.Client, _: Any, __: Any, reason: Any, ___: Any = None) -> None:
        if getattr(reason, "is_failure", reason != 0):
            log.warning("lease: the broker refuses us: %s", reason)
            return
        city = self._settings.city
        client.subscribe([(control_topic(city, "lease", who), 1) for who in ("state", "will", "reflex")])  # type: ignore[arg-type]
        with self._lock:
            self._connected, self._told = True, False
            self._looked_s = self._heard_s = time.monotonic()

    def _on_disconnect(self, *_: Any) -> None:
        with self._lock:
            self._connected = False

    def _on_message(self, client: mqtt.Client, _: Any, message: mqtt.MQTTMessage) -> None:
        said = self._opened(bytes(message.payload))
        if said is None:
            log.warning("lease: a message on %s that is not ours was ignored", message.topic)
            return
        if "state" in said:
            self.handed = said
        elif "died" in said:
            self._on_death(str(said["died"]))
        else:
            self._on_claim(said)
        self._wake()

    def _on_death(self, name: str) -> None:
        """The broker says that a process is gone; what it still wrote is cut off when we connect as the reflex."""
        with self._lock:
            if name == self._known.holder and name != self._name:
                log.warning("lease: the holder %s died", name)
                self._known = Claim(None, self._known.ledger, self._known.epoch, self._known.at)

    def _on_claim(self, said: dict[str, Any]) -> None:
        number = int(said.get("number", 0))
        claim = Claim(said["holder"], str(said["ledger"]), int(said["epoch"]), str(said["at"]), number)
        with self._lock:
            self._told = True
            if said["by"] != self._name or number > self.used():  # our own name, from before our ledger was lost
                self._heard_number = max(self._heard_number, number)
            known = self._known
            leaves = claim.holder is None and said["by"] == known.holder and claim.epoch == known.epoch
            # nobody is known to hold this epoch: we have just come, or its holder was said to be dead and is not
            repeats = claim.epoch == known.epoch and known.holder in (None, claim.holder)
            if not (claim.epoch > known.epoch or repeats or leaves):
                return  # too late: the first claim to an epoch has it
            if claim.epoch > known.epoch:
                self._remember(claim.epoch)
            self._known, self._heard_s = claim, time.monotonic()
            if claim.holder == self._name:
                sent_s = self._claimed_s.get(int(said["serial"]))
                if sent_s is not None:
                    self._valid_until_s = max(self._valid_until_s, sent_s + OWN_S)
        if claim.holder != known.holder:
            log.info("lease: %s holds epoch %d", claim.holder or "nobody", claim.epoch)

    def _remembered(self) -> int:
        try:
            return int(json.loads(self._memory.read_text())["epoch"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def _remember(self, epoch: int) -> None:
        try:
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            draft = self._memory.with_suffix(".new")
            draft.write_text(json.dumps({"epoch": epoch}))
            draft.replace(self._memory)
        except OSError as error:  # a full disk is no reason to let a city without reflexes
            log.warning("lease: %s is not written: %s", self._memory, error)


def _now() -> str:
    return datetime.now(UTC).isoformat()
