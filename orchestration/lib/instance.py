"""Dagster's instance: dagster.yaml, written again at every start so that it is what this version says.

Storage is SQLite under the home: one machine's orchestration needs no server. `storage.postgres` is a change here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from city.settings import Settings
from orchestration.lib import keys

NEXT_RUN_WITHIN_S = 60
"""A run that was killed must not block the next for longer: polls and timeouts below add up to less."""


def dagster_home(settings: Settings) -> Path:
    return settings.home / "dagster"


def configuration(settings: Settings) -> dict[str, Any]:
    """dagster.yaml as a mapping.

    The queue keeps lake writers from piling up as processes; what really protects the lake is the file lock of
    `warehouse.lock`, which dies with its holder. Dead holders are found every 5 s by our launcher.
    """
    one_at_a_time = [{"key": keys.WRITES, "value": {"applyLimitPerUniqueValue": True}, "limit": 1}]
    return {
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
        "storage": {"sqlite": {"base_dir": str(dagster_home(settings) / "storage")}},
        "run_launcher": {"module": "orchestration.lib.launcher", "class": "WatchedRunLauncher"},
        "run_queue": {"dequeue_interval_seconds": 2},
        "concurrency": {
            "pools": {"granularity": "run", "default_limit": 1},
            "runs": {"max_concurrent_runs": 3, "tag_concurrency_limits": one_at_a_time},
        },
        "run_monitoring": {
            "enabled": True,
            "poll_interval_seconds": 5,
            "start_timeout_seconds": 45,
            "cancel_timeout_seconds": 30,
            "max_resume_run_attempts": 0,
            "free_slots_after_run_end_seconds": 1,
        },
        "run_retries": {"enabled": True, "max_retries": 1, "retry_on_asset_or_op_failure": False},
        "freshness": {"enabled": True},
        "retention": {
            "sensor": {"purge_after_days": {"skipped": 1, "success": 7, "failure": 30, "started": 1}},
            "schedule": {"purge_after_days": {"skipped": 7, "success": 30, "failure": 30, "started": 7}},
        },
    }


def prepare_instance(settings: Settings) -> Path:
    """Writes dagster.yaml and makes the storage; gives the yaml's path.

    Telemetry is off before anything of Dagster is started, and webserver and daemon, which start together, do not
    make the SQLite files at the same time (one of them would fail).
    """
    path = write_configuration(settings)
    with dg.DagsterInstance.from_config(str(path.parent)) as instance:
        instance.get_runs_count()
    return path


def write_configuration(settings: Settings) -> Path:
    """Writes dagster.yaml; gives its path."""
    home = dagster_home(settings)
    home.mkdir(parents=True, exist_ok=True)
    path = home / "dagster.yaml"
    path.write_text(
        "# written by orchestration/lib/instance.py\n" + yaml.safe_dump(configuration(settings), sort_keys=False)
    )
    return path
