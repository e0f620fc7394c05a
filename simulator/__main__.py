"""python -m simulator: settings and options from the environment (GORODOK_…, GORODOK_SIMULATOR_…)."""

from __future__ import annotations

import logging
import signal
import threading

from city.settings import settings
from simulator.options import Options
from simulator.run import Simulator


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Simulator(settings(), Options()).run(stop)


if __name__ == "__main__":
    main()
