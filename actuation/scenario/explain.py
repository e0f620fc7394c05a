"""A scenario in sentences that a mayor understands, Russian and English side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from actuation.scenario.condition import COMPARISONS, Condition
from actuation.scenario.model import Scenario
from actuation.scenario.step import (
    CapStep,
    CommandStep,
    EndingStep,
    EndStep,
    IncidentStep,
    NotifyStep,
    ShowStep,
    TaskStep,
    ThenLock,
)
from actuation.scenario.trigger import (
    AlertTrigger,
    AnswerTrigger,
    ButtonTrigger,
    CameraTrigger,
    CheckTrigger,
    DeviceTrigger,
    IncidentTrigger,
    ScheduleTrigger,
    SensedTrigger,
    SilentTrigger,
    StateTrigger,
    Trigger,
)

KINDS = {
    "door": ("двери укрытий", "shelter doors"), "lamp": ("светильники", "lamps"), "siren": ("сирены", "sirens"),
    "display": ("табло", "displays"), "radar": ("радар", "radar"), "camera": ("камера", "camera"),
}  # fmt: skip
ACTIONS = {
    "unlock": ("Открываются", "Unlocked"), "light_on": ("Включаются", "Switched on"),
    "siren_on": ("Включаются", "Switched on"),
}  # fmt: skip
DAYS = {
    "mon": ("понедельник", "Monday"), "tue": ("вторник", "Tuesday"), "wed": ("среда", "Wednesday"),
    "thu": ("четверг", "Thursday"), "fri": ("пятница", "Friday"), "sat": ("суббота", "Saturday"),
    "sun": ("воскресенье", "Sunday"),
}  # fmt: skip
REASONS = {
    "all_clear": ("отбой", "all-clear"), "cancelled": ("отмена", "cancellation"), "updated": ("обновление", "update"),
    "expired": ("конец срока", "expiry"), "max_hold": ("предельный срок", "longest time"), "quiet": ("тишина", "quiet"),
    "ended": ("причина исчезла", "the cause is gone"), "stopped": ("кнопка «стоп»", "stop button"),
    "moved": ("зона снята", "zone dropped"),
}  # fmt: skip
COMPARED = {
    "equals": ("=", "="), "not_equals": ("≠", "≠"), "one_of": ("одно из", "one of"), "above": (">", ">"),
    "below": ("<", "<"), "at_least": ("≥", "≥"), "at_most": ("≤", "≤"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence in two languages. part: when | then | end | drill."""

    part: str
    ru: str
    en: str


def explain(scenario: Scenario) -> list[Said]:
    """What starts it, what happens, when it ends, what a drill of it is; in this order."""
    said = [Said("when", *_trigger(trigger)) for trigger in scenario.triggers]
    if scenario.conditions:
        ru, en = _conditions(scenario.conditions)
        said.append(Said("when", f"Только если: {ru}.", f"Only if: {en}."))
    for step in scenario.steps:
        said.append(_only(step) if step.when else Said("then", *_late(step.after_s, *_step(step))))
    said += [Said("end", *each) for each in _ends(scenario)]
    said += [_at_end(step) for step in scenario.at_end]
    said.append(Said("drill", *_drill(scenario)))
    return said


def _at_end(step: EndingStep) -> Said:
    ru, en = _step(step)
    on_ru = f" ({', '.join(REASONS[each][0] for each in step.on)})" if step.on else ""
    on_en = f" ({', '.join(REASONS[each][1] for each in step.on)})" if step.on else ""
    return Said("end", f"В конце{on_ru}: {ru[0].lower()}{ru[1:]}", f"At the end{on_en}: {en[0].lower()}{en[1:]}")


def duration(seconds: float) -> tuple[str, str]:
    for size, ru, en in ((86_400, "сут", "d"), (3_600, "ч", "h"), (60, "мин", "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {ru}", f"{seconds / size:g} {en}"
    return f"{seconds:g} с", f"{seconds:g} s"


def _trigger(trigger: Trigger) -> tuple[str, str]:
    ru, en = _event(trigger)
    if trigger.when:
        when_ru, when_en = _conditions(trigger.when)
        ru, en = f"{ru}, если {when_ru}", f"{en}, if {when_en}"
    if trigger.zones:
        ru, en = f"{ru}, только зоны {', '.join(trigger.zones)}", f"{en}, only zones {', '.join(trigger.zones)}"
    if trigger.confirm_within_s:
        within = duration(trigger.confirm_within_s)
        who = ("другой человек", "another person") if isinstance(trigger, ButtonTrigger) else ("человек", "a person")
        ru += f"; {who[0]} должен подтвердить за {within[0]}, иначе ничего не будет"
        en += f"; {who[1]} must confirm within {within[1]}, or nothing happens"
    return f"{ru}.", f"{en}."


def _event(trigger: Trigger) -> tuple[str, str]:  # noqa: PLR0911 one sentence a kind
    if isinstance(trigger, AlertTrigger):
        words = " / ".join(f"«{word}»" for word in trigger.events)
        wanted = (trigger.categories, trigger.severities, trigger.urgencies, trigger.responses)
        more = "; ".join(", ".join(part) for part in wanted if part)
        about_ru, about_en = (f" со словами {words}", f" with the words {words}") if words else ("", "")
        tail = f" ({more})" if more else ""
        return (
            f"Приходит оповещение CAP{about_ru}{tail}, и его источник проверен; учебное — не больше чем проверка",
            f"A CAP alert comes{about_en}{tail} and its source is vouched for; an exercise is at most a drill",
        )
    if isinstance(trigger, ButtonTrigger):
        return "Дежурный нажимает «начать»", "The duty officer presses start"
    if isinstance(trigger, CameraTrigger):
        names, sure = ", ".join(trigger.class_names), f"{trigger.confidence:.0%}"
        return f"Камера видит: {names}, уверенность от {sure}", f"A camera sees {names}, confidence {sure} or more"
    if isinstance(trigger, DeviceTrigger):
        ru, en = _kinds(trigger.kinds)
        return f"Сообщает датчик ({ru})", f"A sensor reports ({en})"
    if isinstance(trigger, SensedTrigger):
        ru, en = _kinds(trigger.kinds)
        return (
            f"Собственный датчик ({ru}): {', '.join(trigger.states)}",
            f"Own sensor of {en}: {', '.join(trigger.states)}",
        )
    if isinstance(trigger, AnswerTrigger):
        ru, en = _kinds(trigger.kinds)
        return f"Ответ на команду ({ru}): {', '.join(trigger.results)}", f"Answer of {en}: {', '.join(trigger.results)}"
    if isinstance(trigger, StateTrigger):
        ru, en = duration(trigger.for_s)
        return (f"Значение потока {trigger.feed} не в норме {ru} подряд", f"A value of {trigger.feed} is off for {en}")
    if isinstance(trigger, IncidentTrigger):
        status = {"open": ("Открыт", "opened"), "closed": ("Закрыт", "closed")}[trigger.status]
        kinds = ", ".join(trigger.kinds) or "любой/any"
        return f"{status[0]} инцидент ({kinds})", f"An incident is {status[1]} ({kinds})"
    if isinstance(trigger, CheckTrigger):
        return "Не прошла проверка данных", "A data check failed"
    if isinstance(trigger, SilentTrigger):
        feeds = ", ".join(trigger.feeds)
        return f"Молчит поток{' ' + feeds if feeds else ' данных'}", f"A feed is silent{': ' + feeds if feeds else ''}"
    assert isinstance(trigger, ScheduleTrigger)
    days = [DAYS[day] for day in trigger.weekdays]
    of_month = _span(trigger.days)
    ru_days = (", ".join(day[0] for day in days) or "каждый день") + (f", числа {of_month}" if of_month else "")
    en_days = (", ".join(day[1] for day in days) or "every day") + (
        f", days {of_month} of the month" if of_month else ""
    )
    return f"По расписанию в {trigger.at} ({ru_days})", f"By schedule at {trigger.at} ({en_days})"


def _step(step: object) -> tuple[str, str]:  # noqa: PLR0911 one sentence a kind
    if isinstance(step, CommandStep):
        return _command(step)
    if isinstance(step, ShowStep):
        if step.text is None:
            return "На табло — заголовок оповещения.", "Displays show the alert's headline."
        return f"На табло: «{step.text.ru}».", f"Displays show: “{step.text.en}”."
    if isinstance(step, NotifyStep):
        return (
            f"Уведомляются: {step.audience} (текст {step.template}).",
            f"{step.audience} are notified (text {step.template}).",
        )
    if isinstance(step, CapStep):
        if step.pass_on:
            return "Оповещение передаётся дальше с нашей подписью.", "The alert is passed on under our signature."
        assert step.event is not None
        return f"Наше оповещение CAP: «{step.event.ru}».", f"Our own CAP alert: “{step.event.en}”."
    if isinstance(step, IncidentStep):
        return f"Открывается инцидент «{step.title.ru}».", f"An incident is opened: “{step.title.en}”."
    if isinstance(step, TaskStep):
        return (
            f"Открывается заявка {step.service}: «{step.description.ru}».",
            f"A task {step.service} is opened: “{step.description.en}”.",
        )
    assert isinstance(step, EndStep)
    codes = ", ".join(step.scenarios)
    return f"Заканчиваются в этой зоне: {codes}.", f"Ended in this area: {codes}."


def _command(step: CommandStep) -> tuple[str, str]:
    place = {
        "zones": ("в зонах события", "in the event's zones"), "site": ("на этом месте", "at this place"),
        "city": ("во всём городе", "in the whole city"),
    }[step.where]  # fmt: skip
    ru_kinds, en_kinds = _kinds(step.kinds)
    if step.devices:
        ru_kinds, en_kinds, place = ", ".join(step.devices), ", ".join(step.devices), ("", "")
    level = f", {step.level} %" if step.level else ""
    ru = f"{ACTIONS[step.action][0]} {ru_kinds} {place[0]}{level}".rstrip()
    en = f"{ACTIONS[step.action][1]}: {en_kinds} {place[1]}{level}".rstrip()
    if isinstance(step.then, ThenLock):
        after_ru, after_en = duration(step.then.after_s)
        only = set(step.then.on) != set(REASONS)
        on_ru = f" (если конец — {', '.join(REASONS[each][0] for each in step.then.on)})" if only else ""
        on_en = f" (when it ended by {', '.join(REASONS[each][1] for each in step.then.on)})" if only else ""
        return (
            f"{ru}; запираются через {after_ru} после конца{on_ru}, если зону не держит другая тревога; "
            "изнутри выход открыт всегда.",
            f"{en}; locked {after_en} after the end{on_en}, unless another alert holds the zone; "
            "the way out is always open.",
        )
    if step.action == "unlock":
        return f"{ru}; потом их запирает человек.", f"{en}; a person locks them afterwards."
    return f"{ru}; в конце всегда выключаются.", f"{en}; always switched off at the end."


def _ends(scenario: Scenario) -> Iterable[tuple[str, str]]:
    timers = scenario.timers
    if any(isinstance(trigger, AlertTrigger) for trigger in scenario.triggers):
        yield (
            "Кончается с отменой, отбоем или сроком оповещения; обновление переносит зоны и срок.",
            "Ends with the alert's cancellation, all-clear or expiry; an update moves its zones and its end.",
        )
    for keeper in scenario.keeps:
        ru, en = _trigger(keeper)
        yield f"Не кончается, пока: {ru[0].lower()}{ru[1:]}", f"Goes on while: {en[0].lower()}{en[1:]}"
    for trigger in scenario.ends:
        ru, en = _event(trigger)
        yield f"Кончается, когда: {ru[0].lower()}{ru[1:]}.", f"Ends when: {en[0].lower()}{en[1:]}."
    if timers.quiet_s:
        ru, en = duration(timers.quiet_s)
        yield f"Кончается через {ru} после последнего такого сообщения.", f"Ends {en} after the last such message."
    ru, en = duration(timers.max_hold_s)
    yield f"Самое позднее — через {ru} после начала.", f"At the latest {en} after the start."
    if timers.cooldown_s:
        ru, en = duration(timers.cooldown_s)
        yield f"Снова о том же — не раньше чем через {ru}.", f"About the same again not before {en}."


def _drill(scenario: Scenario) -> tuple[str, str]:
    if scenario.mode == "shadow":
        return "Сейчас сценарий только пишет в журнал.", "This scenario only writes to the ledger now."
    if scenario.mode == "drill":
        return (
            "Это всегда проверка: устройства отвечают «сделал бы», ничего не движется.",
            "It is always a drill: devices answer “would do” and nothing moves.",
        )
    return (
        "Учебный запуск: устройства отвечают «сделал бы», ничего не движется; заявок и инцидентов нет.",
        "In a drill devices answer “would do” and nothing moves; no tasks and no incidents are opened.",
    )


def _only(step: object) -> Said:
    ru, en = _step(step)
    if_ru, if_en = _conditions(getattr(step, "when", ()))
    return Said("then", f"Если {if_ru}: {ru[0].lower()}{ru[1:]}", f"If {if_en}: {en[0].lower()}{en[1:]}")


def _late(after_s: float, ru: str, en: str) -> tuple[str, str]:
    if not after_s:
        return ru, en
    after = duration(after_s)
    return f"Через {after[0]}: {ru[0].lower()}{ru[1:]}", f"After {after[1]}: {en[0].lower()}{en[1:]}"


def _conditions(conditions: Sequence[Condition]) -> tuple[str, str]:
    pairs = [_condition(each) for each in conditions]
    return " и ".join(ru for ru, _ in pairs), " and ".join(en for _, en in pairs)


def _condition(condition: Condition) -> tuple[str, str]:
    if condition.field is not None:
        name = condition.field if condition.state is None else f"{condition.state.entity}.{condition.field}"
        found = [
            (COMPARED[each], getattr(condition, each)) for each in COMPARISONS if getattr(condition, each) is not None
        ]
        return (
            " и ".join(f"{name} {word[0]} {_value(value)}" for word, value in found),
            " and ".join(f"{name} {word[1]} {_value(value)}" for word, value in found),
        )
    if condition.all is not None:
        ru, en = _conditions(condition.all)
        return f"({ru})", f"({en})"
    if condition.any is not None:
        pairs = [_condition(each) for each in condition.any]
        return f"({' или '.join(ru for ru, _ in pairs)})", f"({' or '.join(en for _, en in pairs)})"
    if condition.not_ is not None:
        ru, en = _condition(condition.not_)
        return f"не {ru}", f"not {en}"
    if condition.local_time is not None:
        hours = f"{condition.local_time.since}–{condition.local_time.until}"
        return f"время {hours}", f"the time is {hours}"
    return ("темно", "it is dark") if condition.dark else ("светло", "it is light")


def _value(value: object) -> str:
    return ", ".join(str(each) for each in value) if isinstance(value, tuple) else str(value)


def _kinds(kinds: Sequence[str]) -> tuple[str, str]:
    return (
        ", ".join(KINDS.get(kind, (kind, kind))[0] for kind in kinds),
        ", ".join(KINDS.get(kind, (kind, kind))[1] for kind in kinds),
    )


def _span(days: Sequence[int]) -> str:
    whole = list(range(min(days), max(days) + 1)) if days else []
    return f"{min(days)}–{max(days)}" if len(whole) > 2 and list(days) == whole else ", ".join(map(str, days))
