"""Delimited text as tables of text columns, line by line, with the lines that are not rows named as faults."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import polars as pl

from ingest.parcel import Refusal
from ingest.replay.lines import LINE_BYTES, line_tables

FAULT, FAULT_FIELD = "__fault", "__fault_field"
LINE_NO, RAW = "__line_no", "__raw"


def delimited_tables(
    stream: BinaryIO, feed: str, source: str, separator: str, required: Sequence[str]
) -> Iterator[pl.DataFrame | Refusal]:
    """Tables with a String column for each field of the header, and `__line_no`, `__raw`, `__fault`, `__fault_field`.

    A row whose line could not be split has nulls and a `__fault`. Empty lines are passed over. A file that is empty,
    or whose header lacks a required column, is one Refusal. A field may be quoted, but not hold a line end: the
    formats that are read here have none, and so a stray quote spoils one line, not the rest of the file.
    """
    names: list[str] | None = None
    for lines in line_tables(stream):
        rows = lines.filter(pl.col("text").is_null() | (pl.col("text").str.strip_chars() != ""))
        if names is None:
            if rows.is_empty():
                continue
            header = rows.row(0, named=True)
            problem, names = _header(header["text"], separator, required)
            if problem:
                yield Refusal(feed, source, header["raw"], f"line {header['line_no']}: {problem}")
                return
            rows = rows.slice(1)
        if not rows.is_empty():
            yield _split(rows, separator, names)
    if names is None:
        yield Refusal(feed, source, b"", "the file is empty: expected a header line")


def _header(text: str | None, separator: str, required: Sequence[str]) -> tuple[str | None, list[str]]:
    if text is None:
        return "the header is no UTF-8 text: save the file as UTF-8", []
    names = [name.strip() for name in _fields(text, separator) or []]
    lacking = [name for name in required if name not in names]
    if lacking:
        return f"the header lacks {', '.join(lacking)}: expected at least {separator.join(required)}", []
    if len(set(names)) < len(names):
        return "the header names a column twice", []
    return None, names


def _fields(text: str, separator: str) -> list[str] | None:
    """One line's fields; None where the quotes do not close."""
    try:
        return next(csv.reader([text], delimiter=separator, strict=True))
    except (csv.Error, StopIteration):
        return None


def _split(rows: pl.DataFrame, separator: str, names: list[str]) -> pl.DataFrame:
    quoted = pl.col("text").str.contains('"', literal=True).fill_null(False)
    plain = rows.filter(~quoted).select(
        pl.col("line_no").alias(LINE_NO),
        pl.col("raw").alias(RAW),
        *_plain_fields(separator, names),
    )
    with_quotes = rows.filter(quoted)
    if with_quotes.is_empty():
        return plain
    return pl.concat([plain, _split_quoted(with_quotes, separator, names, plain.schema)]).sort(LINE_NO)


def _plain_fields(separator: str, names: list[str]) -> list[pl.Expr]:
    count = pl.col("text").str.count_matches(separator, literal=True) + 1
    fits = count == len(names)
    fields = pl.col("text").str.split_exact(separator, len(names) - 1)
    fault = (
        pl.when(pl.col("text").is_null())
        .then(pl.lit(f"no UTF-8 text, or longer than {LINE_BYTES} bytes"))
        .when(~fits)
        .then(pl.format("{} fields where the header has {}", count, pl.lit(len(names))))
    )
    return [
        *(
            pl.when(fits).then(fields.struct.field(f"field_{index}").str.strip_chars()).alias(name)
            for index, name in enumerate(names)
        ),
        fault.alias(FAULT),
        pl.lit(None, dtype=pl.String).alias(FAULT_FIELD),
    ]


def _split_quoted(rows: pl.DataFrame, separator: str, names: list[str], schema: pl.Schema) -> pl.DataFrame:
    """The few lines with a quote: the csv module knows the rules, one line at a time."""
    found: list[list[object]] = []
    values: list[str | None]
    for line_no, raw, text in rows.select("line_no", "raw", "text").iter_rows():
        fields = _fields(text, separator)
        if fields is None:
            fault, values = "a quote is not closed", [None for _ in names]
        elif len(fields) != len(names):
            fault, values = f"{len(fields)} fields where the header has {len(names)}", [None for _ in names]
        else:
            fault, values = None, [field.strip() for field in fields]
        found.append([line_no, raw, *values, fault, None])
    return pl.DataFrame(found, schema=schema, orient="row")
