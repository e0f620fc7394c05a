"""gorodok feed: scaffolds a new feed."""

from __future__ import annotations

import subprocess
import sys
from enum import StrEnum
from pathlib import Path

import typer

from apps.cli.output import err, fail, print_json
from city.settings import ROOT

GENERATORS = ("ingest.derive", "domains.kpi.feed_list")
"""Modules that write again what follows from the contracts; each in a fresh process, which sees the new one."""


class Origin(StrEnum):
    device = "device"
    service = "service"


def register(app: typer.Typer) -> None:
    group = typer.Typer(no_args_is_help=True, help="Потоки данных / Feeds")
    group.callback()(_root)
    group.command("new")(new)
    app.add_typer(group, name="feed")


def _root() -> None:
    """Потоки данных / Feeds"""


def new(
    name: str = typer.Argument(help="One short word, the same everywhere: air_quality"),
    *,
    title_ru: str = typer.Option(..., help="Название по-русски / Title in Russian"),
    title_en: str = typer.Option(..., help="Title in English"),
    owner: str = typer.Option(..., help="Who answers for it: transit, water, ecology, …"),
    entity: str = typer.Option("device_id", help="Field of the thing that a message is about"),
    origin: Origin = typer.Option(Origin.device, help="device publishes to MQTT; service is pulled by an adapter"),
    freshness: int = typer.Option(3_600, help="Silence longer than this is an incident, s; 0: never due"),
    measure: list[str] = typer.Option([], help="NAME:UNIT:LOW:HIGH:MEANING (repeatable)"),
    adapter: bool = typer.Option(False, "--adapter", help="Write an adapter to fill in, too"),
    as_json: bool = typer.Option(False, "--json", help="Machine-readable"),
) -> None:
    """Write contract, staging model and docs of a new feed, and all that is derived from them."""
    from ingest.derive.scaffold import Measure, NewFeed, ScaffoldError, files_of

    if not (ROOT / "pyproject.toml").exists():
        fail(f"{ROOT} is no working copy of the repository", "clone it and run the command there")
    try:
        measures = tuple(Measure.parse(text) for text in measure)
        feed = NewFeed(name, title_ru, title_en, owner, entity, origin.value, freshness, measures)
        files = files_of(feed, ROOT, adapter)
    except ScaffoldError as error:
        fail(str(error))
    for path, text in files.items():
        path.write_text(text, "utf-8")
    _generate(list(files))
    _say([str(path.relative_to(ROOT)) for path in files], feed.code, as_json)


def _generate(written: list[Path]) -> None:
    """Writes what is derived; a contract that does not work leaves nothing behind."""
    for module in GENERATORS:
        run = subprocess.run([sys.executable, "-m", module], cwd=ROOT, capture_output=True, text=True, check=False)
        if run.returncode:
            for path in written:
                path.unlink()
            for again in GENERATORS:
                subprocess.run([sys.executable, "-m", again], cwd=ROOT, capture_output=True, check=False)
            fail(f"{module}: {run.stderr.strip().splitlines()[-1]}", "nothing was written: mend the options", code=1)


def _say(written: list[str], code: str, as_json: bool) -> None:
    if as_json:
        print_json({"feed": code, "written": written})
        return
    for path in written:
        err.print(f"wrote {path}", markup=False)
    err.print(f"wrote what follows from it: docs/contracts/{code}.md, JSON Schema, AsyncAPI, dbt source, suite")
    err.print("next: read the contract, add what is missing, then python -m ingest.derive", markup=False)
