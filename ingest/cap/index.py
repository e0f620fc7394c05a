"""An Atom (RFC 4287) or RSS 2.0 index of CAP alerts: the addresses that it lists."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urljoin

from lxml import etree

ATOM = "http://www.w3.org/2005/Atom"
CAP_TYPE = "application/cap+xml"
MAX_ENTRIES = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """address: of the alert. version: changes when the alert does (Atom's updated, RSS's pubDate)."""

    address: str
    version: str


def is_index(root: etree._Element) -> bool:
    name = etree.QName(root)
    return (name.namespace == ATOM and name.localname == "feed") or name.localname in ("rss", "RDF")


def entries(root: etree._Element, base: str) -> list[Entry]:
    """The first MAX_ENTRIES alerts of an index, newest as the index has them. `base`: the index's own address."""
    found: dict[str, Entry] = {}
    for element in root.iter("{*}entry", "{*}item"):
        address = _address(element)
        if address:
            whole = urljoin(base, address)
            found.setdefault(whole, Entry(whole, _text(element, "updated") or _text(element, "pubDate") or ""))
        if len(found) >= MAX_ENTRIES:
            break
    return list(found.values())


def _address(element: etree._Element) -> str | None:
    """The link that says it is CAP, else the alternate one, else RSS's link or enclosure."""
    links = list(element.iterfind("{*}link"))
    typed = [link for link in links if link.get("type") == CAP_TYPE]
    plain = [link for link in links if link.get("rel") in (None, "alternate")]
    for link in typed + plain:
        address = (link.get("href") or link.text or "").strip()
        if address:
            return address
    enclosure = element.find("{*}enclosure")
    return None if enclosure is None else (enclosure.get("url") or "").strip() or None


def _text(element: etree._Element, name: str) -> str:
    return (element.findtext(f"{{*}}{name}") or "").strip()
