"""MQTT packets as bytes, for clients that paho is too slow or too narrow for: no sockets, no threads here.

paho uses select(), which dies above 1,024 descriptors, and spends 45 us a message; the reflex process and the fleet of
simulated devices speak the few packets that they need by themselves. MQTT 3.1.1 (level 4) and 5 (level 5), QoS 0 and 1;
sections in comments are of the standards (docs.oasis-open.org/mqtt).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 0x10, 0x20, 0x30, 0x40, 0x82, 0x90
PINGREQ, PINGRESP, DISCONNECT = b"\xc0\x00", 0xD0, 0xE0
BYE = b"\xe0\x00"
RECEIVE_MAXIMUM, SESSION_EXPIRY, MAXIMUM_PACKET = 0x21, 0x11, 0x27
SESSION_TAKEN_OVER = 0x8E
NOT_AUTHORIZED = 0x87

_U16 = struct.Struct(">H")
_PUBACK = struct.Struct(">BBH")


class MalformedError(ValueError):
    """Bytes that are no MQTT."""


@dataclass(frozen=True, slots=True)
class Connect:
    """CONNECT (3.1). session_s: how long the broker keeps our session; 0 begins a clean one."""

    client_id: str
    level: int = 5
    session_s: int = 0
    keepalive_s: int = 30
    user: str | None = None
    password: str | None = None
    receive_maximum: int = 1_000

    def encode(self) -> bytes:
        clean = self.session_s == 0
        flags = (0x02 if clean else 0) | (0x80 if self.user is not None else 0) | (0x40 if self.password else 0)
        head = _text("MQTT") + bytes((self.level, flags)) + _U16.pack(self.keepalive_s)
        if self.level == 5:
            asked = struct.pack(">BIBH", SESSION_EXPIRY, self.session_s, RECEIVE_MAXIMUM, self.receive_maximum)
            head += length(len(asked)) + asked
        body = head + _text(self.client_id)
        body += _text(self.user) if self.user is not None else b""
        body += _text(self.password) if self.password else b""
        return bytes((CONNECT,)) + length(len(body)) + body


@dataclass(frozen=True, slots=True)
class Connack:
    """reason: 0 is yes. session: the broker kept ours. receive_maximum: how many QoS 1 messages it takes at once."""

    reason: int
    session: bool
    receive_maximum: int = 65_535
    maximum_packet: int = 268_435_455


@dataclass(slots=True)
class Message:
    """mid: 0 for QoS 0."""

    topic: str
    payload: bytes
    mid: int
    retained: bool = False


def subscribe(topics: Iterable[tuple[str, int]], mid: int, level: int = 5) -> bytes:
    """SUBSCRIBE (3.8). topics: (filter, QoS)."""
    body = _U16.pack(mid) + (b"\x00" if level == 5 else b"")
    body += b"".join([_text(topic) + bytes((qos,)) for topic, qos in topics])
    return bytes((SUBSCRIBE,)) + length(len(body)) + body


def publish(
    topic: str, payload: bytes, mid: int, level: int = 5, *, retain: bool = False, again: bool = False
) -> bytes:
    """PUBLISH (3.3), QoS 1."""
    name = topic.encode()
    more = b"\x00" if level == 5 else b""
    first = 0x32 | (1 if retain else 0) | (8 if again else 0)
    size = 2 + len(name) + 2 + len(more) + len(payload)
    return b"".join((bytes((first,)), length(size), _U16.pack(len(name)), name, _U16.pack(mid), more, payload))


def pubacks(mids: Iterable[int]) -> bytes:
    """PUBACK of each (3.4): the same bytes in both versions."""
    return b"".join([_PUBACK.pack(PUBACK, 2, mid) for mid in mids])


class Splitter:
    """Cuts a stream into packets: (first byte, body)."""

    def __init__(self, most: int = 4_194_304) -> None:
        self._rest = b""
        self._most = most

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Whole packets; the rest waits for the next call. Raises MalformedError."""
        if self._rest:
            data = self._rest + data
        at, size = 0, len(data)
        while at < size:
            found = self._end(data, at, size)
            if found is None:
                break
            start, end = found
            yield data[at], data[start:end]
            at = end
        self._rest = data[at:]

    def _end(self, data: bytes, at: int, size: int) -> tuple[int, int] | None:
        number = shift = 0
        where = at + 1
        while where < size:
            digit = data[where]
            number |= (digit & 127) << shift
            where, shift = where + 1, shift + 7
            if digit < 128:
                if number > self._most:
                    raise MalformedError(f"a packet of {number} bytes")
                return (where, where + number) if where + number <= size else None
            if shift > 21:
                raise MalformedError("a packet's length has more than four bytes")
        return None


def read_connack(body: bytes, level: int = 5) -> Connack:
    """CONNACK (3.2)."""
    if len(body) < 2:
        raise MalformedError("CONNACK without a reason")
    if level != 5 or len(body) < 3:
        return Connack(body[1], bool(body[0] & 1))
    found = dict(_properties(body, 2))
    return Connack(
        body[1], bool(body[0] & 1), found.get(RECEIVE_MAXIMUM, 65_535), found.get(MAXIMUM_PACKET, 268_435_455)
    )


def read_publish(first: int, body: bytes, level: int = 5) -> Message:
    """PUBLISH of QoS 0 or 1."""
    try:
        at = 2 + _U16.unpack_from(body)[0]
        topic = body[2:at].decode()
        mid = 0
        if first & 0x06:
            mid = _U16.unpack_from(body, at)[0]
            at += 2
        if level == 5:
            more, at = _varint(body, at)
            at += more
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise MalformedError(f"PUBLISH: {error}") from None
    return Message(topic, body[at:], mid, bool(first & 1))


def read_puback(body: bytes) -> tuple[int, int]:
    """(packet id, reason); reason 0 and 16 (nobody subscribed) are yes."""
    return _U16.unpack_from(body)[0], body[2] if len(body) > 2 else 0


def reason_of(body: bytes) -> int:
    """Of a DISCONNECT that the broker sent (MQTT 5, 3.14)."""
    return body[0] if body else 0


def length(number: int) -> bytes:
    """A variable byte integer (MQTT 5, 1.5.5)."""
    if number < 128:
        return bytes((number,))
    out = bytearray()
    while True:
        number, digit = divmod(number, 128)
        out.append(digit | (0x80 if number else 0))
        if not number:
            return bytes(out)


SIZES = {0x11: 4, 0x21: 2, 0x27: 4, 0x24: 1, 0x25: 1, 0x22: 2, 0x28: 1, 0x29: 1, 0x2A: 1, 0x13: 2}
"""Properties of CONNACK that are numbers (3.2.2.3), and their bytes; the others are text."""


def _properties(body: bytes, at: int) -> Iterator[tuple[int, int]]:
    size, at = _varint(body, at)
    end = at + size
    while at < end:
        name, at = body[at], at + 1
        if name in SIZES:
            yield name, int.from_bytes(body[at : at + SIZES[name]], "big")
            at += SIZES[name]
        else:
            for _ in range(2 if name == 0x26 else 1):  # a user property is two texts
                at += 2 + _U16.unpack_from(body, at)[0]


def _varint(body: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        digit = body[at]
        number |= (digit & 127) << shift
        at, shift = at + 1, shift + 7
        if digit < 128:
            return number, at
        if shift > 21:
            raise MalformedError("a length has more than four bytes")


def _text(text: str) -> bytes:
    data = text.encode()
    return _U16.pack(len(data)) + data
