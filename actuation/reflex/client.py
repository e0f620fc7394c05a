"""A small client of the reflex process's API, for pages, Dagster and the command line.

Imports no key, no ledger and no broker. Every call raises ReflexAwayError when the process does not answer, and
ReflexRefusedError with field, value and remedy when it says no.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, cast

import httpx

from actuation.reflex.shapes import (
    CapVerdict,
    DeviceRow,
    Draft,
    Press,
    PressBody,
    Pressed,
    Problem,
    Role,
    RunRow,
    Status,
    TimelineLine,
)
from actuation.reflex.token import read_token
from city.settings import Settings

TIMEOUT_S = 15.0
"""Longer than the longest long-poll."""


class ReflexAwayError(ConnectionError):
    """Nobody answers at the address, or the token is not to be had."""


class ReflexRefusedError(RuntimeError):
    """The process said no. status: 403 not allowed, 404 unknown, 409 not now, 422 not understood."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(f"{problem['error']} ({problem['field']} = {problem['value']!r}). {problem['remedy']}")
        self.status, self.problem = status, problem


class ReflexClient:
    """`with ReflexClient(settings(), user="Иванова", role="duty") as reflex: reflex.press("missile", "drill", ["z1"])`.

    user, role: who presses, as the page knows them from OIDC; without them only reading is allowed.
    """

    def __init__(
        self, settings: Settings, *, user: str | None = None, role: Role = "viewer", timeout_s: float = TIMEOUT_S
    ) -> None:
        headers = {"Authorization": f"Bearer {read_token(settings)}", "X-Gorodok-Role": role}
        if user is not None:
            headers["X-Gorodok-User"] = _header(user)
        self._address = f"http://{settings.host}:{settings.reflex_port}"
        self._http = httpx.Client(base_url=self._address, headers=headers, timeout=timeout_s, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def health(self) -> dict[str, Any]:
        return cast("dict[str, Any]", self._get("/health"))

    def status(self) -> Status:
        return cast("Status", self._get("/status"))

    def runs(self, *, past: bool = False, since: datetime | None = None) -> list[RunRow]:
        """Active runs; past: those that have ended (since then), newest first."""
        asked: dict[str, str] = {}
        if past:
            asked["past"] = "true"
        if since is not None:
            asked["since"] = since.astimezone(UTC).isoformat()
        return cast("list[RunRow]", self._get("/runs", asked))

    def run_devices(self, run_id: str) -> list[DeviceRow]:
        """The devices that the run's commands expect answers of."""
        return cast("list[DeviceRow]", self._get(f"/runs/{run_id}/devices"))

    def devices(self) -> list[DeviceRow]:
        return cast("list[DeviceRow]", self._get("/devices"))

    def press(
        self,
        scenario: str,
        press: Press,
        zones: Sequence[str] = (),
        *,
        run_id: str | None = None,
        note: str | None = None,
    ) -> Pressed:
        """A person's button: the ledger gets the name. 403 for a viewer, 409 when there is nothing to press."""
        body: PressBody = {"scenario": scenario, "press": press, "zones": list(zones), "run_id": run_id, "note": note}
        return cast("Pressed", self._post("/press", body))

    def send_cap(self, source: str, data: bytes) -> CapVerdict:
        """Original bytes of a CAP alert. A refusal is an answer here, not an exception."""
        answer = self._ask("POST", f"/cap/{source}", content=data, headers={"Content-Type": "application/cap+xml"})
        if answer.status_code == 422 and "result" in answer.json():
            return cast("CapVerdict", answer.json())
        return cast("CapVerdict", self._read(answer))

    def drafts(self) -> list[Draft]:
        return cast("list[Draft]", self._get("/drafts"))

    def confirm_draft(self, draft_id: str) -> CapVerdict:
        return cast("CapVerdict", self._post(f"/drafts/{draft_id}/confirm", {}))

    def reject_draft(self, draft_id: str) -> CapVerdict:
        return cast("CapVerdict", self._post(f"/drafts/{draft_id}/reject", {}))

    def send_text(self, source: str, text: str) -> list[Draft]:
        """A channel's message: the city's text rules make CAP drafts of it; one of a trusted source acts at once."""
        return cast("list[Draft]", self._post(f"/text/{source}", {"text": text}))

    def send_event(
        self, kind: str, key: str, body: Mapping[str, Any], *, at: datetime | None = None, zones: Sequence[str] = ()
    ) -> Pressed:
        """An incident, a failed check, a silent feed: from our own processes. The same key acts once."""
        moment = (at or datetime.now(UTC)).astimezone(UTC).isoformat()
        event = {"kind": kind, "key": key, "at": moment, "body": dict(body), "zones": list(zones)}
        return cast("Pressed", self._post("/events", event))

    def retry(self, command_id: str, device_ids: Sequence[str], *, note: str | None = None) -> dict[str, Any]:
        """The same command again, under a new number, to devices that have not answered; nothing moves twice."""
        body = {"device_ids": list(device_ids), "note": note}
        return cast("dict[str, Any]", self._post(f"/commands/{command_id}/retry", body))

    def escalate(self, command_id: str, device_ids: Sequence[str], to: str, *, note: str | None = None) -> Pressed:
        """Notes in the ledger that a person has taken over the silent devices."""
        body = {"device_ids": list(device_ids), "to": to, "note": note}
        return cast("Pressed", self._post(f"/commands/{command_id}/escalate", body))

    def note(self, entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Ledger lines of kind `notified` or `published` from our own processes (delivery rows)."""
        return cast("dict[str, Any]", self._post("/notes", {"entries": [dict(each) for each in entries]}))

    def timeline(self, since_seq: int = 0, *, wait_s: float = 0.0, limit: int = 500) -> list[TimelineLine]:
        """Ledger lines after `since_seq`; waits up to wait_s (10 at most) for the first one."""
        asked = {"since_seq": str(since_seq), "wait_s": f"{wait_s:g}", "limit": str(limit)}
        return cast("list[TimelineLine]", self._get("/timeline", asked))

    def _get(self, path: str, asked: Mapping[str, str] | None = None) -> Any:
        return self._read(self._ask("GET", path, params=dict(asked or {})))

    def _post(self, path: str, body: Any) -> Any:
        return self._read(self._ask("POST", path, json=body))

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **more)
        except httpx.TransportError as error:
            raise ReflexAwayError(
                f"the reflex process at {self._address} does not answer ({error or type(error).__name__}); "
                "start `gorodok reflex`, or set GORODOK_REFLEX_PORT"
            ) from error

    def _read(self, answer: httpx.Response) -> Any:
        try:
            told = answer.json()
        except ValueError:
            told = {"error": answer.text[:200]}
        if answer.is_success:
            return told
        known: Problem = {"error": f"HTTP {answer.status_code}", "field": "", "value": None, "remedy": ""}
        raise ReflexRefusedError(answer.status_code, cast("Problem", {**known, **told}))


def _header(text: str) -> str:
    """A name as an HTTP header: percent-encoded UTF-8 (names are Russian)."""
    from urllib.parse import quote

    return quote(text, safe=" @.")
