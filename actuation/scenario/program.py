"""The engine: what a city's scenarios make of an event. Pure: no clock, no I/O, no chance; the same in, the same out.

    state, effects = program.step(state, event, now)

Three rules hold everywhere. An event acts only on what is strictly older than it, so that events of one moment may
come in any order. An event moves or ends only runs whose mode it could have started itself, so that no exercise ends
a live alert. What a run began is written into the run, so that it is ended even when its scenario is gone.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from actuation.scenario import acting, alerts, timetable
from actuation.scenario.condition import watched
from actuation.scenario.effect import CommandDevices, Effect, Mode, NotifyPeople, Target, effect_id
from actuation.scenario.event import Event
from actuation.scenario.index import Index
from actuation.scenario.matching import (
    RANK,
    Subject,
    all_hold,
    ceiling,
    least,
    pressed_zones,
    subject_of,
    surroundings,
)
from actuation.scenario.model import Scenario
from actuation.scenario.shift import shifted
from actuation.scenario.state import EngineState, Hold, Past, Replaced, Run, Since, Todo
from actuation.scenario.step import CapStep, CommandStep, EndStep, IncidentStep, ShowStep, name_of
from actuation.scenario.town import Town
from actuation.scenario.trigger import AlertTrigger, ButtonTrigger, ScheduleTrigger, StateTrigger, Trigger
from actuation.scenario.turn import Turn, slot_of

KEPT_KEYS = 16
QUIET_STEP = 0.1
"""The quiet end is put off in steps of this share of quiet_s: most messages of a radar then change nothing."""
FORGET = timedelta(hours=2)
"""A run is remembered so long after its end, twice the age at which events stop acting; an alert until it expired."""
FORGET_ALERT = timedelta(days=7)
MOST_UNVERIFIED = 50
"""Alerts without trust of one scenario that are followed at a time and within FORGET: a flood of them is no news."""
BY_TIME = ("expired", "max_hold")
"""Ends that nobody said: no all-clear."""
CLOCK_BACK = timedelta(seconds=30)
"""The engine's time never runs back by less; by more the clock was wrong and is right now: timers move with it."""

ORDER = ("button", "tick", "schedule", "incident", "check_failed", "feed_silent", "state", "sensed", "answer",
         "camera_event", "device_message", "alert")  # fmt: skip
"""Of events of one moment: what ends goes before what begins, and danger comes last, so that it wins."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A trigger of a scenario, with its place in the file."""

    scenario: Scenario
    index: int
    trigger: Trigger
    ends: bool = False
    keeps: bool = False


@dataclass(frozen=True)
class Program:
    """A city's scenarios, ready to run. `load_scenarios` makes it."""

    scenarios: Mapping[str, Scenario]
    town: Town
    version: str = ""
    _rules: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict, repr=False)
    _watched: frozenset[str] = frozenset()
    _versions: Mapping[str, str] = field(default_factory=dict, repr=False)
    _newest: list[Index] = field(default_factory=list, repr=False, compare=False)
    """The index of the newest state, taken out during a step: it changes how fast a step is, never what it gives."""

    @classmethod
    def of(cls, scenarios: Iterable[Scenario], town: Town) -> Program:
        by_code = {one.scenario: one for one in sorted(scenarios, key=lambda one: one.scenario)}
        rules: dict[str, list[Rule]] = {}
        names: set[str] = set()
        for one in by_code.values():
            for role, triggers in (("start", one.triggers), ("keep", one.keeps), ("end", one.ends)):
                for index, trigger in enumerate(triggers):
                    rules.setdefault(trigger.on, []).append(Rule(one, index, trigger, role == "end", role == "keep"))
                    names.update(name for each in trigger.when for name in watched(each))
            conditions = [*one.conditions, *(each for step in (*one.steps, *one.at_end) for each in step.when)]
            names.update(name for each in conditions for name in watched(each))
        versions = {code: one.version for code, one in by_code.items()}
        whole = sha256("".join(f"{code}={version};" for code, version in versions.items()).encode()).hexdigest()[:12]
        return cls(
            by_code, town, whole, {kind: tuple(found) for kind, found in rules.items()}, frozenset(names), versions
        )

    # What a runner calls

    def begin(self, now: datetime) -> EngineState:
        """The state of a city where nothing has happened yet; its schedules run from `now`."""
        return self.step(EngineState(), Event("tick", "begin", now), now)[0]

    def next_due(self, state: EngineState) -> datetime | None:
        """When to feed a tick, should nothing happen before; None: time alone changes nothing."""
        if state.program != self.version:
            return state.now  # a new program: its schedules are not in the state yet
        return state.due_at

    def step(self, state: EngineState, event: Event, now: datetime) -> tuple[EngineState, tuple[Effect, ...]]:
        """The state after the event, and what to do. What was due by `now` is done first."""
        if state.now is not None and now < state.now - CLOCK_BACK:
            state = shifted(state, now - state.now)
        turn = Turn(state, now, self._index(state))
        if state.program != self.version:
            self._schedule(turn)
        if state.due_at is not None and state.due_at <= turn.now:
            self._time(turn)
        if event.kind == "alert":
            self._alert(turn, event)
        elif event.kind == "button":
            self._button(turn, event)
        elif event.kind == "state":
            self._value(turn, event)
        elif event.kind != "tick":
            self._plain(turn, event)
        if turn.freed:
            self._settle_all(turn)
        found = turn.finish(self.version)
        self._newest[:] = [turn.index]
        return found

    def _index(self, state: EngineState) -> Index:
        try:
            index = self._newest.pop()
        except IndexError:
            return Index(state, self.town)
        return index if index.fits(state) else Index(state, self.town)

    def steps(
        self, state: EngineState, events: Iterable[Event], now: datetime
    ) -> tuple[EngineState, tuple[Effect, ...]]:
        """What came together, in one order whatever the order in which it came: by time, then kind, then key."""
        effects: list[Effect] = []
        for event in sorted(events, key=_in_order):
            state, more = self.step(state, event, now)
            effects += more
        return state, tuple(effects)

    @property
    def feeds(self) -> frozenset[str]:
        """Feeds whose city state some scenario looks at: the runner needs no others."""
        triggers = (rule.trigger for rule in self._rules.get("state", ()))
        named = {trigger.feed for trigger in triggers if isinstance(trigger, StateTrigger)}
        return frozenset(named | {name.split("/", 1)[0] for name in self._watched})

    # Events, by kind

    def _plain(self, turn: Turn, event: Event) -> None:
        for rule in self._rules.get(event.kind, ()):
            subject = subject_of(rule.trigger, event, self.town, turn.now)
            if subject is None:
                continue
            if not rule.trigger.when or all_hold(
                rule.trigger.when, surroundings(event.body, turn.now, turn.values, self.town)
            ):
                self._call(turn, rule, event, subject)

    def _call(self, turn: Turn, rule: Rule, event: Event, subject: Subject) -> None:
        if rule.ends:
            self._end_subject(turn, rule.scenario, event, subject)
        elif rule.keeps:
            self._keep(turn, rule.scenario, event, subject)
        else:
            self._start(turn, rule, event, subject)

    def _keep(self, turn: Turn, scenario: Scenario, event: Event, subject: Subject) -> None:
        """The run of this subject goes on as if its start had been repeated; where there is none, nothing begins."""
        name = _subject_name(scenario, subject)
        run = self._open(turn, scenario.scenario, name, "shadow") if name is not None else None
        if run is None or run.phase != "active" or scenario.timers.quiet_s is None:
            return
        if RANK[ceiling(event)] >= RANK[run.mode] and self._is_later(turn, run, scenario):
            quiet_at = turn.now + timedelta(seconds=scenario.timers.quiet_s)
            turn.put(run.but(quiet_at=quiet_at, last_at=max(run.last_at, event.at)))

    def _alert(self, turn: Turn, event: Event) -> None:
        body = event.body
        named = all(isinstance(body.get(name), str) for name in ("sender", "identifier", "msgType"))
        if not named or body["msgType"] not in ("Alert", "Update", "Cancel") or not alerts.parse_time(body.get("sent")):
            return
        key, refers = alerts.key_of(body), [key for key, _ in alerts.references(body)]
        changes = body["msgType"] != "Alert"
        outdated = changes and any(self._is_replaced(turn, each, event) for each in refers)
        moved = self._refer(turn, event, key, refers) if refers and changes and not outdated else set()
        if body["msgType"] == "Cancel" or outdated or self._is_replaced(turn, key, event):
            return
        for rule in self._rules.get("alert", ()):
            if not rule.ends and rule.scenario.scenario in moved:
                continue
            subject = subject_of(rule.trigger, event, self.town, turn.now)
            if subject is None or not self._when(turn, rule, event):
                continue
            if rule.ends:
                self._end_zones(turn, rule.scenario.scenario, event, subject.zones, "all_clear")
            else:
                self._start(turn, rule, event, subject, key)

    def _is_replaced(self, turn: Turn, key: str, event: Event) -> bool:
        """Whether a message later than this event took the place of the alert, and was trusted as much."""
        by = turn.replaced.get(key)
        return by is not None and by.by_sent > event.at and RANK[by.mode] >= RANK[ceiling(event)]

    def _refer(self, turn: Turn, event: Event, key: str, refers: Sequence[str]) -> set[str]:
        """Update and Cancel: the runs of the alerts referred to are moved or ended; their scenarios' codes."""
        can = ceiling(event)
        for each in refers if can != "shadow" else ():  # what nobody vouches for keeps nothing out
            before = turn.replaced.get(each)
            if before is None or (RANK[before.mode], before.by_sent) < (RANK[can], event.at):
                turn.write("replaced")[each] = Replaced(event.at, can, turn.now + FORGET_ALERT)
        moved = set()
        for run in sorted(turn.runs.values(), key=lambda one: one.run_id):
            if not set(refers) & set(run.alerts) or RANK[run.mode] > RANK[can]:
                continue
            if key in run.alerts:  # another part of the Update that moved it
                self._join(turn, run, event, self._meant(turn, run.scenario, event))
                continue
            if run.phase == "ending" or event.at <= run.last_at:
                moved.add(run.scenario) if event.at <= run.last_at else None
                continue
            subject = None
            if event.body["msgType"] == "Update":
                said = event if event.zones else replace(event, zones=run.zones)  # names no area: where it was
                subject = self._meant(turn, run.scenario, said)
            if subject is not None and least(self.scenarios[run.scenario].mode, can) == run.mode:
                self._move(turn, run, event, key, subject)
                moved.add(run.scenario)
            elif event.body["msgType"] == "Cancel":
                self._end(turn, run, "cancelled", event)
            elif not _is_last_part(event):
                moved.add(run.scenario)  # a later part may mean it
            else:
                self._end(turn, run, "all_clear" if _says_all_clear(event) else "updated", event)
        return moved

    def _meant(self, turn: Turn, scenario: str, event: Event) -> Subject | None:
        for rule in self._rules.get("alert", ()):
            if rule.scenario.scenario == scenario and not rule.ends:
                subject = subject_of(rule.trigger, event, self.town, turn.now)
                if subject is not None and self._when(turn, rule, event):
                    return subject
        return None

    def _move(self, turn: Turn, run: Run, event: Event, key: str, subject: Subject) -> None:
        """An Update: zones that are new begin, zones that are no longer named end, the rest holds until the new end."""
        scenario = self.scenarios[run.scenario]
        left = tuple(zone for zone in run.zones if zone not in subject.zones)
        run = run.but(
            zones=subject.zones,
            last_at=event.at,
            alerts=(*run.alerts, key),
            restricted=subject.restricted,
            fields=subject.fields,
            body=event.body,
            expires_at=subject.expires,
        )
        if run.phase == "active":
            run = self._with_end(run, scenario, turn.now)
            cause_of = {"event_kind": event.kind, "event_key": event.key}
            for index, step in enumerate(scenario.steps):
                if any(todo.index == index for todo in run.todo):
                    continue
                name = name_of(index, step)
                run = self._begin(turn, run, index, step, name, cause_of, subject.zones)
            run = _let_go(run, left, "moved", turn.now)
            turn.freed = True
        self._settle(turn, turn.put(run))

    def _button(self, turn: Turn, event: Event) -> None:
        press, code = event.body.get("press"), str(event.body.get("scenario"))
        scenario = self.scenarios.get(code)
        if press in ("all_clear", "stop") and not (scenario and _ends_others(scenario)):
            reason = "all_clear" if press == "all_clear" else "stopped"
            self._end_zones(turn, code, event, pressed_zones(event), reason)
        elif press == "confirm":
            self._confirm(turn, code, event)
        elif scenario is not None and press in ("start", "drill", "all_clear"):
            for rule in self._rules.get("button", ()):
                if rule.scenario is scenario and not rule.ends:
                    self._press(turn, rule, event)
                    return
            if press == "drill":
                self._press(turn, Rule(scenario, 0, ButtonTrigger(on="button")), event)

    def _press(self, turn: Turn, rule: Rule, event: Event) -> None:
        subject = subject_of(rule.trigger, event, self.town, turn.now)
        if subject is not None and self._when(turn, rule, event):
            self._start(turn, rule, event, subject)

    def _confirm(self, turn: Turn, code: str, event: Event) -> None:
        wanted, zones = event.body.get("run_id"), set(pressed_zones(event))
        for run in sorted(turn.runs.values(), key=lambda one: one.run_id):
            if run.scenario != code or run.phase != "waiting" or (wanted and run.run_id != wanted):
                continue
            if zones and run.zones and not zones & set(run.zones):
                continue
            if self.confirms(run, event):
                self._activate(turn, run.but(people=(*run.people, str(event.by))), turn.now)

    def confirms(self, run: Run, event: Event) -> bool:
        """Whether this press confirms the run: a known person, not the one who pressed start, and trusted enough."""
        name = _person(event.by)
        return bool(name) and name not in map(_person, run.people) and RANK[ceiling(event)] >= RANK[run.mode]

    def _value(self, turn: Turn, event: Event) -> None:
        """A message of the city state: remembered where a condition looks at it; thresholds begin, end, or count."""
        feed, entity = event.body.get("feed"), event.body.get("entity")
        for name in self._watched:
            if name.startswith(f"{feed}/{entity}/"):
                value = event.body.get(name.rsplit("/", 1)[1])
                if turn.values.get(name) != value:
                    turn.write("values")[name] = value
        for rule in self._rules.get("state", ()):
            subject = subject_of(rule.trigger, event, self.town, turn.now)
            if subject is None:
                continue
            past = self._when(turn, rule, event)
            if rule.ends:
                if past:
                    self._end_subject(turn, rule.scenario, event, subject)
                continue
            self._threshold(turn, rule, event, subject, past)

    def _threshold(self, turn: Turn, rule: Rule, event: Event, subject: Subject, past: bool) -> None:
        trigger = rule.trigger
        assert isinstance(trigger, StateTrigger)
        name = f"{rule.scenario.scenario}#{rule.index}/{subject.entity}"
        since = turn.since.get(name)
        if since is not None and (event.at, event.key) < (since.at, since.key):
            return
        if not past:
            if since is not None:
                del turn.write("since")[name]
            return
        if since is None:
            due = turn.now + timedelta(seconds=trigger.for_s)
            turn.write("since")[name] = Since(event.at, event.key, due, event.body, event.trust, event.zones)
            self._thresholds(turn)

    def _thresholds(self, turn: Turn) -> None:
        """Thresholds that have been passed for long enough start their scenarios; each counts once."""
        for name, since in sorted(turn.since.items()):
            if since.due is None or since.due > turn.now:
                continue
            turn.write("since")[name] = replace(since, due=None)
            code, _, rest = name.partition("#")
            index = int(rest.partition("/")[0])
            scenario = self.scenarios.get(code)
            if scenario is None or index >= len(scenario.triggers):
                continue
            rule = Rule(scenario, index, scenario.triggers[index])
            event = Event("state", since.key, since.at, since.body, since.zones, since.trust)  # type: ignore[arg-type]
            subject = subject_of(rule.trigger, event, self.town, turn.now)
            if subject is not None:
                self._start(turn, rule, event, subject)

    # Runs

    def _when(self, turn: Turn, rule: Rule, event: Event) -> bool:
        when = rule.trigger.when
        return not when or all_hold(when, surroundings(event.body, turn.now, turn.values, self.town))

    def _start(self, turn: Turn, rule: Rule, event: Event, subject: Subject, alert: str | None = None) -> None:
        scenario = rule.scenario
        mode = least(scenario.mode, ceiling(event))
        name = _subject_name(scenario, subject)
        old = alert is not None and subject.expires is None and turn.now >= event.at + _longest(scenario)
        if name is None or old:  # an alert that does not say when it ends is over after the longest hold
            return
        open_run = self._open(turn, scenario.scenario, name, mode)
        if open_run is not None:
            self._again(turn, open_run, scenario, event, subject)
            return
        run_id = _run_id(scenario.scenario, name, mode, event)
        if run_id in turn.runs or self._is_over(turn, scenario.scenario, name, mode, event, alert):
            return
        if scenario.conditions and not all_hold(
            scenario.conditions, surroundings(event.body, turn.now, turn.values, self.town)
        ):
            return
        informs = event.trust == "none" and event.kind == "alert"
        if informs and (scenario.untrusted == "ignore" or self._is_flooded(turn, scenario.scenario)):
            return
        run = Run(
            run_id, scenario.scenario, self._versions[scenario.scenario], name, mode, "waiting", event.kind, event.key,
            (event.key,), event.at, event.at, turn.now, subject.zones, subject.site_id, subject.device_id,
            subject.fields, (alert,) if alert else (), subject.restricted,
            scenario.guards_doors or _unlocks(scenario), (event.by,) if event.by else (),
            expires_at=subject.expires, body=event.body,
        )  # fmt: skip
        if informs:
            turn.effects.append(_unverified(run))
        within = rule.trigger.confirm_within_s
        if within is None or mode != "live":
            self._activate(turn, run, turn.now)
            return
        run = run.but(confirm_by=turn.now + timedelta(seconds=within))
        turn.effects.append(
            acting.notice(run, acting.cause_of(run, "confirm"), acting.DUTY, "confirm", "critical", within_s=within)
        )
        turn.put(run)

    def _is_flooded(self, turn: Turn, scenario: str) -> bool:
        """Whether so many alerts that nobody vouches for were told of lately that another would only cost time."""
        known = [one for one in (*turn.runs.values(), *turn.past.values()) if one.scenario == scenario]
        return len([one for one in known if one.mode == "shadow"]) >= MOST_UNVERIFIED

    def _open(self, turn: Turn, scenario: str, subject: str, mode: Mode) -> Run | None:
        """The run that has this subject now, in this mode or in a higher one."""
        for each, rank in RANK.items():
            if rank >= RANK[mode]:
                run_id = turn.open.get(slot_of(scenario, subject, each))
                if run_id is not None:
                    return turn.runs[run_id]  # type: ignore[no-any-return]
        return None

    def _is_over(self, turn: Turn, scenario: str, subject: str, mode: Mode, event: Event, alert: str | None) -> bool:
        """Whether the event belongs to a run that has ended, or its subject rests for a while."""
        for each, rank in RANK.items():
            past = turn.past.get(slot_of(scenario, subject, each)) if rank >= RANK[mode] else None
            if past is not None and (
                event.at <= past.last_at or (past.cool_until is not None and turn.now < past.cool_until)
            ):
                return True
        return alert is not None and any(
            alert in one.alerts and one.scenario == scenario and RANK[one.mode] >= RANK[mode]
            for one in (*turn.runs.values(), *turn.past.values())
        )

    def _again(self, turn: Turn, run: Run, scenario: Scenario, event: Event, subject: Subject) -> None:
        """Another event of the same subject: the run goes on. One of the very moment of its start acts as the start."""
        if event.key in run.keys:
            return
        if run.event_kind == "alert":
            self._join(turn, run, event, subject)
            return
        together = (
            event.at == run.at
            and run.event_kind == event.kind
            and run.phase == "active"
            and (run.mode == least(scenario.mode, ceiling(event)))
        )
        if not together and not self._is_later(turn, run, scenario):
            return
        keys = (*run.keys, event.key)[-KEPT_KEYS:]
        run = run.but(keys=tuple(sorted(keys)) if together else keys, last_at=max(run.last_at, event.at))
        if run.phase == "active" and scenario.timers.quiet_s is not None:
            run = run.but(quiet_at=turn.now + timedelta(seconds=scenario.timers.quiet_s))
        if together:
            if event.key < run.event_key:
                run = run.but(event_key=event.key, body=event.body, fields=subject.fields, device_id=subject.device_id)
            as_start = {"event_kind": event.kind, "event_key": event.key}
            for index, step in enumerate(scenario.steps):
                if not step.after_s:
                    run = self._begin(turn, run, index, step, name_of(index, step), as_start, run.zones, anew=True)
        turn.put(run)

    def _join(self, turn: Turn, run: Run, event: Event, subject: Subject | None) -> None:
        """Another part of the same alert (<info> blocks that name other zones): the run holds those as well."""
        new = tuple(zone for zone in (subject.zones if subject else ()) if zone not in run.zones)
        scenario = self.scenarios.get(run.scenario)
        if not new or subject is None or scenario is None or event.at != run.last_at or run.phase == "ending":
            return
        if run.mode != least(scenario.mode, ceiling(event)):
            return
        ends = (run.expires_at, subject.expires)
        run = run.but(
            zones=tuple(sorted((*run.zones, *new))),
            keys=(*run.keys, event.key)[-KEPT_KEYS:],
            restricted=run.restricted or subject.restricted,
            expires_at=None if None in ends else max(end for end in ends if end is not None),
            body={**run.body, "info": [*(run.body.get("info") or ()), *(event.body.get("info") or ())]},
        )
        if run.phase == "active":
            run = self._with_end(run, scenario, run.started_at if len(run.alerts) == 1 else turn.now)
            caused = {"event_kind": event.kind, "event_key": event.key}
            for index, step in enumerate(scenario.steps):
                if not any(todo.index == index for todo in run.todo):
                    run = self._begin(turn, run, index, step, name_of(index, step), caused, new)
        turn.put(run)

    def _is_later(self, turn: Turn, run: Run, scenario: Scenario) -> bool:
        """Whether the run's quiet end moves enough to be worth a change: a radar speaks five times a second."""
        quiet_s = scenario.timers.quiet_s
        if quiet_s is None or run.quiet_at is None or run.phase != "active":
            return True
        return (turn.now - run.quiet_at).total_seconds() + quiet_s >= quiet_s * QUIET_STEP

    def _activate(self, turn: Turn, run: Run, now: datetime) -> None:
        scenario = self.scenarios[run.scenario]
        run = self._with_end(run.but(phase="active", confirm_by=None, started_at=now), scenario, now)
        if scenario.timers.quiet_s is not None:
            run = run.but(quiet_at=now + timedelta(seconds=scenario.timers.quiet_s))
        for index, step in enumerate(scenario.steps):
            if step.after_s:
                run = run.but(todo=(*run.todo, Todo(index, now + timedelta(seconds=step.after_s))))
            else:
                run = self._begin(turn, run, index, step, name_of(index, step), {}, run.zones)
        turn.put(run)

    def _begin(
        self, turn: Turn, run: Run, index: int, step: Any, name: str, caused: dict[str, str], zones: Sequence[str],
        anew: bool = False,
    ) -> Run:  # fmt: skip
        if isinstance(step, EndStep):
            if all_hold(step.when, surroundings(run.body, turn.now, turn.values, self.town)):
                self._end_others(turn, run, step)
            return run
        if isinstance(step, ShowStep) and _ends_others(self.scenarios[run.scenario]):
            zones = [zone for zone in zones if not self._is_guarded(turn, run, zone)]
        before = run.holds
        run = run.but(holds=()) if anew else run
        run = acting.begin(turn, run, self.town, index, step, name, acting.cause_of(run, name, **caused), zones)
        return run.but(holds=before) if anew else run

    def _with_end(self, run: Run, scenario: Scenario, now: datetime) -> Run:
        """The longest hold counts from the start, and anew from each Update: its sender still says so."""
        latest = now + _longest(scenario)
        if run.expires_at is not None and run.expires_at <= latest:
            return run.but(ends_at=run.expires_at, ends_why="expired")
        return run.but(ends_at=latest, ends_why="max_hold")

    def _end_subject(self, turn: Turn, scenario: Scenario, event: Event, subject: Subject) -> None:
        name = _subject_name(scenario, subject)
        for mode, rank in RANK.items():
            run_id = turn.open.get(slot_of(scenario.scenario, name or "", mode))
            if run_id is not None and rank <= RANK[ceiling(event)] and turn.runs[run_id].last_at < event.at:
                self._end(turn, turn.runs[run_id], "ended", event)

    def _end_zones(self, turn: Turn, code: str, event: Event, zones: Sequence[str], reason: str) -> None:
        """Ends a scenario's runs in the zones (none: everywhere); a run that has others goes on there."""
        wanted = event.body.get("run_id") if event.kind == "button" else None
        for run in sorted(turn.runs.values(), key=lambda one: one.run_id):
            if run.scenario != code or run.phase == "ending" or not _started_before(run, event):
                continue
            if RANK[run.mode] > RANK[ceiling(event)] or (wanted and run.run_id != wanted):
                continue
            self._release(turn, run, zones, reason, event)

    def _end_others(self, turn: Turn, ender: Run, step: EndStep) -> None:
        for run in sorted(turn.runs.values(), key=lambda one: one.run_id):
            over = run.scenario in step.scenarios and run.phase != "ending" and run.at < ender.at
            if over and RANK[run.mode] <= RANK[ender.mode] and self._is_meant_to_end(ender, step, run):
                self._release(turn, run, ender.zones, "all_clear", None)

    def _is_meant_to_end(self, ender: Run, step: EndStep, run: Run) -> bool:
        """A person ends what is named in the file. An all-clear that came as an alert: the hazard that it names (all,
        where it names none), of its own sender or begun by a button, and where it refers, what it refers to."""
        if ender.event_kind != "alert":
            return True
        named = {code for code in step.scenarios if self._names_hazard(code, ender.body)}
        if named and run.scenario not in named:
            return False
        if run.event_kind != "alert" or ender.people:
            return True
        if ender.body.get("references"):
            return any(key in run.alerts for key, _ in alerts.references(ender.body))
        return bool(ender.body.get("sender") == run.body.get("sender"))

    def _names_hazard(self, code: str, body: Mapping[str, Any]) -> bool:
        events = [str(info.get("event", "")).casefold() for info in body.get("info") or ()]
        words = [
            word.casefold()
            for rule in self._rules.get("alert", ())
            if rule.scenario.scenario == code and isinstance(rule.trigger, AlertTrigger)
            for word in rule.trigger.events
        ]
        return any(word in event for word in words for event in events)

    def _is_guarded(self, turn: Turn, run: Run, zone: str) -> bool:
        """Whether people there are still told to take shelter: no display may say that they can leave."""
        return any(
            other.guards and other.phase == "active" and other.mode == "live" and zone in other.zones
            for other in turn.runs.values()
            if other.run_id != run.run_id
        )

    def _release(self, turn: Turn, run: Run, zones: Sequence[str], reason: str, event: Event | None) -> None:
        left = tuple(zone for zone in run.zones if zone not in zones) if zones else ()
        if not left:
            self._end(turn, run, reason, event)
        elif len(left) < len(run.zones):
            gone = tuple(zone for zone in run.zones if zone in zones)
            run = _let_go(run.but(zones=left), gone, reason, turn.now)
            turn.freed = True
            self._settle(turn, turn.put(run))

    def _end(self, turn: Turn, run: Run, reason: str, event: Event | None = None) -> None:
        """Ends a run: what it held is owed now or later, what it opened is closed, people are told."""
        was_active = run.phase == "active"
        run = run.but(
            phase="ending", ended_at=turn.now, ended_why=reason, todo=(), confirm_by=None, quiet_at=None,
            last_at=max(run.last_at, event.at) if event is not None and event.kind != "button" else run.last_at,
        )  # fmt: skip
        run = _let_go(run, None, reason, turn.now)
        scenario = self.scenarios.get(run.scenario)
        if was_active and scenario is not None:
            self._closing(turn, run, scenario)
        elif not was_active and run.mode == "live":
            turn.effects.append(
                acting.notice(
                    run, acting.cause_of(run, "confirm_end"), acting.DUTY, "not_confirmed", "major", reason=reason
                )
            )
        turn.freed = True
        self._settle(turn, turn.put(run))

    def _closing(self, turn: Turn, run: Run, scenario: Scenario) -> None:
        for index, step in enumerate(scenario.steps):
            name = name_of(index, step)
            cause = acting.cause_of(run, f"{name}_end")
            if isinstance(step, CapStep) and name in dict(run.published):
                if run.ended_why in BY_TIME:
                    continue  # whoever has our alert has its end as well; a Cancel would say that the danger is over
                acting.publish(turn, run, step, name, cause, "Cancel")
            elif isinstance(step, IncidentStep) and name in run.incidents:
                turn.effects.append(acting.incident(run, cause, step, turn.now, "closed"))
        for index, ending in enumerate(scenario.at_end):
            if ending.on and run.ended_why not in ending.on:
                continue
            name = name_of(index, ending, "end_")
            cause = acting.cause_of(run, name)
            told = run.but(fields={**run.fields, "reason": run.ended_why})
            acting.begin(turn, told, self.town, len(scenario.steps) + index, ending, name, cause, run.zones)

    # Time

    def _time(self, turn: Turn) -> None:
        """Everything that is due by now, in order of its time."""
        for _ in range(10_000):
            run = turn.index.first_due(turn.runs)
            if run is None or run.due_at is None or run.due_at > turn.now:
                break
            self._tick(turn, run)
        self._thresholds(turn)
        self._schedule(turn)
        self._prune(turn)

    def _tick(self, turn: Turn, run: Run) -> None:
        now = turn.now
        if run.phase == "waiting":
            self._end(turn, run, "expired" if run.expires_at and run.expires_at <= now else "unconfirmed")
        elif run.phase == "ending":
            self._settle(turn, run)
        elif run.ends_at is not None and run.ends_at <= now:
            self._end(turn, run, run.ends_why)
        elif run.quiet_at is not None and run.quiet_at <= now:
            self._end(turn, run, "quiet")
        else:
            self._due_steps(turn, run)

    def _due_steps(self, turn: Turn, run: Run) -> None:
        scenario = self.scenarios.get(run.scenario)
        later = tuple(todo for todo in run.todo if todo.at > turn.now)
        now = [todo for todo in run.todo if todo.at <= turn.now]
        run = run.but(todo=later)
        if scenario is not None:
            for todo in now:
                step = scenario.steps[todo.index] if todo.index < len(scenario.steps) else None
                if step is not None:
                    run = self._begin(turn, run, todo.index, step, name_of(todo.index, step), {}, run.zones)
        run = run.but(holds=tuple(self._repeat(turn, run, hold) for hold in run.holds))
        self._settle(turn, turn.put(run))

    def _repeat(self, turn: Turn, run: Run, hold: Hold) -> Hold:
        """The lease is kept alive: the same command under a new id, until a later time."""
        if hold.repeat_at is None or hold.repeat_at > turn.now or hold.due is not None:
            return hold
        scenario = self.scenarios.get(run.scenario)
        step = scenario.steps[hold.index] if scenario and hold.index < len(scenario.steps) else None
        if not isinstance(step, CommandStep | ShowStep) or step.repeat_s is None:
            return replace(hold, repeat_at=None)
        text = acting.shown_text(step, run) if isinstance(step, ShowStep) else None
        target = Target(hold.zone_id, hold.device_id, hold.kinds)
        cause = acting.cause_of(run, hold.step)
        turn.effects.append(acting.command(run, step, target, cause, hold.n + 1, turn.now, text, hold.repeat_at))
        return replace(hold, n=hold.n + 1, repeat_at=turn.now + timedelta(seconds=step.repeat_s))

    def _settle_all(self, turn: Turn) -> None:
        for run in [turn.runs[run_id] for run_id in sorted(turn.index.owed)]:
            if any(hold.due is not None and hold.due <= turn.now for hold in run.holds):
                self._settle(turn, run)

    def _settle(self, turn: Turn, run: Run) -> None:
        """Ends what is due and free; what another run holds waits until that lets go."""
        kept = []
        for hold in run.holds:
            holder = None if hold.due is None or hold.due > turn.now else self._holder(turn, run, hold)
            if hold.due is None or hold.due > turn.now:
                kept.append(hold)
            elif holder is None:
                turn.effects.append(acting.end_command(run, hold, turn.now))
            else:
                kept.append(self._stay_open(turn, run, hold, holder))
        run = turn.put(run.but(holds=tuple(kept), settled_at=turn.now))
        if run.phase == "ending" and not kept:
            turn.drop(run, self._past(run, turn.now))

    def _holder(self, turn: Turn, run: Run, hold: Hold) -> Run | None:
        """Another run that keeps this hold from ending: it holds the same devices, or guards the doors of the zone."""
        zone = hold.zone_id or self._zone_of(hold.device_id)
        for run_id in turn.index.holders(hold):
            other: Run = turn.runs[run_id]
            if other.phase == "ending" or other.mode == "shadow" or other.run_id == run.run_id:
                continue
            if hold.end_action == "lock" and other.guards and zone in other.zones:
                return other
            as_real = hold.end_action == "lock" or RANK[other.mode] >= RANK[run.mode]  # a drill keeps no siren sounding
            if as_real and any(self._overlap(hold, each) for each in other.holds if each.due is None):
                return other
        return None

    def _stay_open(self, turn: Turn, run: Run, hold: Hold, holder: Run) -> Hold:
        """A door that would be locked now stays unlocked, whatever its policy, until the other run must end."""
        if hold.end_action != "lock" or holder.ends_at is None:
            return hold
        ends = holder.ends_at + timedelta(seconds=hold.end_after_s)
        if hold.kept_until is not None and hold.kept_until >= ends:
            return hold
        cause = acting.cause_of(run, hold.step)
        names = (hold.zone_id or "", hold.device_id or "", f"n{hold.n + 1}")
        target = Target(hold.zone_id, hold.device_id, hold.kinds)
        turn.effects.append(CommandDevices(effect_id(cause, *names), cause, run.mode, target, "unlock", ends))
        return replace(hold, n=hold.n + 1, kept_until=ends)

    def _overlap(self, hold: Hold, other: Hold) -> bool:
        """Whether the two are about a device in common."""
        if hold.device_id and other.device_id:
            return hold.device_id == other.device_id
        zone = hold.zone_id or self._zone_of(hold.device_id)
        other_zone = other.zone_id or self._zone_of(other.device_id)
        return zone == other_zone and bool(set(self._kinds_of(hold)) & set(self._kinds_of(other)))

    def _zone_of(self, device_id: str | None) -> str | None:
        device = self.town.devices.get(device_id or "")
        return device.zone_id if device else None

    def _kinds_of(self, hold: Hold) -> tuple[str, ...]:
        device = self.town.devices.get(hold.device_id or "")
        return (device.kind,) if device else hold.kinds

    def _past(self, run: Run, now: datetime) -> Past:
        scenario = self.scenarios.get(run.scenario)
        cool = scenario.timers.cooldown_s if scenario else None
        forget = now + (FORGET_ALERT if run.event_kind == "alert" and run.mode != "shadow" else FORGET)
        if run.expires_at is not None and run.mode != "shadow":
            forget = max(forget, run.expires_at)
        cool_until = now + timedelta(seconds=cool) if cool else None
        if cool_until is not None:
            forget = max(forget, cool_until)
        return Past(
            run.run_id, run.scenario, run.subject, run.mode, run.alerts, run.last_at, run.ended_at or now,
            run.ended_why or "ended", cool_until, forget,
        )  # fmt: skip

    def _prune(self, turn: Turn) -> None:
        turn.forget()
        for name in [name for name, one in turn.replaced.items() if one.forget_at <= turn.now]:
            del turn.write("replaced")[name]

    def _schedule(self, turn: Turn) -> None:
        """Times of the scenarios' own: those that have come start them; the next ones are noted."""
        wanted = {
            f"{rule.scenario.scenario}#{rule.index}": rule for rule in self._rules.get("schedule", ()) if not rule.ends
        }
        for name in [name for name in turn.schedule if name not in wanted]:
            del turn.write("schedule")[name]
        for name, rule in wanted.items():
            trigger = rule.trigger
            assert isinstance(trigger, ScheduleTrigger)
            at = turn.schedule.get(name)
            if at is not None and at > turn.now:
                continue
            turn.write("schedule")[name] = timetable.after(trigger, turn.now, self.town.timezone)
            if at is not None:
                event = Event("schedule", f"{rule.scenario.scenario}@{at.isoformat()}", at, trust="verified")
                subject = subject_of(trigger, event, self.town, turn.now)
                if subject is not None and self._when(turn, rule, event):
                    self._start(turn, rule, event, subject)


def _in_order(event: Event) -> tuple[Any, ...]:
    """Even two that bear one key and say different things have an order of their own."""
    said = json.dumps(dict(event.body), sort_keys=True, default=str)
    return event.at, ORDER.index(event.kind), event.key, event.trust, event.zones, event.by or "", said


def _subject_name(scenario: Scenario, subject: Subject) -> str | None:
    if scenario.per == "city":
        return "city"
    if scenario.per == "site":
        return f"site:{subject.site_id}" if subject.site_id else None
    return subject.entity


def _run_id(scenario: str, subject: str, mode: Mode, event: Event) -> str:
    return sha256("\x1f".join((scenario, subject, mode, event.at.isoformat())).encode()).hexdigest()[:20]


def _let_go(run: Run, zones: Sequence[str] | None, reason: str, now: datetime) -> Run:
    """Holds in these zones (None: all) are owed their end, or are over where the reason calls for none."""
    kept = []
    for hold in run.holds:
        if hold.due is not None or (zones is not None and hold.zone_id not in zones):
            kept.append(hold)
        elif hold.end_action is not None and (not hold.end_on or reason in hold.end_on):
            kept.append(replace(hold, due=now + timedelta(seconds=hold.end_after_s), repeat_at=None))
    return run.but(holds=tuple(kept))


def _person(name: str | None) -> str:
    """One spelling: another case or space makes no second person; of `name <mail>` the mail, which nobody chooses."""
    said = " ".join(unicodedata.normalize("NFKC", name or "").casefold().split())
    before, _, mail = said.partition("<")
    return mail.rstrip(">").strip() or before.strip()


def _longest(scenario: Scenario) -> timedelta:
    return timedelta(seconds=scenario.timers.max_hold_s)


def _started_before(run: Run, event: Event) -> bool:
    return run.at < event.at


def _unlocks(scenario: Scenario) -> bool:
    return any(isinstance(step, CommandStep) and step.action == "unlock" for step in scenario.steps)


def _ends_others(scenario: Scenario) -> bool:
    return any(isinstance(step, EndStep) for step in scenario.steps)


def _is_last_part(event: Event) -> bool:
    """An alert whose <info> blocks name different zones comes as several events: `part` is [number, of]."""
    part = event.body.get("part")
    return not isinstance(part, list | tuple) or len(part) != 2 or part[0] == part[1]


def _says_all_clear(event: Event) -> bool:
    return any("AllClear" in (info.get("responseType") or ()) for info in event.body.get("info") or ())


def _unverified(run: Run) -> NotifyPeople:
    """An alert that nobody vouches for moves nothing; the duty officer hears of it, in earnest."""
    told = run.but(mode="live")
    notice = acting.notice(told, acting.cause_of(run, "unverified"), acting.DUTY, "unverified_alert", "critical")
    return replace(notice, effect_id=effect_id(notice.cause, acting.DUTY), fields={**notice.fields, "mode": "shadow"})
