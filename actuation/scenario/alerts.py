"""What the engine needs of a CAP alert: its identity, what it refers to, and whether one of its <info> is meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from actuation.scenario.trigger import AlertTrigger


@dataclass(frozen=True, slots=True)
class Matched:
    """An alert that a trigger means. expires: of the <info> that were meant; None where one does not say."""

    expires: datetime | None
    fields: Mapping[str, str]


def alert_key(sender: str, identifier: str, sent: str | datetime) -> str:
    """The identity of CAP 1.2: sender, identifier and sent, the time in UTC so that an offset changes nothing."""
    return f"{sender},{identifier},{_utc_text(sent)}"


def key_of(body: Mapping[str, Any]) -> str:
    return alert_key(body["sender"], body["identifier"], body["sent"])


def references(body: Mapping[str, Any]) -> tuple[tuple[str, datetime], ...]:
    """(key, sent) of the alerts of the same sender that it refers to and that were sent before it."""
    sent, found = parse_time(body["sent"]), []
    for reference in str(body.get("references") or "").split():
        parts = reference.rsplit(",", 2)
        if len(parts) != 3 or parts[0] != body["sender"]:
            continue
        before = parse_time(parts[2])
        if before is not None and sent is not None and before < sent:
            found.append((alert_key(*parts), before))
    return tuple(found)


def match(trigger: AlertTrigger, body: Mapping[str, Any]) -> Matched | None:
    """The trigger's <info> of the alert; None where it means none of them."""
    if body.get("status") not in trigger.statuses or body.get("scope") not in trigger.scopes:
        return None
    infos = [info for info in body.get("info") or () if isinstance(info, Mapping)]
    meant = [info for info in infos if _is_meant(trigger, info)]
    if not meant and (infos or _asks(trigger)):
        return None
    ends = [parse_time(info.get("expires")) for info in meant]
    known = [end for end in ends if end is not None]
    return Matched(max(known) if known and len(known) == len(ends) else None, _words(meant))


def parse_time(value: Any) -> datetime | None:
    """An aware time in UTC; None where it is none."""
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else None
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None


def _is_meant(trigger: AlertTrigger, info: Mapping[str, Any]) -> bool:
    event = str(info.get("event", "")).casefold()
    return (
        _in(trigger.severities, (info.get("severity"),))
        and _in(trigger.urgencies, (info.get("urgency"),))
        and _in(trigger.certainties, (info.get("certainty"),))
        and _in(trigger.categories, info.get("category") or ())
        and _in(trigger.responses, info.get("responseType") or ())
        and (bool(trigger.responses) or not set(trigger.not_responses) & set(info.get("responseType") or ()))
        and (not trigger.events or any(word.casefold() in event for word in trigger.events))
    )


def _in(wanted: Sequence[str], found: Sequence[Any]) -> bool:
    return not wanted or any(each in wanted for each in found)


def _asks(trigger: AlertTrigger) -> bool:
    return any((trigger.severities, trigger.urgencies, trigger.certainties, trigger.categories, trigger.responses,
                trigger.events))  # fmt: skip


def _words(infos: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """headline_ru, headline_en, instruction_ru, …: by the language of each <info>."""
    words: dict[str, str] = {}
    for info in infos:
        language = "ru" if str(info.get("language", "en")).lower().startswith("ru") else "en"
        for name in ("headline", "instruction", "description"):
            text = info.get(name) or (info.get("event") if name == "headline" else None)
            if text:
                words.setdefault(f"{name}_{language}", str(text))
    return words


def _utc_text(sent: str | datetime) -> str:
    moment = parse_time(sent)
    return moment.isoformat() if moment else str(sent)
