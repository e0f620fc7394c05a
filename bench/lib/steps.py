"""Steps of the data path as processes of their own, so that time and memory of each are told apart.

`python -m bench.lib.steps load` loads what waits in the landing of GORODOK_HOME and prints what it did as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from bench.lib.processes import Step, environment, python, step
from city.settings import ROOT, Settings, settings
from orchestration.lib.dbt_child import PARENT_VARIABLE
from orchestration.lib.models import BUILD
from warehouse.lake import dbt_env
from warehouse.load import load_segments
from warehouse.lock import writer_lock


def load(found: Settings) -> tuple[Step, dict[str, Any]]:
    """The load, and its sums: rows, duplicates, conflicts, segments, bytes, seconds in transactions."""
    done = step(python("-m", "bench.lib.steps", "load"), environment(found))
    sums: dict[str, Any] = json.loads(done.output)
    return done, sums


def build(found: Settings) -> tuple[Step, dict[str, Any]]:
    """`gorodok build --json`."""
    done = step(python("-m", "apps.cli", "build", "--json"), environment(found))
    report: dict[str, Any] = json.loads(done.output)
    return done, report


def dbt_build(found: Settings, *, full_refresh: bool = False) -> Step:
    """`dbt build` alone, under the writers' lock, as a Dagster run calls it: without unit tests."""
    project, target = str(ROOT / "dbt"), str(found.home / "dbt" / "bench")
    command = python("-m", "orchestration.lib.dbt_child", "--quiet", *BUILD, "--project-dir", project)
    command += ["--profiles-dir", project, "--target-path", target, "--log-path", target]
    if full_refresh:
        command.append("--full-refresh")
    env = environment(found) | dbt_env(found) | {"DBT_PROJECT_DIR": project}
    env.pop(PARENT_VARIABLE, None)
    with writer_lock(found, "bench"):
        return step(command, env)


def main() -> None:
    reports = load_segments(settings())
    faults = [report.reason for report in reports if report.reason is not None]
    if faults:
        sys.exit(f"segments could not be loaded: {faults}")
    print(
        json.dumps(
            {
                name: sum(getattr(report, name) for report in reports)
                for name in ("rows", "duplicates", "conflicts", "bytes", "seconds")
            }
            | {"segments": sum(len(report.segments) for report in reports)}
        )
    )


if __name__ == "__main__":
    main()
