"""paho's client for a connection that receives thousands of messages a second.

paho reads a packet by four or more small `recv` calls, each of which gives up the interpreter's lock, and sends an
acknowledgement by two system calls. Here a read takes what the kernel has, and acknowledgements leave together.
Measured with the gateway on two cores: docs/benchmarks.md, "ingest". Two private names of paho 2 are used,
`_create_socket` and `_packet_queue`; tests/ingest/test_gateway_link.py fails when a new paho has them no more.
"""

from __future__ import annotations

import ssl
import struct
from collections.abc import Iterable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import MQTTErrorCode

READ_BYTES = 65_536
BURST = 500
"""Packets handled before the loop looks at what is to be sent: keep-alive and acknowledgements must not starve."""
PUBACK = 0x40
_PUBACK = struct.Struct(">BBH")


class ReadAhead:
    """A socket that reads more than it is asked for. `pending` tells paho's loop, as that of a TLS socket does."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._ahead = b""
        self._at = 0

    def recv(self, size: int) -> bytes:
        """At most `size` bytes; b"" at the end of the stream. Raises BlockingIOError when there is nothing."""
        if self._at == len(self._ahead):
            self._ahead, self._at = self._sock.recv(max(size, READ_BYTES)), 0
        data: bytes = self._ahead[self._at : self._at + size]
        self._at += len(data)
        return data

    def pending(self) -> int:
        return len(self._ahead) - self._at

    def fileno(self) -> int:
        return int(self._sock.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class Link(mqtt.Client):
    """A paho client that reads ahead and acknowledges many messages at once."""

    def _create_socket(self) -> Any:
        sock = super()._create_socket()
        return sock if isinstance(sock, ssl.SSLSocket) else ReadAhead(sock)

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Handles what has been read ahead, too, before the loop asks the kernel again."""
        result = super().loop_read(max_packets)
        for _ in range(BURST):
            sock = self.socket()
            if result or not isinstance(sock, ReadAhead) or not sock.pending():
                break
            result = super().loop_read(max_packets)
        return result

    def ack_all(self, mids: Iterable[int]) -> None:
        """PUBACK (success) of each message, as one piece to send; the same bytes in MQTT 3.1.1 and 5."""
        packets = b"".join([_PUBACK.pack(PUBACK, 2, mid) for mid in mids])
        if packets:
            self._packet_queue(PUBACK, packets, 0, 1)
