"""Texts of notices: `templates/<name>.toml`, one file a template, Russian and English in each.

A placeholder is {name} of the effect's fields; one that is not there shows as a dash, and a line of nothing but such
is left out: half a notice is better than none. Values are data: a brace in a headline is printed, never filled.
"""

from __future__ import annotations

import functools
import string
import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from actuation.people.notices import Language

TEMPLATES = Path(__file__).parent / "templates"
DRILL = "УЧЕБНАЯ ТРЕВОГА / DRILL"
NOTHING = "—"
LONGEST = 3_500
"""Characters of a body; Telegram takes 4,096 with the title and its own marks."""


class Text(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field(min_length=1, max_length=200)
    body: str = Field(min_length=1, max_length=2_000)


class Template(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    ru: Text
    en: Text


class Message(BaseModel):
    """What a person reads. A drill's message says so before anything else, wherever a channel puts the title."""

    model_config = ConfigDict(frozen=True)

    title: str
    body: str
    drill: bool = False

    @property
    def head(self) -> str:
        return f"{DRILL}. {self.title}" if self.drill else self.title

    @property
    def text(self) -> str:
        return f"{DRILL}\n\n{self.body}" if self.drill else self.body


@functools.cache
def load_template(name: str) -> Template:
    """KeyError when there is no such template; a template of ours that is broken is a programmer's error."""
    path = TEMPLATES / f"{name}.toml"
    if path.parent != TEMPLATES or not path.is_file():
        raise KeyError(f"no notice template {name!r}: add actuation/people/templates/{name}.toml")
    return Template.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


def names() -> list[str]:
    return sorted(path.stem for path in TEMPLATES.glob("*.toml"))


def render(
    name: str,
    fields: Mapping[str, Any],
    languages: Sequence[Language],
    drill: bool,
    zone: ZoneInfo,
    called: Mapping[str, tuple[str, str]] | None = None,
) -> Message:
    """The text in each language, the first one's title; a drill says so before anything else.

    called: what a zone, site or device of the register is called, Russian and English.
    A name without a template still reaches people, with its fields as they are: silence would be worse.
    """
    try:
        found = load_template(name)
    except KeyError:
        found = Template(ru=_plain(name, fields), en=_plain(name, fields))
    texts = []
    for language in languages:
        shown = _shown(fields, language, zone, called or {})
        text = found.ru if language == "ru" else found.en
        texts.append((_fill(text.title, shown) or name, _fill(text.body, shown)))
    bodies = [texts[0][1], *(f"{title}\n{body}" for title, body in texts[1:])]
    body = "\n\n".join(bodies).strip() or texts[0][0]  # a channel refuses an empty message
    return Message(title=texts[0][0], body=shorten(body), drill=drill)


def _shown(
    fields: Mapping[str, Any], language: Language, zone: ZoneInfo, called: Mapping[str, tuple[str, str]]
) -> dict[str, str]:
    """Fields as people of the language read them; `headline_ru` and `headline_en` are also `headline`."""
    shown = {key: _say(value, zone, language, called) for key, value in fields.items()}
    for suffix in ("_en", "_ru") if language == "ru" else ("_ru", "_en"):
        own = {key.removesuffix(suffix): text for key, text in shown.items() if key.endswith(suffix)}
        shown |= {key: text for key, text in own.items() if text != NOTHING}
    return shown


def digest(messages: Sequence[Message], language: Language) -> Message:
    """Several notices of one mode as one."""
    count = len(messages)
    title = f"Оповещений: {count}" if language == "ru" else f"Notices: {count}"
    body = "\n\n".join(f"• {one.title}\n{one.body}" for one in messages)
    return Message(title=title, body=shorten(body), drill=messages[0].drill)


def shorten(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def _plain(name: str, fields: Mapping[str, Any]) -> Text:
    lines = [f"{key}: {{{key}}}" for key in fields if key.isidentifier()][:40]
    return Text(title=name, body="\n".join(lines) or name)


def _fill(text: str, shown: Mapping[str, str]) -> str:
    """Line by line: a line of which no placeholder has a value is left out."""
    lines = []
    for line in text.strip().splitlines():
        asked = [name for _, name, _, _ in string.Formatter().parse(line) if name is not None]
        if not asked or any(shown.get(name, NOTHING) != NOTHING for name in asked):
            lines.append(string.Formatter().vformat(line, (), {name: shown.get(name, NOTHING) for name in asked}))
    return "\n".join(lines).strip()


def _say(value: Any, zone: ZoneInfo, language: Language, called: Mapping[str, tuple[str, str]]) -> str:
    if value is None or value in ("", []):
        return NOTHING
    if isinstance(value, datetime):
        return f"{value.astimezone(zone):%d.%m %H:%M}"
    if isinstance(value, str):
        names, moment = called.get(value, (value, value)), _moment(value)
        return names[0 if language == "ru" else 1] if moment is None else _say(moment, zone, language, called)
    if isinstance(value, list | tuple):
        return ", ".join(_say(one, zone, language, called) for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _moment(text: str) -> datetime | None:
    """An ISO 8601 time with its zone; anything else is not a time."""
    if len(text) < 20 or text[4:5] != "-" or "T" not in text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
