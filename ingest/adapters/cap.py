"""CAP 1.2 (docs.oasis-open.org/emergency/cap/v1.2): alerts pulled from an Atom or RSS index, a folder or a file.

CAP 1.1 is read as well: its elements are 1.2's; of its values only `certainty` "Very Likely" is gone, which 1.2
(section 3.2.2) says to read as "Likely". CAP 1.0 is refused. Signatures are not judged here; whoever acts on an alert
must verify the original.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lxml import etree

from ingest.adapters.cap_index import entries, is_index
from ingest.adapters.decoding import Decoding
from ingest.adapters.fetching import Document, Fetcher, FetchError
from ingest.adapters.moments import moment
from ingest.adapters.source import Source
from ingest.adapters.xml import MAX_XML_BYTES, UnsafeXmlError, parse

FEED = "alert"
MAX_BYTES = MAX_XML_BYTES
MAX_FILES = 10_000

PREFIX = "urn:oasis:names:tc:emergency:cap:"
READ = {f"{PREFIX}1.2", f"{PREFIX}1.1"}
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

    def __init__(self, field: str, reason: str, value: str | None = None) -> None:
        super().__init__(reason)
        self.field, self.reason, self.value = field, reason, value


class Cap:
    """Fetches the index, then each alert that is new or changed; a folder's files, each."""

    max_bytes = MAX_BYTES

    def __init__(self, source: Source) -> None:
        self._source = source

    async def fetch(self, fetcher: Fetcher) -> list[Document]:
        if self._source.url.startswith("file:"):
            return [await fetcher.get(path.as_uri()) for path in await asyncio.to_thread(self._files)]
        document = await fetcher.get(self._source.url)
        if document.unchanged:
            return []
        try:
            root = parse(document.data)
        except UnsafeXmlError:
            return [document]
        if not is_index(root) or next(_alerts(root), None) is not None:
            return [document]
        return await self._linked(fetcher, root)

    def decode(self, document: Document) -> Decoding:
        return decode(document.data, document.source)

    async def _linked(self, fetcher: Fetcher, root: etree._Element) -> list[Document]:
        """All alerts of an index. One that fails is told and does not hinder the others; all failing is a failure."""
        found: list[Document] = []
        failed: list[FetchError] = []
        for entry in entries(root, self._source.url):
            try:
                if not fetcher.may_visit(entry.address):
                    raise FetchError("forbidden", f"the index links to {entry.address[:200]}: add its host to `hosts`")
                found.append(await fetcher.get(entry.address))
            except FetchError as error:
                failed.append(error)
        if failed and not found:
            raise failed[0]
        if failed:
            fetcher.told.append(f"{len(failed)} alerts of the index were not fetched; the first: {failed[0].reason}")
        return found

    def _files(self) -> list[Path]:
        path = Path(unquote(urlsplit(self._source.url).path))
        return files_of(path)


def files_of(path: Path) -> list[Path]:
    """The file itself, or a folder's .xml and .cap files, with those of its folders."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.suffix.lower() in (".xml", ".cap") and file.is_file())[
        :MAX_FILES
    ]


def decode(data: bytes, source: str) -> Decoding:
    """All alerts of a document: one, many in a wrapper, or embedded in the entries of an Atom feed."""
    done = Decoding(source)
    try:
        root = parse(data)
    except UnsafeXmlError as error:
        done.refuse(FEED, data, str(error))
        return done
    alerts = list(_alerts(root))
    for alert in alerts:
        original = data if alert is root else etree.tostring(alert, encoding="utf-8")
        _decode_one(alert, original, done)
    if not alerts:
        what = (
            "an index of alerts, not an alert" if is_index(root) else f"a document of <{etree.QName(root).localname}>"
        )
        done.refuse(FEED, data, f"no CAP alert in it: this is {what}")
    return done


def _alerts(root: etree._Element) -> Iterator[etree._Element]:
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


def _decode_one(alert: etree._Element, original: bytes, done: Decoding) -> None:
    namespace = etree.QName(alert).namespace
    if namespace not in READ:
        done.refuse(FEED, original, f"CAP version {str(namespace).removeprefix(PREFIX)} is not read: send 1.2 or 1.1")
        return
    try:
        body = _alert(alert, str(namespace), done)
    except UnusableAlertError as error:
        done.refuse(FEED, original, error.reason, error.field, error.value)
        return
    done.add(FEED, body, original)


def _alert(alert: etree._Element, namespace: str, done: Decoding) -> dict[str, Any]:
    parts = _Parts(alert, namespace, done)
    body: dict[str, Any] = {name: parts.one(name) for name in ALERT_ONE}
    body["cap_source"] = body.pop("source")  # `source` is the envelope's column: where the row came from
    body["code"] = parts.many("code")
    body["info"] = [_info(_Parts(info, namespace, done)) for info in parts.elements("info")]
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

    def __init__(self, element: etree._Element, namespace: str, done: Decoding) -> None:
        self._element, self._namespace, self._done = element, namespace, done

    def of(self, element: etree._Element) -> _Parts:
        return _Parts(element, self._namespace, self._done)

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
                self._done.drop("Signature")
            elif name.namespace != self._namespace or name.localname not in known:
                self._done.drop(f"<{name.localname}>")


def _text(element: etree._Element) -> str:
    return "".join(str(part) for part in element.itertext()).strip()


def _time(name: str, text: str) -> str:
    """CAP writes an offset always, and UTC as -00:00."""
    found = moment(text, "UTC") if OFFSET.search(text) else None
    if found is None:
        raise UnusableAlertError(name, f"<{name}> is no time with an offset (2026-01-31T12:00:00+03:00)", text[:200])
    return found
