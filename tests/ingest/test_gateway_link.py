"""The gateway's reading ahead and acknowledging together, on real sockets; and the names of paho that it rests on."""

from __future__ import annotations

import socket
import struct

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from ingest.gateway.link import Link, ReadAhead


def test_paho_still_has_the_two_private_names() -> None:
    assert callable(getattr(mqtt.Client, "_create_socket", None))
    assert callable(getattr(mqtt.Client, "_packet_queue", None))


def test_reads_ahead_and_gives_bytes_in_order() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    ahead = ReadAhead(ours)
    with pytest.raises(BlockingIOError):
        ahead.recv(1)
    theirs.sendall(b"abcdef")
    assert ahead.recv(1) == b"a"
    assert ahead.pending() == 5
    assert ahead.recv(3) == b"bcd"
    theirs.sendall(b"gh")
    assert ahead.recv(10) == b"ef", "what was read ahead comes first"
    assert ahead.recv(10) == b"gh"
    assert ahead.pending() == 0
    theirs.close()
    assert ahead.recv(1) == b"", "the end of the stream"
    assert ahead.fileno() == ours.fileno()
    ours.close()


def test_many_acknowledgements_are_one_piece_of_puback_packets() -> None:
    client = Link(CallbackAPIVersion.VERSION2, client_id="t", manual_ack=True)
    client.ack_all([])
    assert not client.want_write()
    client.ack_all([1, 65_535, 7])
    (queued,) = client._out_packet
    assert bytes(queued["packet"]) == b"".join(struct.pack(">BBH", 0x40, 2, mid) for mid in (1, 65_535, 7))
