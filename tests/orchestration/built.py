"""dbt on a test's lake, in this process: only the models that a test needs."""

from __future__ import annotations

import pytest

from city.settings import ROOT, Settings
from warehouse.lake import dbt_env
from warehouse.lock import writer_lock


def build(settings: Settings, *arguments: str) -> None:
    from dbt.cli.main import dbtRunner

    project = str(ROOT / "dbt")
    environment = {
        **dbt_env(settings), "DBT_PROFILES_DIR": project, "DBT_PROJECT_DIR": project,
        "DBT_LOG_PATH": str(settings.home / "logs"), "DBT_TARGET_PATH": str(settings.home / "target"),
    }  # fmt: skip
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch, writer_lock(settings, "test"):
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.chdir(project)
        runner = dbtRunner(callbacks=[lambda event: said.append(event.info.msg)])
        done = runner.invoke(["--quiet", "--log-level-file", "none", *arguments])
    assert done.success, f"{done.exception}\n" + "\n".join(said[-60:])
