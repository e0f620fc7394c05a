"""Runs the embedded broker in this process until SIGTERM or SIGINT."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from city.settings import Settings
from ingest.broker.embedded import Listeners, config_toml, listeners

READY_S = 15.0


class BrokerFailedError(RuntimeError):
    """The embedded broker did not come up; the message says why and what to do."""


def serve(settings: Settings, ready: Callable[[Listeners], None]) -> None:
    """Starts the broker, calls `ready` once both ports accept, and returns after SIGTERM or SIGINT.

    The library has no way to stop its threads: the caller ends the process. What it held is gone then.
    """
    where = listeners(settings)
    stop = {signal.SIGTERM, signal.SIGINT}
    # blocked before the broker's threads start, so that they inherit it and only sigwait() sees the signal
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    refuse_taken_ports(where)
    _start(config_toml(settings))
    _wait_until_accepting(where)
    ready(where)
    signal.sigwait(stop)


def refuse_taken_ports(where: Listeners) -> None:
    """The library would go on without the listener that it could not open; so look first."""
    family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
    for port in where.ports:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((where.host, port))
            except OSError as error:
                raise BrokerFailedError(
                    f"port {port} on {where.host}: {error.strerror}. Another broker runs there? The embedded one takes "
                    "the port of GORODOK_MQTT_URL and the one after it; end that process or choose another port"
                ) from error


def _start(config: str) -> None:
    from iotcore import IotCoreBroker

    with tempfile.TemporaryDirectory(prefix="gorodok-broker-") as folder:
        path = Path(folder, "rumqttd.toml")
        path.write_text(config)
        IotCoreBroker(config_path=str(path)).start()  # reads the file before it returns


def _wait_until_accepting(where: Listeners) -> None:
    deadline = time.monotonic() + READY_S
    for port in where.ports:
        while True:
            with contextlib.suppress(OSError), socket.create_connection((where.host, port), timeout=1):
                break
            if time.monotonic() > deadline:
                raise BrokerFailedError(
                    f"port {port} on {where.host} does not accept after {READY_S:g} s; see the log above"
                )
            time.sleep(0.02)


def leave() -> None:
    """Ends the process at once: the broker's threads would keep a normal exit waiting."""
    os._exit(0)
