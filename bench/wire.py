"""Signed commands, answers and the ledger, piece by piece: signing, verifying, HMAC, durable appends.

One thread, no broker. joserfc does the same JWS beside ours. "durable" rows wait for fsync of the disk under --home.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from actuation.keys import KeyRing, change
from actuation.keys.identity import identity
from actuation.ledger import Ledger, NewEntry
from actuation.wire import base64url, jws
from actuation.wire.answer import Answer, seal, verify_answer
from actuation.wire.claims import ClockClaims, CommandClaims
from bench.lib.table import BenchTable, Goal, Options, quantile, workplace
from city.layers import Device
from device.controller import Controller
from device.door import Door
from device.identity import parse_identity
from device.protocol import read_command, topic
from device.store import Store

CITY = "gorodok"
LINES = 10_000


def run(options: Options) -> BenchTable:
    table = BenchTable("Signed commands, answers, ledger", ["what", "times", "per second", "p50 us", "p99 us"])
    with workplace(options, "wire") as folder:
        change.create(folder / "keys", CITY)
        ring = KeyRing(folder / "keys")
        _signatures(table, ring, options.sized(2_000, 20))
        _answers(table, ring, options.sized(20_000, 100))
        _device(table, ring, options.sized(2_000, 20), folder)
        append_s = _ledger(table, folder / "ledger.sqlite", options)
    table.goals = [Goal(f"{options.sized(LINES):,} lines in one durable append, s", append_s, 0.3, "lower")]
    return table


def _signatures(table: BenchTable, ring: KeyRing, times: int) -> None:
    warnings.filterwarnings("ignore", message="EdDSA is deprecated")
    from joserfc import jws as jose
    from joserfc.jwk import OKPKey

    claims = _claims(1)
    message, publics = ring.sign_command(claims), ring.public_keys()
    raw = {kid: key.public_bytes_raw() for kid, key in publics.items()}
    private = ring._keys.privates[ring.kid].private_bytes_raw()
    key = OKPKey.import_key(
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": base64url.encode(raw[ring.kid]).decode(),
            "d": base64url.encode(private).decode(),
        }
    )
    header = {"alg": "EdDSA", "kid": ring.kid, "typ": "gorodok-command"}
    text = message.decode()
    _row(table, "command signed", times, lambda _: ring.sign_command(claims))
    _row(
        table, "the same by joserfc", times, lambda _: jose.serialize_compact(header, claims.payload(), key, ["EdDSA"])
    )
    _row(table, "command verified", times, lambda _: jws.verify(message, publics, "gorodok-command"))
    _row(table, "the same by joserfc", times, lambda _: jose.deserialize_compact(text, key, ["EdDSA"]))
    _row(table, "command read by a device", times, lambda _: read_command(message, raw))


def _answers(table: BenchTable, ring: KeyRing, times: int) -> None:
    body = {"device": "door-1", "cid": "a" * 32, "seq": 1, "result": "done", "state": "unlocked", "at": 1, "n": 1}
    text = json.dumps(body, separators=(",", ":")).encode()
    key = ring.device_keys("door-1")[0]
    payload = seal(text, key)
    if not isinstance(verify_answer(payload, ring, "door-1"), Answer):
        raise RuntimeError("the answer is not good: nothing to measure")
    _row(table, "answer sealed (HMAC)", times, lambda _: seal(text, key))
    _row(table, "answer verified and parsed", times, lambda _: verify_answer(payload, ring, "door-1"))
    _row(table, "key of a device derived", times, lambda number: ring.device_keys(f"door-{number}"))


def _device(table: BenchTable, ring: KeyRing, times: int, folder: Path) -> None:
    """A door that takes commands: verified, moved, answered; in memory and with its file on the disk."""
    at = topic(CITY, "zone", "z")
    for what, store, much in (
        ("device: command to answer, in memory", Store(None), times),
        ("device: the same, durable", Store(folder / "door.json"), max(20, times // 20)),
    ):
        door = Device(device_id="d", kind="door", name_ru="-", name_en="-", zone_id="z", actions=["unlock", "lock"])
        controller = Controller(parse_identity(identity(ring, door)), Door(), store)
        controller.start(0.0)
        controller.take(
            topic(CITY, "clock", "beacon"), ring.sign_clock(ClockClaims(seq=1, city=CITY, now=1_000_000)), 0.0
        )
        commands = [ring.sign_command(_claims(number)) for number in range(much)]
        _row(table, what, much, lambda number, c=controller, m=commands: c.take(at, m[number], 0.0))  # type: ignore[misc]


def _ledger(table: BenchTable, path: Path, options: Options) -> float:
    """Seconds of the best of five large appends."""
    lines = [_line(number) for number in range(options.sized(LINES))]
    with Ledger.open(path) as ledger:
        _row(table, "ledger: one line, durable", options.sized(500, 10), lambda number: ledger.append([lines[number]]))
        _row(table, "ledger: number of a command", options.sized(20_000, 100), lambda _: ledger.next_seq())
        walls, works = [], []
        for _ in range(5):
            wall, work = time.perf_counter(), time.process_time()
            ledger.append(lines)
            walls.append(time.perf_counter() - wall)
            works.append(time.process_time() - work)
        best, worst = min(walls), max(walls)
        table.rows.append(
            [
                f"ledger: {len(lines):,} lines, durable, a line",
                5,
                len(lines) / best,
                best / len(lines) * 1e6,
                worst / len(lines) * 1e6,
            ]
        )
        table.notes.append(f"{len(lines):,} lines: {best:.3f} s, of which {min(works):.3f} s of processor")
        seq, clock = ledger.head()[0], time.perf_counter()
        if (broken := ledger.verify()) is not None:
            raise RuntimeError(f"line {broken.seq}: {broken.why}")
        wall = time.perf_counter() - clock
        table.rows.append(["ledger: chain followed, a line", seq, seq / wall, wall / seq * 1e6, wall / seq * 1e6])
    return best


def _row(table: BenchTable, what: str, times: int, work: Callable[[int], Any]) -> None:
    spent = []
    for number in range(times):
        clock = time.perf_counter()
        work(number)
        spent.append(time.perf_counter() - clock)
    table.rows.append([what, times, times / sum(spent), *(quantile(spent, share) * 1e6 for share in (0.5, 0.99))])


def _claims(seq: int) -> CommandClaims:
    return CommandClaims(
        cid=f"{seq:032x}", seq=seq, city=CITY, zone="z", kinds=("door",), action="lock" if seq % 2 else "unlock",
        mode="live", nbf=0, exp=2_000_000,
    )  # fmt: skip


def _line(number: int) -> NewEntry:
    return NewEntry(
        at=datetime.now(UTC), kind="acked", entity="c" * 32, mode="live", command_id="c" * 32, target="zone:z",
        device_id=f"door-{number}", action="unlock", scenario="missile_alert", version="3f9a", run_id="r" * 32,
        answer_ms=41.5, detail='{"state":"unlocked"}',
    )  # fmt: skip
