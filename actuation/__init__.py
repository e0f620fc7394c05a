"""From an event to a device: scenarios (`scenario`), the process that runs them (`reflex`), its ledger, keys and wire,
CAP in and out, notices to people. Nothing here knows Dagster.
"""
