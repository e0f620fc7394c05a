"""What our sensors ask of the reflex process, and what they say when it is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from actuation.reflex.client import ReflexAwayError, ReflexClient, ReflexRefusedError
from actuation.reflex.shapes import DeviceRow, RunRow
from actuation.reflex.token import TokenError
from city.settings import Settings

AWAY = (ReflexAwayError, ReflexRefusedError, TokenError)
"""The process does not run, is just taking over, or has no token yet: nothing is wrong with us."""

LATELY = timedelta(minutes=10)
BY = "orchestration"


@contextmanager
def asked(settings: Settings) -> Iterator[ReflexClient]:
    with ReflexClient(settings, user=BY, role="duty", timeout_s=10) as client:
        yield client


def recent_runs(client: ReflexClient, now: datetime) -> list[RunRow]:
    """Active runs, and those that ended in the last minutes."""
    return [*client.runs(), *client.runs(past=True, since=now - LATELY)]


def devices_of(client: ReflexClient, runs: list[RunRow]) -> dict[str, list[DeviceRow]]:
    """The devices of runs in which somebody has not done it."""
    open_runs = [run for run in runs if any(each["expected"] > each["done"] for each in run["commands"])]
    return {run["run_id"]: client.run_devices(run["run_id"]) for run in open_runs}
