"""`python -m device --identity FILE`: a device of the city as a program, for a maker to try a platform with."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from device.bodies import make_body
from device.controller import Controller
from device.identity import IdentityError, read_identity
from device.mqtt import Broker, Shell
from device.store import Store


def main(words: list[str] | None = None) -> int:
    """Exit code 0: ended by a signal; 2: bad usage or identity."""
    options = _options(words)
    try:
        identity = read_identity(options.identity)
        body = make_body(identity.kind, broken=options.broken)
        user = None if options.anonymous else options.user or identity.device_id
        password = os.environ.get("GORODOK_DEVICE_PASSWORD", identity.mqtt_password)
        broker = Broker.parse(options.broker, user, password if user else None, options.ca)
    except (IdentityError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    if options.identity.stat().st_mode & 0o077:
        print(f"{options.identity} holds this device's secret and others can read it: chmod 600", file=sys.stderr)
    store = Store(options.state or options.identity.with_suffix(".state.json"))
    ended: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: ended.append(number))
    Shell(Controller(identity, body, store), broker, _log).run(lambda: bool(ended))
    return 0


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m device", description=__doc__)
    parser.add_argument("--identity", type=Path, required=True, help="file that `gorodok keys export` wrote")
    parser.add_argument("--broker", default="mqtt://127.0.0.1:1893", help="mqtt[s]://host:port")
    parser.add_argument("--user", help="the broker's user; the device's id by default")
    parser.add_argument("--anonymous", action="store_true", help="log in without a user (embedded broker)")
    parser.add_argument("--ca", type=Path, help="CA certificate for mqtts://")
    parser.add_argument("--state", type=Path, help="where it remembers; beside the identity by default")
    parser.add_argument("--broken", action="store_true", help="a jammed bolt, a dead lamp")
    return parser.parse_args(words)


def _log(what: str, topic: str, payload: bytes) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what:<6} {topic} {payload.decode(errors='backslashreplace')}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
