"""Tries every delivery until it is accepted or its alert has expired. A thread a receiver: a slow one delays nobody."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from actuation.cap.out.outbox import Outbox
from actuation.cap.out.receivers import Mqtt, Webhook
from actuation.cap.out.send import send
from ingest.contracts.alert_delivery import AlertDelivery

log = logging.getLogger(__name__)

Sent = Callable[[Webhook | Mqtt, bytes], tuple[bool, str]]
LONGEST_SLEEP_S = 5.0


class Worker:
    """`wake` after `outbox.put`; what an earlier process left is tried at once."""

    def __init__(self, outbox: Outbox, receivers: Sequence[Webhook | Mqtt], attempt: Sent = send) -> None:
        self._outbox, self._attempt = outbox, attempt
        self._stopping = threading.Event()
        self._work = {receiver.code: threading.Event() for receiver in receivers}
        self._threads = [
            threading.Thread(target=self._run, args=(receiver,), name=f"cap-out-{receiver.code}", daemon=True)
            for receiver in receivers
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """An attempt under way is left to its end, or to the end of the process; its delivery stays in the outbox."""
        self._stopping.set()
        self.wake()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(timeout_s)

    def wake(self) -> None:
        for event in self._work.values():
            event.set()

    def _run(self, receiver: Webhook | Mqtt) -> None:
        work = self._work[receiver.code]
        while not self._stopping.is_set():
            work.clear()
            try:
                if self._one(receiver) is not None:
                    continue
                next_at = self._outbox.next_due(receiver.code)
            except Exception:
                log.exception("deliveries to %s: the outbox cannot be used; trying again", receiver.code)
                next_at = None
            left_s = LONGEST_SLEEP_S if next_at is None else (next_at - datetime.now(UTC)).total_seconds()
            work.wait(min(LONGEST_SLEEP_S, max(0.01, left_s)))

    def _one(self, receiver: Webhook | Mqtt) -> AlertDelivery | None:
        """The delivery that is due, tried once; None when none is."""
        now = datetime.now(UTC)
        delivery = self._outbox.due(receiver.code, now)
        if delivery is None:
            return None
        alert = self._outbox.alert(delivery.identifier)
        assert alert is not None
        if alert.expires <= now:
            words = f"expired after {delivery.attempts} attempts; the last answer: {delivery.answer}"
            log.error("alert %s to %s: %s", delivery.identifier, receiver.code, words)
            return self._outbox.answered(delivery, "expired", words, now)
        accepted, words = self._attempt(receiver, alert.document)
        log.log(
            logging.INFO if accepted else logging.WARNING,
            "alert %s to %s, attempt %d: %s", delivery.identifier, receiver.code, delivery.attempts + 1, words,
        )  # fmt: skip
        return self._outbox.answered(delivery, "accepted" if accepted else "retry", words, datetime.now(UTC))
