"""`gorodok build`: the load, the checks and dbt once, in this process, through the definitions that Dagster serves."""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import dagster as dg

from city.settings import Settings
from ingest.contracts import CONTRACTS
from orchestration.lib.discovery import discover
from orchestration.lib.keys import LAKE_RUN
from orchestration.lib.policy import apply_policy
from orchestration.lib.selection import BUILT, made_of

JOB = "load_and_build"


class SelectionError(ValueError):
    """The selection names nothing that exists, or is no selection."""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """One asset check that did not pass."""

    asset: str
    check: str
    severity: str
    description: str


@dataclass(slots=True)
class BuildReport:
    """What one build did. assets: metadata of each materialised asset by its key; seconds: by step, and in all."""

    ok: bool = False
    assets: dict[str, dict[str, Any]] = field(default_factory=dict)
    checks_passed: int = 0
    checks_failed: list[CheckReport] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    step_s: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


Progress = Callable[[str], None]


def build_once(settings: Settings, select: str | None = None, on_progress: Progress | None = None) -> BuildReport:
    """Runs the job with a throw-away instance. ok: no step failed and no check of severity ERROR failed.

    select: Dagster's asset selection (`raw/alert+`, `group:complaint`), a feed's code (its group and all that is
    made of it), or a model's name. `on_progress` gets a line for each asset and check as it is done.
    Raises SelectionError.
    """
    began = time.monotonic()
    definitions = apply_policy(discover(settings), settings)
    selected = _resolve(settings, definitions, select)
    report = BuildReport()
    run_id = str(uuid.uuid4())
    with dg.DagsterInstance.ephemeral() as instance, _talk_to_log(settings):
        instance.add_event_listener(run_id, lambda entry: _take(report, entry, on_progress))
        result = definitions.resolve_job_def(JOB).execute_in_process(
            instance=instance,
            run_id=run_id,
            asset_selection=selected,
            raise_on_error=False,
            tags=LAKE_RUN,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    report.ok = result.success and not any(each.severity == "ERROR" for each in report.checks_failed)
    report.seconds = round(time.monotonic() - began, 3)
    return report


@contextlib.contextmanager
def _talk_to_log(settings: Settings) -> Iterator[None]:
    """dbt's own lines go to logs/build.log and Dagster's INFO nowhere: the terminal shows progress and the summary."""
    log = settings.home / "logs" / "build.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    handlers = {handler: handler.level for handler in logging.getLogger().handlers}
    for handler in handlers:
        handler.setLevel(max(handler.level, logging.getLogger().level))
    try:
        with log.open("a") as sink, contextlib.redirect_stdout(sink):
            yield
    finally:
        for handler, level in handlers.items():
            handler.setLevel(level)


def _resolve(settings: Settings, definitions: dg.Definitions, select: str | None) -> list[dg.AssetKey] | None:
    """The keys that a selection names; None for everything."""
    if select is None:
        return None
    graph = definitions.resolve_asset_graph()
    if select in CONTRACTS:
        return made_of(settings, graph, [select])
    try:
        found = _selection(select, graph.get_all_asset_keys()).resolve(graph) & graph.executable_asset_keys
    except dg.DagsterError:
        found = set()
    found = {key for key in found if key.path[0] in BUILT}
    if not found:
        raise SelectionError(
            f"--select {select!r} names no asset; give a feed ({', '.join(CONTRACTS)}), a model's name, or a "
            "selection such as 'raw/alert+' or 'group:complaint'"
        )
    return sorted(found)


def _selection(select: str, known: Collection[dg.AssetKey]) -> dg.AssetSelection:
    named = [key for key in known if key.path[-1] == select]
    return dg.AssetSelection.assets(*named) if named else dg.AssetSelection.from_string(select)


def _take(report: BuildReport, entry: dg.EventLogEntry, on_progress: Progress | None) -> None:
    """Notes one event of the run; tells about assets and checks."""
    event = entry.dagster_event
    if event is None:
        return
    line = _note(report, event)
    if line and on_progress:
        on_progress(line)


def _note(report: BuildReport, event: dg.DagsterEvent) -> str | None:
    kind = event.event_type
    if kind is dg.DagsterEventType.ASSET_MATERIALIZATION:
        materialization = event.step_materialization_data.materialization
        name = materialization.asset_key.to_user_string()
        report.assets[name] = {key: _plain(value) for key, value in materialization.metadata.items()}
        return name
    if kind is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return _note_check(report, event.asset_check_evaluation_data)
    if kind is dg.DagsterEventType.STEP_SUCCESS:
        report.step_s[str(event.step_key)] = round(event.step_success_data.duration_ms / 1_000, 3)
    elif kind is dg.DagsterEventType.STEP_FAILURE:
        report.errors.append(_cause(event))
    return None


def _note_check(report: BuildReport, check: dg.AssetCheckEvaluation) -> str:
    name = f"{check.asset_key.to_user_string()}: {check.check_name}"
    if check.passed:
        report.checks_passed += 1
        return name
    severity = check.severity.value
    said = check.description or ""
    report.checks_failed.append(CheckReport(check.asset_key.to_user_string(), check.check_name, severity, said))
    return f"{name}: {severity}"


def _cause(event: dg.DagsterEvent) -> str:
    """The innermost message of a failed step: the one that says what to do."""
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    failure = event.step_failure_data.user_failure_data
    if failure is not None and failure.description:
        return f"{event.step_key}: {failure.description}"
    return f"{event.step_key}: {error.message.strip() if error else event.message}"


def _plain(value: dg.MetadataValue) -> Any:
    """Numbers and short texts of an asset's metadata; pictures are for the UI."""
    inner = value.value
    return inner if isinstance(inner, (int, float)) else str(inner)[:200]
