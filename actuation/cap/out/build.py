"""Our own CAP 1.2: an alert's contract fields as a document that the schema accepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lxml import etree

from actuation.cap.schema import schema_fault
from ingest.cap import CAP
from ingest.contracts.alert import Alert, Area, Info, NamedValue, Resource

ONE = ("identifier", "sender", "sent", "status", "msgType", "cap_source", "scope", "restriction", "addresses")
REST = ("note", "references", "incidents")
INFO_BEGIN = ("language", "category", "event", "responseType", "urgency", "severity", "certainty", "audience")
INFO_TIMES = ("effective", "onset", "expires")
INFO_END = ("senderName", "headline", "description", "instruction", "web", "contact")


class NotOursToSendError(ValueError):
    """An alert that we must not, or cannot, send on; the text says why."""


def build(alert: Alert) -> bytes:
    """The unsigned document, UTF-8. NotOursToSendError: not public, or no valid CAP 1.2."""
    if alert.scope != "Public":
        raise NotOursToSendError(f"scope is {alert.scope}: what is restricted or private is not sent on")
    root = etree.Element(f"{{{CAP}}}alert", nsmap={None: CAP})  # type: ignore[dict-item]  # lxml takes None
    _all(root, alert, ONE)
    for code in alert.code:
        _add(root, "code", code)
    _all(root, alert, REST)
    for info in alert.info:
        _info(etree.SubElement(root, f"{{{CAP}}}info"), info)
    if fault := schema_fault(root):
        raise NotOursToSendError(f"<{fault[0]}>: {fault[1]}")
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def two_languages(common: Mapping[str, Any], ru: Mapping[str, Any], en: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Two <info> of the same hazard. common: category, urgency, area …; ru and en: event, headline, instruction."""
    return [{**common, **ru, "language": "ru-RU"}, {**common, **en, "language": "en-US"}]


def _info(node: etree._Element, info: Info) -> None:
    _all(node, info, INFO_BEGIN)
    _named(node, "eventCode", info.eventCode)
    _all(node, info, (*INFO_TIMES, *INFO_END))
    _named(node, "parameter", info.parameter)
    for resource in info.resource:
        _resource(etree.SubElement(node, f"{{{CAP}}}resource"), resource)
    for area in info.area:
        _area(etree.SubElement(node, f"{{{CAP}}}area"), area)


def _resource(node: etree._Element, resource: Resource) -> None:
    _all(node, resource, ("resourceDesc", "mimeType", "size", "uri", "digest"))


def _area(node: etree._Element, area: Area) -> None:
    _all(node, area, ("areaDesc", "polygon", "circle"))
    _named(node, "geocode", area.geocode)
    _all(node, area, ("altitude", "ceiling"))


def _all(node: etree._Element, part: Any, names: Sequence[str]) -> None:
    for name in names:
        value = getattr(part, name)
        for each in value if isinstance(value, list) else [value]:
            if each is not None:
                _add(node, name.removeprefix("cap_"), each)


def _named(node: etree._Element, name: str, pairs: list[NamedValue]) -> None:
    for pair in pairs:
        inner = etree.SubElement(node, f"{{{CAP}}}{name}")
        _add(inner, "valueName", pair.valueName)
        _add(inner, "value", pair.value)


def _add(node: etree._Element, name: str, value: Any) -> None:
    if isinstance(value, datetime):
        value = value.astimezone(UTC).isoformat(timespec="seconds")
    etree.SubElement(node, f"{{{CAP}}}{name}").text = str(value)
