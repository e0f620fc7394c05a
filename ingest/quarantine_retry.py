"""Refused messages again, after a fix of the contract or of the city's data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from city.settings import Settings
from ingest.contracts import CONTRACTS
from ingest.contracts.quarantine import Quarantine
from ingest.decode import Decoder
from ingest.intake import Intake
from ingest.parcel import Parcel


@dataclass(frozen=True)
class Retried:
    accepted: int
    still_refused: dict[str, str]


def retry(settings: Settings, rows: Iterable[dict[str, Any]]) -> Retried:
    """Decodes each row's original bytes again; what is valid now is landed and its row marked as retried.

    rows: dicts with quarantine_id, feed, topic, payload (as in raw.quarantine). A row that is still wrong
    stays as it is; the result says why, by quarantine_id.
    """
    accepted = 0
    refused: dict[str, str] = {}
    with Intake(settings, writer="retry") as intake:
        for row in rows:
            contract = CONTRACTS.get(row["feed"])
            if contract is None:
                refused[row["quarantine_id"]] = f"no contract is called {row['feed']!r}"
                continue
            decoded = Decoder(contract, settings.max_payload_kb * 1024).decode(row["payload"])
            if decoded.rejects:
                refused[row["quarantine_id"]] = decoded.rejects[0].reason
                continue
            intake.submit(Parcel(row["feed"], row["topic"], row["payload"]))
            mark = Quarantine(
                quarantine_id=row["quarantine_id"],
                feed=row["feed"],
                topic=row["topic"],
                refused_at=row["refused_at"],
                reason="accepted on retry",
                payload=b"",
                retried_at=datetime.now(UTC),
            )
            intake.submit(Parcel("quarantine", "retry", mark.model_dump_json().encode()))
            accepted += len(decoded.good)
    return Retried(accepted, refused)
