"""Whom to believe and what to do: sources, identity, time, scope, references."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actuation.cap import Accepted, CapSource, Ignored, Refused, SeenAlerts, judge
from tests.actuation.cap.signing import NOW, SENDER, WEST, alert, signer

Make = Callable[..., CapSource]


def accepted(verdict: object) -> Accepted:
    assert isinstance(verdict, Accepted), verdict
    return verdict


def refused(verdict: object, reason: str) -> Refused:
    assert isinstance(verdict, Refused), verdict
    assert verdict.reason == reason, verdict
    return verdict


def test_a_signed_alert_becomes_an_event(desk: Any, source: Make) -> None:
    found = accepted(desk(signer().sign(alert()), source()))
    assert found.key == f"{SENDER},a-1,2026-03-01T09:00:00Z"
    assert (found.trust, found.zones, found.remarks) == ("verified", ("sw",), ())
    event = found.event
    assert (event.kind, event.key, event.at, event.zones, event.trust) == ("alert", found.key, NOW, ("sw",), "verified")
    assert event.body["info"][0]["event"] == "Ракетная опасность"


@pytest.mark.parametrize("kind", ["ec", "rsa2048"])
def test_both_kinds_of_key_verify(desk: Any, source: Make, kind: str) -> None:
    one = signer("kinds", kind)
    assert accepted(desk(one.sign(alert()), source(pins=(one,)))).trust == "verified"


def test_what_each_mode_of_a_source_is_worth(desk: Any, source: Make) -> None:
    refused(desk(alert(identifier="1"), source()), "unsigned")
    assert accepted(desk(alert(identifier="2"), source(trust="trusted"))).event.trust == "trusted"
    assert accepted(desk(alert(identifier="3"), source(trust="inform"))).event.trust == "none"
    pinned = source(trust="trusted", pins=(signer(),))
    assert accepted(desk(signer().sign(alert(identifier="4")), pinned)).event.trust == "verified"
    refused(desk(signer("stranger").sign(alert(identifier="5")), pinned), "stranger")


def test_three_channels_act_once(desk: Any, source: Make) -> None:
    one = source()
    accepted(desk(signer().sign(alert()), one, channel="pull"))
    for channel in ("mqtt", "webhook"):
        again = desk(signer().sign(alert()), one, channel=channel)
        assert isinstance(again, Ignored)
        assert again.why == "repeated"


def test_a_stranger_who_is_first_does_not_keep_the_real_alert_out(desk: Any, source: Make) -> None:
    rumour = source(code="rumour", trust="inform", senders=())
    first = accepted(desk(alert(area="<geocode><valueName>OKTMO</valueName><value>100</value></geocode>"), rumour))
    real = accepted(desk(signer().sign(alert()), source()))
    assert first.key != real.key
    assert real.event.trust == "verified"


def test_other_words_under_a_known_identity_are_a_conflict(desk: Any, source: Make) -> None:
    accepted(desk(signer().sign(alert()), source()))
    found = refused(desk(signer().sign(alert(expires="2026-03-01T14:00:00+03:00")), source()), "conflict")
    assert found.key == f"{SENDER},a-1,2026-03-01T09:00:00Z"


def test_memory_outlives_the_process(tmp_path: Path, zones: Any, source: Make) -> None:
    data, one = signer().sign(alert()), source()
    path = tmp_path / "seen" / "seen.sqlite"
    seen = SeenAlerts(path)
    seen.add(accepted(judge(data, one, zones, seen, NOW)))
    seen.close()
    again = judge(data, one, zones, SeenAlerts(path), NOW)
    assert isinstance(again, Ignored)


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("sender", {"sender": "mchs@test.example"}),
        ("future", {"sent": "2026-03-01T12:05:00+03:00"}),
        ("too_old", {"sent": "2026-02-27T12:00:00+03:00"}),
        ("expired", {"sent": "2026-03-01T11:00:00+03:00", "expires": "2026-03-01T11:59:00+03:00"}),
        ("expired", {"expires": "2026-03-01T11:59:00+03:00"}),
        ("identity", {"identifier": "a, 1"}),
        ("scope", {"scope": "Restricted"}),
        ("scope", {"scope": "Private"}),
        ("references", {"msg_type": "Update"}),
        ("references", {"msg_type": "Cancel", "more": "<references>a-0</references>"}),
        ("references", {"msg_type": "Cancel", "more": f"<references>{SENDER},a-0,yesterday</references>"}),
        ("references", {"msg_type": "Cancel", "more": "<references>x@y,a-0,2026-03-01T11:00:00+03:00</references>"}),
        ("no_area", {"area": ""}),
        ("schema", {"status": "Real"}),
        ("schema", {"sent": "2026-03-01T09:00:00Z"}),
        ("contract", {"identifier": "a" * 129}),
    ],
)
def test_refused_with_the_reason(desk: Any, source: Make, reason: str, changes: dict[str, str]) -> None:
    refused(desk(signer().sign(alert(**changes)), source()), reason)


@pytest.mark.parametrize("status", ["Test", "System", "Draft"])
def test_a_test_alert_is_believed_by_nobody(desk: Any, source: Make, status: str) -> None:
    event = accepted(desk(signer().sign(alert(status=status)), source())).event
    assert (event.body["status"], event.trust) == (status, "none")


def test_an_exercise_keeps_its_trust_and_its_name(desk: Any, source: Make) -> None:
    event = accepted(desk(signer().sign(alert(status="Exercise")), source())).event
    assert (event.body["status"], event.trust) == ("Exercise", "verified")


def test_scope_that_is_meant_for_us(desk: Any, source: Make) -> None:
    one = source(scopes=("Public", "Restricted", "Private"), addresses=("duty@city",))
    refused(desk(signer().sign(alert(scope="Restricted")), one), "scope")
    accepted(desk(signer().sign(alert(scope="Restricted", more="<restriction>staff</restriction>")), one))
    other = alert(identifier="2", scope="Private", more='<addresses>a@b "duty of town"</addresses>')
    refused(desk(signer().sign(other), one), "scope")
    ours = alert(identifier="3", scope="Private", more="<addresses>a@b duty@city</addresses>")
    accepted(desk(signer().sign(ours), one))


def test_a_channel_that_the_source_does_not_use(desk: Any, source: Make) -> None:
    refused(desk(alert(), source(trust="trusted", channels=("webhook",)), channel="mqtt"), "channel")


def test_an_ack_is_no_alert(desk: Any, source: Make) -> None:
    found = desk(signer().sign(alert(msg_type="Ack")), source())
    assert isinstance(found, Ignored)
    assert found.why == "answer"


REFERENCE = f"<references>{SENDER},a-1,2026-03-01T12:00:00+03:00</references>"
CANCEL = {"identifier": "a-2", "msg_type": "Cancel", "more": REFERENCE}


def test_a_cancel_names_what_it_ends_and_its_zones(desk: Any, source: Make) -> None:
    first = accepted(desk(signer().sign(alert()), source()))
    found = accepted(desk(signer().sign(alert(**CANCEL, area="")), source()))
    assert found.references == (first.key,)
    assert found.event.body["references"] == first.key
    assert found.zones == ("sw",)


def test_a_cancel_of_another_channel_without_a_signature_ends_nothing(desk: Any, source: Make) -> None:
    accepted(desk(signer().sign(alert()), source()))
    refused(desk(alert(**CANCEL), source(code="fax", trust="trusted")), "references")
    rumour = accepted(desk(alert(**CANCEL), source(code="rumour", trust="inform")))
    assert rumour.references == (f"{SENDER},a-1,2026-03-01T09:00:00Z,unverified",), "not the believed one's key"
    assert rumour.event.trust == "none"


def test_a_cancel_that_overtakes_its_alert(desk: Any, source: Make) -> None:
    accepted(desk(signer().sign(alert(**CANCEL)), source()))
    late = desk(signer().sign(alert()), source())
    assert isinstance(late, Ignored)
    assert late.why == "superseded"


def test_an_unbelieved_cancel_keeps_no_believed_alert_out(desk: Any, source: Make) -> None:
    accepted(desk(alert(**CANCEL), source(code="rumour", trust="inform")))
    accepted(desk(signer().sign(alert()), source()))


def test_elsewhere_is_refused_or_ignored_as_the_source_is_set(desk: Any, source: Make) -> None:
    far = "<polygon>10.1,10.1 10.9,10.1 10.9,10.9 10.1,10.1</polygon>"
    refused(desk(signer().sign(alert(area=far)), source()), "elsewhere")
    found = desk(signer().sign(alert(area=far)), source(elsewhere="ignore"))
    assert isinstance(found, Ignored)
    assert found.why == "elsewhere"


def test_an_alert_without_area_by_the_sources_setting(desk: Any, source: Make) -> None:
    found = accepted(desk(signer().sign(alert(area="")), source(no_area="city")))
    assert found.zones == ("ne", "nw", "se", "sw")


def test_two_hazards_in_two_places_are_two_events(desk: Any, source: Make) -> None:
    """The wind in the north must not open the doors that the missile in the south opens."""
    text = alert().decode()
    start, end = text.index("<info>"), text.index("</alert>")
    wind = text[start:end].replace("Ракетная опасность", "Ветер").replace(WEST, WEST.replace("50.", "51."))
    found = accepted(desk(signer().sign(text.replace("</alert>", wind + "</alert>").encode()), source()))
    assert [(event.zones, event.body["info"][0]["event"]) for event in found.events] == [
        (("sw",), "Ракетная опасность"),
        (("nw",), "Ветер"),
    ]
    assert [event.key.removeprefix(found.key) for event in found.events] == ["", "#2"]
    assert [event.body["part"] for event in found.events] == [[1, 2], [2, 2]]


def test_certificates_lapse_with_a_warning_first(desk: Any, source: Make) -> None:
    old = signer("old", days=50)  # 30 days before NOW to 20 days after
    found = accepted(desk(old.sign(alert()), source(pins=(old,))))
    assert "expires in 20 days" in found.remarks[0]
    gone = signer("gone", begins=NOW - timedelta(days=99), days=98)
    refused(desk(gone.sign(alert(identifier="2")), source(pins=(gone,))), "certificate")
    early = signer("early", begins=NOW + timedelta(days=1))
    refused(desk(early.sign(alert(identifier="3")), source(pins=(early,))), "certificate")


def test_a_new_certificate_beside_the_old_one_counts_without_a_restart(tmp_path: Path, desk: Any) -> None:
    told = {"code": "edds", "title_ru": "Е", "title_en": "E", "trust": "signed", "senders": (SENDER,)}
    one = CapSource(**told, certificates=("home:later.pem",)).resolved(tmp_path, tmp_path)
    refused(desk(signer().sign(alert()), one), "stranger")
    (tmp_path / "later.pem").write_bytes(signer("next").pem + signer().pem)
    accepted(desk(signer().sign(alert()), one))
