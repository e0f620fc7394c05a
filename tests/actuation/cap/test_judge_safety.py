"""What would keep a real alert out: an exercise's Cancel, an unsigned twin, a geocode of somebody else's scheme."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from actuation.cap import Accepted, CapSource, Ignored
from ingest.cap import UnsafeXmlError
from ingest.cap.xml import parse
from tests.actuation.cap.signing import SENDER, WEST, alert, signer

Make = Callable[..., CapSource]
CANCEL = {
    "identifier": "c-1", "msg_type": "Cancel", "sent": "2026-03-01T12:00:10+03:00",
    "more": f"<references>{SENDER},a-1,2026-03-01T12:00:00+03:00</references>",
}  # fmt: skip


def accepted(verdict: Any) -> Accepted:
    assert isinstance(verdict, Accepted), verdict
    return verdict


@pytest.mark.parametrize("status", ["Exercise", "Test", "System"])
def test_a_cancel_of_an_exercise_that_comes_first_does_not_take_back_a_real_alert(
    desk: Any, source: Make, status: str
) -> None:
    accepted(desk(signer().sign(alert(**CANCEL, status=status)), source()))
    accepted(desk(signer().sign(alert()), source()))


def test_an_unsigned_twin_does_not_keep_the_signed_alert_out(desk: Any, source: Make) -> None:
    twin = accepted(desk(alert(status="Exercise"), source(code="fax", trust="trusted")))
    real = accepted(desk(signer().sign(alert()), source()))
    assert real.key == twin.key
    assert real.event.key != twin.event.key, "the engine takes a key once"
    assert real.event.trust == "verified"
    again = desk(signer().sign(alert()), source())
    assert isinstance(again, Ignored)
    assert again.why == "repeated"


def test_a_code_of_an_unknown_scheme_beside_a_polygon_of_ours_does_not_refuse_the_alert(
    desk: Any, source: Make
) -> None:
    other = "</area><area><areaDesc>B</areaDesc><geocode><valueName>SAME</valueName><value>1</value></geocode>"
    found = accepted(desk(signer().sign(alert(area=WEST + other)), source()))
    assert found.zones == ("sw",)
    assert "SAME=1" in found.remarks[0]
    first = other.removeprefix("</area><area><areaDesc>B</areaDesc>") + "</area><area><areaDesc>B</areaDesc>" + WEST
    assert accepted(desk(signer().sign(alert(identifier="a-2", area=first)), source())).zones == ("sw",)


def test_blanks_before_the_document_hide_no_two_byte_encoding() -> None:
    text = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    with pytest.raises(UnsafeXmlError, match="UTF-16"):
        parse(b"    " + text.encode("utf-16-le"))
