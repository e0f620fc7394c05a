"""CAP 1.2 as an XML Schema: which rule of it a document breaks, if any."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from lxml import etree

from ingest.cap import CAP

FILE = Path(__file__).with_name("cap-1.2.xsd")

_mine = threading.local()
"""libxml2 keeps the last errors in the schema object, so each thread has one of its own."""


def schema_fault(alert: etree._Element) -> tuple[str, str] | None:
    """(element, what is wrong) of the first broken rule; None for a valid CAP 1.2 alert."""
    schema = _schema()
    if schema.validate(alert):
        return None
    log: Any = schema.error_log  # its stubs do not know that it can be gone through
    first = log[0]
    place = first.path.rsplit("/", 1)[-1].split("[")[0].rsplit(":", 1)[-1] if first.path else "alert"
    return place if place != "*" else _named(first.message), first.message.replace(f"{{{CAP}}}", "")[:500]


def _named(message: str) -> str:
    """The element that libxml2 names in its message: its path is of stars where a default namespace is used."""
    return message.partition("'")[2].partition("'")[0].rpartition("}")[2] or "alert"


def _schema() -> etree.XMLSchema:
    found: etree.XMLSchema | None = getattr(_mine, "schema", None)
    if found is None:
        found = _mine.schema = etree.XMLSchema(etree.parse(FILE))
    return found
