"""What one device must be given before it is mounted: who it is, whom it obeys, and its own key."""

from __future__ import annotations

from typing import Any, Literal

from actuation.keys.ring import KeyRing
from actuation.wire import base64url
from city.layers import Device

FORMAT = "gorodok-device/1"
LeaseEnd = Literal["relock", "stay_open"]


def identity(ring: KeyRing, device: Device, lease_end: LeaseEnd = "relock") -> dict[str, Any]:
    """The file that `python -m device --identity` reads. It holds the device's secret: carry it as one.

    lease_end: of a door, what it does when a command's time ends (docs/devices-protocol.md, "Leases").
    """
    key = ring.device_keys(device.device_id)[0]
    return {
        "format": FORMAT,
        "city": ring.city,
        "device_id": device.device_id,
        "kind": device.kind,
        "zone_id": device.zone_id,
        "actions": list(device.actions),
        "lease_end": lease_end,
        "answer_key": base64url.encode(key).decode(),
        "mqtt_password": ring.mqtt_password(device.device_id),
        "root": ring.record.root_public,
        "keyset_seq": ring.record.keyset_seq,
        "signers": {signer.kid: signer.public for signer in ring.record.good_signers()},
    }
