"""Each attack by name: no bolt moves, and the device says why."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actuation.keys import KeyRing, change
from actuation.wire import jws
from device.protocol import REASONS, RefusedError, read_beacon, read_command, read_keyset

Make = Callable[..., Any]
MINUTE = 60_000


def _forge(message: bytes, **header: Any) -> bytes:
    head, payload, signature = message.split(b".")
    said = json.loads(base64.urlsafe_b64decode(head + b"==")) | header
    return base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=") + b"." + payload + b"." + signature


def test_plain_json_without_a_signature_is_unsigned(rig: Make) -> None:
    door = rig()
    assert door.ask(door.claims().payload()) == "unsigned"
    assert door.body.moves == 0


def test_alg_none_is_unsigned(rig: Make) -> None:
    door = rig()
    head, payload, _ = _forge(door.command(), alg="none").split(b".")
    assert door.ask(head + b"." + payload + b".") == "unsigned"
    assert door.ask(_forge(door.command(), alg="none")) == "unsigned"
    assert door.body.moves == 0


def test_hmac_under_the_public_key_is_no_signature(rig: Make) -> None:
    """The classic of JWT libraries: alg HS256, and the public key taken as the secret."""
    from joserfc import jws as jose
    from joserfc.jwk import OctKey

    door = rig()
    public = door.ring.public_keys()[door.ring.kid].public_bytes_raw()
    header = {"alg": "HS256", "kid": door.ring.kid, "typ": "gorodok-command"}
    forged = jose.serialize_compact(header, door.claims().payload(), OctKey.import_key(public))
    assert door.ask(forged.encode()) == "signature"
    assert door.body.moves == 0


def test_forged_signature_is_refused(rig: Make) -> None:
    door = rig()
    stranger = Ed25519PrivateKey.generate()
    forged = jws.sign(door.claims().payload(), door.ring.kid, stranger, "gorodok-command")
    assert door.ask(forged) == "signature"
    assert door.body.moves == 0


def test_strangers_key_is_unknown(rig: Make) -> None:
    door = rig()
    forged = jws.sign(door.claims().payload(), "stranger", Ed25519PrivateKey.generate(), "gorodok-command")
    assert door.ask(forged) == "unknown_key"
    assert door.body.moves == 0


def test_one_byte_changed_anywhere_is_refused(rig: Make) -> None:
    door = rig()
    good = door.command()
    reasons = set()
    for index in range(len(good)):
        for byte in (good[index] ^ 1, good[index] ^ 2, ord("A") if good[index] != ord("A") else ord("B")):
            changed = good[:index] + bytes([byte]) + good[index + 1 :]
            with pytest.raises(RefusedError) as refused:
                read_command(changed, door.identity.signers)
            reasons.add(refused.value.reason)
    assert "signature" in reasons
    assert reasons <= {"signature", "malformed", "unknown_key", "unsigned"}
    assert door.ask(good) == "done", "the unchanged one is good"


def test_replay_moves_nothing(rig: Make) -> None:
    """An unlock of this morning, sent again after the all-clear: the old answer, byte for byte, and no bolt."""
    door = rig()
    unlock = door.command()
    first = door.give(unlock)
    assert door.ask(door.command(action="lock")) == "done"
    assert door.give(unlock) == first
    assert door.body.state() == "locked"
    assert door.body.moves == 2


def test_replay_of_what_is_forgotten_is_out_of_sequence(rig: Make) -> None:
    door = rig()
    unlock = door.command()
    door.give(unlock)
    for _ in range(100):
        door.give(door.command(action="lock", mode="drill"))
    assert door.ask(door.command(action="lock")) == "done"
    assert door.ask(unlock) == "sequence"
    assert door.body.state() == "locked"


def test_older_command_after_a_newer_is_out_of_sequence(rig: Make) -> None:
    door = rig()
    late = door.command()
    assert door.ask(door.command(action="lock")) == "done"
    assert door.ask(late) == "sequence"
    assert door.body.moves == 0


def test_expired_and_not_yet(rig: Make) -> None:
    door = rig()
    assert door.ask(door.command(nbf=door.now - MINUTE, exp=door.now)) == "expired"
    assert door.ask(door.command(nbf=door.now + MINUTE)) == "not_yet"
    held_back = door.command(exp=door.now + MINUTE)
    door.wait(61)
    assert door.ask(held_back) == "expired"
    assert door.body.moves == 0


def test_wrong_zone_city_and_device(rig: Make) -> None:
    door = rig()
    assert door.ask(door.command(zone="dma-2")) == "wrong_zone"
    assert door.ask(door.command(city="teriberka")) == "wrong_city"
    assert door.ask(door.command(device="door-2"), "command") == "wrong_device"
    assert door.body.moves == 0


def test_drills_live_twin_is_repeated(rig: Make) -> None:
    """Same id, other mode: whoever could turn a drill into an opening would need only a replay."""
    door = rig()
    assert door.ask(door.command(cid="monthly", mode="drill")) == "would_do"
    assert door.ask(door.command(cid="monthly", mode="live")) == "repeated"
    assert door.body.moves == 0


def test_live_commands_drill_twin_is_repeated(rig: Make) -> None:
    door = rig()
    assert door.ask(door.command(cid="alert")) == "done"
    assert door.ask(door.command(cid="alert", mode="drill")) == "repeated"


def test_drill_never_moves(rig: Make) -> None:
    for kind in ("door", "lamp", "siren", "display"):
        device = rig(kind)
        assert device.ask(device.command(mode="drill", text="x" if kind == "display" else None)) == "would_do"
        device.wait(3_600)
        device.boot()
        assert device.body.moves == 0, kind


def test_unsupported_action(rig: Make) -> None:
    door = rig()
    assert door.ask(door.command(action="siren_on")) == "unsupported"


def test_command_for_other_kinds_is_not_answered(rig: Make) -> None:
    door = rig()
    assert door.give(door.command(kinds=("siren", "lamp"), action="siren_on")) == []
    assert door.ask(door.command(kinds=("siren", "door"))) == "done"


def test_clock_not_set_refuses(rig: Make) -> None:
    door = rig(clock=False)
    unlock = door.command()
    assert door.ask(unlock) == "clock"
    door.hear()
    assert door.ask(unlock) == "done", "the broker's redelivery, or the retry, is good once the time is known"


@pytest.mark.parametrize("minutes", [-10, 10])
def test_devices_own_clock_is_ten_minutes_wrong_before_the_beacon(rig: Make, minutes: int) -> None:
    """It has no say: no beacon, no time; with the beacon the true time, whatever the monotonic clock shows."""
    door = rig(clock=False)
    door.s += minutes * 60
    door.controller.tick(door.s)
    assert door.ask(door.command()) == "clock"
    door.hear()
    assert door.ask(door.command(nbf=door.now - MINUTE, exp=door.now - 1)) == "expired"
    assert door.ask(door.command(nbf=door.now + MINUTE)) == "not_yet"
    assert door.ask(door.command(exp=door.now + 1_000)) == "done"


def test_beacon_that_goes_back_in_sequence_is_ignored(rig: Make) -> None:
    door = rig(clock=False)
    old = door.beacon()
    door.wait(300)
    door.hear()
    door.hear(old)
    assert door.ask(door.command(nbf=door.now - 300_000, exp=door.now - 1_000)) == "expired"
    door.boot()
    door.hear(old)
    assert door.ask(door.command()) == "clock", "over a restart too, as far as it was written down"


def test_forged_beacon_sets_no_time(rig: Make) -> None:
    door = rig(clock=False)
    claims = door.beacon().split(b".")
    door.hear(claims[0] + b"." + claims[1] + b"." + b"A" * 86)
    door.hear(door.command())
    assert door.ask(door.command()) == "clock"


def test_clock_message_is_no_command_and_the_other_way(rig: Make) -> None:
    door = rig()
    assert door.ask(door.beacon()) == "malformed"
    with pytest.raises(RefusedError, match="malformed"):
        read_beacon(door.command(), door.identity.signers)


def test_flood_of_rubbish_gets_no_flood_of_answers(rig: Make) -> None:
    door = rig()
    answers = sum(len(door.give(b"rubbish")) for _ in range(1_000))
    assert answers == 20
    assert door.ask(door.command()) == "done", "it still obeys"


def test_a_refusal_of_a_forgery_repeats_nothing_of_it(rig: Make) -> None:
    door = rig()
    forged = jws.sign(door.claims().payload(), "stranger", Ed25519PrivateKey.generate(), "gorodok-command")
    (answer,) = door.give(forged)
    assert (answer.cid, answer.seq) == (None, None)


def test_stolen_signer_cannot_name_new_signers_and_is_forgotten_when_revoked(
    rig: Make, keys_dir: Path, ring: KeyRing
) -> None:
    door = rig()
    thief = ring._keys.privates[ring.kid]
    evil = b'{"seq":99,"city":"gorodok","keys":{"evil":"' + b"A" * 43 + b'"}}'
    on = "gorodok/v1/gorodok/ctl/keys/all"
    door.controller.take(on, jws.sign(evil, ring.kid, thief, "gorodok-keys"), door.s)
    assert set(door.identity.signers) == set(door.controller.state.signers)
    door.hear(door.beacon(now=door.now + 10**12, seq=2**52))  # the thief sets the time to the year 2058
    stolen = ring.kid
    change.rotate(keys_dir, after=_nothing())
    change.revoke(keys_dir, stolen)
    ring.refresh()
    door.controller.take(on, ring.keyset, door.s)
    assert door.ask(door.command()) == "clock", "what the thief said of the time is forgotten"
    door.hear()
    assert door.ask(door.command()) == "done"
    assert door.ask(jws.sign(door.claims().payload(), stolen, thief, "gorodok-command")) == "unknown_key"


def _nothing() -> Any:
    from datetime import timedelta

    return timedelta(0)


# ---- whatever the bytes are

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault

_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
_SIGNERS = {"k": _KEY.public_key().public_bytes_raw()}
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
_CLAIMS = st.fixed_dictionaries(
    {},
    optional={
        name: _JSON | st.sampled_from(["gorodok", "dma-1", "unlock", "live", "drill", 1, 2, 10**13])
        for name in ("cid", "seq", "city", "zone", "device", "kinds", "action", "mode", "nbf", "exp", "text", "level")
    },
)


def _only_reasons(message: bytes) -> None:
    for read in (
        lambda: read_command(message, _SIGNERS),
        lambda: read_beacon(message, _SIGNERS),
        lambda: read_keyset(message, _SIGNERS["k"]),
    ):
        reason = ""
        try:
            read()
        except RefusedError as refused:
            reason = refused.reason
        assert reason in ("", *REASONS)


@patient
@given(st.binary(max_size=300))
def test_any_bytes_give_a_reason_of_the_list(message: bytes) -> None:
    _only_reasons(message)


@patient
@given(_CLAIMS, st.sampled_from(["gorodok-command", "gorodok-clock", "gorodok-keys"]), st.sampled_from(["k", "root"]))
def test_any_signed_json_gives_a_reason_of_the_list(claims: dict[str, Any], typ: Any, kid: str) -> None:
    _only_reasons(jws.sign(json.dumps(claims).encode(), kid, _KEY, typ))


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 3_000,
        b'{"a":' * 900,
        b'{"seq":' + b"9" * 5_000 + b"}",
        b'{"seq":1,"seq":2}',
        b'{"text":"\\ud800"}',
        b"\xff\xfe",
        b"null",
        b"NaN",
    ],
)
def test_hostile_json_under_a_good_signature_is_malformed(payload: bytes) -> None:
    with pytest.raises(RefusedError, match="malformed"):
        read_command(jws.sign(payload, "k", _KEY, "gorodok-command"), _SIGNERS)
    with pytest.raises(RefusedError, match="malformed"):
        read_command(base64.urlsafe_b64encode(payload).rstrip(b"=") + b".e30.AAAA", _SIGNERS)


@patient
@given(st.binary(max_size=200), st.sampled_from(["command", "zone", "clock", "keys", "answer", "x"]))
def test_a_controller_never_raises(message: bytes, what: str) -> None:
    from device.controller import Controller
    from device.door import Door
    from device.identity import Identity
    from device.store import Store

    me = Identity("gorodok", "d", "door", "z", ("unlock",), "relock", bytes(32), bytes(32), 1, _SIGNERS)
    door = Door()
    Controller(me, door, Store(None)).take(f"gorodok/v1/gorodok/ctl/{what}/d", message, 1.0)
    assert door.moves == 0
