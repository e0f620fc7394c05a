"""Signs the simulator's alerts with a key pair of its own, so that the demo city's reflexes have somebody to believe.

The pair lies under GORODOK_HOME/simulator; the demo city's alert_sources.toml pins the certificate there. RSA, because
its signatures of the same alert are the same bytes: a page that has not changed must not look changed.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import SignatureMethod
from signxml.signer import XMLSigner

DAYS = 3_650


class CapSigner:
    """The pair is made when it is not there."""

    def __init__(self, home: Path) -> None:
        folder = home / "simulator"
        key_path, self.certificate_path = folder / "cap-key.pem", folder / "cap-certificate.pem"
        if not key_path.exists() or not self.certificate_path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _make(key_path, self.certificate_path)
        self._key = load_pem_private_key(key_path.read_bytes(), None)
        self._certificate = x509.load_pem_x509_certificate(self.certificate_path.read_bytes())
        self._signed: dict[bytes, bytes] = {}

    def sign(self, xml: bytes) -> bytes:
        """The alert with an enveloped signature over all of it."""
        if xml not in self._signed:
            if len(self._signed) > 1_000:
                self._signed.clear()
            signer = XMLSigner(signature_algorithm=SignatureMethod.RSA_SHA256)
            root = signer.sign(etree.fromstring(xml), key=self._key, cert=[self._certificate])  # type: ignore[arg-type]
            self._signed[xml] = bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))
        return self._signed[xml]


def _make(key_path: Path, certificate_path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Gorodok simulator: demo alerts, not for live use")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=DAYS))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        stream.write(private)
    fresh = certificate_path.with_suffix(".new")
    fresh.write_bytes(certificate.public_bytes(Encoding.PEM))
    fresh.replace(certificate_path)
