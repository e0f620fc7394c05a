"""Data, for engineers: the lake's size, loads, snapshots, what was refused with its original bytes, what failed."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from apps.streamlit import bytes_view, data, frame, parts, queries
from apps.streamlit.words import Words
from ingest.contracts import CONTRACTS

SECTIONS = ("loads", "quarantine", "failures", "tables", "snapshots", "feeds")


def main() -> None:
    words = frame.words()
    with frame.page("data", frame.place().name(words.language)):
        _summary(words)
        section = st.segmented_control(
            words("data.section"),
            SECTIONS,
            default="loads",
            format_func=lambda name: words(f"data.section_{name}"),
            key="data_section",
            required=True,
            label_visibility="collapsed",
        )
        with frame.told(words):
            SHOW[section or "loads"](words)


def _counted(key: str, count: int, words: Words) -> str:
    return words(key, count=count, count_text=words.number(count, 0))


def _summary(words: Words) -> None:
    totals = data.marts(queries.LOAD_TOTALS).row(0, named=True)
    tables = data.marts(queries.TABLES)
    refused = int(data.marts(queries.QUARANTINE_COUNT)["messages"][0])
    failed = int(data.marts(queries.FAILURE_COUNT)["failures"][0])
    snapshots = int(data.marts(queries.SNAPSHOT_COUNT)["snapshots"][0])
    size = int(tables["file_size_bytes"].sum() or 0)
    if not totals["segments"]:
        parts.verdict("stale", words("data.nothing_loaded"), words("data.nothing_loaded_detail"))
    else:
        text = words(
            "data.verdict",
            rows=_counted("data.rows", int(totals["rows"]), words),
            segments=_counted("data.segments", int(totals["segments"]), words),
            size=words.size(size),
            age=words.age(totals["loaded_at"]),
        )
        notes = [_counted("data.refused", refused, words)] if refused else []
        notes += [_counted("data.failed", failed, words)] if failed else []
        parts.verdict("warn" if notes else "good", text, " ".join(notes))
    parts.tiles(
        [
            parts.Tile(words("data.lake"), words.size(size)),
            parts.Tile(words("data.loaded"), words.number(int(totals["rows"]), 0)),
            parts.Tile(words("data.segments_count"), words.number(int(totals["segments"]), 0)),
            parts.Tile(words("data.quarantined"), words.number(refused, 0), level="warn" if refused else "good"),
            parts.Tile(words("data.tables_count"), words.number(tables.height, 0)),
            parts.Tile(words("data.snapshots_count"), words.number(snapshots, 0)),
        ]
    )


def _frame(rows: pl.DataFrame, words: Words, names: dict[str, str], key: str, select: bool = False) -> Any:
    """An engineer's table: column → key of its name; times in the city's zone."""
    shown = frame.local_times(rows.select(list(names)), words).rename(
        {old: words(f"data.{new}") for old, new in names.items()}
    )
    more: dict[str, Any] = {"on_select": "rerun", "selection_mode": "single-row"} if select else {}
    return st.dataframe(shown, key=key, hide_index=True, height=min(40 + 35 * shown.height, 460), **more)


def _loads(words: Words) -> None:
    rows = data.marts(queries.LOADS)
    if rows.is_empty():
        parts.notice(words("data.no_loads"), words("data.no_loads_remedy"), "gorodok build")
        return
    names = {
        "loaded_at": "loaded_at", "feed": "feed", "rows": "row_count", "duplicates": "duplicates",
        "conflicts": "conflicts", "bytes": "size", "segment": "segment",
    }  # fmt: skip
    _frame(rows, words, names, "loads")
    parts.caption(words("app.rows_shown", count=rows.height))


def _quarantine(words: Words) -> None:
    rows = data.marts(queries.QUARANTINE)
    if rows.is_empty():
        parts.notice(words("data.no_quarantine"))
        return
    reasons = data.marts(queries.QUARANTINE_REASONS)
    parts.heading(words("data.reasons"))
    parts.table(
        [words(f"data.{name}") for name in ("feed", "field", "messages", "last")],
        [
            [row["feed"], row["field"] or "—", parts.Cell(words.number(row["messages"], 0), number=True),
             parts.Cell(words.age(row["last_at"]), number=True)]
            for row in reasons.iter_rows(named=True)
        ],
    )  # fmt: skip
    parts.heading(words("data.section_quarantine"), words("data.pick"))
    names = {
        "refused_at": "refused_at", "feed": "feed", "reason": "reason", "field": "field", "value": "value",
        "topic": "topic", "payload_bytes": "size",
    }  # fmt: skip
    event = _frame(rows, words, names, "quarantine", select=True)
    chosen = event.selection.rows if event else []
    row = rows.row(chosen[0] if chosen and chosen[0] < rows.height else 0, named=True)
    _original(row, words)


def _original(row: dict[str, Any], words: Words) -> None:
    """The refused bytes: as text with control characters made visible, or as a dump; never interpreted."""
    found = data.marts(queries.QUARANTINE_PAYLOAD, (row["quarantine_id"],))
    if found.is_empty():
        return
    payload = bytes(found["payload"][0] or b"")
    shown, is_text, cut = bytes_view.show(payload)
    note = words("data.bytes_text") if is_text else words("data.bytes_hex")
    if cut:
        note += "; " + words("data.bytes_cut", shown=words.size(bytes_view.LIMIT), size=words.size(len(payload)))
    parts.heading(words("data.bytes"), note)
    parts.facts(
        [
            (words("data.reason"), row["reason"]),
            (words("data.topic"), row["topic"]),
            (words("data.retry"), words("data.retry_command", id=row["quarantine_id"])),
        ]
    )
    parts.block(shown)
    st.download_button(words("data.download"), payload, file_name=f"{row['quarantine_id']}.bin", on_click="ignore")


def _failures(words: Words) -> None:
    rows = data.marts(queries.FAILURES)
    if rows.is_empty():
        parts.notice(words("data.no_failures"))
        return
    names = {name: name for name in ("started_at", "stage", "subject", "reason", "seconds", "process")}
    said = rows.with_columns(
        pl.col("stage").map_elements(lambda stage: words.maybe(f"stage.{stage}", stage), return_dtype=pl.String)
    )
    _frame(said, words, names, "failures")


def _tables(words: Words) -> None:
    names = {"schema_name": "schema", "table_name": "table", "file_count": "files", "file_size_bytes": "size"}
    _frame(data.marts(queries.TABLES), words, names, "tables")


def _snapshots(words: Words) -> None:
    rows = data.marts(queries.SNAPSHOTS)
    _frame(rows, words, {"snapshot_id": "snapshot", "snapshot_time": "time", "changes": "changes"}, "snapshots")
    if not rows.is_empty():
        moment = rows["snapshot_time"][rows.height // 2]
        parts.notice(words("data.travel"), command=words("data.travel_command", time=f"{moment:%Y-%m-%dT%H:%M:%SZ}"))


def _feeds(words: Words) -> None:
    rows = data.marts(queries.FEED_HEALTH)
    titles = {
        code: one.spec.title_ru if words.language == "ru" else one.spec.title_en for code, one in CONTRACTS.items()
    }
    columns = (
        "feed",
        "rows_total",
        "rows_24h",
        "quarantined",
        "duplicates",
        "conflicts",
        "gaps",
        "clocks",
        "failures_24h",
    )
    numbers = (
        "rows_total", "rows_24h", "quarantined_total", "duplicates_total", "conflicts_total", "gap_messages_24h",
        "clock_marked_24h", "failures_24h",
    )  # fmt: skip
    parts.table(
        [words(f"data.{name}") for name in columns],
        [
            [
                parts.Cell(titles.get(row["feed"], row["feed"]), note=row["feed"]),
                *(parts.Cell(words.number(row[name], 0), number=True) for name in numbers),
            ]
            for row in rows.iter_rows(named=True)
        ],
    )


SHOW = {
    "loads": _loads,
    "quarantine": _quarantine,
    "failures": _failures,
    "tables": _tables,
    "snapshots": _snapshots,
    "feeds": _feeds,
}

main()
