"""How a fetch or a replay went, as a row of the feed `ingest_outcome`."""

from __future__ import annotations

import os
import re
import socket
import uuid
from datetime import datetime
from typing import Literal

from ingest.contracts.ingest_outcome import IngestOutcome

LONGEST_SUBJECT = 128


def outcome(
    stage: Literal["fetch", "replay"],
    subject: str,
    started_at: datetime,
    seconds: float,
    success: bool,
    *,
    reason: str | None = None,
    messages: int = 0,
    rows: int = 0,
    quarantined: int = 0,
    size_bytes: int = 0,
) -> IngestOutcome:
    """subject: adapter and address; what is longer than the contract allows is cut in the middle."""
    return IngestOutcome(
        outcome_id=uuid.uuid4().hex,
        stage=stage,
        subject=_fitting(subject),
        started_at=started_at,
        seconds=max(0.0, seconds),
        success=success,
        reason=None if reason is None else reason.encode("utf-8", "replace").decode()[:10_000],
        messages=messages,
        rows=rows,
        quarantined=quarantined,
        bytes=size_bytes,
        process=f"{stage}@{socket.gethostname()[:64]}/{os.getpid()}",
    )


def _fitting(subject: str) -> str:
    clean = re.sub(r"[\x00-\x1f\x7f]", "?", subject.encode("utf-8", "replace").decode()) or "?"
    if len(clean) <= LONGEST_SUBJECT:
        return clean
    half = (LONGEST_SUBJECT - 1) // 2
    return f"{clean[:half]}…{clean[-half:]}"
