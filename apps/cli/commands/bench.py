"""gorodok bench: the benchmarks of `bench/`, found by being there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from apps.cli.output import err, fail, out, print_json, print_table

if TYPE_CHECKING:
    from bench.lib.table import BenchTable


def register(app: typer.Typer) -> None:
    app.command()(bench)


def bench(
    name: str | None = typer.Argument(None, help="Which one; --list names them"),
    listed: bool = typer.Option(False, "--list", help="Only print the names, one a line"),
    scale: float = typer.Option(1.0, min=0.0001, help="1 is the size that the goals speak of; 0.01 tries the script"),
    days: int | None = typer.Option(None, min=1, help="Days of generated data, where a benchmark has such"),
    home: Path | None = typer.Option(None, help="Folder for its data, kept; default: a temporary one"),
    doors: int | None = typer.Option(None, min=1, help="reflex: so many doors instead of 100, 1,000 and 10,000"),
    rate: float | None = typer.Option(None, min=0.1, help="reflex: events a second instead of 10, 100 and 1,000"),
    seconds: float | None = typer.Option(None, min=0.1, help="reflex: length of each measurement, s"),
    as_json: bool = typer.Option(False, "--json", help="Machine-readable"),
) -> None:
    """Measure this machine: a table with ratios taken in one run. Needs a checkout and an idle machine."""
    try:
        from bench.lib import discovery
        from bench.lib.table import Options
    except ImportError:
        fail("bench/ is not here: the installed package has no benchmarks", "Run from a checkout of the repository.")
    if listed:
        for each in discovery.names():
            out.print(each)
        return
    if name is None:
        print_table(([each, discovery.summary(each)] for each in discovery.names()), ["benchmark", "measures"])
        return
    try:
        found = discovery.find(name)
    except KeyError:
        fail(f"no benchmark is called {name!r}", f"One of: {', '.join(discovery.names())}")
    try:
        with err.status(f"{name}…"):
            table = found(Options(scale, days, home, doors, rate, seconds))
    except (FileNotFoundError, RuntimeError) as error:
        fail(f"{name}: {error}")
    if as_json:
        print_json(table.as_dict())
    else:
        _say(table)


def _say(table: BenchTable) -> None:
    print_table(table.rows, table.columns, title=table.title)
    print_table(
        (
            [goal.what, goal.value, f"{'≥' if goal.better == 'higher' else '≤'} {goal.bound:,g}", _word(goal.met)]
            for goal in table.goals
        ),
        ["goal", "measured", "wanted", ""],
    )
    for note in table.notes:
        out.print(note, markup=False)
    out.print(str(table.machine), style="dim", markup=False)


def _word(met: bool) -> str:
    return "met" if met else "MISSED"
