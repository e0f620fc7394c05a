"""python -m simulator.fleet IDENTITIES --url mqtt://… : simulated devices as processes of their own.

IDENTITIES: a file with one JSON identity a line (`gorodok keys export` writes one). Prints `ready` when all are
connected; on SIGTERM writes the truth (one JSON line a device) and prints its own processor time.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

from ingest.broker.address import parse_address
from simulator.fleet.devices import Faults, SimulatedDevice, check_signatures_once, identity_of
from simulator.fleet.loop import Fleet


def main() -> int:
    options = _options()
    lines = options.identities.read_text().splitlines()
    shares = [lines[at :: options.processes] for at in range(options.processes)]
    gate = multiprocessing.Barrier(options.processes + 1)
    context = multiprocessing.get_context("fork")
    children = [
        context.Process(target=_work, args=(share, options, number, gate)) for number, share in enumerate(shares)
    ]
    for child in children:
        child.start()
    stopping: list[int] = []

    def stop(*_: Any) -> None:
        stopping.append(1)
        for child in children:
            if child.pid:
                os.kill(child.pid, signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        gate.wait(options.ready_s)
    except multiprocessing.context.ProcessError:
        return 1
    except Exception as error:
        sys.stderr.write(f"fleet: not all devices connected: {error!r}\n")
        stop()
        return 1
    print("ready", flush=True)
    for child in children:
        child.join()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulator.fleet", description=__doc__)
    parser.add_argument("identities", type=Path)
    parser.add_argument("--url", required=True)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--deaf", type=float, default=0.0, help="share that never answers")
    parser.add_argument("--jammed", type=float, default=0.0, help="share whose thing does not move")
    parser.add_argument("--clock-s", type=float, default=0.0, help="clocks are off by up to so much, both ways")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--ready-s", type=float, default=180)
    return parser.parse_args()


def _work(lines: list[str], options: argparse.Namespace, number: int, gate: Any) -> None:
    check_signatures_once()
    address = parse_address(options.url)
    fleet = Fleet(address.host, address.port)
    devices = []
    for line in lines:
        identity = identity_of(json.loads(line))
        devices.append(SimulatedDevice(identity, faults_of(identity.device_id, options)))
        fleet.add(f"device-{identity.device_id}", devices[-1])
    signal.signal(signal.SIGTERM, lambda *_: fleet.stop())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    fleet.run(until=lambda: fleet.ready == len(devices))
    gate.wait(options.ready_s)
    cpu_s = time.process_time()
    fleet.run(each=_reporter(options.truth, number, devices, fleet, cpu_s))
    _report(options.truth, number, devices, fleet, cpu_s)
    fleet.close()


def faults_of(device_id: str, options: Any) -> Faults:
    """The same seed and device give the same faults, whichever process it runs in."""
    dice = random.Random(f"{options.seed}:{device_id}")  # noqa: S311 - chance of a simulation
    deaf, jammed = dice.random() < options.deaf, dice.random() < options.jammed
    return Faults(deaf, jammed and not deaf, dice.uniform(-options.clock_s, options.clock_s))


def _reporter(path: Path | None, number: int, devices: list[SimulatedDevice], fleet: Fleet, cpu_s: float) -> Any:
    """Writes the truth when asked by a file `<truth>.ask`: a test can look while the fleet runs."""
    asked: dict[str, float] = {"at": 0.0}

    def look() -> None:
        if path is None:
            return
        now = time.monotonic()
        if now - asked["at"] < 0.1:
            return
        asked["at"] = now
        ask = path.with_suffix(f".ask{number}")
        if ask.exists():
            _report(path, number, devices, fleet, cpu_s)
            ask.unlink()

    return look


def _report(path: Path | None, number: int, devices: list[SimulatedDevice], fleet: Fleet, cpu_s: float) -> None:
    if path is None:
        return
    used = time.process_time() - cpu_s
    lines = [json.dumps(each.truth()) for each in devices]
    lines.append(json.dumps({"cpu_s": used, "received": fleet.received, "sent": fleet.sent, "lost": fleet.reconnects}))
    draft = path.with_suffix(f".{number}.new")
    draft.write_text("\n".join(lines) + "\n")
    draft.replace(path.with_suffix(f".{number}"))


if __name__ == "__main__":
    sys.exit(main())
