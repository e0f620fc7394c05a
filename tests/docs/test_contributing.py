"""CONTRIBUTING.md is run: its fenced blocks, in order, in a copy of the repository."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from city.settings import ROOT

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Ran:
    block: str
    stdout: str


def _blocks(section: str) -> list[tuple[str, str]]:
    """(language, text) of the fenced blocks of one section."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    (found,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return re.findall(r"^```(sh|python)\n(.*?)^```", found, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working tree's files that git knows or would take."""
    target = tmp_path_factory.mktemp("repository")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        source = ROOT / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / name)
    return target


def _run(section: str, copy: Path, home: Path) -> list[Ran]:
    environment = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PYTHONPATH": str(copy),
        "GORODOK_HOME": str(home),
        "GORODOK_CITY": "gorodok",
        "GORODOK_CITIES_DIR": str(copy / "cities"),
    }
    done = []
    for language, block in _blocks(section):
        command = ["bash", "-euo", "pipefail", "-c", block] if language == "sh" else [sys.executable, "-c", block]
        run = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
        assert run.returncode == 0, f"{block}\n{run.stdout[-2000:]}\n{run.stderr[-3000:]}"
        done.append(Ran(block, run.stdout))
    return done


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_feed_is_added_as_it_is_written(copy: Path, tmp_path: Path) -> None:
    last = _run("Add a feed", copy, tmp_path / "home")[-1].stdout
    table, refused = last[last.index("station_id,") :].split("[", 1)
    assert table.splitlines() == ["station_id,pm25_ug_m3,clock_status", "air-1,12.5,behind"]
    (reject,) = json.loads("[" + refused)
    assert "pm25_ug_m3" in json.dumps(reject)
    for path in ("docs/contracts/air_quality.md", "ingest/quality/suites/air_quality.json"):
        assert (copy / path).exists()
    assert "air_quality" in (copy / "docs/contracts/asyncapi.yaml").read_text("utf-8")
    lint = subprocess.run([BIN / "ruff", "check", "ingest/contracts/air_quality.py"], cwd=copy, check=False)
    form = subprocess.run([BIN / "ruff", "format", "--check", "ingest/contracts/air_quality.py"], cwd=copy, check=False)
    assert (lint.returncode, form.returncode) == (0, 0)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_city_is_added_as_it_is_written(copy: Path, tmp_path: Path) -> None:
    _run("Add a city", copy, tmp_path / "home")
    assert (copy / "cities" / "ugorsk" / "city.toml").exists()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_kpi_is_added_as_it_is_written(copy: Path, tmp_path: Path) -> None:
    last = _run("Add a KPI", copy, tmp_path / "home")[-1].stdout
    assert last.splitlines()[-1].endswith(",50.0,1.0,2.0")
    assert "## cameras_confident_share" in (copy / "docs" / "kpi.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["alert", "--title-ru", "Тревоги"], "there is such a feed already"),
        (["Air", "--title-ru", "Воздух"], "use small letters"),
        (["air", "--title-ru", "Air"], "give the title in Russian"),
        (["air", "--title-ru", "Воздух", "--measure", "pm25"], "write NAME:UNIT:LOW:HIGH:MEANING"),
        (["air", "--title-ru", "Воздух", "--measure", "pm25:ug/m3:9:1:x"], "give the lower bound first"),
        (["air", "--title-ru", "Воздух", "--measure", "source:ug/m3:0:1:x"], "the platform adds a column"),
    ],
)
def test_a_feed_that_cannot_be_is_refused_with_its_remedy(options: list[str], said: str) -> None:
    run = subprocess.run(
        [BIN / "gorodok", "feed", "new", *options, "--title-en", "Air", "--owner", "ecology"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert said in run.stderr
    assert not (ROOT / "ingest" / "contracts" / "air.py").exists()
