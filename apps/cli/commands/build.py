"""gorodok build: load, checks and dbt once, in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from apps.cli.output import GOOD, NO, err, fail, print_json, print_table
from city.settings import Settings, settings

if TYPE_CHECKING:
    from orchestration.once import BuildReport


def register(app: typer.Typer) -> None:
    app.command()(build)


def build(
    select: str | None = typer.Option(
        None, help="A feed, a model, or Dagster's selection: raw/alert+, group:complaint"
    ),
    prepare: bool = typer.Option(
        False, "--prepare", help="Only write dagster.yaml and parse the dbt project (make setup)"
    ),
    as_json: bool = typer.Option(False, "--json", help="Machine-readable"),
) -> None:
    """Load what has landed, check it, and build what is made of it; exit 1 when a check of severity ERROR fails."""
    if prepare:
        from orchestration.serve import prepare as write

        write(settings())
        return
    raise typer.Exit(GOOD if run_build(settings(), select, as_json=as_json) else NO)


def run_build(found: Settings, select: str | None = None, *, as_json: bool = False) -> bool:
    """One build with its progress and summary; True when nothing failed."""
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=err) as progress:
        task = progress.add_task("starting Dagster")
        from orchestration.lib.manifest import ManifestError
        from orchestration.once import SelectionError, build_once

        done = 0

        def tell(line: str) -> None:
            nonlocal done
            done += 1
            progress.update(task, description=f"[{done}] {line}")

        try:
            report = build_once(found, select, tell)
        except (SelectionError, ManifestError) as error:
            progress.stop()
            fail(str(error))
    if as_json:
        print_json(report.as_dict())
    else:
        _say(report)
    return report.ok


def _say(report: BuildReport) -> None:
    print_table(
        (
            [name, _rows(found), found.get("duplicates"), found.get("conflicts")]
            for name, found in report.assets.items()
        ),
        ["asset", "rows", "duplicates", "conflicts"],
    )
    if report.checks_failed:
        print_table(
            ([each.severity, each.asset, each.check, each.description] for each in report.checks_failed),
            ["severity", "asset", "check", "what"],
            title="checks that fail",
        )
    for error in report.errors:
        err.print(error, style="red", markup=False)
    steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in report.step_s.items())
    err.print(
        f"{len(report.assets)} assets, {report.checks_passed} checks passed, {len(report.checks_failed)} failed; "
        f"{report.seconds:.1f} s ({steps})"
    )


def _rows(found: dict[str, object]) -> object:
    return found.get("rows", found.get("dagster/row_count"))
