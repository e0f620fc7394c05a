"""Bytes to models of a contract; what is wrong is told by field, value and reason, with the original bytes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from ingest.contracts import Contract

C = TypeVar("C", bound=Contract)

SHOWN_VALUE = 200
"""Characters of a wrong value that a reason repeats."""


@dataclass(frozen=True, slots=True)
class Reject:
    """payload: the original bytes of the item that is wrong, or of the whole message when it is no JSON."""

    reason: str
    field: str | None
    value: str | None
    payload: bytes


@dataclass(slots=True)
class Decoded(Generic[C]):
    good: list[C] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


class Decoder(Generic[C]):
    """Decodes the payloads of one feed. Never raises on any bytes."""

    def __init__(self, contract: type[C], max_bytes: int = 1_048_576) -> None:
        self._one = contract.__pydantic_validator__.validate_json
        self._many = TypeAdapter(list[contract]).validator.validate_json  # type: ignore[valid-type]
        self._max_bytes = max_bytes

    def decode(self, payload: bytes) -> Decoded[C]:
        """A JSON object is one message; an array is many, of which the bad ones do not hinder the good ones."""
        if len(payload) > self._max_bytes:
            reason = f"payload of {len(payload)} bytes is over the limit of {self._max_bytes}: send smaller batches"
            return Decoded(rejects=[Reject(reason, None, None, payload)])
        batched = payload.lstrip()[:1] == b"["
        try:
            if batched:
                return Decoded(good=self._many(payload))
            return Decoded(good=[self._one(payload)])
        except ValidationError as error:
            if not batched or _is_syntax(error):
                return Decoded(rejects=[_reject(error, payload)])
        return self._one_by_one(payload)

    def _one_by_one(self, payload: bytes) -> Decoded[C]:
        result: Decoded[C] = Decoded()
        try:
            items = _split_array(payload)
        except (ValueError, RecursionError) as error:
            return Decoded(rejects=[Reject(f"not JSON that can be split: {error}", None, None, payload)])
        for item in items:
            try:
                result.good.append(self._one(item))
            except ValidationError as error:
                result.rejects.append(_reject(error, item))
        return result


def _is_syntax(error: ValidationError) -> bool:
    return error.errors(include_url=False, include_context=False, include_input=False)[0]["type"] == "json_invalid"


def _reject(error: ValidationError, payload: bytes) -> Reject:
    """The first fault in words; how many more there are."""
    faults = error.errors(include_url=False, include_context=False)
    first = faults[0]
    where = ".".join(str(part) for part in first["loc"]) or None
    value = None if first["type"] in ("json_invalid", "missing") else _shown(first.get("input"))
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    message = first["msg"]
    if first["type"] == "extra_forbidden":
        message = "the contract has no such field: remove it, or add it to the contract"
    text = f"{where}: {message}" if where else message
    if value is not None:
        text += f", got {value}"
    return Reject(text + more, where, value, payload)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_VALUE else text[:SHOWN_VALUE] + "…"


def _split_array(payload: bytes) -> list[bytes]:
    """The items of a JSON array as the bytes that they were sent in."""
    text = payload.decode("utf-8")
    scan = json.JSONDecoder().raw_decode
    at = text.index("[") + 1
    items: list[bytes] = []
    while True:
        at = _skip_space(text, at)
        if at < len(text) and text[at] == "]" and not items:
            return items
        _, end = scan(text, at)
        items.append(text[at:end].encode())
        at = _skip_space(text, end)
        if text[at : at + 1] == "]":
            return items
        if text[at : at + 1] != ",":
            raise ValueError(f"expected , or ] at character {at}")
        at += 1


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at
