"""Trigger → command, timed by one client that publishes the events and receives the commands: one clock.

`python -m bench.lib.round_trip PORT RATE SECONDS SITES PREFIX` publishes a camera_event of QoS 1 at fixed moments,
sites in turn, and waits for a message on PREFIX<site> each. Raw MQTT 3.1.1 over a socket with TCP_NODELAY. Prints JSON:
sent, answered, latencies in ms.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from collections import defaultdict, deque
from datetime import UTC, datetime

from bench.lib.mqtt_wire import connect
from ingest.broker import packets

QUIET_S = 3.0


def main(port: int, rate: float, seconds: float, sites: int, prefix: str) -> None:
    link = connect(port, f"round-trip-{time.monotonic_ns()}")
    link.sendall(packets.subscribe([(prefix + "+", 1)], 1, 4))
    link.setblocking(False)
    split, poll = packets.Splitter(), select.poll()
    poll.register(link, select.POLLIN)
    waiting: dict[str, deque[float]] = defaultdict(deque)
    latencies: list[float] = []
    count, sent = int(rate * seconds), 0
    began = time.perf_counter() + 0.5
    run = f"{time.time_ns():x}"
    last = began
    while sent < count or (len(latencies) < sent and time.perf_counter() - last < QUIET_S):
        due = began + sent / rate
        now = time.perf_counter()
        if sent < count and now >= due:
            site = f"lamp-{sent % sites:04d}"
            payload = _event(run, sent, site)
            waiting[site].append(time.perf_counter())
            _send(link, packets.publish(f"gorodok/v1/gorodok/camera_event/{site}", payload, sent % 65_000 + 1, 4))
            sent, last = sent + 1, now
            continue
        wait_ms = max(0.0, (due - now) * 1_000) if sent < count else 50.0
        for _ in poll.poll(min(wait_ms, 50.0) if wait_ms > 1 else 0):
            arrived = time.perf_counter()
            acks = []
            for first, body in split.feed(link.recv(262_144)):
                if first & 0xF0 != packets.PUBLISH:
                    continue
                message = packets.read_publish(first, body, 4)
                if message.mid:
                    acks.append(message.mid)
                queue = waiting[message.topic.rsplit("/", 1)[1]]
                if queue:
                    latencies.append((arrived - queue.popleft()) * 1_000)
                    last = arrived
            if acks:
                _send(link, packets.pubacks(acks))
    print(json.dumps({"sent": sent, "answered": len(latencies), "latencies": [round(each, 4) for each in latencies]}))


def _event(run: str, number: int, site: str) -> bytes:
    said = {
        "event_id": f"{run}-{number}", "camera_id": f"cam-{site}", "site_id": site, "class_name": "person",
        "event_time": datetime.now(UTC).isoformat(), "confidence": 0.9,
    }  # fmt: skip
    return json.dumps(said).encode()


def _send(link: socket.socket, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[link.send(view) :]
        except BlockingIOError:
            select.select([], [link], [], 1)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
