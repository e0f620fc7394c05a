"""Every tool's telemetry is off, by environment for our children and by configuration where there is one.

Dagster: dagster.yaml (lib/instance.py). dbt: `flags` of dbt_project.yml. Great Expectations: ingest/quality/check.py.
"""

from __future__ import annotations

OFF = {
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "GX_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}
