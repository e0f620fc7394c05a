"""The keys in use: signs commands and time, knows devices' keys. Only the reflex process has one."""

from __future__ import annotations

import os
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

LONGEST_CACHE = 200_000
"""Devices whose keys are held, so that names made up by somebody do not fill the memory."""


class KeyRing:
    """Loaded once; `refresh` sees that `gorodok keys` changed the files, and `sign_clock` calls it (every 5 s)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamp = self._looked()
        self._read()

    @classmethod
    def load(cls, settings: Settings) -> Self:
        """KeysError when there are none, or others can read them, or they are another city's."""
        ring = cls(settings.keys_dir)
        if ring.city != settings.city:
            remedy = f"set GORODOK_CITY={ring.city}, or another GORODOK_HOME"
            raise KeysError(f"{settings.keys_dir} holds keys of the city {ring.city!r}, not {settings.city!r}", remedy)
        return ring

    @property
    def city(self) -> str:
        return self.record.city

    @property
    def kid(self) -> str:
        """Of the key that signs now."""
        return self._signer(datetime.now(UTC)).kid

    @property
    def keyset(self) -> bytes:
        """Which signers are good, signed by the root: publish it retained on `control_topic(city, "keys", "all")`."""
        return self._keyset

    @property
    def api_token(self) -> str:
        return self._token

    def sign_command(self, claims: CommandClaims) -> bytes:
        return self._sign(claims.payload(), "gorodok-command")

    def sign_clock(self, claims: ClockClaims) -> bytes:
        self.refresh()
        return self._sign(claims.payload(), "gorodok-clock")

    def public_keys(self) -> dict[str, Ed25519PublicKey]:
        """kid → key of every signer that devices accept."""
        return {kid: private.public_key() for kid, private in self._privates.items()}

    def device_keys(self, device_id: str) -> tuple[bytes, ...]:
        """Newest first; one a generation of the master secret that is not revoked."""
        known = self._devices.get(device_id)
        if known is None:
            serial = self.record.device_serials.get(device_id, 0)
            known = tuple(
                device_key(secret, self.city, device_id, generation, serial) for generation, secret in self._masters
            )
            if len(self._devices) < LONGEST_CACHE:
                self._devices[device_id] = known
        return known

    def mqtt_password(self, device_id: str) -> str:
        """Of the device at the broker, where its user is its device_id (`gorodok acl`)."""
        return broker_password(self._broker, device_id, self.record.device_serials.get(device_id, 0))

    def refresh(self) -> bool:
        """Reads the files again when they changed. True: they had; the keyset is to be published again."""
        stamp = self._looked()
        if stamp == self._stamp:
            return False
        self._read()
        self._stamp = stamp
        return True

    def _sign(self, payload: bytes, typ: jws.Type) -> bytes:
        kid = self._signer(datetime.now(UTC)).kid
        return jws.sign(payload, kid, self._privates[kid], typ)

    def _signer(self, now: datetime) -> Signer:
        signer = self.record.signing(now)
        if signer is None:
            raise KeysError("no signer is in force", "run `gorodok keys rotate --after 0`")
        return signer

    def _looked(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._folder / RING)  # noqa: PTH116 - in the path of every beacon
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_ino

    def _read(self) -> None:
        self.record = read_record(self._folder)
        self._privates = {s.kid: self._private(s) for s in self.record.good_signers()}
        self._masters = [(m.generation, read_private(self._folder / m.file)) for m in self.record.good_masters()]
        self._keyset = read_private(self._folder / KEYSET)
        self._token = read_private(self._folder / TOKEN).decode().strip()
        self._broker = broker_secret(self._folder)
        self._devices: dict[str, tuple[bytes, ...]] = {}

    def _private(self, signer: Signer) -> Ed25519PrivateKey:
        private = read_signer(self._folder / signer.file)
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
