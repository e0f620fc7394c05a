"""What devices say, under their own keys: `<json bytes>.<base64url HMAC-SHA256 over exactly those json bytes>`."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Protocol, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from actuation.wire.base64url import decode, encode
from actuation.wire.claims import Name, Number
from actuation.wire.jws import LONGEST, Bad
from actuation.wire.reasons import Reason

State = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[a-z_]+$")]


class DeviceKeys(Protocol):
    """Where a device's keys come from: `actuation.keys.KeyRing`."""

    def device_keys(self, device_id: str) -> tuple[bytes, ...]:
        """The keys that it may use now, newest first; empty for a name that no device has."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    device: Name
    at: Number | None = None
    """Milliseconds since 1970, UTC, by the beacon; None while the device has no time."""
    n: Number
    """The device's own counter: rises with each message, over restarts too."""


class Answer(_Message):
    """One device's answer to one command.

    cid, seq: of the command; both None when its signature was not good, since nothing in it can be believed.
    """

    cid: Name | None = None
    seq: Number | None = None
    result: Literal["done", "would_do", "refused", "failed"]
    reason: Reason | Literal["not_reached"] | None = None
    """Of a refusal: why. Of a failure: not_reached, the sensor did not show what was commanded in time."""
    state: State
    """What its own sensor says."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.result in ("refused", "failed")) != (self.reason is not None):
            raise ValueError("a refusal and a failure have a reason, and nothing else has")
        if (self.reason == "not_reached") != (self.result == "failed"):
            raise ValueError("not_reached is the reason of a failure")
        if (self.cid is None) != (self.seq is None) or (self.cid is None and self.result != "refused"):
            raise ValueError("cid and seq are there together; only a refusal may lack them")
        return self


class Sensed(_Message):
    """What a device's sensor says without being asked: its own state, or a reading."""

    state: State | None = None
    reading: Mapping[str, Any] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.state is None) == (self.reading is None):
            raise ValueError("give one of state and reading")
        return self


M = TypeVar("M", bound=_Message)


def verify_answer(payload: bytes, keys: DeviceKeys, device_id: str | None = None) -> Answer | Bad:
    """An answer that its device made, or why it is none. Never raises.

    device_id: the last part of the topic. Give it: the HMAC is then checked before anything is parsed, and an answer
    that a device gives in another's name is `wrong_device`.
    """
    return _verify(payload, keys, device_id, Answer)


def verify_sensed(payload: bytes, keys: DeviceKeys, device_id: str | None = None) -> Sensed | Bad:
    """The same for what a sensor says."""
    return _verify(payload, keys, device_id, Sensed)


def seal(body: bytes, key: bytes) -> bytes:
    """JSON bytes and their HMAC, as a device sends them."""
    return body + b"." + encode(hmac.digest(key, body, "sha256"))


def _verify(payload: bytes, keys: DeviceKeys, device_id: str | None, model: type[M]) -> M | Bad:
    body, _, mac = payload.rpartition(b".")
    if body[-1:] != b"}" or len(payload) > LONGEST:
        return Bad("unsigned" if payload[:1] == b"{" else "malformed")
    if device_id is not None:
        message = _checked(body, mac, keys, device_id) or _parsed(body, model)
        return Bad("wrong_device") if not isinstance(message, Bad) and message.device != device_id else message
    message = _parsed(body, model)
    return message if isinstance(message, Bad) else _checked(body, mac, keys, message.device) or message


def _checked(body: bytes, mac: bytes, keys: DeviceKeys, device_id: str) -> Bad | None:
    known = keys.device_keys(device_id)
    for key in known:  # there is one way to write a MAC, so texts are compared: decoding took as long as the HMAC
        if hmac.compare_digest(encode(hmac.digest(key, body, "sha256")), mac):
            return None
    try:
        decode(mac)
    except ValueError:
        return Bad("malformed")
    return Bad("signature" if known else "unknown_key")


def _parsed(body: bytes, model: type[M]) -> M | Bad:
    try:
        return model.model_validate_json(body)
    except (ValidationError, RecursionError):
        return Bad("malformed")


class Counters:
    """The newest counter of each device, so that an old message that somebody sends again is told from a new one."""

    def __init__(self) -> None:
        self._newest: dict[str, int] = {}

    def is_new(self, message: Answer | Sensed) -> bool:
        """True once for each rising `n` of a device."""
        if message.n <= self._newest.get(message.device, -1):
            return False
        self._newest[message.device] = message.n
        return True
