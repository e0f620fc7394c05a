"""CAP 1.2 (docs.oasis-open.org/emergency/cap/v1.2): alerts pulled from an Atom or RSS index, a folder or a file.

What an alert says is read by ingest.cap. Signatures are not judged here; whoever acts on an alert must verify the
original (actuation.cap).
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lxml import etree

from ingest.adapters.decoding import Decoding
from ingest.adapters.fetching import Document, Fetcher, FetchError
from ingest.adapters.source import Source
from ingest.cap import parse as parse_alert
from ingest.cap import split
from ingest.cap.alert import UnusableAlertError, alert_fields, alerts_in
from ingest.cap.index import entries, is_index
from ingest.cap.xml import MAX_XML_BYTES, UnsafeXmlError, parse

FEED = "alert"
MAX_BYTES = MAX_XML_BYTES
MAX_FILES = 10_000


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
        if not is_index(root) or next(alerts_in(root), None) is not None:
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


def in_force(data: bytes) -> list[bytes]:
    """The bytes of each alert of a document whose time is not over; what is no XML whole, for its judge to refuse.

    This saves the judge work and proves nothing: whether an alert may act is decided by actuation.cap.
    """
    try:
        parts = split(data)
    except UnsafeXmlError:
        return [data]
    return [part for part in parts if not _is_over(part)]


def _is_over(part: bytes) -> bool:
    try:
        infos = parse_alert(part).body["info"]
    except (UnsafeXmlError, UnusableAlertError):
        return False
    now = datetime.now(UTC)
    return bool(infos) and all("expires" in info and datetime.fromisoformat(info["expires"]) <= now for info in infos)


def decode(data: bytes, source: str) -> Decoding:
    """All alerts of a document: one, many in a wrapper, or embedded in the entries of an Atom feed."""
    done = Decoding(source)
    try:
        root = parse(data)
    except UnsafeXmlError as error:
        done.refuse(FEED, data, str(error))
        return done
    alerts = list(alerts_in(root))
    for alert in alerts:
        original = data if alert is root else etree.tostring(alert, encoding="utf-8")
        _decode_one(alert, original, done)
    if not alerts:
        what = (
            "an index of alerts, not an alert" if is_index(root) else f"a document of <{etree.QName(root).localname}>"
        )
        done.refuse(FEED, data, f"no CAP alert in it: this is {what}")
    return done


def _decode_one(alert: etree._Element, original: bytes, done: Decoding) -> None:
    try:
        body = alert_fields(alert, done.drop)
    except UnusableAlertError as error:
        done.refuse(FEED, original, error.reason, error.field, error.value)
        return
    done.add(FEED, body, original)
