"""dbt's manifest: parsed when the project's files have changed, kept under the home, never in the source tree."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from city.settings import ROOT, Settings
from orchestration.lib.telemetry import OFF

PROJECT = ROOT / "dbt"
PARSED = "partial_parse.msgpack"
"""dbt's own name for what it has parsed."""

PARSED_SUFFIXES = {".sql", ".yml", ".yaml", ".csv", ".md", ".py"}

NO_LAKE = {"GORODOK_LAKE_ATTACH": "ducklake:parse-only", "GORODOK_LAKE_DATA": "/nowhere/"}
"""Parsing reads the profile and opens nothing; so definitions load without a lake."""


class ManifestError(RuntimeError):
    """The dbt project is missing or cannot be parsed; the message holds dbt's own words."""


def load_manifest(settings: Settings) -> dict[str, Any]:
    """The manifest of the dbt project as it stands; parses it first (4 s) when a file of it has changed."""
    folder = target_dir(settings)
    with _alone(folder):
        digest = _digest(settings)
        marker = folder / "digest"
        if not marker.exists() or marker.read_text() != digest:
            _parse(settings, folder)
            marker.write_text(digest)
        loaded: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
    return loaded


def target_dir(settings: Settings) -> Path:
    """dbt's target of the parsed project; each run has a folder of its own under `runs_dir`."""
    return settings.home / "dbt" / "parsed"


def runs_dir(settings: Settings) -> Path:
    return settings.home / "dbt" / "runs"


def take_parsed(settings: Settings, folder: Path) -> None:
    """Gives a run what the last build had parsed, so that dbt reads the changed files only (5 s of processor time).

    What `_parse` leaves cannot serve: it was parsed without a lake, and dbt parses all again for another profile.
    dbt itself compares every file's checksum, the profile and the variables, so an old one is never believed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        shutil.copyfile(_built(settings), folder / PARSED)


def keep_parsed(settings: Settings, folder: Path) -> None:
    """Keeps what this run has parsed for the next one; whole or not at all."""
    fresh = _built(settings).with_name(f".{PARSED}-{os.getpid()}")
    fresh.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        shutil.copyfile(folder / PARSED, fresh)
        fresh.rename(_built(settings))


def _built(settings: Settings) -> Path:
    return settings.home / "dbt" / "built" / PARSED


def dbt_command(settings: Settings) -> Path:
    """A script that runs dbt as a child that dies with us (dagster-dbt takes one executable, no arguments)."""
    script = settings.home / "dbt" / "dbt"
    text = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m orchestration.lib.dbt_child "$@"\n'
    if not script.exists() or script.read_text() != text:
        script.parent.mkdir(parents=True, exist_ok=True)
        fresh = script.with_name(f".dbt-{os.getpid()}")
        fresh.write_text(text)
        fresh.chmod(0o755)
        fresh.rename(script)
    return script


def _parse(settings: Settings, folder: Path) -> None:
    if not (PROJECT / "dbt_project.yml").exists():
        raise ManifestError(f"{PROJECT}: no dbt_project.yml; run from a checkout of the repository, the wheel has none")
    where: list[str | Path] = [
        "--project-dir",
        PROJECT,
        "--profiles-dir",
        PROJECT,
        "--target-path",
        folder,
        "--log-path",
        folder,
    ]
    told = subprocess.run(
        [dbt_command(settings), "--quiet", "parse", *where],
        env={**os.environ, **NO_LAKE, **OFF, "GORODOK_CITY": settings.city, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode:
        raise ManifestError(
            f"dbt cannot parse {PROJECT}; `make lint` shows the same:\n{told.stdout[-3000:]}{told.stderr[-500:]}"
        )


def _digest(settings: Settings) -> str:
    summed = hashlib.sha256(f"{settings.city} {sys.version}".encode())
    for path in sorted(PROJECT.rglob("*")):
        if path.suffix in PARSED_SUFFIXES and path.is_file():
            stat = path.stat()
            summed.update(f"{path.relative_to(PROJECT)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return summed.hexdigest()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Code server, webserver and runs start together; one of them parses."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
