"""dbt's models as Dagster assets: their keys and groups, and one `dbt build` that streams into a run."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliResource, DbtProject

from city.settings import ROOT, Settings
from ingest.contracts import CONTRACTS
from orchestration.lib import keys, manifest
from orchestration.lib.dbt_child import PARENT_VARIABLE
from orchestration.lib.telemetry import OFF
from warehouse.lake import dbt_env
from warehouse.read import query

RUNS_KEPT = 20
"""Folders of dbt's logs and artefacts of past runs."""

STORED = ("table", "incremental", "seed", "snapshot")


BUILD = ["build", "--exclude-resource-type", "unit_test"]
"""Unit tests are about code and made-up rows: they belong to a change of the project, not to every new segment."""

TRANSLATION = DagsterDbtTranslatorSettings(enable_source_tests_as_checks=True)


class GorodokTranslator(DagsterDbtTranslator):
    """Keys are schema and table, as in the lake. A model made of one feed is in that feed's group, others in `city`."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        return dg.AssetKey(
            [dbt_resource_props["schema"], dbt_resource_props.get("alias") or dbt_resource_props["name"]]
        )

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        kind = self.get_resource_props(manifest, unique_id).get("config", {}).get("materialized")
        kinds = {"dbt", "duckdb"} | ({kind} if kind in ("view", "table") else set())
        return spec.replace_attributes(group_name=group_of(manifest, unique_id), kinds=kinds)


def group_of(manifest: Mapping[str, Any], unique_id: str) -> str:
    """The feed that a model is made of; `city` for several; `platform` for none or the load's own tables."""
    feeds = _feeds_of(manifest, unique_id)
    if len(feeds) == 1:
        return next(iter(feeds))
    return keys.CITY if feeds else keys.PLATFORM


def _feeds_of(manifest: Mapping[str, Any], unique_id: str) -> set[str]:
    source = manifest["sources"].get(unique_id)
    if source is not None:
        return {source["name"]} & set(CONTRACTS) if source["source_name"] == "raw" else set()
    parents = manifest["nodes"].get(unique_id, {}).get("depends_on", {}).get("nodes", [])
    return set().union(*(_feeds_of(manifest, parent) for parent in parents))


def build(context: dg.AssetExecutionContext, settings: Settings) -> Iterator[Any]:
    """`dbt build` of the selected models and tests; outputs carry their table's rows.

    A test that fails is a failed check and no failed run: dbt then leaves out what is made of that model. A model
    that fails, and dbt's own crash, fail the run.
    """
    folder = _run_folder(settings, context.run.run_id)
    manifest.take_parsed(settings, folder)
    with _environment(settings):
        call = _resource(settings).cli(BUILD, context=context, target_path=folder, raise_on_error=False)
        for event in call.stream():
            yield _with_rows(event, settings, call.manifest) if isinstance(event, dg.Output) else event
    manifest.keep_parsed(settings, folder)
    _raise_for_errors(context, folder)


class _Dbt(DbtCliResource):
    """dagster-dbt opens an adapter of its own in every call, for row counts that we take from the lake: 2 s saved."""

    def _initialize_dbt_core_adapter(self, args: Any) -> Any:
        return None


def _resource(settings: Settings) -> DbtCliResource:
    return _Dbt(
        project_dir=str(manifest.PROJECT),
        profiles_dir=str(manifest.PROJECT),
        dbt_executable=str(manifest.dbt_command(settings)),
    )


@contextmanager
def _environment(settings: Settings) -> Iterator[None]:
    """dbt's profile reads the environment, and dagster-dbt hands on ours."""
    ours = {
        **dbt_env(settings),
        **OFF,
        "PYTHONPATH": str(ROOT),
        "DBT_TARGET_PATH": str(manifest.target_dir(settings)),
        PARENT_VARIABLE: str(os.getpid()),
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _run_folder(settings: Settings, run_id: str) -> Path:
    """A folder for this run's artefacts; the oldest of past runs are removed."""
    folder = manifest.runs_dir(settings)
    folder.mkdir(parents=True, exist_ok=True)
    past = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in past[RUNS_KEPT - 1 :]:
        shutil.rmtree(old, ignore_errors=True)
    return folder / run_id


def _with_rows(output: dg.Output, settings: Settings, manifest: Mapping[str, Any]) -> dg.Output:
    """The output with its table's number of rows (a view is not counted: that would run it)."""
    unique_id = output.metadata["unique_id"].value
    node = manifest["nodes"][str(unique_id)]
    if node["config"]["materialized"] not in STORED:
        return output
    table = f'"{node["schema"]}"."{node.get("alias") or node["name"]}"'
    rows = query(settings, f"SELECT count(*) AS rows FROM {table}").item()  # noqa: S608 - names of our own models
    return output.with_metadata({**output.metadata, "dagster/row_count": dg.MetadataValue.int(int(rows))})


def _raise_for_errors(context: dg.AssetExecutionContext, folder: Path) -> None:
    artefact = folder / "run_results.json"
    if not artefact.exists():
        # a crash of the process and no fault of a model: what it had built stays, so running it again is safe
        context.log.error("dbt ended before it had told its results: %s", _log_tail(folder))
        raise dg.RetryRequested(max_retries=1, seconds_to_wait=1) from dg.Failure("dbt ended before its results")
    results = json.loads(artefact.read_text("utf-8"))["results"]
    errors = {each["unique_id"]: each["message"] for each in results if each["status"] in ("error", "runtime error")}
    if errors:
        raise dg.Failure(
            f"dbt: {len(errors)} failed: {', '.join(errors)}", metadata={"errors": dg.MetadataValue.json(errors)}
        )


def _log_tail(folder: Path) -> str:
    log = folder / "dbt.log"
    return log.read_text("utf-8")[-5_000:] if log.exists() else "no dbt.log"
