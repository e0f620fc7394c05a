"""Every way in which a server may misbehave ends in one FetchError, in time, at the limit."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import pytest

from ingest.adapters.fetching import Document, Fetcher, FetchError
from ingest.adapters.source import Source

LIMIT_MB = 1
OK = b"HTTP/1.1 200 OK\r\n"


def source(url: str, **more: Any) -> Source:
    return Source(**{"code": "t", "adapter": "cap", "url": url, "timeout_s": 1.5, "max_mb": LIMIT_MB, **more})


def fetch(url: str, **more: Any) -> Document:
    async def go() -> Document:
        async with Fetcher(source(url, **more)) as fetcher:
            return await fetcher.get(url)

    return asyncio.run(go())


def refused(url: str, **more: Any) -> FetchError:
    started = time.monotonic()
    with pytest.raises(FetchError) as caught:
        fetch(url, **more)
    assert time.monotonic() - started < 4, "the limit of 1.5 s did not cut"
    assert caught.value.reason
    return caught.value


def test_good_answer_comes_whole(server: Any) -> None:
    server.serve(OK + b"Content-Length: 5\r\n\r\nhello")
    assert fetch(server.url).data == b"hello"
    assert "Accept-Encoding: gzip" in server.requests[0].replace("accept-encoding", "Accept-Encoding")


def test_gzip_is_unpacked(server: Any) -> None:
    body = gzip.compress(b"x" * 100_000)
    server.serve(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert fetch(server.url).data == b"x" * 100_000


def test_length_that_promises_more_than_comes(server: Any) -> None:
    server.serve(OK + b"Content-Length: 500\r\n\r\nshort")
    assert refused(server.url).kind == "protocol"


def test_length_that_promises_less_cuts_there(server: Any) -> None:
    server.serve(OK + b"Content-Length: 5\r\nConnection: close\r\n\r\nhello and much more")
    assert fetch(server.url).data == b"hello"


def test_length_over_the_limit_is_not_even_read(server: Any) -> None:
    server.serve(OK + b"Content-Length: 99999999999\r\n\r\n")
    assert refused(server.url).kind == "size"


@pytest.mark.parametrize("length", [b"-5", b"abc", b"5, 6", b"\xff\xff", b"1" * 5_000])
def test_length_that_is_no_length(server: Any, length: bytes) -> None:
    server.serve(OK + b"Content-Length: " + length + b"\r\n\r\nhello")
    assert refused(server.url).kind in ("protocol", "size")


def test_endless_body_is_cut_at_the_limit(server: Any) -> None:
    def endless(connection: socket.socket, head: str) -> None:
        connection.sendall(OK + b"\r\n")
        while not server.stop.is_set():
            connection.sendall(b"y" * 65_536)

    server.serve(endless)
    assert refused(server.url).kind == "size"


def test_endless_chunks_are_cut_at_the_limit(server: Any) -> None:
    def endless(connection: socket.socket, head: str) -> None:
        connection.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        while not server.stop.is_set():
            connection.sendall(b"8000\r\n" + b"z" * 0x8000 + b"\r\n")

    server.serve(endless)
    assert refused(server.url).kind == "size"


@pytest.mark.parametrize("where", ["body", "headers", "status"])
def test_a_byte_a_moment_is_cut_in_time(server: Any, where: str) -> None:
    """Each byte comes well within a read timeout: only a deadline over all of it helps."""
    start = {"body": OK + b"Content-Length: 1000\r\n\r\n", "headers": OK + b"X-Slow: ", "status": b"HT"}[where]

    def drip(connection: socket.socket, head: str) -> None:
        connection.sendall(start)
        while not server.stop.wait(0.2):
            connection.sendall(b"a")

    server.serve(drip)
    assert refused(server.url).kind == "timeout"


def test_silence_is_cut_in_time(server: Any) -> None:
    server.serve(lambda connection, head: server.stop.wait(10) and None)
    assert refused(server.url).kind == "timeout"


@pytest.mark.parametrize("wrap", ["gzip", "deflate", "gzip of gzip"])
def test_packed_bomb_is_cut_before_it_unfolds(server: Any, wrap: str) -> None:
    zeros = zlib.compressobj(9, zlib.DEFLATED, 31 if wrap != "deflate" else 15)
    bomb = b"".join(zeros.compress(bytes(2**20)) for _ in range(300)) + zeros.flush()
    encoding = b"deflate" if wrap == "deflate" else b"gzip"
    server.serve(OK + b"Content-Encoding: " + encoding + b"\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb)
    tracemalloc.start()
    try:
        assert refused(server.url).kind == "size"
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * 2**20, f"300 MB of zeros took {peak / 2**20:.0f} MB on our side"


def test_packed_answer_that_breaks_off(server: Any) -> None:
    body = gzip.compress(b"x" * 100_000)[:-20]
    server.serve(OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert refused(server.url).kind == "encoding"


def test_answer_that_only_says_it_is_packed(server: Any) -> None:
    server.serve(OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello")
    assert refused(server.url).kind == "encoding"


@pytest.mark.parametrize("encoding", [b"br", b"zstd", b"gzip, gzip", b"x" * 500])
def test_encoding_that_was_not_asked_for(server: Any, encoding: bytes) -> None:
    server.serve(OK + b"Content-Encoding: " + encoding + b"\r\nContent-Length: 1\r\n\r\n1")
    assert refused(server.url).kind == "encoding"


@pytest.mark.parametrize("junk", [b"", b"\x00" * 100, b"SSH-2.0-OpenSSH\r\n", b"HTTP/9.9 banana\r\n\r\n"])
def test_something_else_than_http(server: Any, junk: bytes) -> None:
    server.serve(junk)
    assert refused(server.url).kind == "protocol"


def test_headers_without_end_are_cut(server: Any) -> None:
    def flood(connection: socket.socket, head: str) -> None:
        connection.sendall(OK)
        while not server.stop.is_set():
            connection.sendall(b"X-More: " + b"m" * 60_000 + b"\r\n")

    server.serve(flood)
    assert refused(server.url).kind in ("protocol", "timeout")


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert refused(f"http://127.0.0.1:{port}/").kind == "connection"


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        (b"Retry-After: 120\r\n", 120, 120),
        (b"Retry-After: 99999999999999999999\r\n", 86_400, 86_400),
        (b"Retry-After: Fri, 31 Dec 2999 23:59:59 GMT\r\n", 86_400, 86_400),
        (b"Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", 0, 0),
        (b"Retry-After: soon\r\n", None, None),
        (b"", None, None),
    ],
)
def test_retry_after_is_read(server: Any, header: bytes, least: float | None, most: float | None) -> None:
    server.serve(b"HTTP/1.1 503 Busy\r\n" + header + b"Content-Length: 0\r\n\r\n")
    error = refused(server.url)
    assert error.kind == "status"
    assert error.retry_after_s is None if least is None else least <= (error.retry_after_s or 0) <= most


def test_redirect_stays_with_the_host(server: Any) -> None:
    def reply(connection: socket.socket, head: str) -> None:
        there = head.startswith("GET /there")
        connection.sendall(
            OK + b"Content-Length: 2\r\n\r\nok"
            if there
            else b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"
        )

    server.serve(reply)
    assert fetch(server.url + "/here").data == b"ok"


@pytest.mark.parametrize(
    "to",
    [b"http://169.254.169.254/latest/meta-data", b"file:///etc/passwd", b"http://localhost/", b"gopher://127.0.0.1/"],
)
def test_redirect_leads_nowhere_else(server: Any, to: bytes) -> None:
    server.serve(b"HTTP/1.1 302 Found\r\nLocation: " + to + b"\r\nContent-Length: 0\r\n\r\n")
    assert refused(server.url).kind == "forbidden"


def test_redirect_in_a_circle_ends(server: Any) -> None:
    server.serve(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")
    assert refused(server.url).kind == "protocol"
    assert len(server.requests) == 4


def test_conditional_get_asks_only_for_changes(server: Any) -> None:
    def reply(connection: socket.socket, head: str) -> None:
        same = 'if-none-match: "v1"' in head.lower()
        tags = b'ETag: "v1"\r\nLast-Modified: Tue, 24 Nov 2026 12:00:00 GMT\r\n'
        body = b"HTTP/1.1 304 Not Modified\r\n\r\n" if same else OK + tags + b"Content-Length: 3\r\n\r\nnew"
        connection.sendall(body)

    server.serve(reply)

    async def go() -> list[Document]:
        async with Fetcher(source(server.url)) as fetcher:
            first = await fetcher.get(server.url)
            fetcher.forget()  # could not be handed over: must come again
            second = await fetcher.get(server.url)
            fetcher.keep()
            third = await fetcher.get(server.url)
            return [first, second, third]

    assert [document.unchanged for document in asyncio.run(go())] == [False, False, True]
    assert "if-modified-since: Tue, 24 Nov 2026 12:00:00 GMT" in server.requests[2].replace(
        "If-Modified-Since", "if-modified-since"
    )


def test_304_that_nobody_asked_for_is_an_error(server: Any) -> None:
    server.serve(b"HTTP/1.1 304 Not Modified\r\n\r\n")
    assert refused(server.url).kind == "status"


def test_same_bytes_without_etag_are_unchanged(server: Any) -> None:
    server.serve(OK + b"Content-Length: 4\r\n\r\nsame")

    async def go() -> bool:
        async with Fetcher(source(server.url)) as fetcher:
            await fetcher.get(server.url)
            fetcher.keep()
            return (await fetcher.get(server.url)).unchanged

    assert asyncio.run(go())


def test_file_is_read_with_the_same_limit(tmp_path: Path) -> None:
    small, large = tmp_path / "small.xml", tmp_path / "large.xml"
    small.write_bytes(b"<a/>")
    large.write_bytes(b" " * (LIMIT_MB * 2**20 + 1))
    assert fetch(small.as_uri()).data == b"<a/>"
    assert refused(large.as_uri()).kind == "size"
    assert refused((tmp_path / "missing.xml").as_uri()).kind == "file"


def test_secrets_of_an_address_do_not_reach_the_source_column(server: Any) -> None:
    server.serve(OK + b"Content-Length: 2\r\n\r\nok")
    address = server.url.replace("http://", "http://user:secret@") + "/feed?key=secret"
    document = fetch(address)
    assert "secret" not in document.source
    assert document.source.endswith("/feed")
