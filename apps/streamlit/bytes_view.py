"""Original bytes for a person's eyes: text where it is text, else a dump; nothing in it can act or hide.

Control, format and private characters (a right-to-left override, say) are shown as their codes, so that a
hostile message cannot make itself look like another one.
"""

from __future__ import annotations

import unicodedata

LIMIT = 4_096
HIDDEN = ("Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp")


def show(payload: bytes) -> tuple[str, bool, bool]:
    """(what to show, whether it is UTF-8 text, whether it was cut at LIMIT bytes)."""
    head, cut = payload[:LIMIT], len(payload) > LIMIT
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if not (cut and error.start >= LIMIT - 3):  # the cut may have split the last character
            return dump(head), False, cut
        text = head[: error.start].decode("utf-8")
    if (
        sum(unicodedata.category(character) == "Cc" and character not in "\r\n\t" for character in text)
        > len(text) / 10
    ):
        return dump(head), False, cut
    return visible(text), True, cut


def visible(text: str) -> str:
    return "".join(
        character
        if character in "\n\t" or unicodedata.category(character) not in HIDDEN
        else f"\\u{{{ord(character):04x}}}"
        for character in text
    )


def dump(payload: bytes) -> str:
    """Offset, sixteen bytes, printable ASCII: the layout of `hexdump -C`."""
    lines = []
    for offset in range(0, len(payload), 16):
        row = payload[offset : offset + 16]
        digits = " ".join(f"{byte:02x}" for byte in row)
        letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{offset:06x}  {digits:<47}  {letters}")
    return "\n".join(lines)
