"""What every page has: the language, the title with its switch, and faults said in words instead of a traceback."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import cast

import polars as pl
import streamlit as st

from apps.streamlit import parts
from apps.streamlit import place as places
from apps.streamlit.data import Trouble, current
from apps.streamlit.words import LANGUAGES, Language, Words

LOG = logging.getLogger(__name__)
LANGUAGE_NAMES = {"ru": "Русский", "en": "English"}


def language() -> Language:
    """Of this session: chosen on the page, else `?lang=` of the address, else the city's setting."""
    if "chosen_language" not in st.session_state:
        asked = st.query_params.get("lang", "")
        st.session_state["chosen_language"] = asked if asked in LANGUAGES else current().language
    return cast(Language, st.session_state["chosen_language"])


def place() -> places.Place:
    return places.load(str(current().cities_dir), current().city)


def words() -> Words:
    return Words(language(), place().zone)


def now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def page(code: str, beside: str = "") -> Iterator[Words]:
    """The page's title and language switch; what is inside may fail, and the failure is told in words."""
    said = words()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="top"):
        parts.title(said(f"{code}.title"), beside)
        _switch(said)
    with told(said):
        yield said


def _switch(said: Words) -> None:
    def keep() -> None:
        st.session_state["chosen_language"] = st.session_state["language_switch"] or said.language

    st.session_state["language_switch"] = said.language
    st.segmented_control(
        said("app.language"),
        LANGUAGES,
        format_func=LANGUAGE_NAMES.__getitem__,
        key="language_switch",
        on_change=keep,
        required=True,
        label_visibility="collapsed",
    )


@contextmanager
def told(said: Words) -> Iterator[None]:
    """A part of a page that may fail without taking the others with it."""
    try:
        yield
    except Trouble as trouble:
        LOG.info("shown to a reader: %s", trouble)
        parts.notice(
            said(f"trouble.{trouble.code}.text"),
            said(f"trouble.{trouble.code}.remedy"),
            said(f"trouble.{trouble.code}.command"),
        )
    except Exception:
        LOG.exception("a page failed")
        parts.notice(said("trouble.bug.text"), said("trouble.bug.remedy"), said("trouble.bug.command"))


def local_times(rows: pl.DataFrame, said: Words) -> pl.DataFrame:
    """The same rows with every time in the city's zone, without an offset (a table shows what it is given)."""
    return rows.with_columns(
        pl.col(name).dt.convert_time_zone(str(said.zone)).dt.replace_time_zone(None)
        for name, kind in rows.schema.items()
        if isinstance(kind, pl.Datetime) and kind.time_zone is not None
    )
