"""The certificates that a source may sign with: files that a person put there, read again when they change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

MIN_RSA_BITS = 2_048
MIN_EC_BITS = 256
WARN = timedelta(days=30)


class PinError(ValueError):
    """A certificate file that cannot be used; the text names file and remedy."""


@dataclass(frozen=True, slots=True)
class Pin:
    """spki: the public key in DER: what an embedded certificate is compared by."""

    path: Path
    certificate: x509.Certificate
    spki: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, hex: what people compare over the telephone."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def fault(self, now: datetime) -> str | None:
        if now < self.certificate.not_valid_before_utc:
            return f"{self.path.name} is valid from {self.certificate.not_valid_before_utc:%Y-%m-%d} only"
        if now > self.certificate.not_valid_after_utc:
            return f"{self.path.name} expired on {self.certificate.not_valid_after_utc:%Y-%m-%d}: pin the new one"
        return None

    def warning(self, now: datetime) -> str | None:
        """Before it lapses, and after: what `gorodok alert sources` and the remarks of accepted alerts say."""
        left = self.certificate.not_valid_after_utc - now
        if self.fault(now) is None and left < WARN:
            return f"certificate {self.path.name} expires in {left.days} days: pin the next one beside it now"
        return self.fault(now)


def read_pins(path: Path) -> list[Pin]:
    """Every certificate of a PEM file; PinError when there is none, or one is too weak to rely on."""
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        raise PinError(f"{path}: no readable PEM certificate ({str(error)[:200]})") from error
    return [_pin(path, certificate) for certificate in found]


def _pin(path: Path, certificate: x509.Certificate) -> Pin:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        strong = key.key_size >= MIN_RSA_BITS
    else:
        strong = isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size >= MIN_EC_BITS
    if not strong:
        raise PinError(f"{path}: key too weak or of a kind XML signatures lack; ask for RSA 2048 or more, or EC P-256")
    return Pin(path, certificate, key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


class Pins:
    """The pins of one source. A file that is added or replaced counts from the next alert on, without a restart."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = tuple(paths)
        self._read: dict[Path, tuple[tuple[int, int], list[Pin]]] = {}

    def __iter__(self) -> Iterator[Pin]:
        for path in self._paths:
            yield from self._of(path)

    @property
    def paths(self) -> tuple[Path, ...]:
        return self._paths

    def _of(self, path: Path) -> list[Pin]:
        try:
            stat = path.stat()
        except OSError:
            self._read.pop(path, None)
            return []
        version = (stat.st_mtime_ns, stat.st_size)
        known = self._read.get(path)
        if known is None or known[0] != version:
            known = self._read[path] = (version, read_pins(path))
        return known[1]
