"""Alerts as CAP 1.2 files under an Atom index (docs.oasis-open.org/emergency/cap/v1.2; RFC 4287)."""

from __future__ import annotations

from lxml import etree

from simulator.life.alerts import Alert, Info
from simulator.life.source import rfc3339

CAP = "urn:oasis:names:tc:emergency:cap:1.2"
ATOM = "http://www.w3.org/2005/Atom"


def cap_xml(alert: Alert) -> bytes:
    root = etree.Element(f"{{{CAP}}}alert", nsmap=_default(CAP))
    for name, value in (
        ("identifier", alert.identifier), ("sender", alert.sender), ("sent", alert.sent), ("status", alert.status),
        ("msgType", alert.msg_type), ("scope", "Public"), ("references", " ".join(alert.references)),
    ):  # fmt: skip
        _add(root, name, value)
    for info in alert.infos:
        _add_info(etree.SubElement(root, f"{{{CAP}}}info"), alert, info)
    return _bytes(root)


def _add_info(node: etree._Element, alert: Alert, info: Info) -> None:
    for name, value in (
        ("language", info.language), ("category", info.category), ("event", info.event),
        ("responseType", info.response), ("urgency", info.urgency), ("severity", info.severity),
        ("certainty", info.certainty), ("effective", alert.sent), ("expires", _time(alert.expires_s)),
        ("senderName", "ЕДДС Городок"), ("headline", info.headline), ("description", info.description),
        ("instruction", info.instruction),
    ):  # fmt: skip
        _add(node, name, value)
    area = etree.SubElement(node, f"{{{CAP}}}area")
    _add(area, "areaDesc", info.area)
    _add(area, "polygon", alert.polygon)


def atom_index(alerts: list[Alert], base: str, now_s: float) -> bytes:
    """Newest first; each entry links to its CAP file."""
    feed = etree.Element(f"{{{ATOM}}}feed", nsmap=_default(ATOM))
    newest = alerts[-1].sent_s if alerts else now_s - now_s % 86_400
    _add(feed, "id", f"{base}/cap/index.atom", ATOM)
    _add(feed, "title", "Городок: оповещения / Gorodok: alerts", ATOM)
    _add(feed, "updated", rfc3339(newest), ATOM)
    etree.SubElement(feed, f"{{{ATOM}}}link", rel="self", href=f"{base}/cap/index.atom")
    author = etree.SubElement(feed, f"{{{ATOM}}}author")
    _add(author, "name", "ЕДДС Городок", ATOM)
    for alert in reversed(alerts):
        href = f"{base}/cap/{alert.identifier}.xml"
        entry = etree.SubElement(feed, f"{{{ATOM}}}entry")
        _add(entry, "id", href, ATOM)
        _add(entry, "title", alert.infos[0].headline, ATOM)
        _add(entry, "updated", rfc3339(alert.sent_s), ATOM)
        _add(entry, "summary", alert.infos[0].description, ATOM)
        etree.SubElement(entry, f"{{{ATOM}}}link", rel="alternate", type="application/cap+xml", href=href)
    return _bytes(feed)


def _add(node: etree._Element, name: str, value: str, space: str = CAP) -> None:
    if value:
        etree.SubElement(node, f"{{{space}}}{name}").text = value


def _default(space: str) -> dict[str, str]:
    """The default namespace; lxml takes None for its prefix, its stubs do not."""
    return {None: space}  # type: ignore[dict-item]


def _time(at_s: float) -> str:
    return rfc3339(at_s).replace("Z", "+00:00")


def _bytes(root: etree._Element) -> bytes:
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))
