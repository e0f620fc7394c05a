"""A publisher that is never the bottleneck: PUBLISH packets encoded in advance and written straight to a socket.

paho's publisher takes more of a core than a subscriber does, and on two cores it would be what is measured.
MQTT 3.1.1, QoS 1, at most WINDOW messages without their PUBACK. As a process of its own:
`python -m bench.lib.mqtt_wire PORT STREAM` prints the moment (CLOCK_MONOTONIC) of its first and last packet.

A stream is a file of messages: topic length (u16), topic, payload length (u32), payload.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

WINDOW = 900
"""Below mosquitto's max_inflight_messages of deploy/mosquitto.conf."""
CHUNK = 50
CONNACK, PUBACK_BYTES = b"\x20\x02\x00\x00", 4

Message = tuple[str, bytes]


def write_stream(path: Path, messages: Iterable[Message]) -> int:
    count = 0
    with path.open("wb") as sink:
        for topic, payload in messages:
            name = topic.encode()
            sink.write(struct.pack(">H", len(name)) + name + struct.pack(">I", len(payload)) + payload)
            count += 1
    return count


def read_stream(path: Path) -> Iterator[tuple[bytes, bytes]]:
    data, at = path.read_bytes(), 0
    while at < len(data):
        (length,) = struct.unpack_from(">H", data, at)
        topic = data[at + 2 : at + 2 + length]
        at += 2 + length
        (length,) = struct.unpack_from(">I", data, at)
        yield topic, data[at + 4 : at + 4 + length]
        at += 4 + length


def connect(port: int, client_id: str) -> socket.socket:
    """A connected socket after CONNACK; keep-alive is off. Raises ConnectionError when the broker says no."""
    link = socket.create_connection(("127.0.0.1", port), timeout=60)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    name = client_id.encode()
    body = b"\x00\x04MQTT\x04\x02\x00\x00" + struct.pack(">H", len(name)) + name
    link.sendall(b"\x10" + _length(len(body)) + body)
    answer = link.recv(4, socket.MSG_WAITALL)
    if answer != CONNACK:
        raise ConnectionError(f"the broker answered {answer.hex()}")
    return link


def publish_packet(topic: bytes, payload: bytes, packet_id: int) -> bytes:
    body = struct.pack(">H", len(topic)) + topic + struct.pack(">H", packet_id) + payload
    return b"\x32" + _length(len(body)) + body


def publish(port: int, stream: Path, rate_s: float | None = None) -> tuple[float, float]:
    """Sends the whole stream and waits for every PUBACK; gives the moments of the first packet and last PUBACK.

    rate_s: messages a second at most; None is as fast as the broker takes them.
    """
    packets = [
        publish_packet(topic, payload, number % 65_535 + 1)
        for number, (topic, payload) in enumerate(read_stream(stream))
    ]
    chunks = [b"".join(packets[at : at + CHUNK]) for at in range(0, len(packets), CHUNK)]
    sent = acked_bytes = 0
    with connect(port, f"wire-{time.monotonic_ns()}") as link:
        began = time.monotonic()
        for chunk in chunks:
            while sent - acked_bytes // PUBACK_BYTES > WINDOW - CHUNK:
                acked_bytes += _received(link)
            if rate_s is not None:
                time.sleep(max(0.0, began + sent / rate_s - time.monotonic()))
            link.sendall(chunk)
            sent = min(sent + CHUNK, len(packets))
        while acked_bytes < sent * PUBACK_BYTES:
            acked_bytes += _received(link)
        ended = time.monotonic()
        link.sendall(b"\xe0\x00")
    return began, ended


def _received(link: socket.socket) -> int:
    """Bytes of PUBACKs: a publisher gets nothing else, and each has four."""
    data = link.recv(65_536)
    if not data:
        raise ConnectionError("the broker closed the connection")
    return len(data)


def _length(number: int) -> bytes:
    out = bytearray()
    while True:
        number, digit = divmod(number, 128)
        out.append(digit | (0x80 if number else 0))
        if not number:
            return bytes(out)


if __name__ == "__main__":
    rate = float(sys.argv[3]) if len(sys.argv) > 3 else None
    first, last = publish(int(sys.argv[1]), Path(sys.argv[2]), rate)
    print(json.dumps({"first": first, "last": last}))
