"""A signer of the tests' own: keys, certificates, alerts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.signer import XMLSigner

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
EC = ec.EllipticCurvePrivateKey
CAP = "urn:oasis:names:tc:emergency:cap:1.2"
SENDER = "edds@test.example"

ALERT = """<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>{identifier}</identifier><sender>{sender}</sender>\
<sent>{sent}</sent><status>{status}</status><msgType>{msg_type}</msgType><scope>{scope}</scope>{more}\
<info><language>ru-RU</language><category>Safety</category><event>Ракетная опасность</event>\
<responseType>Shelter</responseType><urgency>Immediate</urgency><severity>Extreme</severity>\
<certainty>Likely</certainty><expires>{expires}</expires><headline>Ракетная опасность</headline>\
<area><areaDesc>Город</areaDesc>{area}</area></info></alert>"""

WEST = "<polygon>50.1,40.1 50.9,40.1 50.9,40.9 50.1,40.9 50.1,40.1</polygon>"
"""Inside zone sw (latitude 50 to 51, longitude 40 to 41)."""


def alert(**changes: str) -> bytes:
    """An alert of NOW, in force for an hour, for zone sw."""
    values = {
        "identifier": "a-1", "sender": SENDER, "sent": "2026-03-01T12:00:00+03:00", "status": "Actual",
        "msg_type": "Alert", "scope": "Public", "more": "", "expires": "2026-03-01T13:00:00+03:00", "area": WEST,
    }  # fmt: skip
    assert not set(changes) - set(values), changes
    return ALERT.format(**values | changes).encode()


class Signer:
    """A private key and its self-signed certificate."""

    def __init__(self, key: Any, certificate: x509.Certificate) -> None:
        self.key, self.certificate = key, certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def sign(self, data: bytes, **how: Any) -> bytes:
        root = etree.fromstring(data)
        how.setdefault("signature_algorithm", "ecdsa-sha256" if isinstance(self.key, EC) else "rsa-sha256")
        signer = XMLSigner(**how)
        return bytes(etree.tostring(signer.sign(root, key=self.key, cert=[self.certificate])))


@cache
def signer(
    name: str = "edds", kind: str = "ec", begins: datetime = NOW - timedelta(days=30), days: int = 365
) -> Signer:
    key: Any
    if kind == "ec":
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        key = rsa.generate_private_key(65537, int(kind.removeprefix("rsa")))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return Signer(key, certificate)
