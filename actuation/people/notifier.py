"""The thread that says notices to people. Whoever submits one waits for nobody: not for a disk, not for a channel.

One thread keeps the outbox and decides what is due; a handful of others speak to channels, one message a recipient at
a time, so that a channel that hangs holds up nobody but itself.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import queue
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Self

from actuation.people import policy, template
from actuation.people.channel import Answer, ChannelError, Sender
from actuation.people.notices import Audience, Channel, Language, Notices, SecretMissing, load_notices, resolve
from actuation.people.outbox import Delivery, NewDelivery, Outbox, row_of
from actuation.scenario.effect import NotifyPeople
from city.geometry import features
from city.profile import City, load_city
from city.settings import Settings
from ingest.contracts.notice_delivery import NoticeDelivery, Result

LOG = logging.getLogger(__name__)
OUTBOX = "notices/outbox.sqlite"
QUEUED = 10_000
TALKERS = 8
LONGEST_SLEEP_S = 1.0
KEPT_DAYS = 90
NOBODY = "nobody"
"""Channel of a notice whose audience has none: the row says that people were not told."""


class Notifier:
    """`submit` from any thread; `close` waits for messages under way; what waits stays in the outbox."""

    def __init__(
        self,
        settings: Settings,
        notices: Notices | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        on_delivery: Callable[[NoticeDelivery], None] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """on_delivery: called from a talker's thread with every row, after it is on disk (for the ledger).

        Raises city.problem.CityError when notices.toml is wrong.
        """
        city = load_city(settings)
        self._notices = notices if notices is not None else load_notices(city.folder)
        self._zone = city.timezone
        self._called = _called(city)
        self._key = settings.pseudonym_key.get_secret_value().encode()
        self._environment = os.environ if environment is None else environment
        self._on_delivery, self._clock = on_delivery, clock
        self.outbox = Outbox(settings.home / OUTBOX)
        self._inbox: queue.Queue[NotifyPeople | None] = queue.Queue(QUEUED)
        self._senders: dict[tuple[str, int], Sender] = {}
        self._busy: set[tuple[str, int]] = set()
        self._lock = threading.Lock()
        self._ends = threading.Event()
        self._looked_at = clock()
        self._talkers = ThreadPoolExecutor(TALKERS, thread_name_prefix="notice")
        self._thread = threading.Thread(target=self._run, name="notices", daemon=True)

    def start(self) -> Self:
        self._thread.start()
        return self

    def close(self) -> None:
        self._ends.set()
        self._wake()
        if self._thread.is_alive():
            self._thread.join()
        self._talkers.shutdown(wait=True)
        self._take_all(None)
        self.outbox.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, effect: NotifyPeople) -> None:
        """Microseconds, whatever the disk and the channels do. The same effect_id again changes nothing.

        Only when ten thousand wait in memory does the caller write to the outbox himself: nothing is dropped.
        """
        try:
            self._inbox.put_nowait(effect)
        except queue.Full:
            self._take(effect)

    def deliveries(self, after_seq: int = 0, limit: int = 1_000) -> list[tuple[int, NoticeDelivery]]:
        """Rows of the feed notice_delivery with their numbers, for a forwarder with a cursor."""
        return self.outbox.attempts(after_seq, limit)

    # the thread

    def _run(self) -> None:
        self.outbox.forget(self._clock() - timedelta(days=KEPT_DAYS))
        self._warm()
        first: NotifyPeople | None = None
        while not self._ends.is_set():
            try:
                self._take_all(first)
                self._dispatch()
            except Exception:
                LOG.exception("notices: the outbox failed; trying again")
                self._ends.wait(1)
            first = self._sleep()
        if first is not None:
            self._take(first)

    def _warm(self) -> None:
        """Every sender is made before it is needed: apprise takes half a second to import."""
        for code, channel in self._notices.channels.items():
            for index in range(max(1, len(channel.to))):
                try:
                    self._sender(channel, (code, index))
                except (SecretMissing, ChannelError) as error:
                    LOG.warning("notices: channel %s is off: %s", code, error)

    def _sleep(self) -> NotifyPeople | None:
        # what was due then has been handed out, or waits for its lane, whose talker wakes us
        due = self.outbox.next_due(self._looked_at)
        wait = LONGEST_SLEEP_S
        if due is not None:
            wait = min(wait, max(0.02, (due - self._clock()).total_seconds()))
        try:
            return self._inbox.get(timeout=wait)
        except queue.Empty:
            return None

    def _wake(self) -> None:
        try:
            self._inbox.put_nowait(None)
        except queue.Full:
            return  # whoever is full is awake

    def _take_all(self, first: NotifyPeople | None) -> None:
        if first is not None:
            self._take(first)
        while True:
            try:
                effect = self._inbox.get_nowait()
            except queue.Empty:
                return
            if effect is not None:
                self._take(effect)

    def _take(self, effect: NotifyPeople) -> None:
        """A notice into the outbox, with a delivery for each recipient; one that goes nowhere says so at once."""
        now = self._clock()
        audience = self._notices.audiences.get(effect.audience)
        places = self._places(effect, audience, now)
        if not self.outbox.add(effect, places, now) or all(one.state == "waiting" for one in places):
            return
        still = "the scenario is a shadow" if effect.mode == "shadow" else self._no_way(effect.audience, audience)
        self._write(
            [
                (one, row_of(one, NOBODY, _still(one), now, attempt=0, answer=still), None)
                for one in self.outbox.of_notice(effect.effect_id)
                if one.state != "waiting"
            ]
        )

    def _places(self, effect: NotifyPeople, audience: Audience | None, now: datetime) -> list[NewDelivery]:
        if effect.mode == "shadow":
            return [NewDelivery(NOBODY, 0, now, "shadow")]
        if audience is None or not audience.channels:
            return [NewDelivery(NOBODY, 0, now, "off")]
        places = []
        for code in audience.channels:
            for index in range(max(1, len(self._notices.channels[code].to))):
                last = self.outbox.last_sent(effect.audience, code, index)
                places.append(NewDelivery(code, index, policy.due(now, effect.severity, audience, last, self._zone)))
        return places

    @staticmethod
    def _no_way(code: str, audience: Audience | None) -> str:
        if audience is None:
            return f"audience {code!r} is not in notices.toml: add it there"
        return f"audience {code!r} has no channels: give it some in notices.toml"

    def _dispatch(self) -> None:
        """Hands what is due to the talkers: one message a lane at a time, a digest where many would annoy."""
        now = self._looked_at = self._clock()
        for one in self.outbox.due(now):
            with self._lock:
                if one.lane in self._busy:
                    continue
                self._busy.add(one.lane)
            try:
                group = self._group(one, now)
            except Exception:
                self._free(one.lane)
                raise
            if group:
                self._talkers.submit(self._talk, group)
            else:
                self._free(one.lane)

    def _group(self, one: Delivery, now: datetime) -> list[Delivery]:
        """What goes in this message: itself, or a digest; nothing when the channel had its fill of this minute."""
        if one.severity == "critical":
            return [one]
        audience = self._notices.audiences.get(one.audience)
        group = self.outbox.companions(one, now) if audience is not None and audience.digest_minutes else [one]
        channel = self._notices.channels.get(one.channel)
        if channel is not None:
            taken = self.outbox.sent_since(one.channel, now - timedelta(minutes=1))
            if len(taken) >= channel.per_minute:
                self.outbox.put_off(group, taken[-channel.per_minute] + timedelta(minutes=1))
                return []
        return group

    def _free(self, lane: tuple[str, int]) -> None:
        with self._lock:
            self._busy.discard(lane)

    # a talker

    def _talk(self, group: list[Delivery]) -> None:
        one = group[0]
        try:
            answer, recipient = self._say(group)
            now = self._clock()
            self._write([self._outcome(each, answer, recipient, now, len(group)) for each in group])
        except Exception:
            LOG.exception("notices: delivery %s failed; trying again", one.delivery_id)
            self.outbox.put_off(group, policy.retry_at(self._clock(), one.attempts + 1))
        finally:
            self._free(one.lane)
            self._wake()

    def _say(self, group: list[Delivery]) -> tuple[Answer, str]:
        """The channel's answer and the recipient's pseudonym."""
        one = group[0]
        channel = self._notices.channels.get(one.channel)
        if channel is None:
            return Answer(False, final=True, text=f"channel {one.channel!r} is no longer in notices.toml"), NOBODY
        try:
            address = self._address(channel, one.recipient)
            sender = self._sender(channel, one.lane)
        except (SecretMissing, ChannelError, IndexError) as error:
            return Answer(False, final=True, text=str(error)), NOBODY
        languages = self._languages(one)
        messages = [
            template.render(each.template, each.fields, languages, each.mode == "drill", self._zone, self._called)
            for each in group
        ]
        message = messages[0] if len(messages) == 1 else template.digest(messages, languages[0])
        return sender.send(message), self._pseudonym(address)

    def _languages(self, one: Delivery) -> tuple[Language, ...]:
        audience = self._notices.audiences.get(one.audience)
        return audience.languages if audience is not None else ("ru",)

    def _address(self, channel: Channel, recipient: int) -> str:
        raw = channel.to[recipient] if channel.to else channel.url
        return resolve(raw, self._environment)[0]

    def _sender(self, channel: Channel, lane: tuple[str, int]) -> Sender:
        with self._lock:
            found = self._senders.get(lane)
        if found is None:
            url, secrets = resolve(
                channel.url.replace("{to}", channel.to[lane[1]] if channel.to else ""), self._environment
            )
            address = self._address(channel, lane[1]) if channel.to else ""
            found = Sender(url, [*secrets, *([address] if address else [])], channel.api)
            with self._lock:
                self._senders[lane] = found
        return found

    def _outcome(
        self, one: Delivery, answer: Answer, recipient: str, now: datetime, together: int
    ) -> tuple[Delivery, NoticeDelivery, datetime | None]:
        attempt = one.attempts + 1
        result: Result = "sent"
        again = None
        if not answer.sent:
            again = None if answer.final else policy.retry_at(now, attempt, answer.retry_after_s)
            patience = timedelta(minutes=self._notices.keep_trying_minutes)
            if again is not None and attempt >= policy.LEAST_TRIES and again - one.created > patience:
                again = None
            result = "retry" if again is not None else "refused" if answer.final else "given_up"
            if recipient == NOBODY:
                result = "off"
            LOG.warning("notice %s by %s: %s, %s", one.notice_id, one.channel, result, answer.text)
        row = row_of(
            one, recipient, result, now, attempt=attempt, code=answer.code, answer=answer.text, together=together
        )
        return one, row, again

    def _pseudonym(self, address: str) -> str:
        return hmac.new(self._key, address.encode(), hashlib.sha256).hexdigest()[:16]

    def _write(self, outcomes: list[tuple[Delivery, NoticeDelivery, datetime | None]]) -> None:
        self.outbox.write(outcomes)
        if self._on_delivery is None:
            return
        for _, row, _ in outcomes:
            try:
                self._on_delivery(row)
            except Exception:
                LOG.exception("notices: whoever listens to deliveries failed")


def _called(city: City) -> dict[str, tuple[str, str]]:
    """Zones, sites and devices by what people call them."""
    found: dict[str, tuple[str, str]] = {}
    for layer, key in (("zones", "zone_id"), ("sites", "site_id"), ("devices", "device_id")):
        for feature in features(city, layer):
            told = feature.properties.model_dump()
            found[str(told[key])] = (str(told["name_ru"]), str(told["name_en"]))
    return found


def _still(one: Delivery) -> Result:
    return "shadow" if one.state == "shadow" else "off"
