"""Key files: nobody else reads them, nothing is overwritten, rotation and revocation do what they say."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from actuation.keys import KeyRing, KeysError, change
from actuation.wire.answer import Answer, seal, verify_answer
from actuation.wire.jws import Bad
from apps.cli.main import app
from city.settings import Settings, settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    change.create(tmp_path / "keys", "gorodok")
    return tmp_path / "keys"


def test_files_are_their_owners_only(folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
    files = sorted(folder.iterdir())
    kinds = {"api", "broker.key", "devices", "keyset.jws", "ring.json", "root.key", "signer"}
    assert {path.name.split("-")[0] for path in files} == kinds
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_umask_does_not_matter(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        change.create(tmp_path / "keys", "gorodok")
    finally:
        os.umask(old)
    KeyRing(tmp_path / "keys")


@pytest.mark.parametrize("name", ["signer-*", "devices-1.key", "ring.json", "api-token", "."])
@pytest.mark.parametrize("wide", [0o040, 0o004, 0o020])
def test_wider_rights_are_refused_with_the_remedy(folder: Path, name: str, wide: int) -> None:
    path = folder if name == "." else next(folder.glob(name))
    path.chmod(path.stat().st_mode | wide)
    with pytest.raises(KeysError, match=r"chmod (600|700)"):
        KeyRing(folder)


def test_link_is_refused(folder: Path) -> None:
    real = folder.parent / "elsewhere"
    (folder / "api-token").rename(real)
    (folder / "api-token").symlink_to(real)
    with pytest.raises(KeysError, match="link"):
        KeyRing(folder)


def test_missing_keys_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="gorodok keys new"):
        KeyRing.load(Settings(home=tmp_path))


def test_keys_of_another_city_are_not_taken(folder: Path) -> None:
    with pytest.raises(KeysError, match="teriberka"):
        KeyRing.load(Settings(home=folder.parent, city="teriberka"))


def test_new_overwrites_nothing(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(KeysError, match="rotate"):
        change.create(folder, "gorodok")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_damaged_or_swapped_key_is_named(folder: Path) -> None:
    signer = next(folder.glob("signer-*"))
    signer.write_bytes((folder / "root.key").read_bytes())
    with pytest.raises(KeysError, match="not the key"):
        KeyRing(folder)
    signer.write_bytes(b"rubbish\n")
    with pytest.raises(KeysError, match="Ed25519"):
        KeyRing(folder)


def test_rotation_signs_with_the_new_key_only_after_the_overlap(folder: Path) -> None:
    ring = KeyRing(folder)
    old = ring.kid
    change.rotate(folder, after=timedelta(hours=24))
    assert ring.refresh()
    assert not ring.refresh()
    assert ring.kid == old
    assert len(ring.public_keys()) == 2


def test_the_only_signer_is_not_revoked(folder: Path) -> None:
    ring = KeyRing(folder)
    with pytest.raises(KeysError, match="only key"):
        change.revoke(folder, ring.kid)
    change.rotate(folder, after=timedelta(hours=1))
    with pytest.raises(KeysError, match="only key"):
        change.revoke(folder, ring.kid)
    with pytest.raises(KeysError, match="no good signer"):
        change.revoke(folder, "nothing")


def test_revoked_signers_secret_is_gone_from_the_disk(folder: Path) -> None:
    old = KeyRing(folder).kid
    change.rotate(folder, after=timedelta(0))
    change.revoke(folder, old)
    assert not list(folder.glob(f"signer-{old}*"))
    assert old not in KeyRing(folder).public_keys()


def test_root_may_be_kept_elsewhere(folder: Path, tmp_path: Path) -> None:
    safe = tmp_path / "safe"
    safe.mkdir(mode=0o700)
    (folder / "root.key").rename(safe / "root.key")
    KeyRing(folder)
    with pytest.raises(KeysError, match="--root"):
        change.rotate(folder)
    change.rotate(folder, root_file=safe / "root.key")
    assert len(KeyRing(folder).public_keys()) == 2


def test_devices_keys_differ_and_one_can_be_revoked(folder: Path) -> None:
    ring = KeyRing(folder)
    assert len({ring.device_keys(f"door-{number}") for number in range(100)}) == 100
    stolen, other = ring.device_keys("door-1"), ring.device_keys("door-2")
    change.revoke_device(folder, "door-1")
    ring.refresh()
    assert not set(stolen) & set(ring.device_keys("door-1"))
    assert ring.device_keys("door-2") == other


def test_generations_of_devices_keys_overlap(folder: Path) -> None:
    ring = KeyRing(folder)
    (old,) = ring.device_keys("door-1")
    change.rotate_devices(folder)
    ring.refresh()
    new, still = ring.device_keys("door-1")
    assert still == old
    body = b'{"device":"door-1","cid":"c","seq":1,"result":"done","state":"unlocked","at":5,"n":3}'
    for key in (new, old):
        assert isinstance(verify_answer(seal(body, key), ring, "door-1"), Answer)
    change.revoke_generation(folder, 1)
    ring.refresh()
    assert verify_answer(seal(body, old), ring, "door-1") == Bad("signature")
    with pytest.raises(KeysError, match="rotate --devices"):
        change.revoke_generation(folder, 2)


# ---- as a user types it


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GORODOK_HOME", str(tmp_path))
    settings.cache_clear()
    return tmp_path


def _run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["keys", *words])
    assert done.exit_code == code, done.output
    return done.stdout if code == 0 else done.output


def test_commands(home: Path) -> None:
    assert "gorodok keys new" in _run("show", code=1)
    made = json.loads(_run("new", "--json"))
    _run("new", code=1)
    (signer,) = made["signers"]
    assert signer["signs_now"]
    rotated = json.loads(_run("rotate", "--after", "0", "--json"))
    assert [each["signs_now"] for each in rotated["signers"]] == [False, True]
    left = json.loads(_run("revoke", signer["kid"], "--json"))
    assert [each["state"] for each in left["signers"]] == ["revoked", "good"]
    _run("revoke", signer["kid"], code=1)
    _run("revoke", code=2)
    assert signer["kid"] in _run("show")
    secrets = [path.read_text() for path in (home / "keys").glob("signer-*")]
    assert not any(secret.strip() in _run("show", "--json") for secret in secrets)


def test_export_is_one_devices_identity(home: Path) -> None:
    _run("new")
    said = json.loads(_run("export", "door-shelter-01"))
    assert (said["device_id"], said["zone_id"], said["kind"]) == ("door-shelter-01", "dma-2", "door")
    assert said["lease_end"] == "relock"
    file = home / "id.json"
    _run("export", "door-shelter-01", "--lease-end", "stay_open", "--out", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["lease_end"] == "stay_open"
    assert "door-nowhere" in _run("export", "door-nowhere", code=2)


def test_running_process_keeps_its_keys_when_the_files_cannot_be_used(folder: Path) -> None:
    """In an alert it must not fall silent because of a chmod; it takes the change when it can."""
    ring = KeyRing(folder)
    old = ring.kid
    change.rotate(folder, after=timedelta(0))
    (folder / "api-token").chmod(0o644)
    assert not ring.refresh()
    assert ring.kid == old
    (folder / "api-token").chmod(0o600)
    assert ring.refresh()
    assert ring.kid != old


def test_a_disk_that_cannot_be_read_leaves_the_keys_in_use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many open files, a dead disk: the beacon goes on, or devices lose the time in an alert."""
    ring = KeyRing(folder)
    change.rotate(folder, timedelta(0))

    def fails(path: Path) -> bytes:
        raise OSError(24, "Too many open files", str(path))

    monkeypatch.setattr("actuation.keys.ring.read_private", fails)
    before = ring.kid
    assert not ring.refresh()
    assert ring.kid == before
    monkeypatch.undo()
    assert ring.refresh()
    assert ring.kid != before


def test_a_clock_before_the_keys_signs_all_the_same(folder: Path) -> None:
    """A machine that starts without the time (1970) must still open doors for a person's press."""
    record = change.read_record(folder)
    before = record.signers[0].created - timedelta(days=20_000)
    assert record.signing(before) == record.signers[0]
    later = change.rotate(folder, timedelta(hours=24))
    assert later.signing(before) == record.signers[0], "not the one that devices may not know yet"
