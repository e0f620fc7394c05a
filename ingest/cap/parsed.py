"""One alert's bytes as contract fields, and a document of several as the bytes of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from ingest.cap.alert import UnusableAlertError, alert_fields, alerts_in
from ingest.cap.xml import parse as parse_xml


@dataclass(frozen=True, slots=True)
class Parsed:
    """body: fields of ingest.contracts.alert that the alert has (not validated). dropped: parts without a field."""

    body: dict[str, Any]
    namespace: str
    dropped: Counter[str] = field(default_factory=Counter)


def parse(data: bytes) -> Parsed:
    """A document that is one <alert>. UnsafeXmlError: no plain small XML. UnusableAlertError: no readable alert."""
    return of_element(parse_xml(data))


def of_element(root: etree._Element) -> Parsed:
    """The same of a parsed document. UnusableAlertError: another root, CAP 1.0, or an element that breaks CAP."""
    name = etree.QName(root)
    if name.localname != "alert" or next(alerts_in(root), None) is not root:
        raise UnusableAlertError(None, f"the document is <{name.localname}>, not one CAP <alert>")
    dropped: Counter[str] = Counter()

    def drop(part: str) -> None:
        dropped[part[:64]] += 1

    fields = alert_fields(root, drop)
    body = {key: value for key, value in fields.items() if value is not None}
    return Parsed(body, str(name.namespace), dropped)


def split(data: bytes) -> list[bytes]:
    """The bytes of each alert of a document (an Atom feed with alerts inside, a wrapper); [data] when it is one.

    A signature of an alert survives being cut out when it was made over the alert alone: its namespaces come along,
    and comments and processing instructions stay where they were. UnsafeXmlError as in `parse`.
    """
    root = parse_xml(data, whole=True)
    found = list(alerts_in(root))
    if found == [root]:
        return [data]
    return [etree.tostring(alert, encoding="utf-8", with_tail=False) for alert in found]
