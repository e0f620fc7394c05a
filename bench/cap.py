"""CAP alerts judged: alerts a second and p99 of parse, schema, signature and match with 10,000 zones, one thread.

Four kinds: a signed alert of one district, one of the whole city, one with many areas as weather services send
them (20 areas of 60 points, two languages), and a stranger's forgery. Beside ours, in the same run on the same files,
capvalidator 0.1.0.dev4 (PyPI, by the WMO): it checks schema and signature only, with whatever certificate the message
brings, and matches no areas.
"""

from __future__ import annotations

import json
import math
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import shapely

from actuation.cap import Accepted, CapSource, Refused, SeenAlerts, ZoneIndex, judge
from actuation.cap.out import build, make_cap_key
from actuation.cap.out.certificate import CERTIFICATE, CapKey
from bench.lib.peer_environment import program_of
from bench.lib.table import BenchTable, Goal, Options, quantile, workplace
from ingest.contracts.alert import Alert

SIDE = 100
"""Zones on a side of the square city: 10,000 in all, a hundredth of a degree each."""
SENDER = "edds@bench.example"
ROUNDS = 500
PEER = """
import json, sys, time, pathlib, capvalidator
answers = []
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.xml")):
    data, times, passed = path.read_bytes(), [], 0
    cpu = time.thread_time()
    for _ in range(int(sys.argv[2])):
        started = time.perf_counter()
        passed += capvalidator.validate_cap_message(data, strict=True).passed
        times.append(time.perf_counter() - started)
    answers.append([path.stem, times, time.thread_time() - cpu, passed])
print(json.dumps(answers))
"""


def run(options: Options) -> BenchTable:
    columns = ["alert", "who", "kB", "alerts/s", "p50 ms", "p99 ms", "cpu ms", "believed"]
    table = BenchTable("CAP alerts judged, 10,000 zones", columns)
    rounds = options.sized(ROUNDS, 20)
    with workplace(options, "cap") as folder:
        folder.mkdir(parents=True, exist_ok=True)
        key, stranger = make_cap_key(folder / "keys", "bench"), make_cap_key(folder / "stranger", "stranger")
        source = CapSource(
            code="bench", title_ru="Замер", title_en="Bench", trust="signed", certificates=(CERTIFICATE,),
            senders=(SENDER,),
        ).resolved(folder / "keys", folder)  # fmt: skip
        zones = ZoneIndex(_zones())
        files = folder / "files"
        files.mkdir(exist_ok=True)
        now = datetime.now(UTC)
        for name, data in _alerts(key, stranger, now).items():
            (files / f"{name}.xml").write_bytes(data)
            times, cpu_s, believed = _timed(data, source, zones, now, rounds)
            table.rows.append([name, "Gorodok", len(data) / 1_000, *_numbers(times, cpu_s), believed])
        _peer(table, files, rounds)
    ours = {row[0]: row for row in table.rows if row[1] == "Gorodok"}
    table.goals = [
        Goal("a district's signed alert: p99, ms", ours["1-district"][5], 10, "lower"),
        Goal("the slowest of all: p99, ms", max(row[5] for row in ours.values()), 100, "lower"),
        Goal("forgeries believed", ours["4-stranger"][7], 0, "lower"),
    ]
    return table


def _timed(
    data: bytes, source: CapSource, zones: ZoneIndex, now: datetime, rounds: int
) -> tuple[list[float], float, int]:
    times, believed = [], 0
    seen = SeenAlerts()
    cpu = time.thread_time()
    for _ in range(rounds):
        started = time.perf_counter()
        verdict = judge(data, source, zones, seen, now)
        times.append(time.perf_counter() - started)
        assert isinstance(verdict, Accepted | Refused), verdict
        believed += isinstance(verdict, Accepted)
    return times, time.thread_time() - cpu, believed


def _numbers(times: list[float], cpu_s: float) -> list[float]:
    p50, p99 = quantile(times, 0.5) * 1_000, quantile(times, 0.99) * 1_000
    return [len(times) / sum(times), p50, p99, cpu_s / len(times) * 1_000]


def _peer(table: BenchTable, files: Path, rounds: int) -> None:
    """The peer's rows, or the reason why there are none."""
    try:
        python = program_of("capvalidator", "python")
        done = subprocess.run(
            [python, "-c", PEER, files, str(rounds)], capture_output=True, timeout=300, check=True, text=True
        )
        answers = json.loads(done.stdout)
    except (RuntimeError, OSError, subprocess.SubprocessError, ValueError) as error:
        table.notes.append(f"capvalidator was not measured: {error}")
        return
    for name, times, cpu_s, passed in answers:
        size = (files / f"{name}.xml").stat().st_size / 1_000
        table.rows.append([name, "capvalidator", size, *_numbers(times, cpu_s), passed])
    table.notes.append("capvalidator: schema and signature only; it believes any certificate that the message brings")


def _zones() -> dict[str, shapely.Polygon]:
    step = 0.01
    return {
        f"z-{x}-{y}": shapely.box(40 + x * step, 50 + y * step, 40 + (x + 1) * step, 50 + (y + 1) * step)
        for x in range(SIDE)
        for y in range(SIDE)
    }


def _alerts(key: CapKey, stranger: CapKey, now: datetime) -> dict[str, bytes]:
    district = [_area("district", 50.5, 40.5, 0.03, 12)]
    city = [_area("city", 50.5, 40.5, 0.9, 64)]
    many = [_area(f"area {n}", 50.1 + 0.04 * n, 40.1 + 0.04 * n, 0.05, 60) for n in range(20)]

    def document(name: str, areas: list[dict[str, object]]) -> bytes:
        return build(_alert(name, areas, now))

    sign: Callable[[bytes], bytes] = key.sign
    return {
        "1-district": sign(document("district", district)),
        "2-city": sign(document("city", city)),
        "3-many-areas": sign(document("many", many)),
        "4-stranger": stranger.sign(document("forged", district)),
    }


def _alert(name: str, areas: list[dict[str, object]], now: datetime) -> Alert:
    sent = now.replace(microsecond=0)
    info = {
        "category": ["Safety"], "event": "Ракетная опасность", "responseType": ["Shelter"], "urgency": "Immediate",
        "severity": "Extreme", "certainty": "Likely", "expires": (sent + timedelta(hours=1)).isoformat(),
        "headline": "Ракетная опасность", "description": "Пройдите в укрытие. " * 10, "area": areas,
    }  # fmt: skip
    told = {
        "identifier": name, "sender": SENDER, "sent": sent.isoformat(), "status": "Actual", "msgType": "Alert",
        "scope": "Public", "info": [{**info, "language": "ru-RU"}, {**info, "language": "en-US"}],
    }  # fmt: skip
    return Alert.model_validate_json(json.dumps(told))


def _area(name: str, latitude: float, longitude: float, radius: float, corners: int) -> dict[str, object]:
    ring = [
        (latitude + radius * math.sin(angle), longitude + radius * math.cos(angle))
        for angle in (2 * math.pi * corner / corners for corner in range(corners))
    ]
    return {"areaDesc": name, "polygon": [" ".join(f"{y:.6f},{x:.6f}" for y, x in [*ring, ring[0]])]}
