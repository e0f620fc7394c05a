"""What the pages read: marts of the lake and the city state, cached per server process, faults as words.

Marts change when a build ends, so they are kept for half a minute; the city state changes with every flush and
is kept for two seconds. Frames are small (aggregates) and shared between sessions: do not change one in place.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import Any

import polars as pl
import streamlit as st

from city.settings import Settings, settings

LOG = logging.getLogger(__name__)
MARTS_TTL_S = 30
STATE_TTL_S = 2


class Trouble(Exception):  # noqa: N818 - it is told to a reader, not raised at a programmer
    """Something a person can mend; `code` names the sentence and the remedy in the text catalogue."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


def current() -> Settings:
    return settings()


@st.cache_data(ttl=MARTS_TTL_S, show_spinner=False, max_entries=256)
def marts(sql: str, parameters: tuple[Any, ...] = ()) -> pl.DataFrame:
    """Rows of a read-only query on the lake. Raises Trouble in words when there is no lake or no such mart."""
    if not _lake_is_there():
        raise Trouble("lake_missing")
    return _told(lambda: _query(sql, parameters))


def _query(sql: str, parameters: tuple[Any, ...]) -> pl.DataFrame:
    from warehouse import read

    return read.query(current(), sql, parameters)


def _lake_is_there() -> bool:
    """A page must not create a lake by looking: the embedded catalog is only opened where it has been made."""
    chosen = current()
    return chosen.lake_catalog is not None or chosen.catalog_dir.exists()


def _told(work: Callable[[], pl.DataFrame]) -> pl.DataFrame:
    """Runs a read; a fault becomes a Trouble, its detail goes to the log."""
    try:
        return work()
    except Trouble:
        raise
    except Exception as error:
        text = str(error)
        LOG.warning("a page could not read: %s: %s", type(error).__name__, text)
        missing = "does not exist" in text or "not found" in text.lower()
        raise Trouble(
            "marts_missing" if missing else "lake_failed", text.splitlines()[0][:300] if text else ""
        ) from None


@st.cache_data(ttl=STATE_TTL_S, show_spinner=False, max_entries=32)
def state(feed: str | None = None) -> pl.DataFrame:
    """Newest message of every entity of one feed, or of all."""
    from city_state import read

    return _state(lambda: read.latest(current(), feed))


@st.cache_data(ttl=STATE_TTL_S, show_spinner=False)
def heard() -> pl.DataFrame:
    """When each feed was last heard by the gateway."""
    from city_state import read

    return _state(lambda: read.feeds(current()))


def _state(work: Callable[[], pl.DataFrame]) -> pl.DataFrame:
    try:
        return work()
    except Exception as error:
        LOG.warning("the city state could not be read: %s: %s", type(error).__name__, error)
        raise Trouble("state_failed", str(error).splitlines()[0][:300] if str(error) else "") from None


@st.cache_data(ttl=5, show_spinner=False)
def gateway_runs() -> bool:
    """Something listens where the gateway's health page should be."""
    chosen = current()
    try:
        with socket.create_connection((chosen.host, chosen.gateway_port), timeout=0.3):
            return True
    except OSError:
        return False
