"""XML from strangers. No entities, no document types, no network, no file but the bytes at hand, limits on size."""

from __future__ import annotations

import re

from lxml import etree

MAX_XML_BYTES = 8 * 2**20
"""Largest document: a nation's day of alerts; Burkina Faso's, the largest real one we have, is 0.9 MB."""

MAX_ELEMENTS = 200_000
"""The largest real document that we have, a national Atom index, has 4,574."""

MAX_DEPTH = 64

ENCODINGS = frozenset(
    {"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "iso-8859-5", "iso-8859-15", "windows-1251", "windows-1252"}
    | {"cp1251", "koi8-r"}
)
DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?\bencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")


class UnsafeXmlError(ValueError):
    """The bytes are no XML that we read; the text says why."""


def parse(data: bytes, *, whole: bool = False, blank: bool = True) -> etree._Element:
    """The root element; UnsafeXmlError for anything that is not plain, small XML.

    whole: comments and processing instructions stay in the tree, as a signature's verification needs them.
    blank: white space between elements stays as well.

    Refused before the parser sees it: too many bytes, two-byte encodings (a way around the next check), any document
    type declaration: entities that grow, or that read files and addresses, all begin there.
    """
    data = data.lstrip()  # first of all: what is looked at below is what the parser sees
    if not data:
        raise UnsafeXmlError("the document is empty")
    if len(data) > MAX_XML_BYTES:
        raise UnsafeXmlError(f"{len(data)} bytes are over the limit of {MAX_XML_BYTES}")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in data[:4]:
        raise UnsafeXmlError("UTF-16 and UTF-32 are not read: send UTF-8")
    declared = DECLARED.match(data.removeprefix(b"\xef\xbb\xbf").lstrip()[:300])
    if declared and declared.group(1).decode().lower() not in ENCODINGS:
        raise UnsafeXmlError(f"encoding {declared.group(1).decode()} is not read: send UTF-8")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise UnsafeXmlError("a document type declaration is not allowed: it can name entities and outside files")
    try:
        root = etree.fromstring(data, _parser(whole, blank))
    except (etree.LxmlError, ValueError, AssertionError) as error:
        raise UnsafeXmlError(f"no XML: {str(error)[:300]}") from error
    _check(root)
    return root


def _parser(whole: bool, blank: bool) -> etree.XMLParser:
    """A new one each time: lxml's parsers keep state (error log, dictionaries of names) between documents."""
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        remove_blank_text=not blank,
        remove_comments=not whole,
        remove_pis=not whole,
        collect_ids=False,
    )


def _check(root: etree._Element) -> None:
    if root.getroottree().docinfo.internalDTD is not None:
        raise UnsafeXmlError("a document type declaration is not allowed")
    stack = [(root, 1)]
    seen = 0
    while stack:
        element, depth = stack.pop()
        seen += 1
        if depth > MAX_DEPTH:
            raise UnsafeXmlError(f"nested deeper than {MAX_DEPTH}")
        if seen > MAX_ELEMENTS:
            raise UnsafeXmlError(f"more than {MAX_ELEMENTS} elements")
        stack += [(child, depth + 1) for child in element]
