"""gorodok quarantine: what was refused, why, the original bytes; and again after a fix."""

from __future__ import annotations

from typing import Any

import polars as pl
import typer

from apps.cli.output import NO, fail, print_json, print_table
from city.settings import settings

OPEN_ROWS = """
SELECT quarantine_id, feed, topic, refused_at, reason, field, value, payload FROM raw.quarantine AS q
WHERE retried_at IS NULL
  AND NOT EXISTS (
    SELECT 1 FROM raw.quarantine AS r WHERE r.quarantine_id = q.quarantine_id AND r.retried_at IS NOT NULL
  )
  AND (? IS NULL OR feed = ?)
ORDER BY refused_at DESC
"""


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Refused messages: list, show the original bytes, retry after a fix.", no_args_is_help=True
    )
    group.command("list")(list_refused)
    group.command()(show)
    group.command()(retry)
    app.add_typer(group, name="quarantine")


def list_refused(
    feed: str | None = typer.Option(None, help="Only this feed"),
    limit: int = typer.Option(50, min=1, help="Newest so many"),
    as_json: bool = typer.Option(False, "--json", help="Machine-readable"),
) -> None:
    """What was refused and is not yet accepted, newest first."""
    rows = _open_rows(feed).drop("payload").head(limit)
    if as_json:
        print_json(rows.to_dicts())
    else:
        print_table(rows.drop("topic", "value").iter_rows(), ["id", "feed", "refused at", "reason", "field"])


def show(
    quarantine_id: str = typer.Argument(help="Id from the list (its beginning is enough)"),
    as_json: bool = typer.Option(False, "--json", help="Machine-readable"),
) -> None:
    """One refused message with its original bytes."""
    row = _find(quarantine_id)
    if as_json:
        print_json(row)
        return
    payload = row.pop("payload")
    print_table(row.items(), ["", ""])
    typer.echo(payload.decode(errors="backslashreplace"))


def retry(
    quarantine_id: str | None = typer.Argument(None, help="One message; all of a feed when omitted"),
    feed: str | None = typer.Option(None, help="Only this feed"),
    as_json: bool = typer.Option(False, "--json", help="Machine-readable"),
) -> None:
    """Validate the original bytes again; what is good now is loaded. Exit 1 when something is still refused."""
    from ingest.quarantine_retry import retry as again
    from warehouse.load import load_segments

    found = settings()
    rows = [_find(quarantine_id)] if quarantine_id else _open_rows(feed).to_dicts()
    result = again(found, rows)
    load_segments(found)
    if as_json:
        print_json({"accepted": result.accepted, "still_refused": result.still_refused})
    else:
        typer.echo(f"accepted {result.accepted}, still refused {len(result.still_refused)}")
        print_table(result.still_refused.items(), ["id", "reason"])
    if result.still_refused:
        raise typer.Exit(NO)


def _open_rows(feed: str | None) -> pl.DataFrame:
    """Loads what has landed first, so that the list is not older than the trouble."""
    from warehouse.load import load_segments
    from warehouse.read import query

    found = settings()
    load_segments(found, ["quarantine"])
    return query(found, OPEN_ROWS, [feed, feed])


def _find(quarantine_id: str) -> dict[str, Any]:
    rows = _open_rows(None).filter(pl.col("quarantine_id").str.starts_with(quarantine_id))
    if rows.height != 1:
        many = "no refused message has" if rows.is_empty() else f"{rows.height} refused messages have"
        fail(f"{many} an id that begins with {quarantine_id!r}", "See: gorodok quarantine list", NO)
    return rows.row(0, named=True)
