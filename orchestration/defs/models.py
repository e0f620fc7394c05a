"""dbt's models, views and tests: staging, intermediate, marts."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets

from city.settings import Settings
from orchestration.lib import models
from orchestration.lib.manifest import load_manifest
from warehouse.lock import writer_lock


def definitions(settings: Settings) -> dg.Definitions:
    @dbt_assets(
        manifest=load_manifest(settings),
        dagster_dbt_translator=models.GorodokTranslator(models.TRANSLATION),
        name="dbt_build",
        pool="lake",
    )
    def dbt_build(context: dg.AssetExecutionContext) -> Iterator[Any]:
        with writer_lock(settings, f"dbt in run {context.run.run_id}"):
            yield from models.build(context, settings)

    return dg.Definitions(assets=[dbt_build])
