"""Making, rotating and revoking keys: every change is a new ring.json and a new keyset signed by the root."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from actuation.keys.broker import broker_secret
from actuation.keys.files import KeysError, make_folder, write_private
from actuation.keys.record import KEYSET, RING, ROOT, TOKEN, Master, Record, Signer
from actuation.keys.ring import read_record, read_signer
from actuation.wire import base64url, jws
from actuation.wire.claims import KeySetClaims

OVERLAP = timedelta(hours=24)
"""A new signer waits so long before it signs, so that a device that was off for a night has its public key."""


def create(folder: Path, city: str) -> Record:
    """The first keys of a city. KeysError when there are some already: nothing is ever overwritten."""
    make_folder(folder)
    if (folder / RING).exists():
        raise KeysError(f"{folder} has keys already", "use `gorodok keys rotate`")
    now = datetime.now(UTC)
    root = Ed25519PrivateKey.generate()
    _write_key(folder / ROOT, root)
    broker_secret(folder)
    write_private(folder / TOKEN, secrets.token_urlsafe(32).encode() + b"\n")
    record = Record(
        city=city,
        root_public=_public(root),
        keyset_seq=0,
        signers=(_new_signer(folder, now, now),),
        masters=(_new_master(folder, 1, now),),
    )
    return _commit(folder, record, root)


def rotate(folder: Path, after: timedelta = OVERLAP, root_file: Path | None = None) -> Record:
    """A new signer, accepted by devices at once and signing after `after`; the old one stays good until revoked."""
    record, root = read_record(folder), _root(folder, root_file)
    now = datetime.now(UTC)
    signer = _new_signer(folder, now, now + after)
    return _commit(folder, record.model_copy(update={"signers": (*record.signers, signer)}), root)


def revoke(folder: Path, kid: str, root_file: Path | None = None) -> Record:
    """Devices refuse the signer from now on. KeysError for an unknown one, and for the last that could sign."""
    record, root = read_record(folder), _root(folder, root_file)
    good = record.good_signers()
    gone = next((signer for signer in good if signer.kid == kid), None)
    if gone is None:
        raise KeysError(f"no good signer is called {kid!r}", f"one of {', '.join(s.kid for s in good)}")
    now = datetime.now(UTC)
    left = [signer for signer in good if signer.kid != kid]
    if not any(signer.signs_from <= now for signer in left):
        raise KeysError(f"{kid} is the only key that signs now", "run `gorodok keys rotate --after 0` first")
    signers = tuple(s.model_copy(update={"revoked": now}) if s.kid == kid else s for s in record.signers)
    changed = _commit(folder, record.model_copy(update={"signers": signers}), root)
    (folder / gone.file).unlink(missing_ok=True)
    return changed


def rotate_devices(folder: Path) -> Record:
    """A new generation of devices' keys; the old ones stay good until `revoke_generation`."""
    record = read_record(folder)
    generation = max(master.generation for master in record.masters) + 1
    master = _new_master(folder, generation, datetime.now(UTC))
    return _write(folder, record.model_copy(update={"masters": (*record.masters, master)}))


def revoke_generation(folder: Path, generation: int) -> Record:
    """Answers under this generation's keys are refused from now on."""
    record = read_record(folder)
    good = record.good_masters()
    gone = next((master for master in good if master.generation == generation), None)
    if gone is None or len(good) == 1:
        remedy = "run `gorodok keys rotate --devices` first" if gone else f"one of {[m.generation for m in good]}"
        raise KeysError(f"generation {generation} cannot be revoked", remedy)
    now = datetime.now(UTC)
    masters = tuple(m.model_copy(update={"revoked": now}) if m.generation == generation else m for m in record.masters)
    changed = _write(folder, record.model_copy(update={"masters": masters}))
    (folder / gone.file).unlink(missing_ok=True)
    return changed


def revoke_device(folder: Path, device_id: str) -> Record:
    """One device's key is stolen: what is said under it is refused from now on. Provision the device anew."""
    record = read_record(folder)
    serials = record.device_serials | {device_id: record.device_serials.get(device_id, 0) + 1}
    return _write(folder, record.model_copy(update={"device_serials": serials}))


def _commit(folder: Path, record: Record, root: Ed25519PrivateKey) -> Record:
    """The keyset first: a ring without its keyset would sign with a key that devices do not know."""
    if _public(root) != record.root_public:
        raise KeysError("this is not the root key of these keys", "give the right file with --root")
    record = record.model_copy(update={"keyset_seq": record.keyset_seq + 1})
    keys = {signer.kid: signer.public for signer in record.good_signers()}
    claims = KeySetClaims(seq=record.keyset_seq, city=record.city, keys=keys)
    write_private(folder / KEYSET, jws.sign(claims.payload(), "root", root, "gorodok-keys"))
    return _write(folder, record)


def _write(folder: Path, record: Record) -> Record:
    write_private(folder / RING, record.model_dump_json(indent=2).encode() + b"\n")
    return record


def _new_signer(folder: Path, now: datetime, signs_from: datetime) -> Signer:
    private = Ed25519PrivateKey.generate()
    kid = f"{now:%Y%m%d}-{secrets.token_hex(3)}"
    signer = Signer(kid=kid, public=_public(private), created=now, signs_from=signs_from)
    _write_key(folder / signer.file, private)
    return signer


def _new_master(folder: Path, generation: int, now: datetime) -> Master:
    master = Master(generation=generation, created=now)
    write_private(folder / master.file, secrets.token_bytes(32))
    return master


def _write_key(path: Path, private: Ed25519PrivateKey) -> None:
    write_private(path, base64url.encode(private.private_bytes_raw()) + b"\n")


def _public(private: Ed25519PrivateKey) -> str:
    return base64url.encode(private.public_key().public_bytes_raw()).decode()


def _root(folder: Path, root_file: Path | None) -> Ed25519PrivateKey:
    path = root_file or folder / ROOT
    if not path.exists():
        raise KeysError(f"{path} is missing", "the root key is kept elsewhere: give its file with --root")
    return read_signer(path)
