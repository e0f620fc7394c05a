"""Steps into effects: which targets, under which id, until when; and how what was begun is ended."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from actuation.scenario.effect import (
    Cause,
    CommandDevices,
    NotifyPeople,
    OpenTask,
    PublishCap,
    RaiseIncident,
    Target,
    effect_id,
)
from actuation.scenario.matching import all_hold, surroundings
from actuation.scenario.state import Hold, Run
from actuation.scenario.step import (
    CapStep,
    CommandStep,
    IncidentStep,
    NotifyStep,
    ShowStep,
    TaskStep,
    ThenLock,
    Words,
)
from actuation.scenario.town import Town
from actuation.scenario.turn import Turn
from city.layers import Action

OFF = {"light_on": "light_off", "siren_on": "siren_off"}
END_LASTS = timedelta(minutes=10)
"""A device that hears of the end later than this has ended by itself: its lease is over."""
SHOWN = 512
DUTY = "duty"
"""The audience that hears of everything, also of what is Restricted or Private."""
DETAILS = ("detail", "headline_ru", "headline_en", "title")
NAME = re.compile(r"\{(\w+)\}")


def command_targets(step: CommandStep | ShowStep, run: Run, town: Town, zones: Iterable[str]) -> Iterator[Target]:
    """One target a zone (a message for all devices there), or one a device. Where nothing can do it, none."""
    action = "show" if isinstance(step, ShowStep) else step.action
    kinds = ("display",) if isinstance(step, ShowStep) else step.kinds
    if step.devices:
        yield from (Target(device_id=each) for each in step.devices)
    elif step.where == "site":
        at_site = town.at_site.get(run.site_id or "", ())
        yield from (Target(device_id=one.device_id) for one in at_site if one.kind in kinds and action in one.actions)
    else:
        for zone in town.zones if step.where == "city" else zones:
            able = tuple(kind for kind in kinds if (zone, kind, action) in town.acting)
            if able:
                yield Target(zone_id=zone, kinds=able)


def cause_of(run: Run, step: str, event_kind: str | None = None, event_key: str | None = None) -> Cause:
    return Cause(run.scenario, run.version, step, run.run_id, event_kind or run.event_kind, event_key or run.event_key)


def until(run: Run, step: CommandStep | ShowStep, now: datetime) -> datetime:
    """A command ends with its lease, and at the latest when its own end is owed: a door is held until it is locked."""
    ends = (run.ends_at or now) + timedelta(seconds=_end_of(step)[2])
    lease_s = getattr(step, "lease_s", None)
    return min(ends, now + timedelta(seconds=lease_s)) if lease_s else ends


def begin(
    turn: Turn, run: Run, town: Town, index: int, step: Any, name: str, cause: Cause, zones: Iterable[str]
) -> Run:
    """Does one step for the zones; the run as it is then. A step whose conditions do not hold is left out."""
    if step.when and not all_hold(step.when, surroundings(run.body, turn.now, turn.values, town)):
        return run
    if isinstance(step, CommandStep | ShowStep):
        return _command(turn, run, town, index, step, name, cause, zones)
    if isinstance(step, NotifyStep):
        if run.restricted and step.audience != DUTY:
            return run
        turn.effects.append(notice(run, cause, step.audience, step.template, step.severity))
    elif isinstance(step, CapStep):
        return publish(turn, run, step, name, cause)
    elif isinstance(step, IncidentStep) and run.mode != "drill":
        turn.effects.append(incident(run, cause, step, turn.now, "open"))
        return run.but(incidents=(*run.incidents, name)) if name not in run.incidents else run
    elif isinstance(step, TaskStep) and run.mode != "drill":
        turn.effects.append(_task(run, town, cause, step, turn.now))
    return run


def _command(
    turn: Turn, run: Run, town: Town, index: int, step: CommandStep | ShowStep, name: str, cause: Cause, zones: Any
) -> Run:
    text = _shown(step, run) if isinstance(step, ShowStep) else None
    if isinstance(step, ShowStep) and (run.restricted or text is None):
        return run
    holds = list(run.holds)
    for target in command_targets(step, run, town, zones):
        # one whose end is owed already (an Update left the zone out, the next names it again) holds anew
        at = next((i for i, hold in enumerate(holds) if _same(hold, index, target)), None)
        hold = _hold(step, index, name, target, turn.now) if at is None else _held_anew(holds[at])
        turn.effects.append(command(run, step, target, cause, hold.n, turn.now, text))
        if at is None and (hold.end_action or hold.repeat_at):
            holds.append(hold)
        elif at is None:
            continue
        else:
            holds[at] = replace(hold, repeat_at=_again(step, turn.now))
    return run.but(holds=tuple(holds))


def command(
    run: Run,
    step: CommandStep | ShowStep,
    target: Target,
    cause: Cause,
    n: int,
    now: datetime,
    text: str | None,
    repeat_at: datetime | None = None,
) -> CommandDevices:
    """repeat_at: of a repetition, so that its id is no other's when the zone was left out and named again."""
    action: Action = "show" if isinstance(step, ShowStep) else step.action
    names = (target.zone_id or "", target.device_id or "", f"n{n}", *((repeat_at.isoformat(),) if repeat_at else ()))
    return CommandDevices(
        effect_id(cause, *names), cause, run.mode, target, action, until(run, step, now), text,
        getattr(step, "level", None),
    )  # fmt: skip


def shown_text(step: ShowStep, run: Run) -> str | None:
    return _shown(step, run)


def end_command(run: Run, hold: Hold, now: datetime) -> CommandDevices:
    """What ends a hold: lock, light_off, siren_off, or another text."""
    cause = cause_of(run, f"{hold.step}_end")
    target = Target(hold.zone_id, hold.device_id, hold.kinds)
    due = hold.due.isoformat() if hold.due else ""
    names = (hold.zone_id or "", hold.device_id or "", run.ended_why or "moved", f"n{hold.n}", due)
    action: Any = hold.end_action
    return CommandDevices(effect_id(cause, *names), cause, run.mode, target, action, now + END_LASTS, hold.end_text)


def notice(run: Run, cause: Cause, audience: str, template: str, severity: Any, **more: Any) -> NotifyPeople:
    words = run.fields
    fields = {
        "scenario": run.scenario,
        "mode": run.mode,
        "headline": words.get("headline_ru") or words.get("headline_en") or words.get("title") or run.scenario,
        "instruction": words.get("instruction_ru") or words.get("instruction_en"),
        "by": ", ".join(run.people) or None,
        "zones": list(run.zones),
        "site_id": run.site_id,
        "started_at": run.started_at.isoformat(),
        "ends_at": run.ends_at.isoformat() if run.ends_at else None,
        **run.fields,
        **more,
    }
    known = {name: value for name, value in fields.items() if value is not None}
    return NotifyPeople(effect_id(cause, audience, template), cause, run.mode, audience, template, severity, known)


def publish(turn: Turn, run: Run, step: CapStep, name: str, cause: Cause, msg_type: str = "Alert") -> Run:
    """Our alert onward; a second time in one run it updates the first. Nothing of a restricted alert goes out."""
    if run.restricted:
        return run
    first = dict(run.published).get(name)
    kind = "Update" if first and msg_type == "Alert" else msg_type
    effect = effect_id(cause, kind)
    alert: dict[str, Any] = {
        "status": "Actual" if run.mode == "live" else "Exercise",
        "msgType": kind,
        "scope": "Public",
        "incidents": run.run_id,
        "info": _infos(run, step, turn.now),
    }
    if first:
        alert["references"] = first
    turn.effects.append(PublishCap(effect, cause, run.mode, alert))
    return run if first else run.but(published=(*run.published, (name, effect)))


def incident(run: Run, cause: Cause, step: IncidentStep, now: datetime, status: str) -> RaiseIncident:
    said = {
        "incident_id": f"{run.scenario}-{run.run_id}",
        "event_time": now.isoformat(),
        "status": status,
        "kind": step.kind,
        "severity": step.severity,
        "subject": (run.device_id or run.site_id or run.subject)[:128],
        "title": _fill(step.title, run)[:SHOWN],
        "detail": None if run.restricted else next(filter(None, map(run.fields.get, DETAILS)), None),
    }
    kept = {name: value for name, value in said.items() if value is not None}
    return RaiseIncident(effect_id(cause, status), cause, run.mode, kept)


def _task(run: Run, town: Town, cause: Cause, step: TaskStep, now: datetime) -> OpenTask:
    service = town.services.get(step.service)
    effect = effect_id(cause, step.service)
    said: dict[str, Any] = {
        "service_request_id": effect,
        "status": "open",
        "service_code": step.service,
        "requested_datetime": now.isoformat(),
        "updated_datetime": now.isoformat(),
        "description": _fill(step.description, run),
        "channel": "camera" if run.event_kind == "camera_event" else "sensor",
    }
    if service is not None:
        said |= {"service_name": service.name_ru, "executor": service.executor}
        said |= {"deadline": (now + timedelta(hours=service.deadline_h)).isoformat()}
    return OpenTask(effect, cause, run.mode, said)


def _hold(step: CommandStep | ShowStep, index: int, name: str, target: Target, now: datetime) -> Hold:
    action, text, after_s, on = _end_of(step)
    return Hold(
        name, index, target.zone_id, target.device_id, target.kinds, action, text, after_s, on,
        repeat_at=_again(step, now),
    )  # fmt: skip


def _end_of(step: CommandStep | ShowStep) -> tuple[str | None, str | None, float, tuple[str, ...]]:
    if isinstance(step, ShowStep):
        return ("show", bilingual(step.then), 0.0, ()) if step.then else (None, None, 0.0, ())
    if isinstance(step.then, ThenLock):
        return "lock", None, step.then.after_s, step.then.on
    return OFF.get(step.action), None, 0.0, ()


def _held_anew(hold: Hold) -> Hold:
    return replace(hold, n=hold.n + 1, due=None, kept_until=None)


def _again(step: CommandStep | ShowStep, now: datetime) -> datetime | None:
    return now + timedelta(seconds=step.repeat_s) if step.repeat_s else None


def _same(hold: Hold, index: int, target: Target) -> bool:
    return (hold.index, hold.zone_id, hold.device_id) == (index, target.zone_id, target.device_id)


def _shown(step: ShowStep, run: Run) -> str | None:
    if step.text is not None:
        return _fill(step.text, run)[:SHOWN]
    both = [run.fields.get(f"headline_{language}") for language in ("ru", "en")]
    return " · ".join(text for text in both if text)[:SHOWN] or None


def bilingual(words: Words) -> str:
    return f"{words.ru} · {words.en}"


def _fill(words: Words, run: Run) -> str:
    """Both languages, with {names} of the run's fields put in; a dash for what is not known, or not to be told."""
    known = {**({} if run.restricted else run.fields), "site_id": run.site_id, "zones": ", ".join(run.zones)}
    return NAME.sub(lambda found: str(known.get(found[1]) or "—"), bilingual(words))


def _infos(run: Run, step: CapStep, now: datetime) -> list[dict[str, Any]]:
    """The <info> blocks that came, or one a language of our own words."""
    ends = run.ends_at.isoformat() if run.ends_at else None
    if step.pass_on and run.body.get("info"):
        return [dict(info) for info in run.body["info"]]
    blocks = []
    for language in ("ru", "en"):
        words = {name: getattr(getattr(step, name), language) for name in ("event", "headline", "instruction")
                 if getattr(step, name) is not None}  # fmt: skip
        blocks.append(
            {
                "language": {"ru": "ru-RU", "en": "en-US"}[language],
                "category": [step.category],
                "responseType": [step.response],
                "urgency": step.urgency,
                "severity": step.severity,
                "certainty": step.certainty,
                "effective": now.isoformat(),
                **({"expires": ends} if ends else {}),
                **words,
                "area": [
                    {"areaDesc": zone, "geocode": [{"valueName": "zone_id", "value": zone}]} for zone in run.zones
                ],
            }
        )
    return blocks
