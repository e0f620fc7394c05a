"""What a document of a foreign protocol came to: messages of our contracts, refusals, and what was left aside."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ingest.adapters.parcels import cut
from ingest.contracts import CONTRACTS, Contract
from ingest.decode import Decoder
from ingest.parcel import Parcel, Refusal


@dataclass(slots=True)
class Decoding:
    """texts: JSON objects by feed, each accepted by its contract. refusals: with the original bytes of the part.

    dropped: parts of the document that the contract has no field for, by name: counted, so that nobody can say
    later that they were not there.
    """

    source: str
    texts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    refusals: list[Refusal] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        return sum(len(texts) for texts in self.texts.values())

    def add(self, feed: str, body: dict[str, Any], original: bytes) -> None:
        """A message, or a refusal with the bytes that it came in: those say more than our translation of them."""
        text = _json({name: value for name, value in body.items() if value is not None})
        decoded = _decoder(feed).decode(text.encode())
        if decoded.rejects:
            fault = decoded.rejects[0]
            self.refusals.append(Refusal(feed, self.source, original, fault.reason, fault.field, fault.value))
        else:
            self.texts[feed].append(text)

    def refuse(
        self, feed: str, original: bytes, reason: str, field_name: str | None = None, value: object = None
    ) -> None:
        shown = None if value is None else repr(value)[:200]
        told = reason if shown is None else f"{reason}, got {shown}"
        self.refusals.append(Refusal(feed, self.source, original, told, field_name, shown))

    def drop(self, name: str) -> None:
        """Counts a part that is left aside; names come from outside, so their length and number are bounded."""
        short = name[:64]
        self.dropped[short if short in self.dropped or len(self.dropped) < 100 else "…"] += 1

    def parcels(self) -> Iterator[Parcel | Refusal]:
        for feed, texts in self.texts.items():
            yield from cut(feed, self.source, texts)
        yield from self.refusals


def _json(body: dict[str, Any]) -> str:
    """JSON text that UTF-8 can hold: a lone surrogate (JSON of others may have one) becomes a question mark."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace").decode()


@cache
def _decoder(feed: str) -> Decoder[Contract]:
    return Decoder(CONTRACTS[feed])
