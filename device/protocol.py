"""The bytes of the protocol: signed messages in (JWS, Ed25519), messages under the device's own key out (HMAC-SHA256).

docs/devices-protocol.md says the same in words. Only Ed25519 itself comes from a library.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PREFIX = "gorodok/v1"
LONGEST = 8_192
"""Bytes of a message."""

LONGEST_TEXT = 500
REASONS = (
    "unsigned",
    "signature",
    "unknown_key",
    "clock",
    "expired",
    "not_yet",
    "repeated",
    "sequence",
    "wrong_city",
    "wrong_zone",
    "wrong_device",
    "unsupported",
    "malformed",
)
ACTIONS = ("unlock", "lock", "light_on", "light_off", "siren_on", "siren_off", "show")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class RefusedError(Exception):
    """A message that this device does not accept; `reason` is one of REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Command:
    """What a signed command says. Times: milliseconds since 1970, UTC. kid: whose signature it was."""

    kid: str
    cid: str
    seq: int
    city: str
    zone: str | None
    device: str | None
    kinds: tuple[str, ...] | None
    action: str
    mode: str
    nbf: int
    exp: int
    text: str | None
    level: int | None

    def says(self) -> str:
        """The same for two messages that ask for the same; the number and the times may differ (a retry)."""
        parts = [self.city, self.zone, self.device, self.kinds, self.action, self.mode, self.text, self.level]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Beacon:
    kid: str
    seq: int
    city: str
    now: int


@dataclass(frozen=True, slots=True)
class KeySet:
    seq: int
    city: str
    keys: dict[str, bytes]
    """kid → public key, 32 bytes."""


def topic(city: str, what: str, who: str) -> str:
    return f"{PREFIX}/{city}/ctl/{what}/{who}"


def read_command(message: bytes, signers: Mapping[str, bytes]) -> Command:
    """Raises RefusedError, and nothing else, whatever the bytes are."""
    kid, claims = _signed(message, signers, "gorodok-command")
    try:
        return _command(kid, claims)
    except (KeyError, ValueError):
        raise RefusedError("malformed") from None


def read_beacon(message: bytes, signers: Mapping[str, bytes]) -> Beacon:
    """Raises RefusedError."""
    kid, claims = _signed(message, signers, "gorodok-clock")
    try:
        _only(claims, {"seq", "city", "now"})
        return Beacon(kid, _number(claims["seq"]), _name(claims["city"]), _number(claims["now"]))
    except (KeyError, ValueError):
        raise RefusedError("malformed") from None


def read_keyset(message: bytes, root: bytes) -> KeySet:
    """Raises RefusedError. root: the one public key that may say which signers are good."""
    _, claims = _signed(message, {"root": root}, "gorodok-keys")
    try:
        _only(claims, {"seq", "city", "keys"})
        keys = {_name(kid): _public(text) for kid, text in claims["keys"].items()}
        return KeySet(_number(claims["seq"]), _name(claims["city"]), keys)
    except (KeyError, ValueError, AttributeError):
        raise RefusedError("malformed") from None


def seal(body: Mapping[str, Any], key: bytes) -> bytes:
    """`<json>.<base64url of HMAC-SHA256 over exactly those json bytes>`."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return text + b"." + encode(hmac.digest(key, text, "sha256"))


def encode(data: bytes) -> bytes:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def decode(text: bytes) -> bytes:
    """Raises ValueError unless the text is the one way to write these bytes."""
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error
    if encode(data) != text:
        raise ValueError("not canonical base64url")
    return data


def strict_object(data: bytes) -> dict[str, Any]:
    """A JSON object without repeated names and without numbers that are no integers; ValueError otherwise."""
    try:
        value = json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_no_number, parse_float=_no_number)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _signed(message: bytes, signers: Mapping[str, bytes], typ: str) -> tuple[str, dict[str, Any]]:
    """Who signed it, and what it says. The signature is checked before the claims are looked at."""
    if len(message) > LONGEST:
        raise RefusedError("malformed")
    parts = message.split(b".")
    if len(parts) != 3:
        raise RefusedError("unsigned" if message.lstrip()[:1] == b"{" else "malformed")
    try:
        header = strict_object(decode(parts[0]))
        if not parts[2] or header.get("alg") == "none":
            raise RefusedError("unsigned")
        payload, signature = decode(parts[1]), decode(parts[2])
    except ValueError:
        raise RefusedError("malformed") from None
    if header.keys() != {"alg", "kid", "typ"} or header["typ"] != typ or not isinstance(header["kid"], str):
        raise RefusedError("malformed")
    if header["alg"] != "EdDSA":
        raise RefusedError("signature")
    public = signers.get(header["kid"])
    if public is None:
        raise RefusedError("unknown_key")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, parts[0] + b"." + parts[1])
    except InvalidSignature:
        raise RefusedError("signature") from None
    try:
        return header["kid"], strict_object(payload)
    except ValueError:
        raise RefusedError("malformed") from None


def _command(kid: str, claims: dict[str, Any]) -> Command:
    needed = {"cid", "seq", "city", "action", "mode", "nbf", "exp"}
    _only(claims, needed | {"zone", "device", "kinds", "text", "level"}, needed)
    zone, device, kinds = claims.get("zone"), claims.get("device"), claims.get("kinds")
    text, level = claims.get("text"), claims.get("level")
    if (zone is None) == (device is None) or (kinds is not None and zone is None):
        raise ValueError("one of zone and device; kinds only with a zone")
    if claims["mode"] not in ("live", "drill") or claims["action"] not in ACTIONS:
        raise ValueError("mode or action")
    if kinds is not None and (not isinstance(kinds, list) or not kinds):
        raise ValueError("kinds")
    if level is not None and _number(level) > 100:
        raise ValueError("level")
    command = Command(
        kid=kid,
        cid=_name(claims["cid"]),
        seq=_number(claims["seq"]),
        city=_name(claims["city"]),
        zone=None if zone is None else _name(zone),
        device=None if device is None else _name(device),
        kinds=None if kinds is None else tuple(_name(kind) for kind in kinds),
        action=claims["action"],
        mode=claims["mode"],
        nbf=_number(claims["nbf"]),
        exp=_number(claims["exp"]),
        text=None if text is None else _text(text),
        level=level,
    )
    if command.exp <= command.nbf:
        raise ValueError("exp")
    return command


def _only(claims: dict[str, Any], known: set[str], needed: set[str] | None = None) -> None:
    """A name that is not known may change the meaning: a device that does not understand it must not act."""
    if not (needed or known) <= claims.keys() <= known:
        raise ValueError("a claim is missing or unknown")
    if any(value is None for value in claims.values()):
        raise ValueError("null")


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**53:
        raise ValueError("not a number of the protocol")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError("not a name")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise ValueError("not a text")
    value.encode()  # half a surrogate pair is no text
    return value


def _public(text: Any) -> bytes:
    if not isinstance(text, str) or len(key := decode(text.encode())) != 32:
        raise ValueError("not a public key")
    return key


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of the protocol")
