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


def render(name: str, fields: Mapping[str, Any], languages: Sequence[Language], drill: bool, zone: ZoneInfo) -> Message:
    """The text in each language, the first one's title; a drill says so before anything else.

    A name without a template still reaches people, with its fields as they are: silence would be worse.
    """
    try:
        found = load_template(name)
    except KeyError:
        found = Template(ru=_plain(name, fields), en=_plain(name, fields))
    shown = {key: _say(value, zone) for key, value in fields.items()}
    texts = [found.ru if language == "ru" else found.en for language in languages]
    bodies = [_fill(texts[0].body, shown)]
    bodies += [f"{_fill(text.title, shown)}\n{_fill(text.body, shown)}" for text in texts[1:]]
    title = _fill(texts[0].title, shown) or name
    body = "\n\n".join(bodies).strip() or title  # a channel refuses an empty message
    return Message(title=title, body=shorten(body), drill=drill)


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


def _say(value: Any, zone: ZoneInfo) -> str:
    if value is None or value in ("", []):
        return NOTHING
    if isinstance(value, datetime):
        return f"{value.astimezone(zone):%d.%m %H:%M}"
    if isinstance(value, str):
        return _say(moment, zone) if (moment := _moment(value)) else value
    if isinstance(value, list | tuple):
        return ", ".join(_say(one, zone) for one in value)
    return str(value)


def _moment(text: str) -> datetime | None:
    """An ISO 8601 time with its zone; anything else is not a time."""
    if len(text) < 20 or text[4:5] != "-" or "T" not in text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
