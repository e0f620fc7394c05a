"""The packets that the reflex process and the fleet speak, against bytes of the standards and against any cutting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.broker import packets


def test_connect_of_the_standard() -> None:
    """MQTT 3.1.1, 3.1: level 4, clean session, keep-alive 60, client id a."""
    assert packets.Connect("a", 4, keepalive_s=60).encode() == bytes.fromhex("100d00044d51545404" + "02003c" + "000161")


def test_connack_tells_the_window_of_mqtt_5() -> None:
    body = bytes((1, 0, 3, 0x21, 0x03, 0xE8))
    assert packets.read_connack(body) == packets.Connack(0, True, 1_000)
    assert packets.read_connack(b"\x00\x05", 4) == packets.Connack(5, False)


@given(
    st.lists(
        st.tuples(st.text(min_size=1, max_size=20), st.binary(max_size=400), st.integers(1, 65_535)),
        min_size=1,
        max_size=8,
    ),
    st.integers(1, 50),
    st.sampled_from([4, 5]),
)
def test_a_stream_is_the_same_however_it_is_cut(messages, piece, level) -> None:
    stream = b"".join(packets.publish(topic, payload, mid, level) for topic, payload, mid in messages)
    split, found = packets.Splitter(), []
    for at in range(0, len(stream), piece):
        for first, body in split.feed(stream[at : at + piece]):
            found.append(packets.read_publish(first, body, level))
    assert [(each.topic, each.payload, each.mid) for each in found] == messages


@given(st.binary(max_size=300))
def test_noise_is_refused_or_waits_and_never_breaks(noise) -> None:
    try:
        for first, body in packets.Splitter(1_000).feed(noise):
            if first & 0xF0 == packets.PUBLISH:
                packets.read_publish(first, body)
    except packets.MalformedError:
        pass


def test_a_packet_that_says_it_is_huge_is_refused_before_it_comes() -> None:
    with pytest.raises(packets.MalformedError, match="a packet of"):
        list(packets.Splitter(1_000).feed(b"\x30\xff\xff\xff\x7f"))
