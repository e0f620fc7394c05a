"""Checks of water meters' readings: one stepping implementation for the stream and for the batch."""

from domains.water.meters.checks import Checks, Flags, Readings
from domains.water.meters.kinds import KINDS, Kind
from domains.water.meters.limits import Limits

__all__ = ["KINDS", "Checks", "Flags", "Kind", "Limits", "Readings"]
