"""What became of an alert: accepted, ignored (nothing wrong, nothing to do), or refused for a reason of a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from actuation.scenario.event import Event, Trust
from ingest.contracts.alert import Alert
from ingest.parcel import Refusal

FEED = "alert"

Reason = Literal[
    "xml",  # no plain, small XML: too large, too deep, entities, a document type, broken
    "version",  # CAP 1.1 or 1.0, or no alert at all
    "schema",  # breaks a rule of the CAP 1.2 schema
    "contract",  # schema-valid, and still not an alert that we can store (a text too long)
    "identity",  # identifier or sender with white space, commas, < or &
    "sender",  # this source may not speak for this sender
    "channel",  # this source does not use this way in
    "unsigned",  # the source signs, and this is not signed
    "stranger",  # signed with a key that is not pinned for this source
    "certificate",  # pinned, and not yet or no longer valid
    "algorithm",  # SHA-1 or another weak or unknown method
    "signature",  # does not verify, or does not cover exactly the whole alert
    "conflict",  # the identity of an alert that we have, with other words
    "future",  # sent later than our clock allows
    "too_old",  # sent longer ago than the source allows
    "expired",  # all its information has expired, or expires before it was sent
    "scope",  # Restricted or Private, and not for us
    "references",  # an Update or Cancel without references, or of somebody else's alert
    "area",  # a polygon, circle or geocode that means nothing
    "swapped",  # longitude before latitude
    "no_area",  # names no area, and the source's setting does not take that as the whole city
    "elsewhere",  # none of its areas touches a zone of the city
]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A believable alert, matched to zones.

    key: "sender,identifier,sent" (sent in UTC with Z); the same alert on another channel has the same key.
    body: fields of the feed `alert`, the very ones that `gorodok pull` would publish for these bytes.
    events: one for each set of zones that its <info> blocks name, mostly one. The engine is given all of them.
    digest: of the body, so that a second alert of this identity can be compared.
    references: keys of the alerts that it updates or cancels.
    remarks: what a person should know (a certificate that lapses soon, a geocode that nobody knows).
    """

    source: str
    key: str
    trust: Trust
    alert: Alert
    body: Mapping[str, Any]
    events: tuple[Event, ...]
    digest: str
    references: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def event(self) -> Event:
        """The first event, whose key is the alert's own."""
        return self.events[0]

    @property
    def zones(self) -> tuple[str, ...]:
        return tuple(sorted({zone for event in self.events for zone in event.zones}))


@dataclass(frozen=True, slots=True)
class Ignored:
    """repeated: acted on already (another channel). superseded: its Update or Cancel came first. answer: Ack or Error.
    elsewhere: about other places, from a source that may speak of them."""

    why: Literal["repeated", "superseded", "answer", "elsewhere"]
    key: str
    source: str


@dataclass(frozen=True, slots=True)
class Refused:
    """told: the sentence for the log and the quarantine row. field, value: what is wrong."""

    reason: Reason
    told: str
    field: str | None = None
    value: str | None = None
    key: str | None = None

    def refusal(self, source: str, data: bytes) -> Refusal:
        """The quarantine row's content, with the original bytes. `source`: code of the source."""
        return Refusal(FEED, f"cap:{source}", data, f"{self.reason}: {self.told}", self.field, self.value)


Verdict = Accepted | Ignored | Refused


class RefusedError(Exception):
    """Carries a Refused out of a step of the judgement."""

    def __init__(self, reason: Reason, told: str, field: str | None = None, value: object = None) -> None:
        super().__init__(told)
        shown = None if value is None else str(value)[:200]
        self.refused = Refused(reason, told, field, shown)
