"""paho's client for a connection that receives thousands of messages a second.

paho reads a packet by four or more small `recv` calls, each of which gives up the interpreter's lock, takes it apart
with a dozen objects, and sends each acknowledgement by two system calls: 45 us of processor time a message in a
subscriber that does nothing. Here a read takes what the kernel has, PUBLISH packets of QoS 0 and 1 are handed on
straight from it, and acknowledgements leave together; connecting, keep-alive and every other packet stay paho's.
Measured: docs/benchmarks.md, `ingest`. Two private names of paho 2 are used, `_create_socket` and `_packet_queue`;
tests/ingest/test_gateway_link.py fails when a new paho has them no more. Over TLS everything is paho's own.
"""

from __future__ import annotations

import ssl
import struct
from collections.abc import Callable, Iterable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import MQTTErrorCode

READ_BYTES = 65_536
BURST = 500
"""Packets handled before the loop looks at what is to be sent: keep-alive and acknowledgements must not starve."""
PUBLISH, PUBACK = 0x30, 0x40
_PUBACK = struct.Struct(">BBH")
_U16 = struct.Struct(">H")

Take = Callable[[bytes, bytes, int, int], None]
"""Gets a message's topic, payload, packet id (0 for QoS 0) and QoS, in paho's thread."""


class ReadAhead:
    """A socket that reads whole packets ahead. `recv` gives what was granted: one packet that is paho's to handle."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._ahead = b""
        self._at = 0
        self._granted = 0
        self._ended = False

    def fill(self) -> None:
        """Reads what the kernel has, once; the end of the stream and a fault are told by the next `recv`."""
        try:
            data = self._sock.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._ended = True
        self._ahead = self._ahead[self._at :] + data if self._at < len(self._ahead) else data
        self._at = 0

    def packet(self) -> tuple[int, int, int] | None:
        """(first byte, start of the body, end) of the next whole packet in `data`; None while it is not whole."""
        data, at = self._ahead, self._at
        if at >= len(data):
            return None
        first, length, shift, at = data[at], 0, 0, at + 1
        while True:
            if at >= len(data):
                return None
            digit = data[at]
            length |= (digit & 127) << shift
            at, shift = at + 1, shift + 7
            if digit < 128 or shift > 21:
                break
        return (first, at, at + length) if at + length <= len(data) else None

    @property
    def data(self) -> bytes:
        return self._ahead

    def skip_to(self, end: int) -> None:
        self._at = end

    def grant(self, end: int) -> None:
        """Lets `recv` give the bytes up to here."""
        self._granted = end - self._at

    @property
    def ended(self) -> bool:
        return self._ended

    def recv(self, size: int) -> bytes:
        """b"" at the end of the stream. Raises BlockingIOError when nothing is granted."""
        if not self._granted:
            if self._ended:
                return b""
            raise BlockingIOError
        size = min(size, self._granted)
        data = self._ahead[self._at : self._at + size]
        self._at += size
        self._granted -= size
        return data

    def pending(self) -> int:
        """More than 0 makes paho's loop read again without waiting for the kernel."""
        return 1 if self._ended or self.packet() is not None else 0

    def fileno(self) -> int:
        return int(self._sock.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class Link(mqtt.Client):
    """A paho client that hands on messages by `take` (instead of `on_message`) and acknowledges many at once."""

    take: Take

    def _create_socket(self) -> Any:
        sock = super()._create_socket()
        return sock if isinstance(sock, ssl.SSLSocket) else ReadAhead(sock)

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        sock = self.socket()
        if not isinstance(sock, ReadAhead):
            return super().loop_read(max_packets)
        if sock.packet() is None:
            sock.fill()
        result = MQTTErrorCode.MQTT_ERR_SUCCESS
        for _ in range(BURST):
            found = sock.packet()
            if found is None:
                break
            first, body, end = found
            if first & 0xF6 in (PUBLISH, PUBLISH | 2) and self._publish(sock.data, first, body, end):
                sock.skip_to(end)
                continue
            sock.grant(end)
            result = super().loop_read(1)
            if result or self.socket() is not sock:
                return result
        return super().loop_read(1) if sock.ended else result

    def _publish(self, data: bytes, first: int, body: int, end: int) -> bool:
        """Hands on one PUBLISH (MQTT 5, 3.3); False leaves a malformed one to paho, which says so."""
        qos = first >> 1 & 3
        try:
            at = body + 2 + _U16.unpack_from(data, body)[0]
            topic = data[body + 2 : at]
            mid = _U16.unpack_from(data, at)[0] if qos else 0
            at += 2 if qos else 0
            if self.protocol == mqtt.MQTTv5:
                at = _after_properties(data, at)
        except (struct.error, IndexError):
            return False
        if at > end or (qos and not mid):
            return False
        self.take(topic, data[at:end], mid, qos)
        return True

    def ack_all(self, mids: Iterable[int]) -> None:
        """PUBACK (success) of each message, as one piece to send; the same bytes in MQTT 3.1.1 and 5."""
        packets = b"".join([_PUBACK.pack(PUBACK, 2, mid) for mid in mids])
        if packets:
            self._packet_queue(PUBACK, packets, 0, 1)


def _after_properties(data: bytes, at: int) -> int:
    """Where the payload begins: the properties tell their length, and none of them concerns the gateway."""
    length = shift = 0
    while True:
        digit = data[at]
        length |= (digit & 127) << shift
        at, shift = at + 1, shift + 7
        if digit < 128 or shift > 21:
            return at + length
