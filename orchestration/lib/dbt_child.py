"""dbt as a child that dies with its parent: `python -m orchestration.lib.dbt_child <dbt's arguments>`.

The parent (a Dagster run) holds the lake's writer lock. Were it killed and dbt lived on, the next run would take
the free lock and both would write. Linux tells the child of the parent's death (prctl 2, PR_SET_PDEATHSIG).
`--version` is answered without importing dbt, because dagster-dbt asks it before every call: 2 s saved.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PARENT_VARIABLE = "GORODOK_DBT_PARENT"


def die_with_parent() -> None:
    """Elsewhere than on Linux nothing happens; there a killed run's dbt ends by itself."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    expected = os.environ.get(PARENT_VARIABLE)
    if expected and os.getppid() != int(expected):  # it died before the call above
        sys.exit("the process that started dbt is gone")


def main() -> None:
    if sys.argv[1:] == ["--version"]:
        print(importlib.metadata.version("dbt-core"))
        return
    die_with_parent()
    from dbt.cli.main import cli

    cli(prog_name="dbt")


if __name__ == "__main__":
    main()
