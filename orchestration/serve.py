"""How Dagster is run: what must be there before, the environment, and the command lines of its two processes."""

from __future__ import annotations

import sys

from city.settings import Settings
from orchestration.lib.instance import dagster_home, prepare_instance
from orchestration.lib.manifest import load_manifest
from orchestration.lib.telemetry import OFF

MODULE = "orchestration.definitions"


def prepare(settings: Settings) -> None:
    """Writes dagster.yaml, makes its storage, parses the dbt project: what the servers need before they start."""
    prepare_instance(settings)
    load_manifest(settings)


def environment(settings: Settings) -> dict[str, str]:
    """What the processes need besides the caller's own environment."""
    return {
        **OFF,
        "DAGSTER_HOME": str(dagster_home(settings)),
        "GORODOK_HOME": str(settings.home),
        "GORODOK_CITY": settings.city,
    }


def commands(settings: Settings) -> dict[str, list[str]]:
    """Command lines by process name. They listen on `settings.host`, loopback unless told otherwise."""
    python = [sys.executable, "-m"]
    where = ["--host", settings.host, "--port", str(settings.dagster_port)]
    code = ["--module-name", MODULE]
    return {
        "dagster-webserver": [*python, "dagster_webserver", *where, *code, "--code-server-log-level", "warning"],
        "dagster-daemon": [*python, "dagster._daemon", "run", *code, "--code-server-log-level", "warning"],
    }
