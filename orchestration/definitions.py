"""What Dagster loads: everything under `defs/`, with the policy applied once over all of it."""

from __future__ import annotations

from city.settings import settings
from orchestration.lib.discovery import discover
from orchestration.lib.policy import apply_policy

defs = apply_policy(discover(settings()), settings())
