"""`gorodok water score`: what a list of detections would have earned, by the rules of BattLeDIM 2020."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.cli.output import fail, print_json, print_table


def register(app: typer.Typer) -> None:
    app.command("score", help="Оценить находки по правилам BattLeDIM / Score detections by BattLeDIM's rules")(score)


def score(
    network: Annotated[Path, typer.Option(help="Сеть EPANET / EPANET network, .inp")],
    truth: Annotated[Path, typer.Option(help="Настоящие утечки / True leaks: pipe,start,end")],
    flows: Annotated[Path, typer.Option(help="Их расходы, м³/ч / Their flows, m³/h, parquet")],
    detections: Annotated[Path, typer.Option(help="Находки / Detections: pipe,detected_at")],
    as_json: Annotated[bool, typer.Option("--json", help="Вывод в JSON / As JSON")] = False,
) -> None:
    """Exit code 0: scored; 2: wrong usage or a file that cannot be read."""
    from domains.water.score import ScoreInputError, score_files

    try:
        result = score_files(network, truth, flows, detections)
    except ScoreInputError as error:
        fail(str(error), "correct the file")
    if as_json:
        print_json(result.as_dict())
        return
    print_table([leak.as_row() for leak in result.leaks], ["pipe", "found_as", "detected_at", "distance_m", "eur"])
    print_table(
        [(result.found, len(result.leaks), result.again, result.false_crews, result.eur, result.perfect_eur)],
        ["found", "of", "again", "false crews", "EUR", "perfect EUR"],
    )
