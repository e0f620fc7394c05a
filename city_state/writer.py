"""Keeps the newest message of every entity; a listener of the intake, one transaction a feed and flush."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from city_state.schema import UPSERT_ENTITY, UPSERT_FEED, open_for_writing
from ingest.contracts import CONTRACTS, Contract

Row = tuple[str, str, int, int, int, str, float | None, float | None, str]


class CityStateWriter:
    """The only writer. Called by the intake after a flush is durable."""

    def __init__(self, path: Path) -> None:
        self._connection = open_for_writing(path)

    def __call__(self, feed: str, models: Sequence[Contract], batch: pa.RecordBatch) -> None:
        """Upserts by (event time, sequence): a late or repeated message never overwrites a newer one."""
        contract = CONTRACTS.get(feed)
        if contract is None:
            return
        event_us = batch.column("event_at").cast(pa.int64()).to_pylist()
        received_us = batch.column("received_at").cast(pa.int64()).to_pylist()
        rows: list[Row] = []
        if contract.spec.live:
            rows = _newest(contract, models, event_us, received_us, batch.column("clock_status").to_pylist())
        with self._connection as transaction:  # commits, or rolls back on an error
            transaction.execute("BEGIN IMMEDIATE")
            transaction.executemany(UPSERT_ENTITY, rows)
            transaction.execute(UPSERT_FEED, (feed, max(received_us), max(event_us), len(models)))

    def close(self) -> None:
        self._connection.close()


def _newest(
    contract: type[Contract],
    models: Sequence[Contract],
    event_us: Sequence[int],
    received_us: Sequence[int],
    clock: Sequence[str],
) -> list[Row]:
    """The newest message of each entity in this flush: one row instead of hundreds for a batched backlog."""
    spec = contract.spec
    counter = spec.sequence[1] if spec.sequence else None
    newest: dict[str, tuple[int, int, int]] = {}
    for index, model in enumerate(models):
        values = model.__dict__
        number = values[counter] if counter else None
        rank = (event_us[index], -1 if number is None else number, index)
        entity = values[spec.entity]
        if entity not in newest or rank > newest[entity]:
            newest[entity] = rank
    rows: list[Row] = []
    for entity, (at, number, index) in newest.items():
        values = models[index].__dict__
        latitude = values.get("latitude", values.get("lat"))
        longitude = values.get("longitude", values.get("long"))
        payload = models[index].model_dump_json(exclude_none=True)
        rows.append((spec.code, entity, at, number, received_us[index], clock[index], latitude, longitude, payload))
    return rows
