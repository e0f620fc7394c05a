"""One CAP <alert> element as the fields of the contract `alert`: pure, no I/O, no verdict on who sent it.

CAP 1.1 is read as well: its elements are 1.2's; of its values only `certainty` "Very Likely" is gone, which 1.2
(section 3.2.2) says to read as "Likely". CAP 1.0 is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from lxml import etree

from ingest.moments import moment

PREFIX = "urn:oasis:names:tc:emergency:cap:"
CAP = f"{PREFIX}1.2"
READ = {CAP, f"{PREFIX}1.1"}
DSIG = "http://www.w3.org/2000/09/xmldsig#"

ALERT_ONE = (
    "identifier", "sender", "sent", "status", "msgType", "source", "scope", "restriction", "addresses", "note",
    "references", "incidents",
)  # fmt: skip
INFO_ONE = (
    "language", "event", "urgency", "severity", "certainty", "audience", "effective", "onset", "expires", "senderName",
    "headline", "description", "instruction", "web", "contact",
)  # fmt: skip
INFO_MANY = ("category", "responseType")
INFO_PAIRS = ("eventCode", "parameter")
TIMES = frozenset({"sent", "effective", "onset", "expires"})
OFFSET = re.compile(r"(Z|[+-]\d\d:\d\d)$")


class UnusableAlertError(ValueError):
    """An alert breaks CAP in a way that mapping cannot mend."""

    def __init__(self, field: str | None, reason: str, value: str | None = None) -> None:
        super().__init__(reason)
        self.field, self.reason, self.value = field, reason, value


Drop = Callable[[str], None]
"""Told the name of each part that the contract has no field for, so that nobody can say later it was not there."""


def alerts_in(root: etree._Element) -> Iterator[etree._Element]:
    """Elements <alert> of any CAP version; one inside another alert is not an alert of its own."""
    return (
        element
        for element in root.iter("{*}alert")
        if (etree.QName(element).namespace or "").startswith(PREFIX)
        and not any(
            (etree.QName(above).namespace or "").startswith(PREFIX) and etree.QName(above).localname == "alert"
            for above in element.iterancestors()
        )
    )


def alert_fields(alert: etree._Element, drop: Drop) -> dict[str, Any]:
    """Fields of ingest.contracts.alert, None where the element is missing; UnusableAlertError where it breaks CAP."""
    namespace = str(etree.QName(alert).namespace)
    if namespace not in READ:
        raise UnusableAlertError(None, f"CAP version {namespace.removeprefix(PREFIX)} is not read: send 1.2 or 1.1")
    return _alert(alert, namespace, drop)


def _alert(alert: etree._Element, namespace: str, drop: Drop) -> dict[str, Any]:
    parts = _Parts(alert, namespace, drop)
    body: dict[str, Any] = {name: parts.one(name) for name in ALERT_ONE}
    body["cap_source"] = body.pop("source")  # `source` is the envelope's column: where the row came from
    body["code"] = parts.many("code")
    body["info"] = [_info(_Parts(info, namespace, drop)) for info in parts.elements("info")]
    parts.rest((*ALERT_ONE, "code", "info"))
    return body


def _info(parts: _Parts) -> dict[str, Any]:
    body: dict[str, Any] = {name: parts.one(name) for name in INFO_ONE}
    if body["certainty"] == "Very Likely":
        body["certainty"] = "Likely"
    body |= {name: parts.many(name) for name in INFO_MANY}
    body |= {name: parts.pairs(name) for name in INFO_PAIRS}
    body["resource"] = [_resource(parts.of(element)) for element in parts.elements("resource")]
    body["area"] = [_area(parts.of(element)) for element in parts.elements("area")]
    parts.rest((*INFO_ONE, *INFO_MANY, *INFO_PAIRS, "resource", "area"))
    return _said(body)


def _resource(parts: _Parts) -> dict[str, Any]:
    names = ("resourceDesc", "mimeType", "uri", "digest")
    body: dict[str, Any] = {name: parts.one(name) for name in names}
    body["size"] = parts.number("size", int)
    parts.rest((*names, "size"))
    return _said(body)


def _area(parts: _Parts) -> dict[str, Any]:
    body: dict[str, Any] = {"areaDesc": parts.one("areaDesc")}
    body |= {name: [" ".join(text.split()) for text in parts.many(name)] for name in ("polygon", "circle")}
    body["geocode"] = parts.pairs("geocode")
    body |= {name: parts.number(name, float) for name in ("altitude", "ceiling")}
    parts.rest(("areaDesc", "polygon", "circle", "geocode", "altitude", "ceiling"))
    return _said(body)


def _said(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


class _Parts:
    """The children of one CAP element, by name."""

    def __init__(self, element: etree._Element, namespace: str, drop: Drop) -> None:
        self._element, self._namespace, self._drop = element, namespace, drop

    def of(self, element: etree._Element) -> _Parts:
        return _Parts(element, self._namespace, self._drop)

    def elements(self, name: str) -> list[etree._Element]:
        return list(self._element.iterfind(f"{{{self._namespace}}}{name}"))

    def many(self, name: str) -> list[str]:
        return [text for text in map(_text, self.elements(name)) if text]

    def one(self, name: str) -> str | None:
        """Text; None where the element is missing or empty."""
        found = self.elements(name)
        if len(found) > 1:
            raise UnusableAlertError(name, f"<{name}> stands {len(found)} times, and may stand once")
        text = _text(found[0]) if found else ""
        return _time(name, text) if text and name in TIMES else text or None

    def pairs(self, name: str) -> list[dict[str, str]]:
        """CAP's valueName and value."""
        return [
            {"valueName": self.of(found).one("valueName") or "", "value": self.of(found).one("value") or ""}
            for found in self.elements(name)
        ]

    def number(self, name: str, kind: type[int] | type[float]) -> float | None:
        text = self.one(name)
        if text is None:
            return None
        try:
            found = kind(text)
        except (ValueError, OverflowError) as error:
            raise UnusableAlertError(name, f"<{name}> is no number", text[:200]) from error
        if found - found != 0:
            raise UnusableAlertError(name, f"<{name}> is no number", text[:200])
        return found

    def rest(self, known: tuple[str, ...]) -> None:
        """Counts the children that are left aside; a signature is counted as one."""
        for child in self._element:
            name = etree.QName(child)
            if name.namespace == DSIG:
                self._drop("Signature")
            elif name.namespace != self._namespace or name.localname not in known:
                self._drop(f"<{name.localname}>")


def _text(element: etree._Element) -> str:
    return "".join(str(part) for part in element.itertext()).strip()


def _time(name: str, text: str) -> str:
    """CAP writes an offset always, and UTC as -00:00."""
    found = moment(text, "UTC") if OFFSET.search(text) else None
    if found is None:
        raise UnusableAlertError(name, f"<{name}> is no time with an offset (2026-01-31T12:00:00+03:00)", text[:200])
    return found
