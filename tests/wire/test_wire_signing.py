"""The signing side: its JWS is everybody's JWS, and its parsers give reasons and nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jws as jose
from joserfc.jwk import OKPKey
from pydantic import ValidationError

from actuation.keys import KeyRing, change
from actuation.wire import base64url, jws
from actuation.wire.answer import Answer, Counters, Sensed, seal, verify_answer, verify_sensed
from actuation.wire.beacon import next_beacon
from actuation.wire.claims import CommandClaims
from actuation.wire.reasons import REASONS, Reason
from device import protocol

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
CLAIMS: dict[str, Any] = {
    "cid": "c1", "seq": 1, "city": "gorodok", "zone": "dma-1", "action": "unlock", "mode": "live", "nbf": 1, "exp": 2,
}  # fmt: skip


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    change.create(tmp_path / "keys", "gorodok")
    return KeyRing(tmp_path / "keys")


def test_both_sides_have_one_list_of_reasons() -> None:
    assert tuple(get_args(Reason)) == REASONS == protocol.REASONS


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_joserfc_accepts_our_signature(ring: KeyRing) -> None:
    message = ring.sign_command(CommandClaims(**CLAIMS))
    x = base64url.encode(ring.public_keys()[ring.kid].public_bytes_raw()).decode()
    key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": x})
    found = jose.deserialize_compact(message.decode(), key, algorithms=["EdDSA"])
    assert found.protected == {"alg": "EdDSA", "kid": ring.kid, "typ": "gorodok-command"}
    assert json.loads(found.payload) == CLAIMS


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_our_side_and_the_device_accept_a_signature_of_joserfc() -> None:
    key = OKPKey.generate_key("Ed25519")
    public = base64url.decode(str(key.as_dict(private=False)["x"]).encode())
    header = {"alg": "EdDSA", "kid": "k", "typ": "gorodok-command"}
    message = jose.serialize_compact(header, json.dumps(CLAIMS), key, algorithms=["EdDSA"]).encode()
    assert protocol.read_command(message, {"k": public}).cid == "c1"
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    signed = jws.verify(message, {"k": Ed25519PublicKey.from_public_bytes(public)}, "gorodok-command")
    assert isinstance(signed, jws.Signed)


def test_rfc_8037_example() -> None:
    """Appendix A.4: the one signature that Ed25519 gives for these bytes. Our typ differs, so by hand."""
    private = base64url.decode(b"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
    signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    signature = Ed25519PrivateKey.from_private_bytes(private).sign(signed)
    assert base64url.encode(signature) == (
        b"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )


@pytest.mark.parametrize(
    "over",
    [
        {"device": "d"},
        {"zone": None},
        {"kinds": ()},
        {"zone": None, "device": "d", "kinds": ("door",)},
        {"exp": 1},
        {"seq": -1},
        {"seq": 2**53},
        {"seq": 1.0},
        {"mode": "shadow"},
        {"action": "open"},
        {"level": 101},
        {"text": "x" * 501},
        {"cid": "a b"},
        {"more": 1},
    ],
)
def test_claims_that_make_no_sense_are_never_signed(over: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CommandClaims(**CLAIMS | over)


NAMES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
NUMBERS = st.integers(0, 2**53 - 2)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


@patient
@given(
    st.fixed_dictionaries(
        {
            "cid": NAMES,
            "seq": NUMBERS,
            "city": NAMES,
            "action": st.sampled_from(protocol.ACTIONS),
            "mode": st.sampled_from(["live", "drill"]),
        },
        optional={"text": st.text(max_size=500), "level": st.integers(0, 100)},
    ),
    st.tuples(NAMES, st.none() | st.lists(NAMES, min_size=1, max_size=3)) | NAMES,
    NUMBERS,
)
def test_whatever_we_can_sign_a_device_reads_the_same(said: dict[str, Any], target: Any, nbf: int) -> None:
    to = {"device": target} if isinstance(target, str) else {"zone": target[0], "kinds": target[1]}
    claims = CommandClaims(**said, **to, nbf=nbf, exp=nbf + 1)
    message = jws.sign(claims.payload(), "k", KEY, "gorodok-command")
    read = protocol.read_command(message, {"k": KEY.public_key().public_bytes_raw()})
    for name, value in claims.model_dump().items():
        assert getattr(read, name) == value, name


@patient
@given(st.binary(max_size=300))
def test_any_bytes_give_a_reason_of_the_list(message: bytes) -> None:
    found = jws.verify(message, {"k": KEY.public_key()}, "gorodok-command")
    assert isinstance(found, jws.Bad)
    assert found.reason in REASONS


class _OneKey:
    def device_keys(self, device_id: str) -> tuple[bytes, ...]:
        return (b"k" * 32,) if device_id == "d" else ()


@patient
@given(
    st.binary(max_size=300)
    | st.recursive(
        st.none() | st.integers() | st.floats() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
        max_leaves=6,
    ).map(lambda value: seal(json.dumps(value).encode(), b"k" * 32)),
    st.sampled_from([None, "d", "x"]),
)
def test_any_answer_gives_a_reason_of_the_list(payload: bytes, device_id: str | None) -> None:
    for verify in (verify_answer, verify_sensed):
        found = verify(payload, _OneKey(), device_id)
        assert isinstance(found, jws.Bad)
        assert found.reason in REASONS


GOOD = b'{"device":"d","cid":"c","seq":1,"result":"done","state":"unlocked","at":5,"n":3}'


def test_good_answer() -> None:
    for device_id in ("d", None):
        found = verify_answer(seal(GOOD, b"k" * 32), _OneKey(), device_id)
        assert isinstance(found, Answer)
        assert (found.result, found.n) == ("done", 3)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (GOOD, "unsigned"),
        (seal(GOOD, b"x" * 32), "signature"),
        (seal(GOOD.replace(b'"d"', b'"x"'), b"k" * 32), "wrong_device"),
        (seal(GOOD.replace(b"done", b"gone"), b"k" * 32), "malformed"),
        (seal(GOOD.replace(b'"n":3', b'"n":3,"more":1'), b"k" * 32), "malformed"),
        (seal(GOOD.replace(b'"seq":1', b'"seq":true'), b"k" * 32), "malformed"),
        (seal(b"[" * 5_000 + b"}", b"k" * 32), "malformed"),
        (GOOD + b".=", "malformed"),
        (b"", "malformed"),
        (b"{" * 9_000, "unsigned"),
    ],
)
def test_bad_answer(payload: bytes, reason: str) -> None:
    assert verify_answer(payload, _OneKey(), "d") == jws.Bad(reason)  # type: ignore[arg-type]


def test_answer_of_a_name_that_no_device_has_is_an_unknown_key() -> None:
    assert verify_answer(seal(GOOD, b"k" * 32), _OneKey(), "x") == jws.Bad("unknown_key")


def test_one_byte_of_an_answer_changed_is_refused() -> None:
    good = seal(GOOD, b"k" * 32)
    for index in range(len(good)):
        changed = good[:index] + bytes([good[index] ^ 1]) + good[index + 1 :]
        found = verify_answer(changed, _OneKey(), "d")
        assert isinstance(found, jws.Bad), changed


@pytest.mark.parametrize(
    "over",
    [
        {"result": "refused"},
        {"reason": "clock"},
        {"result": "failed", "reason": "clock"},
        {"result": "refused", "reason": "not_reached"},
        {"cid": None},
        {"cid": None, "seq": None},
    ],
)
def test_answers_that_make_no_sense_are_malformed(over: dict[str, Any]) -> None:
    body = json.dumps(json.loads(GOOD) | over).encode()
    assert verify_answer(seal(body, b"k" * 32), _OneKey(), "d") == jws.Bad("malformed")


def test_sensed_has_a_state_or_a_reading() -> None:
    found = verify_sensed(seal(b'{"device":"d","reading":{"distance_m":1.5},"at":null,"n":1}', b"k" * 32), _OneKey())
    assert isinstance(found, Sensed)
    assert found.reading == {"distance_m": 1.5}
    both = b'{"device":"d","state":"on","reading":{},"at":null,"n":1}'
    assert verify_sensed(seal(both, b"k" * 32), _OneKey()) == jws.Bad("malformed")
    assert verify_sensed(seal(GOOD, b"k" * 32), _OneKey()) == jws.Bad("malformed"), "an answer is no sensor"


def test_old_message_sent_again_is_not_new() -> None:
    counters = Counters()
    messages = [verify_answer(seal(GOOD.replace(b'"n":3', f'"n":{n}'.encode()), b"k" * 32), _OneKey()) for n in (3, 4)]
    assert [counters.is_new(each) for each in (*messages, *messages)] == [True, True, False, False]  # type: ignore[arg-type]


def test_beacon_counts_and_says_the_time(ring: KeyRing) -> None:
    numbers = iter(range(7, 100))
    at = datetime(2026, 11, 25, 12, tzinfo=UTC)
    for seq in (7, 8):
        beacon = protocol.read_beacon(
            next_beacon("gorodok", ring, lambda: next(numbers), at),
            {kid: key.public_bytes_raw() for kid, key in ring.public_keys().items()},
        )
        assert (beacon.seq, beacon.now, beacon.city) == (seq, 1_795_608_000_000, "gorodok")
