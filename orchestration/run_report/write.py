"""Both files of a run, under GORODOK_HOME/reports/<city>/runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from city.settings import Settings
from orchestration.run_report.gather import RunReport, gather
from orchestration.run_report.html import page
from orchestration.run_report.pdf import compile_report


@dataclass(frozen=True, slots=True)
class Written:
    """The report and where its files lie."""

    report: RunReport
    html: Path
    pdf: Path


def write_run(settings: Settings, run_id: str) -> Written:
    """Writes both, whole or not at all. Raises RunMissingError."""
    report = gather(settings, run_id)
    folder = settings.home / "reports" / settings.city / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{report.run['started_at'].astimezone(report.zone):%Y-%m-%d-%H%M}-{report.run['scenario']}-{run_id[:8]}"
    html, pdf = folder / f"{name}.html", folder / f"{name}.pdf"
    _put(html, page(report).encode())
    _put(pdf, compile_report(report)[0])
    return Written(report, html, pdf)


def _put(path: Path, data: bytes) -> None:
    fresh = path.with_name(f".{path.name}")
    fresh.write_bytes(data)
    fresh.replace(path)
