"""One message to one recipient by apprise, and what the channel said to it.

apprise answers yes or no; the reason (Telegram's `description` and `retry_after`, an SMTP reply) is only in its log.
So its log is listened to while it sends, and secrets are taken out of what is kept.
"""

from __future__ import annotations

import ast
import json
import logging
import re
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from actuation.people.template import Message

FINAL_HTTP = frozenset({400, 401, 403, 404, 405, 410, 413, 422})
"""Asked again these say the same; 408, 429 and all of 5xx may change their mind."""

RATE_CODE = 429
LONGEST_ANSWER = 500
HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a channel said. final: asking again is of no use. retry_after_s: it asked us to wait."""

    sent: bool
    final: bool = False
    code: int | None = None
    text: str | None = None
    retry_after_s: float | None = None


class ChannelError(ValueError):
    """The URL is nothing that apprise knows."""


class Sender:
    """A recipient's plugin. `api`: a Telegram Bot API server of the city's own (or of a test)."""

    def __init__(self, url: str, secrets: Iterable[str] = (), api: str | None = None) -> None:
        from apprise import Apprise, AppriseAsset
        from apprise.plugins.telegram import NotifyTelegram

        _listen()
        # no plugin of somebody's home folder, no cache on disk, no retries but ours
        asset = AppriseAsset(
            app_id="Gorodok", app_desc="Gorodok", app_url="", async_mode=False, default_service_retry=0
        )
        plugin = Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
        if plugin is None:
            raise ChannelError("apprise does not know such a URL; see docs/operations/notices.md")
        plugin.request_rate_per_sec = 0  # the outbox keeps the pace
        if api is not None:
            if not isinstance(plugin, NotifyTelegram):
                raise ChannelError("api is for Telegram's channels (tgram://): remove it")
            # NotifyTelegram builds <notify_url><token>/sendMessage; Telegram's own server keeps the same paths
            plugin.notify_url = f"{api.rstrip('/')}/bot"
        self._has_title = plugin.title_maxlen > 0
        self._apprise = Apprise(asset=asset)
        self._apprise.add(plugin)
        self._hidden = sorted({form for one in secrets for form in (one, quote(one, safe=""))}, key=len, reverse=True)

    def send(self, message: Message) -> Answer:
        """Blocks for as long as the channel does (apprise: 4 s to connect, 4 s to read)."""
        from apprise import NotifyFormat

        with _hearing() as lines:
            try:
                body = message.text if self._has_title else message.body  # else the title comes first in the body
                sent = bool(self._apprise.notify(body=body, title=message.head, body_format=NotifyFormat.TEXT))
            except Exception as error:  # a plugin of a hundred: its fault must not end the thread
                lines.append(f"{type(error).__name__}: {error}")
                sent = False
        return understand(sent, [self._scrub(line) for line in lines])

    def _scrub(self, line: str) -> str:
        for secret in self._hidden:
            line = line.replace(secret, HIDDEN)
        return line


def understand(sent: bool, lines: list[str]) -> Answer:
    """apprise's own lines as an answer."""
    if sent:
        return Answer(True)
    told = "\n".join(lines)
    details = _details(told)
    parameters = details.get("parameters")
    wait = parameters.get("retry_after") if isinstance(parameters, dict) else None
    code = _code(told)
    said = details.get("description") or next((line for line in reversed(lines) if "Exception: " in line), None)
    said = said or next((line for line in lines if "error=" in line), None) or (lines[-1] if lines else None)
    final = code in FINAL_HTTP or (code is not None and 500 <= code < 600 and _is_smtp(told))
    return Answer(
        False,
        final=final,
        code=code,
        text=str(said).split("Exception: ")[-1][:LONGEST_ANSWER] if said else None,
        retry_after_s=float(wait) if isinstance(wait, int | float) else None,
    )


def _details(told: str) -> dict[str, Any]:
    """The JSON that the service answered with, where apprise logged it (as Python's bytes)."""
    match = re.search(r"Response Details:\r?\n(b['\"].*)", told)
    if match is None:
        return {}
    try:
        found = json.loads(ast.literal_eval(match[1].splitlines()[0]))
    except (ValueError, SyntaxError):
        return {}
    return found if isinstance(found, dict) else {}


def _code(told: str) -> int | None:
    if match := re.search(r"\berror=(\d{3})\b", told):
        return int(match[1])
    if match := re.search(r"\((\d{3}), b?['\"]", told):  # smtplib's (550, b'no such user')
        return int(match[1])
    return None


def _is_smtp(told: str) -> bool:
    return re.search(r"\((\d{3}), b?['\"]", told) is not None


_HEARD: ContextVar[list[str] | None] = ContextVar("heard", default=None)
"""apprise sends in threads of its own, with a copy of the caller's context: the list is the same one."""


class _Ear(logging.Handler):
    """Hands apprise's lines to the thread that sends, and its warnings on to our log, without URLs."""

    def emit(self, record: logging.LogRecord) -> None:
        lines = _HEARD.get()
        if lines is not None and not record.getMessage().startswith(("Telegram POST URL", "JSON POST URL")):
            lines.append(record.getMessage())


class _hearing:  # noqa: N801 - a context manager that reads like a function
    def __enter__(self) -> list[str]:
        lines: list[str] = []
        self._token = _HEARD.set(lines)
        return lines

    def __exit__(self, *_: object) -> None:
        _HEARD.reset(self._token)


def _listen() -> None:
    """apprise's debug lines hold tokens: they go to our ear and to nobody else's."""
    logger = logging.getLogger("apprise")
    if not any(isinstance(handler, _Ear) for handler in logger.handlers):
        logger.addHandler(_Ear(logging.DEBUG))
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
