"""`gorodok water order`: a leak finding of the city state becomes an incident and a work order, with one press."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from apps.cli.output import NO, fail, print_json, print_table
from city.settings import settings


def register(app: typer.Typer) -> None:
    app.command("order", help="Наряд на ремонт по найденной утечке / Work order for a leak finding")(order)


def order(
    finding: Annotated[str, typer.Argument(metavar="FINDING", help="Код находки / finding_id of leak_finding")],
    contractor: Annotated[str, typer.Option(help="Подрядчик / Contractor")],
    place: Annotated[str | None, typer.Option(help="Адрес для бригады / Place in words")] = None,
    via: Annotated[str, typer.Option(help="mqtt (через брокер / by the broker) | landing (прямо / straight)")] = "mqtt",
    as_json: Annotated[bool, typer.Option("--json", help="Наряд в JSON / The order as JSON")] = False,
) -> None:
    """Exit code 0: ordered (one order a finding, however often); 1: no open finding, or not safe; 2: wrong usage."""
    from city.profile import load_city
    from city_state.read import latest
    from domains.water.orders import incident_of, order_of
    from ingest.adapters.outlet import OutletError, outlet
    from ingest.contracts.leak_finding import LeakFinding
    from ingest.parcel import Parcel

    if via not in ("mqtt", "landing"):
        fail(f"--via: {via!r} is unknown", "use mqtt or landing")
    where = settings()
    known = {row["entity"]: row["payload"] for row in latest(where, "leak_finding").iter_rows(named=True)}
    if finding not in known:
        fail(f"no finding is called {finding!r}", f"Known: {', '.join(sorted(known)) or 'none'}", code=NO)
    told = LeakFinding.model_validate_json(known[finding])
    now = datetime.now(UTC)
    try:
        ordered = order_of(told, load_city(where).norms.water, contractor=contractor, ordered_at=now, place=place)
    except ValueError as error:
        fail(str(error), "nothing was ordered", code=NO)
    try:
        with outlet(via, where, "water-order") as target:
            for message in (incident_of(told, now), ordered):
                payload = message.model_dump_json(exclude_none=True).encode()
                target.submit(Parcel(message.spec.code, "water-order", payload))
            target.finish()
    except OutletError as error:
        fail(str(error), "nothing is sure to be ordered: repeat it", code=NO)
    row = ordered.model_dump(mode="json", exclude_none=True)
    if as_json:
        print_json(row)
    else:
        print_table(row.items(), ("поле / field", "значение / value"))
