"""A folder of SCADA tables through the detector, and the detections file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from domains.water.leaks.book import Finding
from domains.water.leaks.detector import Detector, Rules
from domains.water.network.arrays import read_network
from domains.water.scada import Scada, read_scada

COLUMNS = ("pipe", "detected_at", "confidence", "leak_m3_h")


def detector_for(network: Path, scada: Scada, rules: Rules | None = None) -> Detector:
    """A detector for an EPANET file and the channels that arrive."""
    bound = read_network(network, scada.channels.flow, scada.channels.level)
    return Detector(bound, scada.channels, scada.begin, rules or Rules())


def detect(
    network: Path, scada: Scada, report_from: datetime | None = None, rules: Rules | None = None
) -> tuple[list[Finding], Detector]:
    """Findings in order of time. With `report_from`: those that run then, told at that time, and the later ones."""
    detector = detector_for(network, scada, rules)
    restated: list[Finding] | None = None
    earlier = 0
    for when, row in scada.steps():
        if report_from is not None and restated is None and when >= report_from:
            earlier = len(detector.findings)
            restated = detector.restate(report_from)
        detector.step(when, row)
    detector.finish()
    if report_from is None:
        return list(detector.findings), detector
    return [*(restated or []), *(detector.findings[earlier:] if restated is not None else [])], detector


def detect_folder(network: Path, folder: Path, report_from: datetime | None = None) -> tuple[list[Finding], Detector]:
    """The same for a folder in the layout of `scada`."""
    return detect(network, read_scada(folder), report_from)


def write_csv(findings: Sequence[Finding], path: Path) -> None:
    """Writes `pipe,detected_at,confidence,leak_m3_h`; a finding that takes back another is a row like any other."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(finding.as_row() for finding in findings)
