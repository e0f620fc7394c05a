"""XML signatures (W3C XMLDSig) by signxml, against pinned certificates only.

A certificate inside the message proves nothing: anybody can put one there. Only what the signature covers is handed on,
so text outside it cannot be read by mistake.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from hashlib import sha256

from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from actuation.cap.pins import Pin, PinError
from actuation.cap.source import CapSource
from actuation.cap.verdict import RefusedError
from ingest.cap.alert import DSIG
from ingest.cap.xml import parse

METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512,
        SignatureMethod.ECDSA_SHA256, SignatureMethod.ECDSA_SHA384, SignatureMethod.ECDSA_SHA512,
        SignatureMethod.SHA256_RSA_MGF1, SignatureMethod.SHA384_RSA_MGF1, SignatureMethod.SHA512_RSA_MGF1,
    }
)  # fmt: skip
DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
ENVELOPED = f"{DSIG}enveloped-signature"
C14N = frozenset(
    {
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2006/12/xml-c14n11",
        "http://www.w3.org/2001/10/xml-exc-c14n#",
    }
)
SIGNATURE = f"{{{DSIG}}}Signature"
METHOD_URIS = frozenset(method.value for method in METHODS)
DIGEST_URIS = frozenset(digest.value for digest in DIGESTS)


def signatures_of(root: etree._Element) -> list[etree._Element]:
    """All signatures of a document, wherever they stand."""
    return list(root.iter(SIGNATURE))


def verified(data: bytes, source: CapSource, now: datetime) -> tuple[bytes, Pin]:
    """The bytes that are signed (canonical XML of the whole alert without its signature), and whose key it was.

    RefusedError: unsigned, stranger, certificate, algorithm, signature.
    """
    root = parse(data, whole=True, blank=not source.reformatted)
    signature = _only(root)
    _strong(signature)
    pin = _pinned(signature, source, now)
    configuration = SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=METHODS,
        digest_algorithms=DIGESTS,
        ignore_ambiguous_key_info=False,
        verification_time=now,
    )
    try:
        result = XMLVerifier().verify(root, x509_cert=pin.certificate, expect_config=configuration)
    except (SignXMLException, etree.LxmlError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise RefusedError("signature", _why(data, source, pin, configuration, error), "Signature") from error
    assert not isinstance(result, list)  # one reference was asked for
    signed = result.signed_xml
    if signed is None or signed.tag != root.tag or next(signed.iter(SIGNATURE), None) is not None:
        raise RefusedError("signature", "what is signed is not the whole alert", "Signature")
    return result.signed_data, pin


def _only(root: etree._Element) -> etree._Element:
    found = signatures_of(root)
    if not found:
        raise RefusedError("unsigned", "the source signs its alerts, and this one bears no signature", "Signature")
    if len(found) > 1 or found[0].getparent() is not root:
        told = f"{len(found)} signatures, where one is taken, directly inside <alert>"
        raise RefusedError("signature", told, "Signature")
    return found[0]


def _strong(signature: etree._Element) -> None:
    """Methods, and that the one reference is to the whole document, changed by nothing but canonical form."""
    method = _one(signature, "SignedInfo/SignatureMethod").get("Algorithm")
    if method not in METHOD_URIS:
        raise RefusedError("algorithm", "signature method is weak or unknown: SHA-256 or better", "Signature", method)
    digest = _one(signature, "SignedInfo/Reference/DigestMethod").get("Algorithm")
    if digest not in DIGEST_URIS:
        raise RefusedError("algorithm", "digest method is weak or unknown: SHA-256 or better", "Signature", digest)
    uri = _one(signature, "SignedInfo/Reference").get("URI")
    if uri != "":
        raise RefusedError("signature", "the signature is over a part of the document, not the alert", "Signature", uri)
    transforms = [
        transform.get("Algorithm") or ""
        for transform in signature.iterfind(f"{{{DSIG}}}SignedInfo/{{{DSIG}}}Reference/{{{DSIG}}}Transforms/*")
    ]
    others = [name for name in transforms if name != ENVELOPED and name not in C14N]
    if others or transforms.count(ENVELOPED) != 1:
        told = "the signature must be enveloped, and change the alert by canonical form only"
        raise RefusedError("signature", told, "Signature", others[0] if others else None)


def _one(signature: etree._Element, path: str) -> etree._Element:
    found = signature.findall("/".join(f"{{{DSIG}}}{step}" for step in path.split("/")))
    if len(found) != 1:
        raise RefusedError("signature", f"{len(found)} elements {path}, where one is taken", "Signature")
    return found[0]


def _pinned(signature: etree._Element, source: CapSource, now: datetime) -> Pin:
    """The pin whose key the message names; the only pin where it names none."""
    try:
        pins = list(source.pins)
    except PinError as error:
        raise RefusedError("certificate", str(error), "certificates") from error
    if not pins:
        told = "no certificate of this source is there yet: put it where alert_sources.toml says"
        raise RefusedError("stranger", told, "certificates", ", ".join(map(str, source.pins.paths)))
    embedded = _embedded(signature)
    fits = [pin for pin in pins if embedded is None or pin.spki in embedded]
    if not fits:
        told = "its certificate (SHA-256) is not pinned for this source"
        raise RefusedError("stranger", told, "Signature", sha256(embedded or b"").hexdigest())
    valid = [pin for pin in fits if pin.fault(now) is None]
    if not valid:
        raise RefusedError("certificate", fits[0].fault(now) or "not valid now", "certificates", fits[0].fingerprint)
    return valid[0]


def _embedded(signature: etree._Element) -> bytes | None:
    """The certificate inside, DER. It is never parsed: it is a stranger's, and only says which pin to try."""
    text = signature.findtext(f"{{{DSIG}}}KeyInfo/{{{DSIG}}}X509Data/{{{DSIG}}}X509Certificate")
    if text is None:
        return None
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (ValueError, binascii.Error) as error:
        raise RefusedError("signature", f"the certificate inside cannot be read: {error}", "Signature") from error


SMALL = 256 * 1024


def _why(data: bytes, source: CapSource, pin: Pin, configuration: SignatureConfiguration, error: Exception) -> str:
    """Says when it is only the indentation: a sender that pretty-prints after signing is met in the wild."""
    told = f"does not verify: {str(error)[:200] or type(error).__name__}"
    if source.reformatted or len(data) > SMALL:
        return told
    try:
        XMLVerifier().verify(
            parse(data, whole=True, blank=False), x509_cert=pin.certificate, expect_config=configuration
        )
    except (SignXMLException, etree.LxmlError, ValueError, TypeError, KeyError, AttributeError):
        return told
    return f"{told}. Without blank text it would: the sender indents after signing; see `reformatted` in the docs"
