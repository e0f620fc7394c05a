"""100,000 malformed inputs over all contracts, adapters and file formats.

Every one is accepted as valid or refused with a reason; no exception escapes; memory stays flat. Byte mutations of
good inputs, junk in the places of good values, and what hypothesis thinks of. GORODOK_FUZZ_SEED repeats a run.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import os
import random
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from google.transit import gtfs_realtime_pb2 as pb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from city.settings import Settings
from ingest.adapters import cap, gtfs_rt, open311
from ingest.adapters.decoding import Decoding
from ingest.contracts import CONTRACTS
from ingest.decode import Decoder
from ingest.intake import Intake
from ingest.parcel import Parcel, Refusal
from ingest.replay import ReplayOptions, read

SEED = int(os.environ.get("GORODOK_FUZZ_SEED", "20261124"))
GROWTH_MB = 60
COUNTS: Counter[str] = Counter()

pytestmark = pytest.mark.slow

TIME = "2026-03-01T12:00:00Z"
JUNK: list[Any] = [
    None, True, False, 0, -1, 1.5, 1e308, -1e308, 10**30, 2**63, 2**64, "", " ", "\x00", "\ud800", "\u202e", "a" * 200,
    "x" * 20_000, "12", "NaN",
    TIME, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-03-01", "2026-03-01T12:00:00",
    "2026-02-30T12:00:00Z", "2026-03-01T12:00:00+99:99", 1772366400, [], {}, [[]], [None], {"a": {}}, [1] * 1_000,
    "'; DROP TABLE raw.alert; --", "../../etc/passwd", "=1+1", "<script>", "🚌", "\\u0000",
]  # fmt: skip
TOKENS = [
    b"\x00", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"[", b"]", b"{", b"}", b'"', b"\\", b"\\u", b"\\ud800", b",", b":",
    b"null", b"NaN", b"Infinity", b"1e999", b"-", b"9" * 400, b"[" * 500, b'{"a":' * 300, b"<", b">", b"<!--", b"]]>",
    b"&x;", b"&#0;", b"&#x110000;", b"<![CDATA[", b"<!DOCTYPE a>", b"<?xml", b'xmlns="x"', b"\n", b"\r", b"\t", b";",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\xd0", b"%s",
]  # fmt: skip


def mutated(chance: random.Random, data: bytes) -> bytes:
    """One to four accidents: a bit, a cut, a repeat, a token, noise, a torn end."""
    for _ in range(chance.randint(1, 4)):
        at, to = sorted((chance.randint(0, len(data)), chance.randint(0, len(data))))
        kind = chance.randrange(7)
        if kind == 0 and data:
            spot = chance.randrange(len(data))
            data = data[:spot] + bytes([data[spot] ^ (1 << chance.randrange(8))]) + data[spot + 1 :]
        elif kind == 1:
            data = data[:at] + data[min(to, at + 20) :]
        elif kind == 2:
            data = data[:to] + data[at : min(to, at + 200)] + data[to:]
        elif kind in (3, 4):
            data = data[:at] + chance.choice(TOKENS) + data[at:]
        elif kind == 5:
            data = data[:at] + chance.randbytes(chance.randint(1, 8)) + data[at:]
        elif chance.random() < 0.3:
            data = data[:at]
    return data


def with_junk(chance: random.Random, value: Any) -> Any:
    """The same JSON with one value, or one key, replaced by junk."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        key = chance.choice(list(value))
        changed = dict(value)
        if chance.random() < 0.1:
            changed[str(chance.choice(JUNK))] = changed.pop(key)
        elif chance.random() < 0.1:
            del changed[key]
        else:
            changed[key] = with_junk(chance, value[key])
        return changed
    if isinstance(value, list) and value and chance.random() < 0.7:
        at = chance.randrange(len(value))
        return [*value[:at], with_junk(chance, value[at]), *value[at + 1 :]]
    return chance.choice(JUNK)


def example(schema: dict[str, Any], whole: dict[str, Any]) -> Any:
    """A value that a contract's JSON Schema allows (of a pattern that is not an identifier's: none)."""
    if "$ref" in schema:
        return example(whole["$defs"][schema["$ref"].rsplit("/", 1)[1]], whole)
    if "anyOf" in schema:
        return example(schema["anyOf"][0], whole)
    if "examples" in schema:
        return schema["examples"][0]
    if "const" in schema or "enum" in schema:
        return schema.get("const", (schema.get("enum") or [None])[0])
    kind = schema.get("type")
    if kind == "object":
        body = {name: example(part, whole) for name, part in schema.get("properties", {}).items()}
        return {name: value for name, value in body.items() if value is not None}
    if kind == "array":
        return [example(schema["items"], whole)]
    if kind == "string":
        if schema.get("format") == "date-time":
            return TIME
        patterned = "pattern" in schema and "x00" not in schema["pattern"]
        return None if patterned else "ones"  # four letters: base64 as well
    return {"integer": max(1, int(schema.get("minimum", 1))), "number": schema.get("minimum", 1.0), "boolean": True}[
        kind
    ]


def good_message(feed: str) -> dict[str, Any]:
    schema = CONTRACTS[feed].model_json_schema()
    body = dict(example(schema, schema))
    if feed == "meter_reading":
        body.pop("energy_kwh")
    return body


def judge(feed: str, payload: bytes) -> None:
    decoded = Decoder(CONTRACTS[feed]).decode(payload) if feed not in DECODERS else DECODERS[feed].decode(payload)
    assert decoded.good or decoded.rejects or payload.split() == [b"[]"] or payload.strip()[1:-1].strip() == b""
    for reject in decoded.rejects:
        assert reject.reason
        assert reject.payload in payload or reject.payload.decode() in payload.decode("utf-8", "replace")


DECODERS = {feed: Decoder(contract) for feed, contract in CONTRACTS.items()}


def judge_decoding(done: Decoding) -> None:
    assert done.rows + len(done.refusals) + sum(done.dropped.values()) >= 0
    for refusal in done.refusals:
        assert refusal.reason
    for parcel in done.parcels():
        if isinstance(parcel, Parcel):
            decoded = DECODERS[parcel.feed].decode(parcel.payload)
            assert decoded.good
            assert not decoded.rejects


@pytest.fixture(scope="module", autouse=True)
def flat_memory() -> Iterator[None]:
    """Memory after all inputs against memory after the first tenth of them; and the number of inputs."""
    yield
    told = ", ".join(f"{name} {count:,}" for name, count in COUNTS.items() if not name.startswith("rss"))
    print(f"\nfuzz, seed {SEED}: {sum(c for n, c in COUNTS.items() if not n.startswith('rss')):,} inputs: {told}")


def flat(name: str, count: int, one: Callable[[random.Random], None]) -> None:
    """Runs `one` `count` times; memory after the last is what it was after the first fifth."""
    chance = random.Random(f"{SEED}{name}")
    process = psutil.Process()
    settled = 0
    for number in range(count):
        if number == count // 5:
            settled = process.memory_info().rss
        one(chance)
    COUNTS[name] += count
    grown_mb = (process.memory_info().rss - settled) / 2**20
    assert grown_mb < GROWTH_MB, f"{name}: {grown_mb:.0f} MB more after {count} inputs"


@pytest.mark.parametrize("feed", list(CONTRACTS))
def test_contract(feed: str) -> None:
    good = good_message(feed)
    assert not DECODERS[feed].decode(json.dumps(good).encode()).rejects, "the good example is none"
    text = json.dumps(good).encode()
    batch = json.dumps([good] * 3).encode()

    def one(chance: random.Random) -> None:
        kind = chance.randrange(3)
        if kind == 0:
            judge(feed, mutated(chance, text if chance.random() < 0.5 else batch))
        else:
            spoilt = with_junk(chance, good if kind == 1 else [good, good])
            judge(feed, json.dumps(spoilt).encode())

    flat(f"contract {feed}", 3_600, one)


def a_gtfs_rt() -> bytes:
    message = pb.FeedMessage()
    message.header.gtfs_realtime_version = "2.0"
    message.header.timestamp = 1_775_069_766
    vehicle = message.entity.add(id="1").vehicle
    vehicle.vehicle.id, vehicle.vehicle.label, vehicle.trip.trip_id, vehicle.stop_id = "b", "7", "t", "s"
    vehicle.position.latitude, vehicle.position.longitude, vehicle.position.speed = 59.2, 39.9, 8.5
    vehicle.current_status, vehicle.occupancy_status = 1, 2
    update = message.entity.add(id="2").trip_update
    update.trip.trip_id, update.trip.start_date, update.vehicle.id = "t", "20260401", "b"
    for sequence in range(3):
        stop = update.stop_time_update.add(stop_sequence=sequence, stop_id=f"s{sequence}")
        stop.arrival.time, stop.arrival.delay = 1_775_069_766, 60
    return bytes(message.SerializeToString())


REQUESTS = [
    {
        "service_request_id": "1", "status": "open", "service_code": "7", "requested_datetime": TIME, "lat": 59.2,
        "long": 39.9, "description": "яма", "updated_datetime": TIME, "zipcode": 160000, "votes": 3, "media_url": None,
        "expected_datetime": "2026-03-02", "cost_rub": "12.5", "channel": "web", "address": "ул. Мира, 1",
    }
] * 2  # fmt: skip

ALERT = """<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
<identifier>a-1</identifier>
<sender>s</sender><sent>2026-03-01T12:00:00+03:00</sent><status>Actual</status>
<msgType>Alert</msgType><scope>Public</scope><info><language>ru-RU</language><category>Met</category><event>Ветер</event><responseType>Shelter</responseType>
<urgency>Expected</urgency><severity>Severe</severity><certainty>Likely</certainty><onset>2026-03-01T15:00:00+03:00</onset>
<parameter><valueName>n</valueName><value>v</value></parameter>
<resource><resourceDesc>d</resourceDesc><size>12</size></resource>
<area><areaDesc>x</areaDesc><polygon>59.1,39.8 59.2,39.8 59.2,39.9 59.1,39.8</polygon>
<altitude>-1.5</altitude></area></info></alert>
""".encode()


def test_adapter_gtfs_rt() -> None:
    good = a_gtfs_rt()
    assert gtfs_rt.decode(good, "t").rows == 4
    flat("gtfs-rt", 14_000, lambda chance: judge_decoding(gtfs_rt.decode(mutated(chance, good), "t")))


def test_adapter_open311() -> None:
    text = json.dumps(REQUESTS, ensure_ascii=False).encode()
    assert open311.decode(text, "t").rows == 2

    def one(chance: random.Random) -> None:
        spoilt = mutated(chance, text) if chance.random() < 0.5 else json.dumps(with_junk(chance, REQUESTS)).encode()
        done = open311.decode(spoilt, "t", "Europe/Moscow")
        assert done.rows or done.refusals or json.loads(spoilt.decode("utf-8-sig")) in ([], {"data": []})
        judge_decoding(done)

    flat("open311", 12_000, one)


def test_adapter_cap() -> None:
    assert cap.decode(ALERT, "t").rows == 1

    def one(chance: random.Random) -> None:
        done = cap.decode(mutated(chance, ALERT), "t")
        assert done.rows or done.refusals
        judge_decoding(done)

    flat("cap", 12_000, one)


LINES = {
    "positions-csv": (
        b"vehicle_id,timestamp,speed,route_id,trip_id,latitude,longitude,trip_headsign",
        b'2010,2015-03-07T10:03:34-06:00,10.0,320,1388007,30.231535,-97.73347,"NORTH, FAST"',
    ),
    "meters-csv": (b"user.key;datetime;meter.reading;diff", b"1f8730a9-5d67;30/10/2016 02:19:43;68321;0"),
    "scada-csv": (b"Timestamp;p227", b"2019-01-01 00:00:00;88,14"),
}


@pytest.mark.parametrize("name", list(LINES))
def test_format_line_by_line(name: str, tmp_path: Path) -> None:
    """Each line of a file is an input of its own: one row, or one refusal, of each, and nothing else."""
    header, good = LINES[name]
    path = tmp_path / "file.csv"
    lines_a_file = 100

    def one(chance: random.Random) -> None:
        lines = [mutated(chance, good).replace(b"\n", b"?") for _ in range(lines_a_file)]
        path.write_bytes(b"\n".join([header, *(line if line[:1].isalnum() else b"x" + line for line in lines)]) + b"\n")
        rows = refused = 0
        for thing in read(name, path, ReplayOptions()):
            if isinstance(thing, Refusal):
                assert thing.reason
                assert thing.payload.rstrip(b"\r") in [line.rstrip(b"\r") for line in path.read_bytes().split(b"\n")]
                refused += 1
                continue
            decoded = DECODERS[thing.feed].decode(thing.payload)
            rows += len(decoded.good)
            refused += len(decoded.rejects)
            assert all(reject.reason for reject in decoded.rejects)
        empty_cells = 0 if name != "scada-csv" else lines_a_file  # an empty cell is no reading
        assert lines_a_file - empty_cells <= rows + refused <= lines_a_file

    flat(f"{name} files", 60, one)
    COUNTS[f"{name} files"] = 0
    COUNTS[f"{name} lines"] += 60 * lines_a_file


def zipped(data: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", data)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "suffix", "pack"),
    [
        ("gtfs-rt", ".bz2", bz2.compress),
        ("gtfs-rt", ".gz", gzip.compress),
        ("gtfs-rt", ".zip", zipped),
        ("meters-csv", ".zip", zipped),
        ("positions-csv", ".csv", bytes),
        ("open311", ".json", bytes),
        ("cap", ".cap", bytes),
    ],
)
def test_file_as_a_whole(name: str, suffix: str, pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    contents = {
        "gtfs-rt": a_gtfs_rt(),
        "open311": json.dumps(REQUESTS).encode(),
        "cap": ALERT,
        **{found: b"\n".join(lines) for found, lines in LINES.items()},
    }
    packed = pack(contents[name])
    path = tmp_path / f"file{suffix}"

    def one(chance: random.Random) -> None:
        path.write_bytes(mutated(chance, packed))
        for thing in read(name, path, ReplayOptions()):
            assert isinstance(thing, Parcel) or thing.reason

    flat(f"{name} {suffix}", 700, one)


def test_landing_holds_all_of_it(tmp_path: Path) -> None:
    """What was accepted is landed, what was not is in quarantine: the sums agree, whatever the bytes were."""
    chance = random.Random(f"{SEED}landing")
    sent = expected_rows = expected_refused = 0
    with Intake(Settings(home=tmp_path), writer="fuzz") as intake:
        for feed in CONTRACTS:
            if feed in ("quarantine", "ingest_outcome"):
                continue
            good = good_message(feed)
            for _ in range(200):
                payload = json.dumps(with_junk(chance, [good, good])).encode()
                decoded = DECODERS[feed].decode(payload)
                expected_rows += len(decoded.good)
                expected_refused += len(decoded.rejects)
                intake.submit(Parcel(feed, "fuzz\udc80", payload))
                sent += 1
        assert intake.flush()
        totals = intake.totals
        assert totals.stalled is None
        assert totals.quarantined >= expected_refused
        assert totals.rows + totals.quarantined == expected_rows + expected_refused
    COUNTS["landing"] += sent


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(JUNK),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
LOOK = settings(
    max_examples=600, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True
)


@LOOK
@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    COUNTS["hypothesis"] += len(DECODERS) + 3
    for feed in DECODERS:
        judge(feed, data)
    for done in (gtfs_rt.decode(data, "t"), open311.decode(data, "t"), cap.decode(data, "t")):
        judge_decoding(done)


@LOOK
@given(ANY_JSON)
def test_any_json(value: Any) -> None:
    data = json.dumps(value).encode()
    COUNTS["hypothesis"] += len(DECODERS) + 1
    for feed in DECODERS:
        judge(feed, data)
    judge_decoding(open311.decode(data, "t"))


def test_there_were_a_hundred_thousand() -> None:
    """Last in the file; meaningful only when all of it ran."""
    count = sum(COUNTS.values())
    if len(COUNTS) < len(CONTRACTS) + 10:
        pytest.skip("only a part of the fuzz ran")
    assert count >= 100_000, f"{count} inputs only"
