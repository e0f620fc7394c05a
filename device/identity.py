"""Who a device is, whom it obeys, and its own key: the file that `gorodok keys export` writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device.protocol import decode, strict_object, topic

FORMAT = "gorodok-device/1"


class IdentityError(ValueError):
    """The identity file cannot be used; the message names the field."""


@dataclass(frozen=True, slots=True)
class Identity:
    """lease_end: of a door, what it does when a command's time ends: relock or stay_open."""

    city: str
    device_id: str
    kind: str
    zone_id: str
    actions: tuple[str, ...]
    lease_end: str
    answer_key: bytes
    root: bytes
    keyset_seq: int
    signers: dict[str, bytes]
    mqtt_password: str = ""

    def listens(self) -> tuple[tuple[str, int], ...]:
        """(topic, QoS) that it subscribes. Old time is of no use, so the broker shall not keep beacons for it."""
        who = (("keys", "all", 1), ("clock", "beacon", 0), ("command", self.device_id, 1), ("zone", self.zone_id, 1))
        return tuple((topic(self.city, what, name), qos) for what, name, qos in who)


def read_identity(path: Path) -> Identity:
    """Raises IdentityError, or OSError when the file cannot be read."""
    try:
        return parse_identity(strict_object(path.read_bytes()))
    except IdentityError:
        raise
    except ValueError as error:
        raise IdentityError(f"{path}: {error}: write it again with `gorodok keys export`") from error


def parse_identity(said: dict[str, Any]) -> Identity:
    if said.get("format") != FORMAT:
        raise IdentityError(f"format = {said.get('format')!r}: this client reads {FORMAT}")
    try:
        if said["lease_end"] not in ("relock", "stay_open"):
            raise IdentityError(f"lease_end = {said['lease_end']!r}: use relock or stay_open")
        return Identity(
            city=str(said["city"]),
            device_id=str(said["device_id"]),
            kind=str(said["kind"]),
            zone_id=str(said["zone_id"]),
            actions=tuple(said["actions"]),
            lease_end=str(said["lease_end"]),
            answer_key=_bytes32(said, "answer_key"),
            root=_bytes32(said, "root"),
            keyset_seq=int(said["keyset_seq"]),
            signers={kid: _bytes32(said["signers"], kid) for kid in said["signers"]},
            mqtt_password=str(said.get("mqtt_password", "")),
        )
    except KeyError as error:
        raise IdentityError(f"{error.args[0]} is missing: write the file again with `gorodok keys export`") from error


def _bytes32(said: dict[str, Any], name: str) -> bytes:
    try:
        value = decode(str(said[name]).encode())
    except ValueError as error:
        raise IdentityError(f"{name}: {error}") from error
    if len(value) != 32:
        raise IdentityError(f"{name}: {len(value)} bytes, not 32")
    return value
