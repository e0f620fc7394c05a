"""The keys in use: signs commands and time, knows devices' keys. Only the reflex process has one."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import ValidationError

from actuation.keys.broker import broker_password, broker_secret
from actuation.keys.derive import device_key
from actuation.keys.files import KeysError, read_private
from actuation.keys.record import KEYSET, RING, TOKEN, Record, Signer
from actuation.wire import base64url, jws
from actuation.wire.claims import ClockClaims, CommandClaims
from city.settings import Settings

log = logging.getLogger(__name__)

LONGEST_CACHE = 200_000
"""Devices whose keys are held, so that names made up by somebody do not fill the memory."""


@dataclass(frozen=True, slots=True)
class _Keys:
    """What the files say at one moment; swapped as a whole, so that threads never see half of a change."""

    record: Record
    privates: dict[str, Ed25519PrivateKey]
    masters: tuple[tuple[int, bytes], ...]
    keyset: bytes
    token: str
    broker: bytes
    devices: dict[str, tuple[bytes, ...]]


class KeyRing:
    """Loaded once; `refresh` sees that `gorodok keys` changed the files, and `sign_clock` calls it (every 5 s)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamp = self._looked()
        self._keys = _read(folder)

    @classmethod
    def load(cls, settings: Settings) -> Self:
        """KeysError when there are none, or others can read them, or they are another city's."""
        ring = cls(settings.keys_dir)
        if ring.city != settings.city:
            remedy = f"set GORODOK_CITY={ring.city}, or another GORODOK_HOME"
            raise KeysError(f"{settings.keys_dir} holds keys of the city {ring.city!r}, not {settings.city!r}", remedy)
        return ring

    @property
    def record(self) -> Record:
        return self._keys.record

    @property
    def city(self) -> str:
        return self._keys.record.city

    @property
    def kid(self) -> str:
        """Of the key that signs now."""
        return _signing(self._keys.record).kid

    @property
    def keyset(self) -> bytes:
        """Which signers are good, signed by the root: publish it retained on `control_topic(city, "keys", "all")`."""
        return self._keys.keyset

    @property
    def api_token(self) -> str:
        return self._keys.token

    def sign_command(self, claims: CommandClaims) -> bytes:
        return self._sign(claims.payload(), "gorodok-command")

    def sign_clock(self, claims: ClockClaims) -> bytes:
        self.refresh()
        return self._sign(claims.payload(), "gorodok-clock")

    def public_keys(self) -> dict[str, Ed25519PublicKey]:
        """kid → key of every signer that devices accept."""
        return {kid: private.public_key() for kid, private in self._keys.privates.items()}

    def device_keys(self, device_id: str) -> tuple[bytes, ...]:
        """Newest first; one a generation of the master secret that is not revoked."""
        keys = self._keys
        known = keys.devices.get(device_id)
        if known is None:
            serial = keys.record.device_serials.get(device_id, 0)
            known = tuple(
                device_key(secret, keys.record.city, device_id, generation, serial)
                for generation, secret in keys.masters
            )
            if len(keys.devices) < LONGEST_CACHE:
                keys.devices[device_id] = known
        return known

    def mqtt_password(self, device_id: str) -> str:
        """Of the device at the broker, where its user is its device_id (`gorodok acl`)."""
        keys = self._keys
        return broker_password(keys.broker, device_id, keys.record.device_serials.get(device_id, 0))

    def refresh(self) -> bool:
        """Reads the files again when they changed. True: they had; the keyset is to be published again.

        Files that cannot be used (somebody is in the middle of a change, or has widened their rights) leave the keys as
        they were and are looked at again: a process that runs does not fall silent in an alert.
        """
        stamp = self._looked()
        if stamp == self._stamp:
            return False
        try:
            self._keys = _read(self._folder)
        except (KeysError, OSError) as error:
            log.warning("keys are not read again: %s", error)
            return False
        self._stamp = stamp
        return True

    def _sign(self, payload: bytes, typ: jws.Type) -> bytes:
        keys = self._keys
        kid = _signing(keys.record).kid
        return jws.sign(payload, kid, keys.privates[kid], typ)

    def _looked(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._folder / RING)  # noqa: PTH116 - in the path of every beacon
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino


def _signing(record: Record) -> Signer:
    signer = record.signing(datetime.now(UTC))
    if signer is None:
        raise KeysError("no signer is in force", "run `gorodok keys rotate --after 0`")
    return signer


def _read(folder: Path) -> _Keys:
    record = read_record(folder)
    return _Keys(
        record=record,
        privates={signer.kid: _private(folder, signer) for signer in record.good_signers()},
        masters=tuple((m.generation, read_private(folder / m.file)) for m in record.good_masters()),
        keyset=read_private(folder / KEYSET),
        token=read_private(folder / TOKEN).decode().strip(),
        broker=broker_secret(folder),
        devices={},
    )


def _private(folder: Path, signer: Signer) -> Ed25519PrivateKey:
    private = read_signer(folder / signer.file)
    if base64url.encode(private.public_key().public_bytes_raw()).decode() != signer.public:
        raise KeysError(f"{signer.file} is not the key that {RING} names", "put back the file from your backup")
    return private


def read_record(folder: Path) -> Record:
    """ring.json of a folder; KeysError when it is missing or damaged."""
    try:
        return Record.model_validate_json(read_private(folder / RING))
    except ValidationError as error:
        raise KeysError(f"{folder / RING} is damaged ({error.errors()[0]['msg']})", "put it back from backup") from None


def read_signer(path: Path) -> Ed25519PrivateKey:
    """An Ed25519 key: 32 bytes in base64url."""
    try:
        return Ed25519PrivateKey.from_private_bytes(base64url.decode(read_private(path).strip()))
    except ValueError:
        raise KeysError(f"{path} is no Ed25519 key of ours", "put it back from backup") from None
