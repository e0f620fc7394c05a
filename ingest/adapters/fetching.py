"""One HTTP GET or file read that cannot take longer, or bring more, than it may.

httpx, because it is async (one deadline then cuts everything: name look-up, a handshake that hangs, headers or a body
that drip) and because its raw stream lets us unpack gzip ourselves, with a limit on every step.
"""

from __future__ import annotations

import asyncio
import email.utils
import hashlib
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self
from urllib.parse import unquote, urljoin, urlsplit

import httpx

from ingest.adapters.source import Source, public

Kind = Literal["timeout", "connection", "protocol", "status", "size", "encoding", "forbidden", "file"]

MAX_REDIRECTS = 3
LONGEST_RETRY_AFTER_S = 86_400.0
REMEMBERED_ADDRESSES = 10_000
USER_AGENT = "gorodok/0.1 (city data platform)"
NOT_MODIFIED = 304
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class FetchError(Exception):
    """The only error of a fetch. reason: what happened, with the remedy. retry_after_s: what the server asked for."""

    def __init__(self, kind: Kind, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.kind, self.reason, self.retry_after_s = kind, reason, retry_after_s


@dataclass(frozen=True, slots=True)
class Document:
    """Bytes and where they came from. unchanged: the server says, or the bytes show, that there is nothing new."""

    source: str
    url: str
    data: bytes
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    etag: str | None
    last_modified: str | None
    digest: bytes


class Fetcher:
    """Fetches for one source. What it learns about an address counts from `keep()` on: a document that could not be
    handed over is fetched again. told: remarks for the outcome on a fetch that went well in part."""

    def __init__(self, source: Source, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._source = source
        self._limit = int(source.max_mb * 2**20)
        self._hosts = {_host(source.url), *(host.lower() for host in source.hosts)}
        self._known: dict[str, _Known] = {}
        self._fresh: dict[str, _Known] = {}
        self.told: list[str] = []
        self._client = httpx.AsyncClient(
            transport=transport,
            timeout=source.timeout_s,
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **source.headers},
            # a connection kept between polls is closed by the server just when we use it again
            limits=httpx.Limits(max_connections=4, max_keepalive_connections=0),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    def keep(self) -> None:
        """The documents since the last call are safe: the next fetch may ask for changes only."""
        self._known.update(self._fresh)
        self._fresh.clear()
        while len(self._known) > REMEMBERED_ADDRESSES:
            del self._known[next(iter(self._known))]

    def forget(self) -> None:
        """The documents since the last `keep` are not safe."""
        self._fresh.clear()

    async def get(self, url: str, params: dict[str, str] | None = None) -> Document:
        """The document, unpacked, at most `max_mb`, within `timeout_s`; FetchError for everything else."""
        if urlsplit(url).scheme == "file":
            return self._document(url, await asyncio.to_thread(self._read_file, url), None, None)
        full = str(httpx.URL(url, params=params)) if params else url
        try:
            async with asyncio.timeout(self._source.timeout_s):
                return await self._get(full)
        except TimeoutError as error:
            raise FetchError(
                "timeout", f"no whole answer within {self._source.timeout_s:g} s: the server is too slow"
            ) from error
        except httpx.TimeoutException as error:
            raise FetchError("timeout", f"the server does not answer: {_said(error)}") from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise FetchError("forbidden", f"the address cannot be used: {_said(error)}") from error
        except httpx.NetworkError as error:
            raise FetchError("connection", f"no connection: {_said(error)}: is the server up?") from error
        except httpx.HTTPError as error:
            raise FetchError("protocol", f"the server broke off or broke the rules of HTTP: {_said(error)}") from error
        except (OSError, ValueError, UnicodeError) as error:
            raise FetchError("protocol", f"the answer cannot be read: {_said(error)}") from error

    def may_visit(self, url: str) -> bool:
        """An index or a redirect must not lead into other networks: only to the source's own host, or a named one."""
        return urlsplit(url).scheme in ("http", "https") and _host(url) in self._hosts

    async def _get(self, url: str) -> Document:
        known = self._known.get(url)
        headers = {}
        if known is not None and known.etag:
            headers["If-None-Match"] = known.etag
        if known is not None and known.last_modified:
            headers["If-Modified-Since"] = known.last_modified
        at = url
        for _ in range(MAX_REDIRECTS + 1):
            async with self._client.stream("GET", at, headers=headers) as response:
                if response.status_code not in REDIRECTS:
                    return await self._answer(url, response, known)
                at = urljoin(at, response.headers.get("Location", ""))
            if not self.may_visit(at):
                raise FetchError("forbidden", f"redirected to {public(at)}: add its host to `hosts` if that is meant")
        raise FetchError("protocol", f"redirected more than {MAX_REDIRECTS} times")

    async def _answer(self, url: str, response: httpx.Response, known: _Known | None) -> Document:
        if response.status_code == NOT_MODIFIED and known is not None:
            return Document(self._where(url), url, b"", unchanged=True)
        if response.status_code != 200:
            raise FetchError("status", f"HTTP status {response.status_code}", _retry_after(response.headers))
        declared = response.headers.get("Content-Length", "")
        if declared.isascii() and declared.isdigit() and int(declared[:20]) > self._limit:
            raise FetchError("size", f"announces {declared[:20]} bytes, over the limit of {self._limit}: raise max_mb")
        data = b"".join([part async for part in self._unpacked(response)])
        return self._document(url, data, response.headers.get("ETag"), response.headers.get("Last-Modified"))

    async def _unpacked(self, response: httpx.Response) -> AsyncIterator[bytes]:
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding in ("", "identity"):
            left = self._limit
            async for chunk in response.aiter_raw():
                left -= len(chunk)
                if left < 0:
                    raise self._too_large()
                yield chunk
            return
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise FetchError("encoding", f"Content-Encoding {encoding[:40]!r} was not asked for")
        async for part in self._gunzipped(response):
            yield part

    async def _gunzipped(self, response: httpx.Response) -> AsyncIterator[bytes]:
        """Unpacks at most what is left of the limit at a time: a bomb is cut before it unfolds."""
        unpacker = zlib.decompressobj(wbits=47)
        left = self._limit
        async for chunk in response.aiter_raw():
            rest = chunk
            while rest and not unpacker.eof:
                try:
                    part = unpacker.decompress(rest, left + 1)
                except zlib.error as error:
                    raise FetchError("encoding", f"the packed answer is damaged: {error}") from error
                left -= len(part)
                if left < 0:
                    raise self._too_large()
                rest = unpacker.unconsumed_tail
                yield part
        if not unpacker.eof:
            raise FetchError("encoding", "the packed answer breaks off")

    def _too_large(self) -> FetchError:
        return FetchError("size", f"more than the limit of {self._limit} bytes: raise max_mb if that is right")

    def _document(self, url: str, data: bytes, etag: str | None, last_modified: str | None) -> Document:
        digest = hashlib.blake2b(data, digest_size=16).digest()
        known = self._known.get(url)
        self._fresh[url] = _Known(etag, last_modified, digest)
        return Document(self._where(url), url, data, unchanged=known is not None and known.digest == digest)

    def _where(self, url: str) -> str:
        return f"{self._source.adapter}:{public(url)}"

    def _read_file(self, url: str) -> bytes:
        path = Path(unquote(urlsplit(url).path))
        try:
            with path.open("rb") as stream:
                data = stream.read(self._limit + 1)
        except (OSError, ValueError) as error:
            raise FetchError("file", f"cannot be read: {_said(error)}") from error
        if len(data) > self._limit:
            raise self._too_large()
        return data


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").lower()


def _said(error: Exception) -> str:
    return str(error)[:300] or type(error).__name__


def _retry_after(headers: httpx.Headers) -> float | None:
    """Seconds of Retry-After, given as a number or a date (RFC 9110, 10.2.3); a day at most."""
    told = headers.get("Retry-After", "").strip()
    if not told:
        return None
    if told.isascii() and told.isdigit():
        return min(float(told[:9]), LONGEST_RETRY_AFTER_S)
    try:
        moment: datetime = email.utils.parsedate_to_datetime(told)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        seconds: float = (moment - datetime.now(UTC)).total_seconds()
        return min(max(0.0, seconds), LONGEST_RETRY_AFTER_S)
    except (ValueError, TypeError, OverflowError):
        return None
