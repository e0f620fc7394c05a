"""Effects of the engine as signed alerts on their way: what the reflex process runs.

out = CapOut.open(settings, city); out.start(); out.submit(effect); … out.deliveries(since) → feed alert_delivery
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from actuation.cap.out.atom import write_public
from actuation.cap.out.build import NotOursToSendError, build
from actuation.cap.out.certificate import CapKey, key_folder
from actuation.cap.out.outbox import OutAlert, Outbox
from actuation.cap.out.places import ZonePlaces
from actuation.cap.out.receivers import Receivers, load_receivers
from actuation.cap.out.worker import Worker
from actuation.scenario.effect import PublishCap
from city.profile import City, load_city
from city.settings import Settings
from ingest.contracts.alert import Alert
from ingest.contracts.alert_delivery import AlertDelivery

log = logging.getLogger(__name__)

NO_END = timedelta(days=1)
"""An alert that does not say when it ends is tried for so long."""


class CapOut:
    """`submit` returns when the alert is signed and on the disk; delivery goes on until each receiver has it."""

    def __init__(
        self,
        outbox: Outbox,
        key: CapKey,
        receivers: Receivers,
        places: ZonePlaces | None = None,
        public: Path | None = None,
    ) -> None:
        """public: folder for the Atom index and its files; written when the city says where it is served."""
        self.outbox, self._key, self._receivers, self._places, self._public = outbox, key, receivers, places, public
        self._worker = Worker(outbox, receivers.receiver)

    @classmethod
    def open(cls, settings: Settings) -> CapOut | None:
        """None where the city has no alert_receivers.toml. CapKeyError, ReceiversError: say what to do."""
        receivers = load_receivers(settings)
        if receivers is None:
            return None
        key = CapKey.load(key_folder(settings))
        city: City = load_city(settings)
        folder = settings.home / "cap_out"
        return cls(Outbox(folder / "outbox.sqlite"), key, receivers, ZonePlaces(city), folder / "public")

    def start(self) -> None:
        self._worker.start()

    def stop(self) -> None:
        self._worker.stop()
        self.outbox.close()

    def submit(self, effect: PublishCap, now: datetime | None = None) -> bool:
        """False when it is nothing new, or nothing that we may send (logged). A shadow sends nothing."""
        if effect.mode == "shadow":
            return False
        try:
            alert = self.complete(effect, now or datetime.now(UTC))
            document = self._key.sign(build(alert))
        except (ValidationError, NotOursToSendError) as error:
            log.error("alert of %s is not sent: %s", effect.cause.scenario, str(error)[:500])
            return False
        ends = [info.expires for info in alert.info if info.expires is not None]
        made_at = now or datetime.now(UTC)
        headline = next((info.headline or info.event for info in alert.info), alert.msgType)
        out = OutAlert(
            alert.identifier, alert.sender, alert.sent.astimezone(UTC).isoformat(timespec="seconds"), alert.status,
            headline, max(ends) if ends else made_at + NO_END, made_at, document,
        )  # fmt: skip
        wanted = [(each.code, each.channel) for each in self._receivers.receiver if alert.status in each.statuses]
        new = self.outbox.put(out, wanted)
        if new and alert.msgType in ("Update", "Cancel"):
            self._overtake(alert, made_at)
        self._worker.wake()
        if new:
            self._show()
        return new

    def complete(self, effect: PublishCap, now: datetime) -> Alert:
        """The effect's fields with what only we know: identity, sender, polygons of the zones, whole references."""
        told = dict(effect.alert)
        told["identifier"] = effect.effect_id
        told["sender"] = self._receivers.sender
        told["sent"] = now.replace(microsecond=0).isoformat()
        told["status"] = "Exercise" if effect.mode == "drill" else told.get("status", "Actual")
        told.setdefault("msgType", "Alert")
        told.setdefault("scope", "Public")
        if told.get("references"):
            told["references"] = " ".join(self._reference(word) for word in str(told["references"]).split())
        told["info"] = [self._info(info) for info in told.get("info", ())]
        return Alert.model_validate_json(orjson.dumps(told))

    def deliveries(self, since_seq: int) -> list[tuple[int, AlertDelivery]]:
        return self.outbox.attempts(since_seq)

    def _show(self) -> None:
        """A full disk here must not hold up the deliveries."""
        if self._public is None or self._receivers.public_url is None:
            return
        try:
            write_public(self.outbox, self._public, self._receivers.public_url, self._receivers.sender_name)
        except OSError as error:
            log.error("the Atom index is old: %s", error)

    def _overtake(self, alert: Alert, now: datetime) -> None:
        """An alert that waits for a receiver must not come there after the message that ends it."""
        for reference in (alert.references or "").split():
            for delivery in self.outbox.deliveries(reference.split(",")[1] if "," in reference else reference):
                if delivery.state == "waiting":
                    self.outbox.answered(delivery, "expired", f"overtaken by {alert.identifier}", now)

    def _reference(self, word: str) -> str:
        """The engine names its earlier alerts by effect; others are named whole."""
        before = self.outbox.alert(word)
        return before.reference if before is not None else word

    def _info(self, info: Mapping[str, Any]) -> dict[str, Any]:
        told = {"senderName": self._receivers.sender_name, **info}
        if self._places is not None:
            told["area"] = [self._places.area(area, str(info.get("language", ""))) for area in info.get("area", ())]
        return told
