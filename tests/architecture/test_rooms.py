"""Who may import whom: `.importlinter` holds the room table, and every room stands in it."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOT_ROOMS = {"bench", "cities", "dbt", "deploy", "docs", "requirements", "site", "tests", "var", "build", "dist"}
LINT = Path(sys.executable).with_name("lint-imports")


def _rooms() -> set[str]:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    return {name for name in folders - NOT_ROOMS if any((ROOT / name).rglob("*.py"))}


def _config() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    return config


def test_the_room_table_is_kept() -> None:
    run = subprocess.run([LINT, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]


def test_every_room_stands_in_the_table() -> None:
    listed = set(_config()["importlinter"]["root_packages"].split())
    assert listed == _rooms(), (
        "add the room to .importlinter (root_packages and a contract) and to docs/architecture.md"
    )
    sources = {name for section in _config().values() for name in section.get("source_modules", "").split()}
    assert {source.split(".")[0] for source in sources} == listed


def test_every_room_stands_in_the_docs() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    assert [room for room in sorted(_rooms()) if f"`{room}/" not in page] == []


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("city/trap.py", "import ingest", "city imports no room"),
        ("domains/trap.py", "import warehouse", "science without I/O"),
        ("ingest/trap.py", "import city_state", "ingest imports city only"),
        ("warehouse/trap.py", "from apps.cli import output", "only apps.cli imports applications"),
        ("simulator/trap.py", "from warehouse import load", "simulator is a client"),
    ],
)
def test_a_forbidden_import_is_found(module: str, line: str, contract: str, tmp_path: Path) -> None:
    for room in _rooms():
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    (tmp_path / module).write_text(line + "\n", "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    run = subprocess.run(
        [LINT, "--no-cache"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    broken = [text for text in run.stdout.splitlines() if "BROKEN" in text]
    assert any(contract in text for text in broken), run.stdout[-2000:]
