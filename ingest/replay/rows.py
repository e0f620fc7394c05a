"""Rows of text become rows of a contract: typed columns, and a reason for each row that cannot be typed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from ingest.parcel import Refusal
from ingest.replay.delimited import FAULT, FAULT_FIELD, LINE_NO, RAW
from ingest.replay.items import Items, items_of

REMEMBERED_VALUE = 200
"""Characters of a wrong value that a refusal repeats."""


@dataclass(frozen=True, slots=True)
class Field:
    """How one field of a contract comes from the text columns.

    column: text column that it is read from, for the reason of a fault. value: the typed expression, null where the
    text is not what it should be. why: what is wrong then. required: an empty text is a fault as well.
    """

    name: str
    column: str
    value: pl.Expr
    why: str = ""
    required: bool = False


def text(name: str, column: str, required: bool = False) -> Field:
    """Text as it is; an empty one is no value."""
    return Field(name, column, pl.col(column).replace("", None), required=required)


def number(name: str, column: str, factor: float = 1.0, required: bool = False, decimal_comma: bool = False) -> Field:
    """A finite number, times `factor`."""
    source = pl.col(column)
    if decimal_comma:
        source = source.str.replace(",", ".", literal=True)
    parsed = source.cast(pl.Float64, strict=False)
    value = pl.when(parsed.is_finite()).then(parsed)
    return Field(name, column, value if factor == 1.0 else value * factor, "is no number", required)


def shape(
    feed: str, source: str, table: pl.DataFrame, fields: Sequence[Field], event_at: str
) -> Iterator[Items | Refusal]:
    """The table's good rows as items, then a Refusal for each row with a fault, with its line's bytes and number."""
    typed = table.with_columns(*(field.value.alias(_typed(field.name)) for field in fields))
    judged = typed.with_columns(
        pl.coalesce(pl.col(FAULT), *(_fault(field, pl.lit(_reason(field))) for field in fields)).alias(FAULT),
        pl.when(pl.col(FAULT).is_null())
        .then(pl.coalesce(*(_fault(field, pl.lit(field.column)) for field in fields)))
        .alias(FAULT_FIELD),
    )
    good = judged.filter(pl.col(FAULT).is_null())
    if not good.is_empty():
        yield items_of(feed, source, good.select(pl.col(_typed(f.name)).alias(f.name) for f in fields), event_at)
    yield from refusals(feed, source, judged.filter(pl.col(FAULT).is_not_null()))


def _typed(name: str) -> str:
    return f"__typed_{name}"


def _reason(field: Field) -> str:
    return field.why or "is empty"


def _fault(field: Field, told: pl.Expr) -> pl.Expr:
    """`told` where the field is at fault: wrong text, or none where one must be."""
    said = pl.col(field.column).fill_null("") != ""
    missing = pl.col(_typed(field.name)).is_null()
    return pl.when(missing if field.required else missing & said).then(told)


def refusals(feed: str, source: str, rows: pl.DataFrame) -> Iterator[Refusal]:
    """One Refusal per row with a `__fault`."""
    for row in rows.iter_rows(named=True):
        field = row[FAULT_FIELD]
        value = None if field is None else (row[field] or "")[:REMEMBERED_VALUE]
        what = row[FAULT] if field is None else f"{field} {row[FAULT]}"
        shown = "" if not value else f", got {value!r}"
        yield Refusal(feed, source, row[RAW].rstrip(b"\r\n"), f"line {row[LINE_NO]}: {what}{shown}", field, value)
