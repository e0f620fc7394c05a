"""From models of the contract to columns, and from changed flags to messages of `meter_flag`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from domains.water.meters.checks import Flags, Readings
from domains.water.meters.kinds import Kind
from ingest.contracts import Contract

CLEARED = ("показания снова верны", "readings are right again")
VISITED = ("по результату осмотра", "by the result of a visit")
DEAD = ("осмотр: счётчик не работает", "visit: the meter does not work")


def readings_of(models: Sequence[Contract], batch: pa.RecordBatch) -> tuple[Readings, Sequence[Contract]]:
    """Water readings of a flush as columns, and their models, in the order in which they came."""
    value = batch.column("volume_m3").to_numpy(zero_copy_only=False)
    at = batch.column("event_time").cast(pa.int64()).to_numpy(zero_copy_only=False)
    received = batch.column("received_at").cast(pa.int64()).to_numpy(zero_copy_only=False)
    ids, scope = batch.column("meter_id").to_pylist(), batch.column("scope").to_pylist()
    if np.isnan(value).any():
        rows = np.flatnonzero(~np.isnan(value))
        chosen = rows.tolist()
        ids, scope = [ids[row] for row in chosen], [scope[row] for row in chosen]
        value, at, received, models = value[rows], at[rows], received[rows], [models[row] for row in chosen]
    return Readings(ids, scope, at, value, received), models


def messages_of(flags: Flags, readings: Readings, models: Sequence[Contract]) -> list[dict[str, Any]]:
    """A message of `meter_flag` for each change, ready to be JSON."""
    return [_message(flags, at, readings, models) for at in range(len(flags))]


def _message(flags: Flags, at: int, readings: Readings, models: Sequence[Contract]) -> dict[str, Any]:
    row = int(flags.row[at])
    raised, kind = bool(flags.raised[at]), flags.kind_of(at)
    russian, english = flags.words(at) if raised else CLEARED
    reading = models[row].__dict__
    return {
        "meter_id": readings.meter_id[row],
        "event_time": rfc3339(int((readings.received_us if kind == "future" else readings.at_us)[row])),
        "kind": kind,
        "status": "raised" if raised else "cleared",
        "reason_ru": russian,
        "reason_en": english,
        "value_m3": max(0.0, round(float(flags.value_m3[at]), 6)),
        "before_m3": max(0.0, round(float(flags.before_m3[at]), 6)),
        "house_id": reading["house_id"],
        "zone_id": reading["zone_id"],
    }


def message_of_visit(visit: Contract, kind: Kind, raised: bool) -> dict[str, Any]:
    """A message of `meter_flag` for what a visit (contract meter_visit) changed."""
    told = visit.__dict__
    russian, english = DEAD if raised else VISITED
    return {
        "meter_id": told["meter_id"],
        "event_time": told["event_time"].astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "kind": kind,
        "status": "raised" if raised else "cleared",
        "reason_ru": russian,
        "reason_en": english,
        "house_id": told["house_id"],
        "zone_id": told["zone_id"],
    }


def rfc3339(at_us: int) -> str:
    moment = datetime.fromtimestamp(at_us // 1_000_000, UTC).replace(microsecond=at_us % 1_000_000)
    return moment.isoformat().replace("+00:00", "Z")
