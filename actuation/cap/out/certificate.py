"""The key that signs our alerts and the certificate that receivers pin: GORODOK_HOME/keys/cap-{key,certificate}.pem.

Self-signed, because a receiver pins the certificate itself and no authority stands between us.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, SignatureMethod
from signxml.signer import XMLSigner

from city.settings import Settings

KEY, CERTIFICATE = "cap-key.pem", "cap-certificate.pem"


class CapKeyError(RuntimeError):
    """No usable key; the text says what to do."""


@dataclass(frozen=True, slots=True)
class CapKey:
    """`sign` makes what receivers verify with `certificate`."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def load(cls, folder: Path) -> CapKey:
        """folder: settings.home / "keys"."""
        path = folder / KEY
        try:
            wide = stat.S_IMODE(path.stat().st_mode) & 0o077
            key = load_pem_private_key(path.read_bytes(), None)
            certificate = x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
        except (OSError, ValueError) as error:
            raise CapKeyError(f"{path}: {error}: run `gorodok alert cert`") from error
        if wide:
            raise CapKeyError(f"{path} is open to others: chmod 600, or `gorodok alert cert --new` if it was read")
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise CapKeyError(f"{path} is no EC key: run `gorodok alert cert --new`")
        return cls(key, certificate)

    @property
    def fingerprint(self) -> str:
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def sign(self, document: bytes) -> bytes:
        """An enveloped signature over the whole alert; receivers must not reformat it."""
        signer = XMLSigner(
            signature_algorithm=SignatureMethod.ECDSA_SHA256,
            c14n_algorithm=CanonicalizationMethod.CANONICAL_XML_1_1,
        )
        root = signer.sign(etree.fromstring(document), key=self.key, cert=[self.certificate])  # type: ignore[arg-type]
        return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def key_folder(settings: Settings) -> Path:
    return settings.home / "keys"


def make_cap_key(folder: Path, name: str, days: int = 730, *, replace: bool = False) -> CapKey:
    """A new key and certificate. CapKeyError when there is one: receivers pin it, so it is replaced only when told."""
    if (folder / KEY).exists() and not replace:
        raise CapKeyError(f"{folder / KEY} is there; a new one must be given to every receiver first (--new)")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write(folder / KEY, private, 0o600)
    _write(folder / CERTIFICATE, certificate.public_bytes(Encoding.PEM), 0o644)
    return CapKey(key, certificate)


def _write(path: Path, data: bytes, mode: int) -> None:
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(path)
