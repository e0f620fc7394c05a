"""What the reflex process refused, as messages of the feed `quarantine`: the gateway lands them like any other."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from hashlib import sha256

from ingest.contracts.quarantine import Quarantine
from ingest.topics import PREFIX

log = logging.getLogger(__name__)

MOST_BYTES = 262_144
"""Of the original that are kept: a larger one is cut, and its reason says so."""
PER_MINUTE = 3_000
"""Rows a minute; more are counted in one line of the log."""


class Refusals:
    """Makes the message of each refusal, and one line in the log."""

    def __init__(self, city: str) -> None:
        self._topic = f"{PREFIX}/{city}/quarantine/reflex"
        self._minute, self._count = 0, 0
        self.total = 0

    def message(
        self, feed: str, source: str, data: bytes, reason: str, field: str | None, value: str | None
    ) -> tuple[str, bytes] | None:
        """(topic, payload); None when this minute's rows are used up."""
        self.total += 1
        minute = int(time.monotonic() / 60)
        if minute != self._minute:
            if self._count > PER_MINUTE:
                log.warning("%d more refusals in the last minute have no quarantine row", self._count - PER_MINUTE)
            self._minute, self._count = minute, 0
        self._count += 1
        if self._count > PER_MINUTE:
            return None
        log.warning("refused %s from %s: %s%s", feed, source, reason, f" ({field} = {value!r})" if field else "")
        cut = data[:MOST_BYTES]
        if len(data) > MOST_BYTES:
            reason = f"{reason} (the first {MOST_BYTES} of {len(data)} bytes are kept)"
        digest = sha256(b"\0".join((feed.encode(), source.encode(), data))).hexdigest()[:32]
        row = Quarantine(
            quarantine_id=digest,
            feed=feed,
            topic=source,
            refused_at=datetime.now(UTC),
            reason=reason[:10_000],
            field=field[:1_024] if field else None,
            value=value[:10_000] if value else None,
            payload=cut,
        )
        return self._topic, row.model_dump_json(exclude_none=True).encode()
