"""Dagster's own history, bounded."""

from __future__ import annotations

from datetime import datetime, timedelta

import dagster as dg

KEPT = timedelta(days=14)
AT_ONCE = 500


def delete_old_runs(instance: dg.DagsterInstance, now: datetime, kept: timedelta = KEPT) -> int:
    """Deletes finished runs older than `kept`, oldest first, some hundreds a night; gives their number."""
    finished = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    old = dg.RunsFilter(statuses=finished, created_before=now - kept)
    records = instance.get_run_records(old, limit=AT_ONCE, ascending=True)
    for record in records:
        instance.delete_run(record.dagster_run.run_id)
    return len(records)
