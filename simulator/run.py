"""The simulator as a whole: past first, then live, until told to stop.

Simulator(settings, Options(seed=1)).run(stop)
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from city.gtfs import day_start, has_timetable, read_gtfs
from city.profile import City, load_city
from city.settings import Settings
from simulator.life.alerts import Alerts
from simulator.life.cameras import Cameras
from simulator.life.complaints import Complaints
from simulator.life.fleet import Fleet
from simulator.life.meter_faults import MeterFaults
from simulator.life.scada import Scada
from simulator.life.source import Source, rfc3339
from simulator.life.water import Water
from simulator.memory import Memory, recall, remember
from simulator.options import Options
from simulator.outbox import Outbox
from simulator.speak.broker import Broker
from simulator.speak.cap_sign import CapSigner
from simulator.speak.controllers import Controllers
from simulator.speak.web import Web, World
from simulator.truth import Truth, truth_path

log = logging.getLogger(__name__)

TICK_S = 0.1
WINDOW_S = 6 * 3_600
"""The past is sent in windows of so much, so that memory stays small and times interleave."""
REMEMBER_S = 5.0
DRAIN_S = 15.0


class Simulator:
    """`run` blocks; the HTTP feeds answer from the moment it is called. `ready` is set when the past is sent."""

    def __init__(self, settings: Settings, options: Options | None = None) -> None:
        self._settings = settings
        self._options = options or Options()
        self._city = load_city(settings)
        self._started_s = time.time()
        memory = recall(settings, self._options.seed)
        oldest = self._started_s - self._options.backfill_days * 86_400
        self._through_s = max(memory.through_s, oldest) if memory else oldest
        self._leak_from_s = memory.leak_from_s if memory else self._burst()
        self._truth = Truth(truth_path(settings))
        self._fleet = self._make_fleet()
        self._web = Web(settings, self._make_world())
        client_id = f"simulator-{self._city.code}-{self._options.seed}"
        self._broker = Broker(settings, client_id)
        self._controllers = Controllers(settings, self._options, self._truth)
        self._outbox = Outbox(self._city.code, self._options, self._truth, self._broker.send)
        self._sources: list[Source] = []
        self._water: Water | None = None
        self._scada: Scada | None = None
        self._noted_hour = math.floor(self._through_s / 3_600)
        self.ready = threading.Event()

    @property
    def city(self) -> City:
        return self._city

    @property
    def port(self) -> int:
        """Of the HTTP feeds; the real one when the setting is 0."""
        return self._web.port

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set or the duration is over; waits for the broker to acknowledge what was made."""
        self._web.start()
        self._broker.start()
        self._controllers.start()
        try:
            self._live(stop)
        finally:
            self._finish()

    def _live(self, stop: threading.Event) -> None:
        self._sources = self._make_sources()
        end_s, remembered_s = math.inf, 0.0
        while not stop.is_set() and time.time() < end_s:
            if self._broker.connected:
                self._advance(time.time())
                if not self.ready.is_set() and time.time() - self._through_s < 1:
                    self.ready.set()
                    log.info("the past is sent; live from %s", rfc3339(self._through_s))
                    end_s = time.time() + (self._options.duration_s or math.inf)
                if time.time() - remembered_s > REMEMBER_S and self._broker.outstanding == 0:
                    self._remember()
                    remembered_s = time.time()
            stop.wait(0 if time.time() - self._through_s > 1 and self._broker.connected else TICK_S)

    def _advance(self, now: float) -> None:
        """One step: a window of the past, or the moment that passed since the last tick."""
        until = min(now, self._through_s + WINDOW_S)
        thin = until < self._started_s
        if not thin and self._through_s < self._started_s - 60:
            until, thin = min(until, self._started_s), True
        for source in self._sources:
            self._outbox.post(source.between(self._through_s, until, thin))
        self._through_s = until
        self._note_water(until)

    def _note_water(self, until: float) -> None:
        hour = math.floor(until / 3_600)
        if self._water is None or self._scada is None:
            return
        for passed in range(self._noted_hour, hour):
            start, end = passed * 3_600, (passed + 1) * 3_600
            for zone_id in self._water.zones:
                used, lost = self._water.used_m3(zone_id, start, end), self._scada.leak_m3(zone_id, start, end)
                moments = {"from": rfc3339(start), "until": rfc3339(end)}
                self._truth.note("zone", zone_id=zone_id, **moments, used_m3=round(used, 6), lost_m3=round(lost, 6))
        self._noted_hour = hour

    def _finish(self) -> None:
        if self._broker.connected:
            self._outbox.drain()
        if self._broker.wait_acked(DRAIN_S if self._broker.connected else 0):
            self._remember()
        else:
            log.warning("stopped with %d messages that the broker has not acknowledged", self._broker.outstanding)
        self._controllers.stop()
        self._broker.stop()
        self._web.stop()
        self._truth.close()

    def _remember(self) -> None:
        remember(self._settings, Memory(self._options.seed, self._through_s, self._leak_from_s))

    def _burst(self) -> float:
        """03:00 of yesterday, local time."""
        day = datetime.fromtimestamp(self._started_s, self._city.timezone).date() - timedelta(days=1)
        return day_start(day, self._city.timezone).timestamp() + 3 * 3_600

    def _make_fleet(self) -> Fleet | None:
        if not has_timetable(self._city.folder):
            return None
        return Fleet(self._city, read_gtfs(self._city.folder), self._options.seed, self._options.backfill_fix_s)

    def _make_water(self) -> Water:
        """The meters, with what is wrong with them in the ground truth."""
        options, truth = self._options, self._truth
        wrong: dict[str, Any] = {"illegal_houses": options.illegal_houses, "dead_meters": options.dead_meters}
        if options.meter_faults:
            flats = Water(self._city, options.seed).flat_meters

            def note(kind: str, meter_id: str, event_time: str) -> None:
                truth.note("meter_fault", kind=kind, meter_id=meter_id, event_time=event_time)

            wrong["faults"] = MeterFaults(options.seed, options.meter_faults, options.meters_faulty, flats, note)
        water = Water(self._city, options.seed, started_s=self._started_s, **wrong)
        for house_id in sorted(water.illegal):
            truth.note("illegal_connection", house_id=house_id)
        for meter_id in sorted(water.dead):
            truth.note("dead_meter", meter_id=meter_id)
        return water

    def _make_world(self) -> World:
        options = self._options
        after = options.critical_alert_s
        critical = None if after is None else self._started_s + after
        return World(
            self._city,
            options,
            self._truth,
            fleet=self._fleet,
            complaints=Complaints(self._city, options.seed),
            alerts=Alerts(self._city, options.seed, options.alert_status, critical),
            sign=CapSigner(self._settings.home).sign if options.alert_signed else bytes,
        )

    def _make_sources(self) -> list[Source]:
        """What takes long (wntr takes seconds to import) is made after the HTTP feeds are up."""
        return list(self._made())

    def _made(self) -> Iterator[Source]:
        seed, options = self._options.seed, self._options
        if self._fleet is not None:
            yield self._fleet
        yield Cameras(self._city, seed)
        self._water = self._make_water()
        yield self._water
        self._scada = Scada(
            self._city,
            self._water,
            seed,
            leak_zone=options.leak_zone,
            leak_m3_h=options.leak_m3_h,
            leak_from_s=self._leak_from_s,
        )
        yield self._scada
