"""Russian and English words of a report, in one place for HTML and PDF."""

from __future__ import annotations

KINDS = {
    "seen": "событие · event",
    "created": "решено · decided",
    "sent": "отправлено · sent",
    "acked": "выполнено · done",
    "refused": "отказ · refused",
    "failed": "не вышло · failed",
    "expired": "нет ответа · no answer",
    "retried": "повтор · retried",
    "escalated": "передано человеку · escalated",
    "sensed": "датчик · sensed",
    "pressed": "кнопка · pressed",
    "notified": "оповещено · notified",
    "published": "передано дальше · passed on",
    "other": "служебное · other",
}
RESULTS = {
    "done": "сделано · done",
    "would_do": "сделал бы · would do",
    "refused": "отказ · refused",
    "failed": "не вышло · failed",
    "silent": "молчит · silent",
}
ACTIONS = {
    "unlock": "открыть · unlock",
    "lock": "запереть · lock",
    "light_on": "зажечь · light on",
    "light_off": "погасить · light off",
    "siren_on": "сирена · siren on",
    "siren_off": "сирена выкл. · siren off",
    "show": "табло · show",
    "notify": "оповестить · notify",
    "publish_cap": "передать CAP · pass on",
    "incident": "инцидент · incident",
    "task": "заявка · task",
    "alert": "тревога · alert",
    "button": "кнопка · button",
    "tick": "срок · timer",
    "schedule": "расписание · schedule",
}
MODES = {"live": "боевой · live", "drill": "учение · drill", "shadow": "теневой · shadow"}
HEADINGS = {
    "summary": "Итог · Summary",
    "map": "Зоны и двери · Zones and doors",
    "silent": "Не ответили · Did not answer",
    "answers": "Как быстро отвечали · How fast they answered",
    "commands": "Команды · Commands",
    "devices": "Все устройства · All devices",
    "timeline": "Ход событий · Timeline",
}
COLOURS = {"done": "#0f766e", "would_do": "#0f766e", "refused": "#b45309", "failed": "#b45309", "silent": "#b91c1c"}
"""Of the map and its legend; each state has a shape of its own too, for who does not see colours."""
