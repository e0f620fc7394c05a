"""`gorodok pull`: fetches the city's sources (GTFS-Realtime, Open311, CAP) and hands them to the gateway."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Annotated, Any

import typer
from rich.console import Console

from actuation.cap.source import CapSourcesError, load_cap_sources
from apps.cli.originals import OriginalsToReflex
from apps.cli.output import fail, print_json, print_table
from city.settings import settings
from ingest.adapters.outlet import Outlet, OutletError, outlet
from ingest.adapters.polling import Pulled
from ingest.adapters.pulling import Pulling
from ingest.adapters.source import Source
from ingest.adapters.sources import SourcesError, load_sources
from ingest.contracts.ingest_outcome import IngestOutcome

PUBLISHER = "pull"


def register(app: typer.Typer) -> None:
    app.command("pull", help="Забирать данные из источников города / Fetch the city's sources")(pull)


def pull(
    once: Annotated[bool, typer.Option(help="Каждый источник один раз / Each source once, then exit")] = False,
    via: Annotated[str, typer.Option(help="mqtt (через брокер / by the broker) | landing (прямо / straight)")] = "mqtt",
    only: Annotated[list[str] | None, typer.Option(help="Код источника / Code of a source (repeatable)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Итоги в JSON / Outcomes as JSON")] = False,
) -> None:
    """Exit code 0: every source was fetched; 1: one was not, or it is not safe; 2: wrong usage or sources.toml."""
    if via not in ("mqtt", "landing"):
        fail(f"--via: {via!r} is unknown", "use mqtt or landing", 2)
    sources = _sources(only or [])
    originals = _originals() if via == "mqtt" else None

    def open_outlet() -> Outlet:
        return outlet(via, settings(), PUBLISHER)

    try:
        if not once:
            asyncio.run(_forever(sources, open_outlet, originals))
            return
        outcomes = asyncio.run(Pulling(open_outlet, originals=originals).once(sources))
    except OutletError as error:
        fail(str(error), "", 1)
        return
    rows = [_row(source, outcome) for source, outcome in zip(sources, outcomes, strict=True)]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, list(rows[0]) if rows else [])
    if not all(outcome.success for outcome in outcomes):
        raise typer.Exit(1)


def _sources(only: list[str]) -> list[Source]:
    try:
        sources = load_sources(settings())
    except SourcesError as error:
        fail(str(error), "correct the file", 2)
        raise
    unknown = sorted(set(only) - {source.code for source in sources})
    if unknown:
        known = ", ".join(source.code for source in sources) or "none"
        fail(f"--only: no source is called {unknown[0]!r}", f"this city has {known}", 2)
    return [source for source in sources if not only or source.code in only]


def _originals() -> OriginalsToReflex:
    """For the sources whose alerts may act: the reflex process judges the original bytes."""
    try:
        sources = load_cap_sources(settings())
    except CapSourcesError as error:
        fail(str(error), "correct the file; `gorodok alert sources` checks it", 2)
        raise
    return OriginalsToReflex(settings(), [source.code for source in sources.source if "pull" in source.channels])


async def _forever(sources: list[Source], open_outlet: Any, originals: OriginalsToReflex | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    console = Console(stderr=True)

    def told(source: Source, pulled: Pulled) -> None:
        outcome = pulled.outcome
        word = "ok" if outcome.success else "fail"
        counts = f"{outcome.rows} строк/rows, {outcome.quarantined} в карантин/quarantined"
        reason = f", {outcome.reason}" if outcome.reason else ""
        console.print(
            f"{time.strftime('%H:%M:%S')} {source.code} {word}: {counts}{reason}", markup=False, soft_wrap=True
        )

    if not sources:
        console.print("Источников нет: cities/<город>/sources.toml / No sources", markup=False)
        await stop.wait()
    await Pulling(open_outlet, told, originals).forever(sources, stop)


def _row(source: Source, outcome: IngestOutcome) -> dict[str, Any]:
    return {
        "source": source.code,
        "success": outcome.success,
        "documents": outcome.messages,
        "rows": outcome.rows,
        "quarantined": outcome.quarantined,
        "bytes": outcome.bytes,
        "seconds": round(outcome.seconds, 3),
        "reason": outcome.reason,
    }
