"""The epoll loop: connects, subscribes, hands messages to devices, sends what they answer.

QoS 1, as small controllers speak it. A broker that goes away is reconnected to. The loop's own processor
time is told apart, so that a benchmark can say how much of a core was the simulation's and not the platform's.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ingest.broker import packets

KEEPALIVE_S = 60
SESSION_S = 86_400
"""The broker keeps a device's session while it is away (MQTT 5 asks for how long; 3.1.1 keeps it for ever)."""
HANDSHAKES = 64
"""Connections that are being made at once: the embedded broker takes a new one only every 6 ms."""
READ_BYTES = 16_384
RETRY_S = 0.5

Reply = tuple[str, bytes]


class Behaviour(Protocol):
    """One device. Returns what it publishes: (topic, payload)."""

    def topics(self) -> Sequence[tuple[str, int]]: ...
    def receive(self, topic: str, payload: bytes) -> Iterable[Reply]: ...
    def tick(self) -> Iterable[Reply]: ...


@dataclass(slots=True)
class _Line:
    """A device's connection. state: 0 away, 1 connecting, 2 greeting, 3 subscribing, 4 there."""

    client_id: str
    device: Behaviour
    sock: socket.socket | None = None
    state: int = 0
    split: packets.Splitter = field(default_factory=packets.Splitter)
    out: bytearray = field(default_factory=bytearray)
    unsent: deque[Reply] = field(default_factory=deque)
    waiting: dict[int, Reply] = field(default_factory=dict)
    writing: bool = False
    mid: int = 0
    due_s: float = 0.0


class Fleet:
    """run() blocks until stop() or `until` says so."""

    def __init__(self, host: str, port: int, tick_s: float = 1.0, level: int = 4) -> None:
        """level: 4 is MQTT 3.1.1, 5 is MQTT 5."""
        self._level = level
        self._where = (socket.gethostbyname(host), port)
        self._lines: list[_Line] = []
        self._by_fd: dict[int, _Line] = {}
        self._poll = select.epoll()
        self._away: deque[_Line] = deque()
        self._handshakes = 0
        self._tick_s = tick_s
        self._stop = False
        self._by_client: dict[str, _Line] = {}
        self.received = self.sent = self.reconnects = 0

    def add(self, client_id: str, device: Behaviour) -> None:
        line = _Line(client_id, device)
        self._lines.append(line)
        self._away.append(line)
        self._by_client[client_id] = line

    @property
    def ready(self) -> int:
        """Devices that are connected and subscribed."""
        return sum(line.state == 4 for line in self._lines)

    def stop(self) -> None:
        self._stop = True

    def say(self, client_id: str, replies: Iterable[Reply]) -> None:
        """A device speaks by itself (a sensor's message)."""
        self._publish(self._by_client[client_id], replies)

    def run(self, until: Callable[[], bool] | None = None, each: Callable[[], None] | None = None) -> None:
        """each: called about every 20 ms in the loop."""
        ticked = pinged = time.monotonic()
        while not self._stop:
            self._connect_some()
            for fd, mask in self._poll.poll(0.02):
                line = self._by_fd.get(fd)
                if line is not None:
                    self._handle(line, mask)
            now = time.monotonic()
            if now - ticked >= self._tick_s:
                ticked = now
                for line in self._lines:
                    self._publish(line, line.device.tick())
            if now - pinged > KEEPALIVE_S / 3:
                pinged = now
                for line in self._lines:
                    if line.state == 4:
                        self._write(line, packets.PINGREQ)
            if each is not None:
                each()
            if until is not None and until():
                break

    def close(self) -> None:
        for line in self._lines:
            if line.sock is not None:
                with contextlib.suppress(OSError):
                    line.sock.send(packets.BYE)
                line.sock.close()
        self._poll.close()

    def _connect_some(self) -> None:
        now = time.monotonic()
        while self._away and self._handshakes < HANDSHAKES and self._away[0].due_s <= now:
            line = self._away.popleft()
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line.sock, line.state, line.split, line.out = sock, 1, packets.Splitter(), bytearray()
            line.writing = False
            self._handshakes += 1
            self._by_fd[sock.fileno()] = line
            self._poll.register(sock.fileno(), select.EPOLLIN | select.EPOLLOUT)
            result = sock.connect_ex(self._where)
            if result not in (0, errno.EINPROGRESS):
                self._lost(line)

    def _handle(self, line: _Line, mask: int) -> None:
        sock = line.sock
        if sock is None:
            return
        if line.state == 1 and mask & (select.EPOLLOUT | select.EPOLLERR | select.EPOLLHUP):
            if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._lost(line)
                return
            line.state = 2
            asked = packets.Connect(line.client_id, self._level, SESSION_S, KEEPALIVE_S)
            self._poll.modify(sock.fileno(), select.EPOLLIN)
            self._write(line, asked.encode())
            return
        if mask & select.EPOLLOUT:
            self._flush(line)
        if mask & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
            self._read(line, sock)

    def _read(self, line: _Line, sock: socket.socket) -> None:
        try:
            data = sock.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost(line)
            return
        acks: list[int] = []
        replies: list[Reply] = []
        for first, body in line.split.feed(data):
            kind = first & 0xF0
            if kind == packets.PUBLISH:
                message = packets.read_publish(first, body, self._level)
                self.received += 1
                if message.mid:
                    acks.append(message.mid)
                replies += line.device.receive(message.topic, message.payload)
            elif kind == packets.PUBACK:
                line.waiting.pop(packets.read_puback(body)[0], None)
            elif first == packets.CONNACK:
                if packets.read_connack(body, self._level).reason:
                    self._lost(line)
                    return
                line.state = 3
                self._write(line, packets.subscribe(line.device.topics(), self._next(line), self._level))
            elif first == packets.SUBACK:
                self._arrived(line)
        if line.state and (acks or replies):
            self._publish(line, replies, packets.pubacks(acks))

    def _arrived(self, line: _Line) -> None:
        if line.state == 3:
            line.state = 4
            self._handshakes -= 1
            again, line.waiting = list(line.waiting.values()), {}
            replies = [*again, *line.unsent]
            line.unsent.clear()
            self._publish(line, replies)

    def _publish(self, line: _Line, replies: Iterable[Reply], before: bytes = b"") -> None:
        parts = [before] if before else []
        for topic, payload in replies:
            if line.state != 4:
                line.unsent.append((topic, payload))
                continue
            mid = self._next(line)
            line.waiting[mid] = (topic, payload)
            parts.append(packets.publish(topic, payload, mid, self._level))
            self.sent += 1
        if parts:
            self._write(line, b"".join(parts))

    def _write(self, line: _Line, data: bytes) -> None:
        line.out += data
        self._flush(line)

    def _flush(self, line: _Line) -> None:
        sock = line.sock
        if sock is None or not line.out:
            return
        try:
            sent = sock.send(line.out)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._lost(line)
            return
        del line.out[:sent]
        if bool(line.out) != line.writing:
            line.writing = bool(line.out)
            self._poll.modify(sock.fileno(), select.EPOLLIN | (select.EPOLLOUT if line.writing else 0))

    def _lost(self, line: _Line) -> None:
        if line.sock is not None:
            with contextlib.suppress(OSError, ValueError):
                self._poll.unregister(line.sock.fileno())
            self._by_fd.pop(line.sock.fileno(), None)
            line.sock.close()
        if 1 <= line.state <= 3:
            self._handshakes -= 1
        line.sock, line.state, line.due_s = None, 0, time.monotonic() + RETRY_S
        self.reconnects += 1
        self._away.append(line)

    @staticmethod
    def _next(line: _Line) -> int:
        line.mid = line.mid % 65_535 + 1
        return line.mid
