"""Looks at every frame of a source once and hands on what was seen."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ingest.contracts.camera_event import CameraEvent
from vision_jobs import evidence
from vision_jobs.camera import Camera
from vision_jobs.detector import Detection, Detector
from vision_jobs.events import to_events
from vision_jobs.frame import BadFrame, Frame
from vision_jobs.gate import MotionGate

log = logging.getLogger(__name__)

Sink = Callable[[list[CameraEvent]], None]
"""Takes the events of one frame: at least one, all of one camera."""

NAMED = 100
"""Bad frames of which a report keeps name and reason; the others are only counted (a stream runs for months)."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts. confidence: least one of an event, 0…1. classes: None = all that the weights know.

    evidence_home: where evidence frames go; None keeps none. limit: stop after so many frames were looked at.
    """

    confidence: float = 0.25
    classes: frozenset[str] | None = None
    motion: float = 0.0
    evidence_home: Path | None = None
    limit: int | None = None


@dataclass(slots=True)
class Report:
    """Counts of one run. frames = analysed + unchanged + failed. seconds: wall clock."""

    model: str
    frames: int = 0
    analysed: int = 0
    unchanged: int = 0
    failed: int = 0
    events: int = 0
    evidence_frames: int = 0
    seconds: float = 0.0
    by_class: Counter[str] = field(default_factory=Counter)
    bad_frames: list[BadFrame] = field(default_factory=list)


def look(
    source: Iterable[Frame | BadFrame], detector: Detector, camera: Camera, sink: Sink, rules: Rules
) -> Iterator[Report]:
    """Gives the one growing report after each frame; the last state of it is the result.

    A frame that cannot be read or looked at is counted and named; it never ends the run. A sink that fails does:
    events that nobody takes must not go on as if.
    """
    report = Report(detector.model)
    started = time.monotonic()
    gate, last_digest = MotionGate(rules.motion), ""
    home = rules.evidence_home if evidence.can_blur_people(detector.class_names) else None
    for frame in source:
        report.frames += 1
        if isinstance(frame, BadFrame):
            _note_bad(report, frame)
        elif frame.digest == last_digest or not gate.passes(frame.image):
            report.unchanged += 1
        else:
            last_digest = frame.digest
            _look_at(frame, detector, camera, sink, rules, home=home, report=report)
        report.seconds = time.monotonic() - started
        yield report
        if rules.limit is not None and report.analysed >= rules.limit:
            break


def _look_at(
    frame: Frame, detector: Detector, camera: Camera, sink: Sink, rules: Rules, *, home: Path | None, report: Report
) -> None:
    try:
        seen = detector.detect(frame.image, min(rules.confidence, evidence.BLUR_CONFIDENCE))
        findings = [found for found in seen if _counts(found, rules)]
        proof = evidence.keep(home, frame, seen) if home and findings else None
    except (RuntimeError, ValueError, ArithmeticError, LookupError) as error:
        # a frame of a shape that the network does not take; a full disk (OSError) is not the frame's fault
        _note_bad(report, BadFrame(frame.origin, f"{type(error).__name__}: {str(error)[:200]}"))
        return
    report.analysed += 1
    events = to_events(findings, frame, camera, detector.model, proof)
    if events:
        sink(events)
    report.evidence_frames += proof is not None
    report.events += len(events)
    report.by_class.update(event.class_name for event in events)


def _counts(found: Detection, rules: Rules) -> bool:
    return found.confidence >= rules.confidence and (rules.classes is None or found.class_name in rules.classes)


def _note_bad(report: Report, bad: BadFrame) -> None:
    report.failed += 1
    if len(report.bad_frames) < NAMED:
        report.bad_frames.append(bad)
    log.warning("frame %s: %s", bad.origin, bad.reason)
