"""The landing log: whole frames survive any cut or flip of the tail; a crash at any point seals to the same name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from city.settings import ROOT
from ingest.landing.landing import Landing
from ingest.landing.log import LogWriter, read_log, writer_is_alive
from ingest.landing.segments import day_of, find_segment, new_segment_name, orphaned_logs, seal, sealed_segments

SCHEMA = pa.schema([("number", pa.int64()), ("text", pa.string())])


def batch(*numbers: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"number": list(numbers), "text": [str(n) for n in numbers]}, schema=SCHEMA)


def write_log(path: Path, sizes: list[int]) -> list[int]:
    """A log with batches of the given sizes; gives the file's length after each."""
    writer = LogWriter(path, SCHEMA)
    ends, number = [writer.size_bytes], 0
    for size in sizes:
        writer.append(batch(*range(number, number + size)))
        number += size
        ends.append(writer.size_bytes)
    writer.sync()
    writer.close()
    return ends


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 20), min_size=1, max_size=6), data=st.data())
def test_a_cut_anywhere_keeps_every_whole_frame(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("log") / "a.log"
    ends = write_log(path, sizes)
    cut = data.draw(st.integers(0, ends[-1]))
    path.write_bytes(path.read_bytes()[:cut])
    whole = [size for size, end in zip(sizes, ends[1:], strict=True) if end <= cut]
    content = read_log(path)
    rows = content.table.num_rows if content.table is not None else 0
    assert rows == sum(whole)
    last_whole = max((end for end in ends if end <= cut), default=0)
    assert content.torn_bytes == cut - last_whole


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_flipped_bit_never_gives_wrong_rows(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("log") / "a.log"
    ends = write_log(path, [3, 3, 3])
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    found = read_log(path)
    good_frames = sum(end <= at for end in ends[1:]) if at >= ends[0] else 0
    rows = [] if found.table is None else found.table["number"].to_pylist()
    assert rows == list(range(3 * good_frames))


def test_a_living_writers_log_is_left_alone_and_a_dead_ones_is_sealed(tmp_path: Path) -> None:
    code = (
        "import sys, time, pyarrow as pa\nfrom pathlib import Path\nfrom ingest.landing.landing import Landing\n"
        "Landing(Path(sys.argv[1])).append({'alert': pa.RecordBatch.from_pydict({'number': [1, 2]})})\n"
        "print('written', flush=True)\ntime.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    log = next((tmp_path / "alert" / "open").iterdir())
    assert writer_is_alive(log)
    assert orphaned_logs(tmp_path) == []
    process.kill()
    process.wait()
    assert not writer_is_alive(log)
    sealed = Landing(tmp_path).recover()
    assert [(one.feed, one.rows) for one in sealed] == [("alert", 2)]
    assert not log.exists()


def test_sealing_twice_after_a_crash_gives_the_same_segment(tmp_path: Path) -> None:
    name = new_segment_name("alert")
    log = tmp_path / "alert" / "open" / f"{name}.log"
    write_log(log, [5])
    content = log.read_bytes()
    first = seal(tmp_path, "alert", log)
    log.write_bytes(content)  # as if the crash had come before the log was removed
    second = seal(tmp_path, "alert", log)
    assert first is not None
    assert second is not None
    assert first.path == second.path
    assert sealed_segments(tmp_path, "alert") == [first.path]
    assert pq.read_table(first.path).num_rows == 5
    assert find_segment(tmp_path, name) == first.path
    assert len(day_of(name)) == len("2026-01-01")


def test_one_feeds_failure_takes_the_others_rows_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    landing = Landing(tmp_path)
    landing.append({"alert": batch(1), "complaint": batch(1)})

    def no_space(self: LogWriter, body: bytes) -> int:
        if "complaint" in str(self.path):
            raise OSError(28, "No space left on device")
        return original(self, body)

    original = LogWriter._append
    monkeypatch.setattr(LogWriter, "_append", no_space)
    with pytest.raises(OSError, match="No space"):
        landing.append({"alert": batch(2), "complaint": batch(2)})
    monkeypatch.undo()
    landing.append({"alert": batch(2), "complaint": batch(2)})
    sealed = [*landing.close(), *landing.recover()]
    rows: dict[str, list[int]] = {"alert": [], "complaint": []}
    for one in sealed:
        rows[one.feed] += pq.read_table(one.path)["number"].to_pylist()
    assert sorted(rows["alert"]) == [1, 2]
    assert sorted(rows["complaint"]) == [1, 2]


def test_an_empty_log_leaves_nothing(tmp_path: Path) -> None:
    log = tmp_path / "alert" / "open" / f"{new_segment_name('alert')}.log"
    write_log(log, [])
    assert seal(tmp_path, "alert", log) is None
    assert not log.exists()
    assert json.dumps([str(path) for path in tmp_path.rglob("*.parquet")]) == "[]"
