"""gorodok gateway: the ingest process alone."""

from __future__ import annotations

import logging
import signal

import typer

from apps.cli.output import fail
from city.settings import settings


def register(app: typer.Typer) -> None:
    app.command()(gateway)


def gateway() -> None:
    """Receive the city's feeds from the broker of GORODOK_MQTT_URL until interrupted.

    Here the rooms of the ingest process are put together: intake + city state + meter checks.
    """
    from apps.cli.meter_watch import MeterWatch
    from city.problem import CityError
    from city.profile import load_city
    from city.water import load_water
    from city_state.writer import CityStateWriter
    from ingest.gateway.gateway import Gateway

    logging.getLogger().setLevel(logging.INFO)
    found = settings()
    try:
        watch = MeterWatch(found.home / "water" / "meter-checks.npz", load_water(load_city(found)))
    except CityError as error:
        fail(str(error), "Correct the file: gorodok city check")
    state = CityStateWriter(found.state_path)
    try:
        process = Gateway(found, listeners=[state, watch])
    except ValueError as error:
        fail(str(error))
    watch.start(process.intake.submit)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: process.stop())
    process.before_close = watch.stop
    try:
        process.run()
    except OSError as error:
        fail(f"gateway: {error}", "Free the port, or set GORODOK_GATEWAY_PORT.")
    finally:
        state.close()
