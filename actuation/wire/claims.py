"""What a signed message says: a command, the time, the keys. Times are integer milliseconds since 1970, UTC."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from city.layers import Action

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Number = Annotated[int, Field(ge=0, lt=2**53)]
"""Less than 2**53, so that a client in any language holds it exactly."""

LONGEST_TEXT = 500


class Claims(BaseModel):
    """Base: strict, nothing unknown, nothing changes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    def payload(self) -> bytes:
        """The JSON that is signed; what is None is left out."""
        return self.model_dump_json(exclude_none=True).encode()


class CommandClaims(Claims):
    """One command to one device, or to the devices of one zone.

    cid: the effect's id; the same id is done once. seq: `Ledger.next_seq()`, new for each signature, retries too.
    """

    cid: Name
    seq: Number
    city: Name
    zone: Name | None = None
    device: Name | None = None
    kinds: Annotated[tuple[Name, ...], Field(strict=False)] | None = None
    """Of a zone: only these kinds of devices; None is all."""
    action: Action
    mode: Literal["live", "drill"]
    nbf: Number
    exp: Number
    text: Annotated[str, Field(max_length=LONGEST_TEXT)] | None = None
    level: Annotated[int, Field(ge=0, le=100)] | None = None
    """Brightness, percent."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.zone is None) == (self.device is None):
            raise ValueError("a command is for a zone or for a device: give one of zone and device")
        if self.kinds is not None and (self.zone is None or not self.kinds):
            raise ValueError("kinds belongs to a zone and names one kind or more: leave it out otherwise")
        if self.exp <= self.nbf:
            raise ValueError("exp must be later than nbf")
        return self


class ClockClaims(Claims):
    """The time, now. seq rises with each beacon."""

    seq: Number
    city: Name
    now: Number


class KeySetClaims(Claims):
    """Which signers devices accept from now on, all of them; signed by the root key. seq: number of the set."""

    seq: Number
    city: Name
    keys: dict[Name, Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]]
    """kid → public key: 32 bytes in base64url."""
