"""The protocol page's examples are real bytes: made here from fixed keys, and taken by the reference device.

`python -m tests.wire.test_protocol_page` writes them into the page anew.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from actuation.keys.derive import device_key
from actuation.wire import base64url, jws
from actuation.wire.claims import ClockClaims, CommandClaims, KeySetClaims
from actuation.wire.reasons import REASONS
from city.settings import ROOT
from device.body import ENDS, GOALS
from device.clock import DRIFT, HOLD_S
from device.controller import FLOOR_MS, N_BLOCK, NOT_YET_MS, REFUSALS, REMEMBERED, SENSE_S, SETTLE_S, Controller
from device.door import Door
from device.identity import parse_identity
from device.protocol import ACTIONS, LONGEST, LONGEST_TEXT
from device.store import Store

PAGE = ROOT / "docs" / "devices-protocol.md"
ROOT_KEY = Ed25519PrivateKey.from_private_bytes(bytes([1] * 32))
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes([2] * 32))
MASTER = bytes([3] * 32)
KID, CITY, DEVICE, ZONE = "20261125-a1b2c3", "gorodok", "door-shelter-01", "dma-2"
NOW = int(datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp() * 1000)
UNLOCK = {
    "cid": "9f2c5e0b7a1d4c3e8f6a5b4c3d2e1f00", "seq": 1042, "city": CITY, "zone": ZONE, "kinds": ["door", "display"],
    "action": "unlock", "mode": "live", "nbf": NOW, "exp": NOW + 1_800_000,
}  # fmt: skip


def _public(key: Ed25519PrivateKey) -> str:
    return base64url.encode(key.public_key().public_bytes_raw()).decode()


def examples() -> dict[str, str]:
    """name → what stands in the page's code block of this name."""
    key = device_key(MASTER, CITY, DEVICE, 1, 0)
    identity: dict[str, Any] = {
        "format": "gorodok-device/1",
        "city": CITY,
        "device_id": DEVICE,
        "kind": "door",
        "zone_id": ZONE,
        "actions": ["unlock", "lock"],
        "lease_end": "relock",
        "answer_key": base64url.encode(key).decode(),
        "mqtt_password": "set by gorodok acl",
        "root": _public(ROOT_KEY),
        "keyset_seq": 1,
        "signers": {KID: _public(SIGNER)},
    }
    keyset = jws.sign(
        KeySetClaims(seq=2, city=CITY, keys={KID: _public(SIGNER)}).payload(), "root", ROOT_KEY, "gorodok-keys"
    )
    clock = jws.sign(ClockClaims(seq=1041, city=CITY, now=NOW).payload(), KID, SIGNER, "gorodok-clock")
    claims = CommandClaims.model_validate(UNLOCK)
    zone = jws.sign(claims.payload(), KID, SIGNER, "gorodok-command")
    drill = CommandClaims(
        cid="drill-2026-12", seq=1043, city=CITY, device=DEVICE, action="lock", mode="drill", nbf=NOW, exp=NOW + 60_000
    )
    command = jws.sign(drill.payload(), KID, SIGNER, "gorodok-command")
    door = Controller(parse_identity(identity), Door(), Store(None))
    at = f"gorodok/v1/{CITY}/ctl"
    sensed = door.start(0.0)
    door.take(f"{at}/keys/all", keyset, 0.1)
    door.take(f"{at}/clock/beacon", clock, 1.0)
    done = door.take(f"{at}/zone/{ZONE}", zone, 1.25)
    would = door.take(f"{at}/command/{DEVICE}", command, 2.0)
    forged = door.take(f"{at}/command/{DEVICE}", command[:-2] + b"AA", 3.0)
    head, payload, signature = zone.split(b".")
    return {
        "identity": json.dumps(identity, indent=2),
        "keyset": keyset.decode(),
        "clock": clock.decode(),
        "zone-header": base64url.decode(head).decode(),
        "zone-claims": base64url.decode(payload).decode(),
        "zone-signature": base64url.decode(signature).hex(),
        "zone": zone.decode(),
        "command": command.decode(),
        "answer-key": key.hex(),
        "answer-mac": hmac.digest(key, done[0][1].rpartition(b".")[0], "sha256").hex(),
        "answer": done[0][1].decode(),
        "would-do": would[0][1].decode(),
        "refused": forged[0][1].decode(),
        "sensed": sensed[0][1].decode(),
    }


def _blocks(page: str) -> dict[str, str]:
    found = re.findall(r"<!-- example: ([\w-]+) -->\n+```\w*\n(.*?)\n```", page, re.DOTALL)
    assert len(found) == len(dict(found))
    return dict(found)


def test_every_example_is_the_real_bytes() -> None:
    assert _blocks(PAGE.read_text("utf-8")) == examples(), "run `python -m tests.wire.test_protocol_page`"


def test_examples_show_what_they_say() -> None:
    found = examples()
    assert json.loads(found["zone-claims"]) == UNLOCK
    said = {name: json.loads(found[name].rpartition(".")[0]) for name in ("answer", "would-do", "refused", "sensed")}
    assert [said[name].get("result") for name in said] == ["done", "would_do", "refused", None]
    assert said["refused"]["reason"] == "signature"
    assert said["answer"]["at"] == NOW + 249, "a quarter of a second after the beacon, less the drift that may be"
    publics: dict[str, Ed25519PublicKey] = {KID: SIGNER.public_key()}
    assert isinstance(jws.verify(found["command"].encode(), publics, "gorodok-command"), jws.Signed)


def test_openssl_checks_the_examples(tmp_path: Path) -> None:
    """As a client in C would, with nothing of ours: the page's bytes alone."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    found = _blocks(PAGE.read_text("utf-8"))
    identity = json.loads(found["identity"])
    for name, public in (
        ("zone", identity["signers"][KID]),
        ("clock", identity["signers"][KID]),
        ("keyset", identity["root"]),
    ):
        signed, _, signature = found[name].rpartition(".")
        spki = bytes.fromhex("302a300506032b6570032100") + base64.urlsafe_b64decode(public + "=")
        pem = f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(spki).decode()}\n-----END PUBLIC KEY-----\n"
        (tmp_path / "pub").write_text(pem)
        (tmp_path / "signed").write_text(signed)
        (tmp_path / "signature").write_bytes(base64.urlsafe_b64decode(signature + "=="))
        words = ["pkeyutl", "-verify", "-pubin", "-inkey", "pub", "-rawin", "-in", "signed", "-sigfile", "signature"]
        assert "Successfully" in _openssl(tmp_path, *words), name
    body, _, mac = found["answer"].rpartition(".")
    (tmp_path / "body").write_text(body)
    made = _openssl(
        tmp_path, "mac", "-digest", "SHA256", "-macopt", f"hexkey:{found['answer-key']}", "-in", "body", "HMAC"
    )
    assert made.strip().lower() == found["answer-mac"] == base64.urlsafe_b64decode(mac + "=").hex()


def _openssl(folder: Path, *words: str) -> str:
    return subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True, check=True).stdout


def test_page_names_every_reason_action_and_number() -> None:
    page = PAGE.read_text("utf-8")
    for reason in REASONS:
        assert re.search(rf"^\| `{reason}` \|", page, re.MULTILINE), reason
    rows = re.findall(r"^\| \d+ \| `(\w+)`", page, re.MULTILINE)
    order = "wrong_city wrong_device wrong_zone repeated clock expired not_yet sequence unsupported"
    assert rows == order.split()
    for action in ACTIONS:
        goals = ", ".join(f"`{goal}`" for goal in GOALS[action])
        end = f"`{ENDS[action]}`" if action in ENDS else "–"
        assert re.search(rf"^\| `{action}` \| .* \| {goals} \| {end}", page, re.MULTILINE), action
    for number, unit in (
        (LONGEST, "bytes"), (LONGEST_TEXT, "characters"), (REMEMBERED, "commands"), (SETTLE_S, "s"), (SENSE_S, "s"),
        (NOT_YET_MS, "ms"), (N_BLOCK, "numbers"), (FLOOR_MS // 60_000, "minutes"), (REFUSALS, "refusals"),
        (DRIFT * 1e6, "ppm"), (HOLD_S / 3600, "hour"),
    ):  # fmt: skip
        assert f"{number:,g} {unit}" in page, (number, unit)


if __name__ == "__main__":
    text = PAGE.read_text("utf-8")
    for name, body in examples().items():
        block = re.compile(rf"(<!-- example: {name} -->\n+```\w*\n).*?(\n```)", re.DOTALL)
        text = block.sub(lambda found, body=body: found[1] + body + found[2], text)  # type: ignore[misc]
    PAGE.write_text(text, encoding="utf-8")
