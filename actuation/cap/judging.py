"""The judgement of one alert's original bytes. Whatever is not plainly right is refused with a reason."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from lxml import etree
from pydantic import ValidationError

from actuation.cap.identity import UNVERIFIED, as_believed, key_of, references_of
from actuation.cap.pins import Pin
from actuation.cap.places import Places
from actuation.cap.schema import schema_fault
from actuation.cap.seen import RANK, Seen, Sighting
from actuation.cap.signature import signatures_of, verified
from actuation.cap.source import CapSource, Channel
from actuation.cap.verdict import Accepted, Ignored, Refused, RefusedError, Verdict
from actuation.cap.zones import ZoneIndex
from actuation.scenario.event import Event, Trust
from ingest.cap import CAP, UnsafeXmlError, UnusableAlertError, of_element
from ingest.cap.xml import parse
from ingest.contracts.alert import Alert

ACTS = frozenset({"Actual", "Exercise"})
"""Test, System and Draft are believed by nobody: they may inform, whoever signed them."""


def judge(
    data: bytes, source: CapSource, zones: ZoneIndex, seen: Seen, now: datetime, *, channel: Channel | None = None
) -> Verdict:
    """Never raises for what is in `data`. Writes nothing: call `seen.add(accepted)` when the ledger has the event.

    data: one alert as it came (ingest.cap.split cuts a document of several). now: UTC, our clock.
    """
    key: list[str] = []
    try:
        return _judge(data, source, zones, seen, now, channel, key)
    except RefusedError as error:
        return replace(error.refused, key=key[0] if key else None)


@dataclass(frozen=True, slots=True)
class _Read:
    """body: contract fields. believed: how far the source, or its signature, vouches for it."""

    body: dict[str, Any]
    alert: Alert
    believed: Trust
    key: str
    digest: str
    pin: Pin | None


def _judge(
    data: bytes,
    source: CapSource,
    zones: ZoneIndex,
    seen: Seen,
    now: datetime,
    channel: Channel | None,
    key: list[str],
) -> Accepted | Ignored | Refused:
    if channel is not None and channel not in source.channels:
        raise RefusedError("channel", f"source {source.code} does not use {channel}", "channels", channel)
    read = _read(data, source, now)
    key.append(read.key)
    if source.senders and read.alert.sender not in source.senders:
        raise RefusedError("sender", f"source {source.code} may not speak for this sender", "sender", read.alert.sender)
    live = _in_time(read.alert, source, now)
    if ignored := _known(read, source, seen):
        return ignored
    if read.alert.msgType in ("Ack", "Error"):
        return Ignored("answer", read.key, source.code)
    _meant_for_us(read.alert, source)
    references = _references(read, source, seen)
    places = Places(source, zones)
    events = tuple(_events(read, live, places, references, seen))
    if not events:
        if source.elsewhere == "ignore":
            return Ignored("elsewhere", read.key, source.code)
        raise RefusedError("elsewhere", "touches no zone of this city", "area", _described(read.body))
    remarks = [*places.remarks]
    if read.pin is not None and (warning := read.pin.warning(now)):
        remarks.append(warning)
    return Accepted(
        source.code, read.key, read.believed, read.alert, read.body, events, read.digest, references,
        tuple(remarks),
    )  # fmt: skip


def _read(data: bytes, source: CapSource, now: datetime) -> _Read:
    """The alert, from the signed bytes where a signature counts."""
    root = _xml(data)
    if root.tag != f"{{{CAP}}}alert":
        namespace = etree.QName(root).namespace
        raise RefusedError("version", "only one CAP 1.2 <alert> is judged", "alert", f"{namespace} {root.tag}")
    believed: Trust = "trusted" if source.trust == "trusted" else "none"
    pin = None
    if source.trust == "signed" or (source.certificates and signatures_of(root)):
        signed, pin = verified(data, source, now)
        root, believed = _xml(signed), "verified"
    if fault := schema_fault(root):
        raise RefusedError("schema", fault[1], fault[0])
    try:
        body = of_element(root).body
        alert = Alert.model_validate_json(_json(body))
    except UnusableAlertError as error:
        raise RefusedError("contract", error.reason, error.field, error.value) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RefusedError("contract", first["msg"], where, first.get("input")) from error
    if source.trust == "inform":
        believed = "none"
    return _Read(body, alert, believed, key_of(body, believed), sha256(_json(body)).hexdigest(), pin)


def _xml(data: bytes) -> etree._Element:
    try:
        return parse(data)
    except UnsafeXmlError as error:
        raise RefusedError("xml", str(error)) from error


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _in_time(alert: Alert, source: CapSource, now: datetime) -> list[int]:
    """Indexes of the <info> blocks that still count; RefusedError: future, too_old, expired."""
    if alert.sent - now > timedelta(seconds=source.max_future_s):
        raise RefusedError("future", f"sent more than {source.max_future_s:g} s ahead of our clock", "sent", alert.sent)
    if now - alert.sent > timedelta(seconds=source.max_age_s):
        raise RefusedError("too_old", f"sent more than {source.max_age_s:g} s ago", "sent", alert.sent)
    for info in alert.info:
        if info.expires is not None and info.expires <= alert.sent:
            raise RefusedError("expired", "expires before it was sent", "expires", info.expires)
    live = [at for at, info in enumerate(alert.info) if info.expires is None or info.expires > now]
    if alert.info and not live:
        raise RefusedError("expired", "its time is over", "expires", alert.info[0].expires)
    return live


def _known(read: _Read, source: CapSource, seen: Seen) -> Ignored | None:
    """Repeats and alerts that were withdrawn before they came; RefusedError: the same identity, other words."""
    before = seen.sighting(read.key)
    if before is not None:
        if before.digest == read.digest:
            return Ignored("repeated", read.key, source.code)
        if RANK[before.trust] < RANK[read.believed]:
            return None  # without a signature somebody took this identity first: the signed alert is not kept out
        told = f"other words under the identity of an alert that {before.source} sent: a changed alert needs its own"
        raise RefusedError("conflict", told, "identifier", read.alert.identifier)
    gone = seen.withdrawn(read.key)
    if gone is not None and RANK[gone] >= RANK[read.believed]:
        return Ignored("superseded", read.key, source.code)
    return None


def _meant_for_us(alert: Alert, source: CapSource) -> None:
    if alert.scope not in source.scopes:
        told = f"scope {alert.scope} is not taken from {source.code}"
        raise RefusedError("scope", told, "scope", alert.scope)
    if alert.scope == "Restricted" and not alert.restriction:
        raise RefusedError("scope", "a Restricted alert must say its <restriction>", "restriction")
    if alert.scope == "Private" and not set(_addresses(alert.addresses or "")) & set(source.addresses):
        raise RefusedError("scope", "a Private alert that does not address this city", "addresses", alert.addresses)


def _addresses(text: str) -> list[str]:
    """CAP 1.2, 3.2.1: separated by white space, in double quotes where one has white space inside."""
    parts = text.split('"')
    return [word for at, part in enumerate(parts) for word in ([part] if at % 2 else part.split())]


def _references(read: _Read, source: CapSource, seen: Seen) -> tuple[str, ...]:
    """Keys that it updates or cancels; RefusedError when it names none, or what somebody else sent."""
    if read.alert.msgType not in ("Update", "Cancel"):
        return ()
    keys = references_of(read.body)
    if not keys:
        raise RefusedError("references", f"a {read.alert.msgType} must name what it is about", "references")
    for key in keys:
        if key.split(",", 1)[0] != read.alert.sender:
            raise RefusedError("references", "names an alert of another sender", "references", key)
    keys = tuple(as_believed(key, read.believed) for key in keys)
    for key in keys:
        before = seen.sighting(key)
        if before is not None and not _may_end(before, read, source):
            told = f"names an alert that came from {before.source}, which vouches for it better"
            raise RefusedError("references", told, "references", key)
    return keys


def _may_end(before: Sighting, read: _Read, source: CapSource) -> bool:
    """A signature speaks for the sender on any channel; without one only the same source may take an alert back."""
    if read.believed == "verified":
        return True
    return before.source == source.code and RANK[read.believed] >= RANK[before.trust]


def _events(read: _Read, live: list[int], places: Places, references: tuple[str, ...], seen: Seen) -> Iterator[Event]:
    """One for each set of zones: a missile in one zone and wind in another must not open doors in both."""
    infos = [read.body["info"][at] for at in live]
    groups: dict[frozenset[str], list[dict[str, Any]]] = {}
    ends = read.alert.msgType == "Cancel"
    for info in infos:
        named = frozenset() if ends and not _names_area(info) else places.of(info)
        groups.setdefault(named, []).append(info)
    if ends and (not groups or not any(groups)):
        groups = {_cancelled(references, seen): infos}
    elif not infos:
        raise RefusedError("no_area", f"an {read.alert.msgType} without <info> says nothing to act on", "info")
    about = [(zones, found) for zones, found in groups.items() if zones or ends]
    believed: Trust = read.believed if read.alert.status in ACTS else "none"
    # the engine takes a key once: a signed alert is another event than the unsigned one that came under its identity
    name = read.key if seen.sighting(read.key) is None else f"{read.key}#{read.believed}"
    for number, (zones, found) in enumerate(about, 1):
        body = {**read.body, "info": found}
        if len(about) > 1:
            body["part"] = [number, len(about)]
        if references:
            body["references"] = " ".join(key.removesuffix(UNVERIFIED) for key in references)
        key = name if number == 1 else f"{name}#{number}"
        yield Event("alert", key, read.alert.sent, body, tuple(sorted(zones)), believed)


def _names_area(info: Mapping[str, Any]) -> bool:
    return any(area["polygon"] or area["circle"] or area["geocode"] for area in info.get("area", ()))


def _cancelled(references: tuple[str, ...], seen: Seen) -> frozenset[str]:
    """A Cancel that names no area is about the zones of what it cancels."""
    found = (seen.sighting(key) for key in references)
    return frozenset(zone for sighting in found if sighting is not None for zone in sighting.zones)


def _described(body: Mapping[str, Any]) -> str:
    return "; ".join(area["areaDesc"] for info in body["info"] for area in info["area"])[:200]
