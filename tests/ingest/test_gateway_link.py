"""The gateway's own reading of PUBLISH packets, over real sockets, cut anywhere; and the names of paho it rests on."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from ingest.gateway.link import Link, ReadAhead

Taken = tuple[bytes, bytes, int, int]
PINGRESP = b"\xd0\x00"
SUBACK = {mqtt.MQTTv311: b"\x90\x03\x00\x01\x01", mqtt.MQTTv5: b"\x90\x04\x00\x01\x00\x01"}
CONNACK = {mqtt.MQTTv311: b"\x20\x02\x00\x00", mqtt.MQTTv5: b"\x20\x03\x00\x00\x00"}
USER_PROPERTY = b"\x26\x00\x01k\x00\x01v"


def test_paho_still_has_the_two_private_names() -> None:
    assert callable(getattr(mqtt.Client, "_create_socket", None))
    assert callable(getattr(mqtt.Client, "_packet_queue", None))


def variable(number: int) -> bytes:
    out = bytearray()
    while True:
        number, digit = divmod(number, 128)
        out.append(digit | (0x80 if number else 0))
        if not number:
            return bytes(out)


def publish(message: Taken, version: int, properties: bytes = b"") -> bytes:
    topic, payload, mid, qos = message
    body = struct.pack(">H", len(topic)) + topic + (struct.pack(">H", mid) if qos else b"")
    if version == mqtt.MQTTv5:
        body += variable(len(properties)) + properties
    body += payload
    return bytes([0x30 | qos << 1]) + variable(len(body)) + body


@contextmanager
def connected(version: MQTTProtocolVersion, script: list[bytes]) -> Iterator[tuple[Link, list[Taken], list[object]]]:
    """A Link on a server that answers CONNECT and then sends the script's pieces, each by itself."""
    taken: list[Taken] = []
    gone: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        closing = threading.Event()

        def serve() -> None:
            link, _ = server.accept()
            with link:
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                link.recv(1_000)
                link.sendall(CONNACK[version])
                for piece in script:
                    link.sendall(piece)
                closing.wait(20)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        client = Link(CallbackAPIVersion.VERSION2, client_id="t", protocol=version, manual_ack=True)
        client.take = lambda *message: taken.append(message)
        client.on_disconnect = lambda *told: gone.append(told[3])
        client.connect("127.0.0.1", server.getsockname()[1])
        client.loop_start()
        try:
            yield client, taken, gone
        finally:
            closing.set()
            thread.join(5)
            client.disconnect()
            client.loop_stop()


def wait_for(condition: object, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "did not come"
        time.sleep(0.01)


def cut(data: bytes, chance: random.Random) -> list[bytes]:
    pieces, at = [], 0
    while at < len(data):
        size = chance.choice((1, 2, 3, 7, 50, 1_000, 40_000))
        pieces.append(data[at : at + size])
        at += size
    return pieces


@pytest.mark.parametrize("version", [mqtt.MQTTv311, mqtt.MQTTv5])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_message_is_taken_whole_however_the_stream_is_cut(version: MQTTProtocolVersion, seed: int) -> None:
    chance = random.Random(seed)
    messages: list[Taken] = [
        (b"a/b", b"", 1, 1),
        (b"\xff\xfe no utf-8", b"x", 0, 0),
        ("ц/1".encode(), chance.randbytes(300_000), 65_535, 1),
    ]
    messages += [
        (f"t/{number}".encode(), chance.randbytes(chance.choice((0, 1, 90, 127, 128, 300))), number + 1, 1)
        for number in range(700)
    ]
    stream = b""
    for number, message in enumerate(messages):
        stream += publish(message, version, USER_PROPERTY * (number % 40 if version == mqtt.MQTTv5 else 0))
        if number % 50 == 0:
            stream += PINGRESP + SUBACK[version]
    with connected(version, cut(stream, chance)) as (client, taken, gone):
        wait_for(lambda: len(taken) == len(messages))
        assert client.is_connected()
        assert not gone
    assert taken == messages


def test_a_malformed_publish_ends_the_connection_and_is_never_taken() -> None:
    bad = b"\x32" + variable(4) + struct.pack(">H", 500) + b"ab"
    good = publish((b"t", b"x", 5, 1), mqtt.MQTTv5)
    with connected(mqtt.MQTTv5, [good + bad + good]) as (_, taken, gone):
        wait_for(lambda: gone)
        assert taken[:1] == [(b"t", b"x", 5, 1)]
        assert set(taken) == {(b"t", b"x", 5, 1)}


def test_the_end_of_the_stream_is_a_disconnection() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    ahead = ReadAhead(ours)
    ahead.fill()
    with pytest.raises(BlockingIOError):
        ahead.recv(1)
    assert ahead.pending() == 0
    theirs.sendall(PINGRESP + b"\x30")
    ahead.fill()
    found = ahead.packet()
    assert found == (0xD0, 2, 2)
    ahead.grant(2)
    assert ahead.recv(10) == PINGRESP, "one packet, and nothing of the next"
    with pytest.raises(BlockingIOError):
        ahead.recv(1)
    assert ahead.packet() is None, "half a packet waits for its other half"
    theirs.close()
    ahead.fill()
    assert ahead.pending() == 1
    assert ahead.recv(1) == b""
    ours.close()


def test_many_acknowledgements_are_one_piece_of_puback_packets() -> None:
    client = Link(CallbackAPIVersion.VERSION2, client_id="t", manual_ack=True)
    client.ack_all([])
    assert not client.want_write()
    client.ack_all([1, 65_535, 7])
    (queued,) = client._out_packet
    assert bytes(queued["packet"]) == b"".join(struct.pack(">BBH", 0x40, 2, mid) for mid in (1, 65_535, 7))
