"""A text file as tables of its lines: number, original bytes, text. No Python loop over lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa

CHUNK_BYTES = 8 * 1024 * 1024
"""Bytes in memory at a time: about 60,000 rows of positions."""

LINE_BYTES = 64 * 1024
"""A longer line is no line of a table; of it, so many bytes are kept."""

BOM = b"\xef\xbb\xbf"


def line_tables(stream: BinaryIO, chunk_bytes: int = CHUNK_BYTES) -> Iterator[pl.DataFrame]:
    """Tables of `line_no` (Int64, from 1), `raw` (Binary, the line with its end of line) and `text` (String).

    text is null where the bytes are no UTF-8 or the line is longer than LINE_BYTES (then raw is cut to that).
    A byte order mark before the first line belongs to neither.
    """
    line_no = 1
    rest = b""
    for block in _blocks(stream, chunk_bytes):
        whole = rest + block
        end = whole.rfind(b"\n") + 1
        if end == 0:
            rest = _shortened(whole)
            continue
        table = _table(whole[:end], line_no)
        line_no += table.height
        rest = whole[end:]
        yield table
    if rest:
        yield _table(rest, line_no)


def _blocks(stream: BinaryIO, chunk_bytes: int) -> Iterator[bytes]:
    block = stream.read(chunk_bytes).removeprefix(BOM)
    while block:
        yield block
        block = stream.read(chunk_bytes)


def _shortened(line_so_far: bytes) -> bytes:
    """A line that never ends must not fill the memory: what is beyond the limit is not kept."""
    return line_so_far[: LINE_BYTES + 1]


def _table(whole: bytes, first_line_no: int) -> pl.DataFrame:
    """Lines of `whole`; Arrow offsets at the line ends make the column without copying a line."""
    ends = np.flatnonzero(np.frombuffer(whole, dtype=np.uint8) == 0x0A) + 1
    if ends.size == 0 or ends[-1] != len(whole):
        ends = np.append(ends, len(whole))
    offsets = np.concatenate(([0], ends)).astype(np.int64)
    lines = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), ends.size, [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(whole)]
    )
    table = pl.DataFrame({"raw": pl.from_arrow(lines)}).with_row_index("line_no", offset=first_line_no)
    too_long = pl.col("raw").bin.size() > LINE_BYTES
    table = table.select(
        pl.col("line_no").cast(pl.Int64),
        pl.when(too_long).then(pl.col("raw").bin.slice(0, LINE_BYTES)).otherwise(pl.col("raw")).alias("raw"),
        too_long=too_long,
    )
    return table.select("line_no", "raw", pl.when(~pl.col("too_long")).then(_text(table["raw"])).alias("text"))


def _text(raw: pl.Series) -> pl.Series:
    """Lines as text without their ends, null where they are no UTF-8. Only a block with such a line takes the slow way:
    polars' cast knows all or nothing."""
    try:
        text = raw.cast(pl.String)
    except pl.exceptions.PolarsError:
        text = pl.Series([_decoded(line) for line in raw], dtype=pl.String)
    return text.str.strip_chars_end("\r\n")


def _decoded(line: bytes) -> str | None:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None
