"""docs/scenarios.md is run: its files are written, its commands run, its timeline is what they print."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from apps.cli.main import app
from city.settings import ROOT


def test_the_worked_example_does_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "scenarios.md").read_text("utf-8")
    titled = dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```', text, re.MULTILINE | re.DOTALL))
    for name in ("low_pressure.yaml", "events.jsonl"):
        (tmp_path / name).write_text(titled[name], "utf-8")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert [line.split()[2] for line in lines] == ["check", "explain", "simulate"]
    said = []
    for line in [*lines, lines[-1] + " --json"]:
        ran = CliRunner().invoke(app, shlex.split(line)[1:], env={"COLUMNS": "200"})
        assert ran.exit_code == 0, ran.output
        said.append(ran.stdout)
    assert "Низкое давление воды" in said[1]
    found = [
        f"{line['at'].replace('T', ' ')} {one['what']} {one['target']} {one['detail']}"
        for line in json.loads(said[3])
        for one in line["effects"]
    ]
    assert found == titled["timeline"].splitlines()
