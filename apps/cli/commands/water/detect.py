"""`gorodok water detect`: leaks from SCADA tables and an EPANET file."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from apps.cli.output import err, fail, print_json, print_table


def register(app: typer.Typer) -> None:
    app.command("detect", help="Найти утечки по данным SCADA / Find leaks in SCADA data")(detect)


def detect(
    network: Annotated[Path, typer.Option(help="Сеть EPANET / EPANET network, .inp")],
    scada: Annotated[Path, typer.Option(help="Папка с таблицами / Folder: pressures_m_*.parquet, flows_m3_h_*…")],
    out: Annotated[Path | None, typer.Option(help="Куда писать CSV / Where the CSV goes")] = None,
    report_from: Annotated[
        str | None, typer.Option(help="С какой даты; ещё текущие находки повторяются / From this date, 2019-01-01")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Находки полностью, в JSON / Findings in full, as JSON")
    ] = False,
) -> None:
    """Exit code 0: done; 2: wrong usage or a file that cannot be read. No labels are read; the same files give the
    same answer."""
    from domains.water.leaks.run import detect_folder, write_csv
    from domains.water.network.arrays import NetworkError
    from domains.water.scada import ScadaError

    try:
        with err.status("…"):
            findings, detector = detect_folder(network, scada, _date(report_from))
    except (NetworkError, ScadaError) as error:
        fail(str(error), "check --network and --scada")
    for fault in detector.sensor_faults():
        err.print(f"{fault.quantity} {fault.channel}: {fault.kind} {fault.since:%Y-%m-%d %H:%M}", markup=False)
    if out is not None:
        write_csv(findings, out)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    elif out is None:
        rows = [
            (one.seen_at, one.pipe, one.confidence, one.leak_m3_h, one.started_at, one.cost_day) for one in findings
        ]
        print_table(rows, ["detected at", "pipe", "confidence", "m³/h", "began", "EUR a day"])


def _date(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        fail(f"--report-from: {text!r} is not a date", "write it as 2019-01-01")
