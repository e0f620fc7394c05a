"""Attacks, each named: none becomes an event that may act, each leaves a reason and the original bytes."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from lxml import etree

from actuation.cap import Accepted, CapSource, Ignored, Refused
from ingest.adapters.outlet import quarantined
from ingest.contracts.quarantine import Quarantine
from tests.actuation.cap.signing import CAP, NOW, SENDER, WEST, alert, signer

Make = Callable[..., CapSource]
DSIG = "{http://www.w3.org/2000/09/xmldsig#}"


def refused(desk: Any, data: bytes, source: CapSource, reason: str, now: Any = NOW) -> Refused:
    verdict = desk(data, source, now)
    assert isinstance(verdict, Refused), verdict
    assert verdict.reason == reason, verdict
    row = Quarantine.model_validate_json(quarantined(verdict.refusal(source.code, data)).payload)
    assert row.reason.startswith(f"{reason}: ")
    assert "\n" not in verdict.told, "one log line"
    assert data.startswith(row.payload), "original bytes"
    return verdict


def test_forged_signature(desk: Any, source: Make) -> None:
    """The signature value of another alert of the same sender."""
    mine, other = (etree.fromstring(signer().sign(alert(identifier=name))) for name in ("a-1", "a-2"))
    value = f".//{DSIG}SignatureValue"
    mine.find(value).text = other.findtext(value)  # type: ignore[union-attr]
    refused(desk, etree.tostring(mine), source(), "signature")


def test_self_signed_by_a_stranger(desk: Any, source: Make) -> None:
    stranger = signer("stranger")
    found = refused(desk, stranger.sign(alert()), source(), "stranger")
    assert found.value == stranger.certificate.fingerprint(hashes.SHA256()).hex()


def test_a_strangers_signature_under_the_pinned_certificate(desk: Any, source: Make) -> None:
    """The embedded certificate is the pinned one, the key is not."""
    root = etree.fromstring(signer("stranger").sign(alert()))
    own = etree.fromstring(signer().sign(alert()))
    place = f".//{DSIG}X509Certificate"
    root.find(place).text = own.findtext(place)  # type: ignore[union-attr]
    refused(desk, etree.tostring(root), source(), "signature")


def test_no_certificate_inside_and_a_strangers_key(desk: Any, source: Make) -> None:
    root = etree.fromstring(signer("stranger").sign(alert()))
    info = root.find(f".//{DSIG}KeyInfo")
    assert info is not None
    info.getparent().remove(info)  # type: ignore[union-attr]
    refused(desk, etree.tostring(root), source(), "signature")


def test_one_byte_changed_anywhere(desk: Any, source: Make) -> None:
    """Every 7th byte of the document, one at a time: no change of what is said is ever believed."""
    data, one = signer().sign(alert()), source()
    original = {child.tag: child.text for child in etree.fromstring(data).iter()}
    for at in range(0, len(data), 7):
        changed = data[:at] + bytes([data[at] ^ 0x01]) + data[at + 1 :]
        verdict = desk(changed, one)
        if isinstance(verdict, Accepted | Ignored):  # the embedded certificate's text, or inside a tag: nothing said
            said = {child.tag: child.text for child in etree.fromstring(changed).iter() if DSIG not in str(child.tag)}
            assert said.items() <= original.items(), at


def test_signature_wrapping_beside_a_forged_alert(desk: Any, source: Make) -> None:
    """The signed alert as a child of a forged one."""
    forged = etree.fromstring(alert(identifier="forged"))
    forged.append(etree.fromstring(signer().sign(alert())))
    refused(desk, etree.tostring(forged), source(), "signature")


def test_signature_wrapping_inside_the_signature(desk: Any, source: Make) -> None:
    """The signed alert hidden in an <Object> of the signature, which now points there by Id."""
    original = etree.fromstring(signer().sign(alert()))
    signature = original.find(f"{DSIG}Signature")
    assert signature is not None
    original.remove(signature)
    original.set("Id", "x")
    holder = etree.SubElement(signature, f"{DSIG}Object")
    holder.append(original)
    signature.find(f".//{DSIG}Reference").set("URI", "#x")  # type: ignore[union-attr]
    forged = etree.fromstring(alert(identifier="forged"))
    forged.append(signature)
    refused(desk, etree.tostring(forged), source(), "signature")


def test_signature_over_a_part(desk: Any, source: Make) -> None:
    """Only <info> is signed: identifier, status and sender could be anybody's."""
    root = etree.fromstring(alert())
    root.find(f"{{{CAP}}}info").set("Id", "x")  # type: ignore[union-attr]
    signed = signer().sign(etree.tostring(root))
    refused(desk, signed.replace(b'URI=""', b'URI="#x"'), source(), "signature")


def test_two_signatures(desk: Any, source: Make) -> None:
    root = etree.fromstring(signer().sign(alert()))
    root.append(etree.fromstring(etree.tostring(root.find(f"{DSIG}Signature"))))
    refused(desk, etree.tostring(root), source(), "signature")


def test_a_comment_that_cuts_a_word(desk: Any, source: Make) -> None:
    """Canonical form drops comments, so the signature holds; what is read is the whole word."""
    data = signer().sign(alert()).replace(SENDER.encode(), b"edds@test<!-- -->.example", 1)
    verdict = desk(data, source())
    assert isinstance(verdict, Accepted)
    assert verdict.alert.sender == SENDER


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", "http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
        ("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", "http://www.w3.org/2000/09/xmldsig#hmac-sha1"),
        ("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"),
        ("http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2000/09/xmldsig#sha1"),
        ("http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2001/04/xmldsig-more#md5"),
    ],
)
def test_weak_algorithms(desk: Any, source: Make, old: str, new: str) -> None:
    data = signer().sign(alert())
    assert old.encode() in data
    refused(desk, data.replace(old.encode(), new.encode()), source(), "algorithm")


def test_a_transform_that_is_no_canonical_form(desk: Any, source: Make) -> None:
    data = signer().sign(alert())
    at = data.index(b"<ds:Transforms>") + len(b"<ds:Transforms>")
    for name in ("http://www.w3.org/TR/1999/REC-xslt-19991116", "http://www.w3.org/2000/09/xmldsig#base64"):
        more = f'<ds:Transform Algorithm="{name}"/>'.encode()
        refused(desk, data[:at] + more + data[at:], source(), "signature")


def test_replay(desk: Any, source: Make) -> None:
    data, one = signer().sign(alert()), source()
    assert isinstance(desk(data, one), Accepted)
    again = desk(data, one, NOW + timedelta(minutes=30))
    assert isinstance(again, Ignored)
    refused(desk, data, one, "expired", NOW + timedelta(hours=2))
    refused(desk, data, one, "too_old", NOW + timedelta(days=2))


def test_expired(desk: Any, source: Make) -> None:
    refused(desk, signer().sign(alert()), source(), "expired", NOW + timedelta(hours=1))


def test_wrong_zone(desk: Any, source: Make) -> None:
    far = "<polygon>10.1,10.1 10.9,10.1 10.9,10.9 10.1,10.1</polygon>"
    refused(desk, signer().sign(alert(area=far)), source(), "elsewhere")


def test_test_alert_as_live(desk: Any, source: Make) -> None:
    verdict = desk(signer().sign(alert(status="Test")), source())
    assert isinstance(verdict, Accepted)
    assert {event.trust for event in verdict.events} == {"none"}


ENTITIES = [
    b'<!DOCTYPE a [<!ENTITY x "boom">]>' + alert().split(b"?>\n", 1)[1].replace(b"a-1", b"&x;"),
    b"<!DOCTYPE a [" + b"".join(
        f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">'.encode() for n in range(12)
    ) + b']>' + alert().split(b"?>\n", 1)[1].replace(b"a-1", b"&e12;"),
    b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + alert().split(b"?>\n", 1)[1].replace(b"a-1", b"&x;"),
    b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd">' + alert().split(b"?>\n", 1)[1],
]  # fmt: skip


@pytest.mark.parametrize("data", ENTITIES, ids=["entity", "bomb", "file", "dtd"])
def test_entity_bombs_and_external_entities(desk: Any, source: Make, data: bytes) -> None:
    started = time.perf_counter()
    refused(desk, data, source(), "xml")
    assert time.perf_counter() - started < 1


def test_the_real_external_entity_file(desk: Any, source: Make, data: Path) -> None:
    refused(desk, (data / "cap/google-cap-library/xee.cap").read_bytes(), source(), "xml")


def test_50_mb_of_xml(desk: Any, source: Make) -> None:
    padding = b"<note>" + b"x" * 50_000_000 + b"</note>"
    data = alert().replace(b"<info>", padding + b"<info>", 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    refused(desk, data, source(), "xml")
    assert time.perf_counter() - started < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000, "kB: never built a tree of it"


def test_10_000_nested_elements(desk: Any, source: Make) -> None:
    data = b"<alert>" * 10_000 + b"</alert>" * 10_000
    refused(desk, data, source(), "xml")
    inside = b"<x>" * 10_000 + b"</x>" * 10_000
    refused(desk, alert().replace(b"<info>", inside + b"<info>", 1), source(), "xml")


def test_half_a_million_small_elements(desk: Any, source: Make) -> None:
    refused(desk, alert().replace(b"<info>", b"<a/>" * 500_000 + b"<info>", 1), source(), "xml")


def test_50_000_polygons_and_references(desk: Any, source: Make) -> None:
    """Small enough to be parsed, made to be slow in geometry: the same polygon is read once."""
    started = time.perf_counter()
    verdict = desk(signer().sign(alert(area=WEST * 50_000)), source())
    assert isinstance(verdict, Accepted)
    many = f"<references>{' '.join(f'{SENDER},a-{n},2026-03-01T11:00:00+03:00' for n in range(20_000))}</references>"
    refused(desk, signer().sign(alert(identifier="2", msg_type="Update", more=many)), source(), "contract")
    assert time.perf_counter() - started < 10


def test_a_polygon_of_100_000_points(desk: Any, source: Make) -> None:
    """A comb: legal, and the slowest that fits. It is judged in seconds at the most."""
    teeth = " ".join(f"{50.1 + 0.8 * (n % 2)},{40 + n / 100_000:.6f}" for n in range(100_000))
    comb = f"<polygon>50.05,40.0 {teeth} 50.05,41.0 50.05,40.0</polygon>"
    started = time.perf_counter()
    verdict = desk(signer().sign(alert(area=comb)), source())
    assert isinstance(verdict, Accepted | Refused)
    assert time.perf_counter() - started < 10


def test_alert_flood(desk: Any, source: Make) -> None:
    """1,000 a minute is 17 a second. 1,000 forgeries, and the real alert after them is taken at once."""
    one, forged = source(), signer("stranger").sign(alert())
    started = time.perf_counter()
    for number in range(1_000):
        verdict = desk(forged.replace(b"a-1", f"f-{number}".encode()), one)
        assert isinstance(verdict, Refused)
    took = time.perf_counter() - started
    assert isinstance(desk(signer().sign(alert()), one), Accepted)
    assert took < 30, f"{took:.1f} s for 1,000: less than half of the minute that they come in"
    assert desk.seen.sighting(f"{SENDER},f-1,2026-03-01T09:00:00Z") is None, "refused alerts take no memory"
