"""Dagster's default run launcher, and the knowledge whether a run's process still lives.

Without it the run monitor cannot see that a worker is gone when its code server was killed with it (SIGKILL of
everything, a power cut): the run stays "started", holds its place in the queue, and the next waits for ever.
"""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import psutil
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus

STARTED_MARK = "Started process for run (pid:"
SLACK_S = 2.0


class WatchedRunLauncher(dg.DefaultRunLauncher):
    """Answers the run monitor from the process table; run workers are on this machine."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        started = self._worker(run.run_id)
        if started is None:  # not yet told: the start timeout watches over that
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        pid, since = started
        if lives(pid, since):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, f"process {pid} of the run is gone")

    def _worker(self, run_id: str) -> tuple[int, datetime] | None:
        """Process id of the run's worker and when it said so."""
        told = self._instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
        for record in reversed(told):
            message = record.message or ""
            if STARTED_MARK in message:
                pid = int(message.split(STARTED_MARK, 1)[1].split(")", 1)[0])
                return pid, datetime.fromtimestamp(record.timestamp, UTC)
        return None


def lives(pid: int, since: datetime) -> bool:
    """The process that had this id at that moment still runs; a younger one has only its number."""
    try:
        process = psutil.Process(pid)
        young = process.create_time() > since.timestamp() + SLACK_S
        return not young and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
