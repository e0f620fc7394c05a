"""Measures what a broker really holds, because every broker acknowledges more than its defaults keep.

Debian's mosquitto with its defaults lost 4,000 of 5,000 acknowledged messages for a subscriber that was away. The
probe plays that subscriber: a persistent session that is offline while QoS 1 messages are acknowledged, and then
comes back and counts. All its topics lie under `gorodok/probe/<random>/`, which no gateway subscribes to; its session
and its retained message are removed, and a broker that speaks MQTT 5 forgets the session by itself should the probe
be killed.
"""

from __future__ import annotations

import socket
import statistics
import time
import uuid
from dataclasses import dataclass, field
from typing import Literal

from city.settings import Settings
from ingest.broker.address import parse_address
from ingest.broker.client import MAX_INFLIGHT
from ingest.broker.probing import Session

Version = Literal["5", "3.1.1"]
VERSIONS: tuple[Version, ...] = ("5", "3.1.1")
HOLD = 5_000
MESSAGE_BYTES = 300
"""As long as a vehicle's position or a meter's reading."""

ROUNDS = 30
SLOW_MS = 20.0
"""Nagle's algorithm with delayed acknowledgement costs 40 ms a round."""

SILENCE_S = 3.0
"""With no message for so long, nothing more comes."""

CONF = "run mosquitto with deploy/mosquitto.conf"


@dataclass(frozen=True, slots=True)
class ProbeFinding:
    """One line for a person. remedy: what to do when it is not good."""

    good: bool
    text: str
    remedy: str = ""


@dataclass(slots=True)
class BrokerProbe:
    """What was measured at one address with the settings' MQTT version and user.

    versions: protocol versions that this port accepts. asked, held: QoS 1 messages that the broker acknowledged while
    a persistent session was away, and how many different ones came when it was back; in_order: in the order sent.
    retained: keeps a retained message. payload_bytes, payload_passed: the largest payload of our settings, and whether
    it arrives. receive_maximum: unacknowledged messages that it takes at once (MQTT 5 tells). round_trip_ms: median of
    a publish that comes back. problem: why the measuring broke off, None when it was whole. seconds: of all of it.
    """

    address: str
    reachable: bool = False
    versions: list[Version] = field(default_factory=list)
    asked: int = 0
    held: int = 0
    in_order: bool = False
    retained: bool = False
    payload_bytes: int = 0
    payload_passed: bool = False
    receive_maximum: int | None = None
    round_trip_ms: float | None = None
    problem: str | None = None
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        return all(finding.good for finding in self.findings())

    def findings(self) -> list[ProbeFinding]:
        """Each measurement as a line; only the first fault when nothing could be measured."""
        if not self.reachable:
            text = f"nothing answers at {self.address} ({self.problem})"
            return [ProbeFinding(False, text, f"`gorodok demo`, `python -m ingest.broker`, or {CONF}")]
        found = [
            ProbeFinding(bool(self.versions), f"speaks MQTT {' and '.join(self.versions) or 'of no version'}", CONF)
        ]
        if self.problem is not None:
            remedy = "check GORODOK_MQTT_VERSION, user, password and the broker's access list"
            return [*found, ProbeFinding(False, f"the probe broke off: {self.problem}", remedy)]
        return [*found, self._holding(), self._retaining(), self._payload(), *self._pace()]

    def _holding(self) -> ProbeFinding:
        text = f"kept {self.held:,} of {self.asked:,} acknowledged messages for a subscriber that was away"
        remedy = f"set max_queued_messages 0 and max_queued_bytes 0: {CONF}"
        if self.held == self.asked and not self.in_order:
            return ProbeFinding(False, f"{text}, in another order", "use a broker that keeps the order of a topic")
        return ProbeFinding(self.held == self.asked, text, remedy)

    def _retaining(self) -> ProbeFinding:
        text = "keeps retained messages" if self.retained else "keeps no retained message"
        return ProbeFinding(self.retained, text, f"set retain_available true: {CONF}")

    def _payload(self) -> ProbeFinding:
        text = f"a payload of {self.payload_bytes:,} bytes {'passes' if self.payload_passed else 'does not pass'}"
        return ProbeFinding(
            self.payload_passed, text, f"lower GORODOK_MAX_PAYLOAD_KB, or raise the broker's limit: {CONF}"
        )

    def _pace(self) -> list[ProbeFinding]:
        found = []
        if self.receive_maximum is not None:
            enough = self.receive_maximum >= MAX_INFLIGHT
            text = f"takes {self.receive_maximum:,} unacknowledged messages at once"
            found.append(ProbeFinding(enough, text, f"set max_inflight_messages {MAX_INFLIGHT}: {CONF}"))
        if self.round_trip_ms is not None:
            text = f"a message is back after {self.round_trip_ms:.1f} ms (median)"
            found.append(ProbeFinding(self.round_trip_ms <= SLOW_MS, text, f"set set_tcp_nodelay true: {CONF}"))
        return found


def probe_broker(settings: Settings, messages: int = HOLD) -> BrokerProbe:
    """Takes some seconds. Never raises for what a broker does: `problem` says where the measuring broke off."""
    address = parse_address(settings.mqtt_url)
    probe = BrokerProbe(str(address), payload_bytes=settings.max_payload_kb * 1024)
    started = time.monotonic()
    try:
        socket.create_connection((address.host, address.port), timeout=3).close()
    except OSError as error:
        probe.problem = str(error)
        return probe
    probe.reachable = True
    probe.versions = [version for version in VERSIONS if _speaks(settings, version)]
    try:
        _measure(settings, probe, messages)
    except (OSError, RuntimeError) as error:  # ConnectionError and TimeoutError among them
        probe.problem = str(error)
    probe.seconds = time.monotonic() - started
    return probe


def _measure(settings: Settings, probe: BrokerProbe, messages: int) -> None:
    """Each step has a topic of its own, so that what one leaves behind cannot disturb the next."""
    name = uuid.uuid4().hex[:12]
    root = f"gorodok/probe/{name}"
    try:
        _measure_holding(settings, probe, messages, name, f"{root}/hold")
    finally:
        Session.forget(settings, f"probe-{name}")
    with Session(settings, f"probe-{name}-live") as live:
        probe.receive_maximum = live.receive_maximum
        _measure_round_trip(live, probe, f"{root}/round")
        _measure_retained(settings, live, probe, f"{root}/retained")
    # last, on a connection of its own: a broker cuts the line for a payload that is too large
    with Session(settings, f"probe-{name}-large") as large:
        large.subscribe(f"{root}/large")
        large.publish(f"{root}/large", b"x" * probe.payload_bytes)
        probe.payload_passed = large.wait_for(lambda: bool(large.received), SILENCE_S)


def _speaks(settings: Settings, version: Version) -> bool:
    """A port of rumqttd speaks one version and cuts the line for another."""
    told = settings.model_copy(update={"mqtt_version": version})
    try:
        with Session(told, f"probe-{uuid.uuid4().hex[:12]}", answer_s=SILENCE_S):
            return True
    except (OSError, RuntimeError):
        return False


def _measure_holding(settings: Settings, probe: BrokerProbe, messages: int, name: str, topic: str) -> None:
    with Session(settings, f"probe-{name}", persistent=True) as session:
        session.subscribe(topic)
    with Session(settings, f"probe-{name}-sender") as sender:
        for number in range(messages):
            sender.publish(topic, f"{number:0{MESSAGE_BYTES}d}".encode())
        sender.wait_until_acknowledged()
    probe.asked = messages
    with Session(settings, f"probe-{name}", persistent=True) as session:
        session.wait_until_silent(messages, SILENCE_S)
        numbers = [int(payload) for payload in session.received]
    probe.held = len(set(numbers))
    first_seen = list(dict.fromkeys(numbers))
    probe.in_order = first_seen == sorted(first_seen)


def _measure_round_trip(live: Session, probe: BrokerProbe, topic: str) -> None:
    live.subscribe(topic)
    rounds = []
    for number in range(1, ROUNDS + 1):
        sent = time.perf_counter()
        live.publish(topic, b"x")
        if not live.wait_for(lambda number=number: len(live.received) >= number, SILENCE_S):  # type: ignore[misc]
            raise TimeoutError(f"a message that the broker acknowledged did not come back within {SILENCE_S:g} s")
        rounds.append(1_000 * (time.perf_counter() - sent))
    probe.round_trip_ms = statistics.median(rounds)


def _measure_retained(settings: Settings, live: Session, probe: BrokerProbe, topic: str) -> None:
    try:
        live.publish(topic, b"kept", retain=True)
        live.wait_until_acknowledged()
        with Session(settings, f"probe-{uuid.uuid4().hex[:12]}") as later:
            later.subscribe(topic)
            probe.retained = later.wait_for(lambda: b"kept" in later.received, SILENCE_S)
    finally:
        live.publish(topic, b"", retain=True)  # an empty payload removes it
        live.wait_until_acknowledged()
