"""docs/scenarios.md is run: its files are written, its commands run, its timeline is what they print."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from city.settings import ROOT

BIN = Path(sys.executable).parent


def test_the_worked_example_does_what_the_page_says(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "scenarios.md").read_text("utf-8")
    titled = dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```', text, re.MULTILINE | re.DOTALL))
    for name in ("low_pressure.yaml", "events.jsonl"):
        (tmp_path / name).write_text(titled[name], "utf-8")
    environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "GORODOK_HOME": str(tmp_path), "COLUMNS": "200"}
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    said = []
    for block in [*blocks, blocks[-1].rstrip() + " --json\n"]:
        ran = subprocess.run(
            ["bash", "-euc", block], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        said.append(ran.stdout)
    assert "Низкое давление воды" in said[0]
    found = [
        f"{line['at'].replace('T', ' ')} {one['what']} {one['target']} {one['detail']}"
        for line in json.loads(said[2])
        for one in line["effects"]
    ]
    assert found == titled["timeline"].splitlines()
