"""A text to CAP drafts. Pure; what is doubtful waits for a person, and what only speaks of alerts is none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from actuation.cap.source import CapSource
from actuation.cap.text.rules import Rule, TextRules
from actuation.cap.zones import ZoneIndex
from actuation.scenario.event import Event, Trust

SENTENCE = re.compile(r"(?<=[.!?…\n])\s+|\n+|\s[•·|]\s")
INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad\u202a-\u202e]")
DASHES = re.compile("[\u2010-\u2015\u2212]")
QUOTES = re.compile("[«»“”„\"']")
SAME_MINUTES = 10
"""The same text within so many minutes is the same alert: channels repeat, and repost each other."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An alert as it would be. doubts: why a person must look first, empty when a trusted source may act at once.

    alert: fields of ingest.contracts.alert. key: the alert's identity, as an Event has it.
    """

    draft_id: str
    source: str
    text: str
    rule: str
    alert: Mapping[str, Any]
    zones: tuple[str, ...]
    created_at: datetime
    doubts: tuple[str, ...] = ()
    acts: bool = False

    @property
    def key(self) -> str:
        return f"{self.alert['sender']},{self.alert['identifier']},{self.alert['sent']}"

    def event(self, by: str | None) -> Event:
        """by: who confirmed it; None only for a draft that `acts` by itself. ValueError otherwise."""
        if by is None and not self.acts:
            raise ValueError("this draft waits for a duty officer")
        trust: Trust = "trusted"
        return Event("alert", self.key, self.created_at, dict(self.alert), self.zones, trust, by)


def read_text(
    text: str,
    source: CapSource,
    rules: TextRules,
    zones: ZoneIndex,
    now: datetime,
    known: Mapping[str, str] | None = None,
) -> list[Draft]:
    """One draft a hazard that the text declares or calls off; none for news, questions and advice.

    known: rule code → key of the alert in force that this source's text began; an all-clear refers to it. And
    ended(rule code) → when the last all-clear came: the same words after it are another alert, and no repost.
    """
    plain = normal(text)
    if not plain or len(plain) > rules.max_chars or "text" not in source.channels:
        return []
    is_drill = bool(rules.drills.search(plain.replace("\n", " ")))
    found: dict[tuple[str, bool], Draft] = {}
    for sentence in SENTENCE.split(plain):
        hit = _hit(sentence, rules)
        if hit is not None and (hit[0].code, hit[1]) not in found:
            rule, over = hit
            draft = _draft(text, plain, source, rules, zones, now, rule, over, is_drill, known or {})
            found[rule.code, over] = draft
    return list(found.values())


def normal(text: str) -> str:
    """Lower case, е for ё, plain quotes and dashes, single spaces; lines stay lines."""
    told = DASHES.sub("-", QUOTES.sub("", INVISIBLE.sub("", text))).lower().replace("ё", "е")
    lines = (" ".join(line.split()) for line in told.splitlines())
    return "\n".join(line for line in lines if line)


def _hit(sentence: str, rules: TextRules) -> tuple[Rule, bool] | None:
    """(rule, whether it is the all-clear). A question is never an alert."""
    if sentence.rstrip().endswith("?") or rules.never.search(sentence):
        return None
    for rule, _, ends in rules.hazards:
        if ends.search(sentence):
            return rule, True
    for rule, begins, _ in rules.hazards:
        if begins.search(sentence):
            return rule, False
    return None


def _draft(
    text: str,
    plain: str,
    source: CapSource,
    rules: TextRules,
    zones: ZoneIndex,
    now: datetime,
    rule: Rule,
    over: bool,
    is_drill: bool,
    known: Mapping[str, str],
) -> Draft:
    where, doubts = _where(plain, rules, zones)
    sent = now.astimezone(UTC).replace(microsecond=0)
    before = known.get(rule.code) if over else None
    if over and before is None:
        doubts.append("отбой без известной тревоги / an all-clear of no alert that we know")
    identifier = _identifier(source, plain, rule, over, sent, known.get(ended(rule.code), ""))
    alert: dict[str, Any] = {
        "identifier": identifier,
        "sender": source.senders[0] if source.senders else f"{source.code}@text",
        "sent": sent.isoformat().replace("+00:00", "Z"),
        "status": "Exercise" if is_drill else "Actual",
        "msgType": "Cancel" if before else "Alert",
        "scope": "Public",
        "cap_source": f"text of {source.code}, rule {rule.code}",
        "note": text.strip()[:2_000],
        "info": list(_infos(rule, over, text, where, sent)),
    }
    if before:
        alert["references"] = before
    acts = source.text_acts and source.trust == "trusted" and not doubts
    draft_id = sha256(f"{source.code}\x1f{identifier}".encode()).hexdigest()[:16]
    return Draft(draft_id, source.code, text, rule.code, alert, where, now, tuple(doubts), acts)


def ended(rule: str) -> str:
    """The name under which `known` says when the rule's last all-clear came."""
    return f"{rule} ended"


def _identifier(source: CapSource, plain: str, rule: Rule, over: bool, sent: datetime, last_end: str) -> str:
    """The same for reposts within SAME_MINUTES, so that they are one alert."""
    window = int(sent.timestamp()) // (SAME_MINUTES * 60)
    parts: tuple[str, ...] = (source.code, rule.code, str(over), re.sub(r"\W+", "", plain), str(window))
    if last_end and not over:
        parts += (last_end,)
    return "text-" + sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def _where(plain: str, rules: TextRules, zones: ZoneIndex) -> tuple[tuple[str, ...], list[str]]:
    """Zones that the text names, and what is doubtful about them."""
    words = plain.replace("\n", " ")
    named = {zone for name, zone in zones.names.items() if re.search(_stem(normal(name)), words)}
    if named:
        return tuple(sorted(named)), []
    if rules.everywhere.search(words):
        return tuple(sorted(zones.all)), []
    if rules.somewhere.search(words):
        return tuple(sorted(zones.all)), ["названо другое место / the text names another place"]
    if rules.places.unnamed == "city":
        return tuple(sorted(zones.all)), []
    return tuple(sorted(zones.all)), ["место не названо / no place is named"]


def _stem(name: str) -> str:
    """Russian bends the end of a name: «Заречный» is «в Заречном». The last two letters of a long word are free."""
    words = [re.escape(word[:-2]) + r"\w{0,4}" if len(word) > 5 else re.escape(word) for word in name.split()]
    return r"\b" + r"\s+".join(words) + r"\b"


def _infos(rule: Rule, over: bool, text: str, where: tuple[str, ...], sent: datetime) -> Iterator[dict[str, Any]]:
    """Russian and English; the original text is the Russian description."""
    area = [{"areaDesc": zone, "geocode": [{"valueName": "zone_id", "value": zone}]} for zone in where]
    ends = sent + timedelta(minutes=rule.lasts_min)
    for language, event, instruction in (
        ("ru-RU", rule.event.ru, rule.instruction.ru),
        ("en-US", rule.event.en, rule.instruction.en),
    ):
        begun = {
            "event": event,
            "responseType": [rule.response],
            "urgency": rule.urgency,
            "severity": rule.severity,
            "certainty": rule.certainty,
            "headline": event,
            "instruction": instruction,
        }
        title = f"Отбой: {event}" if language == "ru-RU" else f"All-clear: {event}"
        ended = {
            "event": title,
            "responseType": ["AllClear"],
            "urgency": "Past",
            "severity": "Minor",
            "certainty": "Observed",
            "headline": title,
        }
        yield {
            "language": language,
            "category": [rule.category],
            **(ended if over else begun),
            "effective": sent.isoformat().replace("+00:00", "Z"),
            "expires": ends.isoformat().replace("+00:00", "Z"),
            **({"description": text.strip()[:2_000]} if language == "ru-RU" else {}),
            "area": area,
        }
