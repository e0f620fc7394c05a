"""Our alerts as an Atom index (RFC 4287) with a signed file each, for those who come and fetch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lxml import etree

from actuation.cap.out.outbox import OutAlert, Outbox
from actuation.cap.out.send import TYPE

ATOM = "http://www.w3.org/2005/Atom"
NAME = re.compile(r"[A-Za-z0-9._-]{1,128}\.xml")
SHOWN = 100


@dataclass(frozen=True, slots=True)
class Page:
    status: int
    kind: str
    body: bytes


class AtomHandler:
    """`page(path)`: index.atom or <identifier>.xml. base: the address under which they are served, without a slash."""

    def __init__(self, outbox: Outbox, base: str, title: str) -> None:
        self._outbox, self._base, self._title = outbox, base.rstrip("/"), title

    def page(self, path: str) -> Page:
        name = path.strip("/").rpartition("/")[2]
        if name == "index.atom":
            body = index(self._outbox.alerts(SHOWN), self._base, self._title)
            return Page(200, "application/atom+xml; charset=utf-8", body)
        alert = self._outbox.alert(name.removesuffix(".xml")) if NAME.fullmatch(name) else None
        if alert is None:
            return Page(404, "text/plain; charset=utf-8", "нет такого оповещения / no such alert\n".encode())
        return Page(200, TYPE, alert.document)


def write_public(outbox: Outbox, folder: Path, base: str, title: str) -> None:
    """The index and its files for any web server; each is whole at every moment, the index last."""
    folder.mkdir(parents=True, exist_ok=True)
    alerts = outbox.alerts(SHOWN)
    for alert in alerts:
        path = folder / f"{alert.identifier}.xml"
        if not path.exists():
            _replace(path, alert.document)
    _replace(folder / "index.atom", index(alerts, base.rstrip("/"), title))
    shown = {f"{alert.identifier}.xml" for alert in alerts}
    for path in folder.glob("*.xml"):
        if path.name not in shown:
            path.unlink(missing_ok=True)


def _replace(path: Path, data: bytes) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(data)
    fresh.replace(path)


def index(alerts: list[OutAlert], base: str, title: str) -> bytes:
    """Newest first. The documents are the signed ones, byte for byte: an index that re-indents breaks signatures."""
    feed = etree.Element(f"{{{ATOM}}}feed", nsmap={None: ATOM})  # type: ignore[dict-item]  # lxml takes None
    newest = alerts[0].made_at if alerts else datetime(2000, 1, 1, tzinfo=UTC)
    for name, text in (("id", f"{base}/index.atom"), ("title", title), ("updated", _time(newest))):
        _add(feed, name, text)
    etree.SubElement(feed, f"{{{ATOM}}}link", rel="self", href=f"{base}/index.atom")
    _add(etree.SubElement(feed, f"{{{ATOM}}}author"), "name", title)
    for alert in alerts:
        entry = etree.SubElement(feed, f"{{{ATOM}}}entry")
        href = f"{base}/{alert.identifier}.xml"
        for name, text in (("id", href), ("title", alert.headline), ("updated", _time(alert.made_at))):
            _add(entry, name, text)
        etree.SubElement(entry, f"{{{ATOM}}}link", rel="alternate", type=TYPE, href=href)
    return bytes(etree.tostring(feed, xml_declaration=True, encoding="UTF-8"))


def _add(node: etree._Element, name: str, text: str) -> None:
    etree.SubElement(node, f"{{{ATOM}}}{name}").text = text


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
