"""Expectations of each feed, derived from its contract and checked on every newly loaded batch.

    python -m ingest.quality.suite      # writes suites/<feed>.json again after a contract has changed

`suite` derives (light), `check` runs Great Expectations (its import takes seconds: only the process that checks).
"""
