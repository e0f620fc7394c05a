"""The scenarios that a person can start: titles and buttons of `cities/<city>/scenarios/*.yaml`.

The reflex process reads and judges these files; the page only shows what they are called.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st
import yaml


@dataclass(frozen=True)
class Choice:
    """second_person: another person must confirm a live start. doors: it opens some."""

    code: str
    ru: str
    en: str
    second_person: bool
    doors: bool

    def title(self, language: str) -> str:
        return self.ru if language == "ru" else self.en


@st.cache_data(ttl=30, show_spinner=False)
def choices(folder: str) -> list[Choice]:
    """Those with a button, by title; a file that cannot be read is left out (`gorodok scenario check` says why)."""
    found = []
    for path in sorted(Path(folder).glob("*.yaml")):
        try:
            told = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError):
            continue
        if isinstance(told, dict) and (one := _choice(path.stem, told)) is not None:
            found.append(one)
    return sorted(found, key=lambda one: (not one.doors, one.ru))


def _choice(code: str, told: dict[str, Any]) -> Choice | None:
    triggers = [
        one for one in _maps(told.get("triggers")) if one.get("on", one.get(True)) == "button"
    ]  # YAML 1.1 reads on as true
    if not triggers:
        return None
    title = told.get("title")
    names = title if isinstance(title, dict) else {"ru": title, "en": title}
    doors = any(one.get("action") == "unlock" for one in _maps(told.get("steps")))
    return Choice(
        str(told.get("scenario") or code), str(names.get("ru") or code), str(names.get("en") or code),
        any(one.get("confirm_within_s") for one in triggers), doors,
    )  # fmt: skip


def _maps(value: Any) -> list[dict[Any, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
