"""Definitions for the test of killed runs: a job that holds the lake as the real ones do, and tells who it is."""

import os
import time
from pathlib import Path

import dagster as dg

from city.settings import settings
from orchestration.lib.keys import LAKE_RUN
from warehouse.lock import writer_lock


class Hold(dg.Config):
    """seconds: how long the lake is held."""

    seconds: float


@dg.op(pool="lake")
def hold(context: dg.OpExecutionContext, config: Hold) -> None:
    found = settings()
    with writer_lock(found, context.run_id):
        Path(found.home / f"{context.run_id}.pid").write_text(str(os.getpid()))
        time.sleep(config.seconds)


@dg.job(tags=LAKE_RUN, executor_def=dg.in_process_executor)
def hold_the_lake() -> None:
    hold()


defs = dg.Definitions(jobs=[hold_the_lake])
