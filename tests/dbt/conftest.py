"""A lake of its own for each fixture, filled with real landed segments and built by real dbt."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from city.settings import ROOT, Settings
from ingest.contracts import CONTRACTS
from ingest.derive.arrow import to_batch
from warehouse.lake import dbt_env, open_lake
from warehouse.load import load_segments
from warehouse.lock import writer_lock
from warehouse.tables import ensure_tables

AS_OF = "2026-03-10 12:00:00+00:00"
"""The "now" of the hand-made days (GORODOK_AS_OF)."""


class Lake:
    """A city's home with a lake; `land` and `load` go the way of real data, `build` runs `dbt build`."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home)
        self._segments = 0
        self.manifest: Any = None
        with open_lake(self.settings) as connection:
            ensure_tables(connection)

    def land(self, feed: str, rows: Iterable[Mapping[str, Any]], received_at: datetime | None = None) -> None:
        """Rows (JSON objects of the contract) as one sealed segment; received a second after the event by default."""
        contract = CONTRACTS[feed]
        models = [contract.model_validate_json(json.dumps(row, default=str)) for row in rows]
        received = [received_at or getattr(model, contract.spec.event_time) for model in models]
        batch = to_batch(feed, models, received, ["test"] * len(models))
        folder = self.settings.landing_dir / feed / "sealed"
        folder.mkdir(parents=True, exist_ok=True)
        self._segments += 1
        with pq.ParquetWriter(folder / f"hand-made-{self._segments:06}.parquet", batch.schema) as writer:
            writer.write_batch(batch)

    def load(self) -> None:
        reports = load_segments(self.settings)
        broken = [report.reason for report in reports if report.reason]
        assert not broken, broken

    def build(self, *arguments: str) -> None:
        """`dbt build ARGUMENTS`; fails the test when dbt fails."""
        self.dbt("build", *arguments)

    def run(self, *arguments: str) -> None:
        """`dbt run ARGUMENTS`: the models without their tests."""
        self.dbt("run", *arguments)

    def dbt(self, *arguments: str) -> None:
        """One dbt command in this process: importing dbt and reading the project costs more than most commands."""
        from dbt.cli.main import dbtRunner

        project = str(ROOT / "dbt")
        environment = {
            **dbt_env(self.settings), "DBT_PROFILES_DIR": project, "DBT_PROJECT_DIR": project, "GORODOK_AS_OF": AS_OF,
            "DBT_LOG_PATH": str(self.settings.home / "logs"), "DBT_TARGET_PATH": str(self.settings.home / "target"),
        }  # fmt: skip
        said: list[str] = []
        with pytest.MonkeyPatch.context() as patch, writer_lock(self.settings, "test"):
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.chdir(project)
            runner = dbtRunner(manifest=self.manifest, callbacks=[lambda event: said.append(event.info.msg)])
            done = runner.invoke(["--quiet", "--log-level-file", "none", *arguments])
            if self.manifest is None:
                self.manifest = runner.manifest
        assert done.success, f"{done.exception}\n" + "\n".join(said[-80:])

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[dict[str, Any]]:
        return self.frame(sql, params).to_dicts()

    def frame(self, sql: str, params: Sequence[Any] = ()) -> pl.DataFrame:
        with open_lake(self.settings) as connection:
            return connection.execute(sql, list(params)).pl()


@pytest.fixture(scope="session")
def new_lake(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Lake]:
    """Makes lakes; their catalogs stop with the test process."""
    return lambda name: Lake(tmp_path_factory.mktemp(name))


def moment(text: str) -> datetime:
    """ "2026-03-09 10:00" as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
