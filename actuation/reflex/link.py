"""The reflex process's own connection to the broker: one turn reads all that has come and writes all that must go.

Not paho: a turn is what is made durable by one fsync, so the loop must know where it ends, and a message may be
acknowledged only after that. TCP_NODELAY; a session of its own that the broker keeps, so that an alert which comes
while nobody holds the lease waits. The client id is fixed for a city: who connects under it takes the session over,
and the broker cuts the older holder off. That is the fence: what a cut-off process still writes reaches nobody.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Sequence

from city.settings import Settings
from ingest.broker import packets
from ingest.broker.address import BrokerAddress, parse_address
from ingest.broker.client import MAX_INFLIGHT, BrokerUnreachableError
from ingest.broker.packets import Message

log = logging.getLogger(__name__)

READ_BYTES = 65_536
"""Of one turn: some 250 messages share an fsync, and the first of a burst does not wait for its thousandth."""
SESSION_S = 7 * 86_400
KEEPALIVE_S = 10
CONNECT_S = 3.0


class LinkLostError(ConnectionError):
    """The connection has ended. taken_over: another process connected under our client id (MQTT 5 says so)."""

    def __init__(self, why: str, *, taken_over: bool = False) -> None:
        super().__init__(why)
        self.taken_over = taken_over


class Link:
    """One connection. `read` and `flush` never block; `connect` does, for CONNECT_S at the most."""

    def __init__(self, settings: Settings, client_id: str, topics: Sequence[str]) -> None:
        self._settings, self._client_id, self._topics = settings, client_id, tuple(topics)
        self._address: BrokerAddress = parse_address(settings.mqtt_url)
        self._level = 5 if settings.mqtt_version == "5" else 4
        self._sock: socket.socket | ssl.SSLSocket | None = None
        self._split = packets.Splitter()
        self._out = bytearray()
        self._mid = 0
        self._window = MAX_INFLIGHT
        self._waiting: dict[int, tuple[str, bytes, bool]] = {}
        self._queue: list[tuple[int, str, bytes, bool]] = []
        self._heard_s = self._asked_s = 0.0
        self._early: list[Message] = []
        self.connects = 0

    @property
    def connected(self) -> bool:
        return self._sock is not None

    @property
    def waiting(self) -> int:
        """Messages that the broker has not acknowledged."""
        return len(self._waiting) + len(self._queue)

    def fileno(self) -> int:
        return -1 if self._sock is None else self._sock.fileno()

    @property
    def wants_write(self) -> bool:
        return bool(self._out)

    def connect(self) -> None:
        """Connects and subscribes; returns when both are granted. Raises BrokerUnreachableError."""
        self.close()
        try:
            sock = self._open()
            self._sock = sock
            password = self._settings.mqtt_password
            asked = packets.Connect(
                self._client_id,
                self._level,
                SESSION_S,
                KEEPALIVE_S,
                self._address.user,
                password.get_secret_value() if password is not None else None,
            )
            early = self._greet(sock, asked)
            sock.setblocking(False)
        except (OSError, packets.MalformedError) as error:
            self.close()
            raise BrokerUnreachableError(self._address, str(error)) from error
        self.connects += 1
        self._heard_s = time.monotonic()
        self._early = early
        self._again()

    def _open(self) -> socket.socket | ssl.SSLSocket:
        sock = socket.create_connection((self._address.host, self._address.port), timeout=CONNECT_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self._address.tls:
            return sock
        ca = self._settings.mqtt_ca_file
        context = ssl.create_default_context(cafile=str(ca) if ca else None)
        return context.wrap_socket(sock, server_hostname=self._address.host)

    def _greet(self, sock: socket.socket | ssl.SSLSocket, asked: packets.Connect) -> list[Message]:
        """CONNECT, CONNACK, SUBSCRIBE, SUBACK; messages of the kept session may come between them."""
        self._split, self._out, early = packets.Splitter(), bytearray(), []
        sock.sendall(asked.encode())
        end, granted = time.monotonic() + CONNECT_S, False
        while time.monotonic() < end:
            data = sock.recv(READ_BYTES)
            if not data:
                raise ConnectionError("the broker cut the line")
            for first, body in self._split.feed(data):
                if first == packets.CONNACK:
                    told = packets.read_connack(body, self._level)
                    if told.reason:
                        raise ConnectionError(f"the broker refuses us: reason {told.reason:#x}")
                    self._window = min(MAX_INFLIGHT, told.receive_maximum)
                    sock.sendall(
                        packets.subscribe([(topic, 1) for topic in self._topics], self._next_mid(), self._level)
                    )
                elif first == packets.SUBACK:
                    self._check_granted(body)
                    granted = True
                elif first & 0xF0 == packets.PUBLISH:
                    early.append(packets.read_publish(first, body, self._level))
            if granted:
                return early
        raise ConnectionError(f"no answer within {CONNECT_S:g} s")

    def _check_granted(self, body: bytes) -> None:
        codes = body[-len(self._topics) :] if self._topics else b""
        refused = [topic for topic, code in zip(self._topics, codes, strict=False) if code >= 0x80]
        if refused:
            raise ConnectionError(f"the broker's access list refuses the subscription {refused[0]}")

    def close(self) -> None:
        """Cuts the line; the session stays, and what was not acknowledged is sent again after `connect`."""
        if self._sock is not None:
            with contextlib.suppress(OSError):
                self._sock.close()
        self._sock = None
        self._out = bytearray()

    def stop(self) -> None:
        """Leaves in an orderly way, after what is to be sent has been."""
        end = time.monotonic() + 2.0
        with contextlib.suppress(OSError):
            while self._sock is not None and self._out and time.monotonic() < end:
                self.flush()
                time.sleep(0.002)
            if self._sock is not None:
                self._sock.setblocking(True)
                self._sock.settimeout(1.0)
                self._sock.sendall(packets.BYE)
        self.close()

    def read(self) -> tuple[list[Message], list[int]]:
        """(messages, packet ids that the broker has acknowledged) of one read. Raises LinkLostError."""
        sock = self._sock
        if sock is None:
            raise LinkLostError("not connected")
        messages, self._early = self._early, []
        acked: list[int] = []
        try:
            data = sock.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return messages, acked
        except OSError as error:
            self.close()
            raise LinkLostError(str(error)) from error
        if not data:
            self.close()
            raise LinkLostError("the broker cut the line")
        self._heard_s = time.monotonic()
        try:
            self._take(data, messages, acked)
        except packets.MalformedError as error:
            self.close()
            raise LinkLostError(str(error)) from error
        return messages, acked

    def _take(self, data: bytes, messages: list[Message], acked: list[int]) -> None:
        for first, body in self._split.feed(data):
            kind = first & 0xF0
            if kind == packets.PUBLISH:
                messages.append(packets.read_publish(first, body, self._level))
            elif kind == packets.PUBACK:
                mid, reason = packets.read_puback(body)
                if self._waiting.pop(mid, None) is not None:
                    acked.append(mid)
                    if reason >= 0x80:
                        log.error("the broker refused message %d: reason %#x; check its access list", mid, reason)
            elif kind == packets.DISCONNECT:
                self.close()
                reason = packets.reason_of(body)
                raise LinkLostError(
                    f"the broker disconnected us: reason {reason:#x}", taken_over=reason == packets.SESSION_TAKEN_OVER
                )
        if self._queue and len(self._waiting) < self._window:
            self._pump()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """Queues a QoS 1 message; its packet id comes back from `read` when the broker has it. `flush` sends."""
        mid = self._next_mid()
        if self._sock is not None and len(self._waiting) < self._window and not self._queue:
            self._send(mid, topic, payload, retain)
        else:
            self._queue.append((mid, topic, payload, retain))
        return mid

    def _send(self, mid: int, topic: str, payload: bytes, retain: bool, *, again: bool = False) -> None:
        self._waiting[mid] = (topic, payload, retain)
        self._out += packets.publish(topic, payload, mid, self._level, retain=retain, again=again)

    def _pump(self) -> None:
        room = self._window - len(self._waiting)
        now, self._queue = self._queue[:room], self._queue[room:]
        for mid, topic, payload, retain in now:
            self._send(mid, topic, payload, retain)

    def _again(self) -> None:
        """After a new connection: what the broker has not acknowledged, in order."""
        old, self._waiting = self._waiting, {}
        for mid, (topic, payload, retain) in old.items():
            self._send(mid, topic, payload, retain, again=True)
        self._pump()
        self.flush()

    def ack(self, mids: Sequence[int]) -> None:
        """PUBACK of messages; call it when what they caused is durable."""
        if self._sock is not None:
            self._out += packets.pubacks(mid for mid in mids if mid)

    def flush(self) -> None:
        """Writes what the kernel takes now. A lost line is told by the next `read`."""
        if self._sock is None or not self._out:
            return
        with contextlib.suppress(OSError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            sent = self._sock.send(self._out)
            del self._out[:sent]

    def keep_alive(self) -> None:
        """Pings a silent broker. Raises LinkLostError when it stays silent for two keep-alives."""
        now = time.monotonic()
        if self._sock is None:
            return
        if now - self._heard_s > 2 * KEEPALIVE_S:
            self.close()
            raise LinkLostError(f"the broker has been silent for {now - self._heard_s:.0f} s")
        if now - max(self._heard_s, self._asked_s) > KEEPALIVE_S / 2 or now - self._asked_s > KEEPALIVE_S * 0.8:
            self._asked_s = now
            self._out += packets.PINGREQ
            self.flush()

    def _next_mid(self) -> int:
        while True:
            self._mid = self._mid % 65_535 + 1
            if self._mid not in self._waiting:
                return self._mid


def broker_is_open(settings: Settings) -> bool:
    """True when a stranger without a name may publish a command at this broker: it has no access lists.

    Asks the broker itself instead of believing a configuration: connects without credentials and publishes to a
    control topic that no device has. Raises BrokerUnreachableError when nobody answers.
    """
    address = parse_address(settings.mqtt_url)
    topic = f"gorodok/v1/{settings.city}/ctl/command/nobody"
    try:
        return _stranger_may(settings, address, topic)
    except (OSError, packets.MalformedError) as error:
        raise BrokerUnreachableError(address, str(error)) from error


def _stranger_may(settings: Settings, address: BrokerAddress, topic: str) -> bool:
    if address.tls:
        return False  # a listener with TLS for strangers would be one that somebody has configured on purpose
    level = 5 if settings.mqtt_version == "5" else 4
    split = packets.Splitter()
    with socket.create_connection((address.host, address.port), timeout=CONNECT_S) as sock:
        sock.sendall(packets.Connect(f"stranger-{time.monotonic_ns()}", level).encode())
        while data := sock.recv(READ_BYTES):
            for first, body in split.feed(data):
                if first == packets.CONNACK:
                    if packets.read_connack(body, level).reason:
                        return False
                    sock.sendall(packets.publish(topic, b"may a stranger command?", 1, level))
                elif first == packets.PUBACK:
                    sock.sendall(packets.BYE)
                    return packets.read_puback(body)[1] != packets.NOT_AUTHORIZED
    return False
