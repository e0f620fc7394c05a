"""`gorodok water balance`: the IWA water balance of a month, by district metered area."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from apps.cli.output import NO, fail, out, print_json, print_table
from city.settings import Settings, settings

MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


def register(app: typer.Typer) -> None:
    app.command("balance", help="Водный баланс за месяц по зонам / Water balance of a month by zone")(balance)


def balance(
    dma: Annotated[str | None, typer.Option(help="Зона учёта / District metered area; all by default")] = None,
    month: Annotated[str | None, typer.Option(help="Месяц / Month, 2026-03; the latest by default")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Вывод в JSON / As JSON")] = False,
) -> None:
    """Exit code 0: told; 1: there is no such balance; 2: wrong usage."""
    import duckdb

    from warehouse.lake import LakeMissingError

    if month is not None and not MONTH.fullmatch(month):
        fail(f"--month: {month!r} is not a month", "Write it as 2026-03.")
    try:
        rows = _rows(settings(), dma, month)
    except LakeMissingError as error:
        fail(str(error), code=NO)
    except duckdb.CatalogException:
        fail("the lake has no water balance yet", "Build it: gorodok build", code=NO)
    if not rows:
        what = " ".join(part for part in (f"dma {dma}" if dma else "", month or "") if part) or "any month"
        fail(f"no balance of {what}", "A balance needs inlet flows and meters: load data, then gorodok build", code=NO)
    if as_json:
        print_json({"city": settings().city, "month": f"{rows[0]['month']:%Y-%m}", "zones": rows})
        return
    for row in rows:
        _tell(row)


def _rows(where: Settings, dma: str | None, month: str | None) -> list[dict[str, Any]]:
    from warehouse.read import query

    return query(
        where,
        """
        WITH chosen AS (
            SELECT * FROM marts.mart_water_balance_month
            WHERE ($1 IS NULL OR zone_id = $1) AND ($2 IS NULL OR strftime(month, '%Y-%m') = $2)
        )
        SELECT * FROM chosen WHERE month = (SELECT max(month) FROM chosen) ORDER BY losses_rub DESC, zone_id
        """,
        [dma, month],
    ).to_dicts()


def _tell(row: dict[str, Any]) -> None:
    """The balance as the IWA's table reads, from the left to the right, with 95 % bounds."""
    share = "–" if row["nrw_share"] is None else f"{100 * row['nrw_share']:.1f} %"
    lines = [
        ("Подано / System input", row["system_input_m3"], _pm(row["system_input_pm_m3"])),
        ("  Разрешённое потребление / Authorised", row["authorised_m3"], _pm(row["authorised_pm_m3"])),
        ("    по счётчикам / billed metered", row["billed_metered_m3"], ""),
        ("      из него оценка / of it estimated", row["estimated_m3"], ""),
        ("    по нормативу / billed unmetered", row["billed_unmetered_m3"], ""),
        ("    без оплаты / unbilled", row["unbilled_m3"], ""),
        ("  Потери / Water losses", row["losses_m3"], _within(row, "losses")),
        ("    кажущиеся / apparent", row["apparent_m3"], _pm(row["apparent_pm_m3"])),
        ("    реальные / real", row["real_m3"], _within(row, "real")),
        ("Не приносит дохода / Non-revenue water", row["nrw_m3"], f"{share}; {_within(row, 'nrw')}"),
    ]
    title = f"{row['zone_id']}, {row['month']:%m.%Y}, {row['days']} дн./days"
    print_table([(name, f"{value:,.1f}", bounds) for name, value, bounds in lines], ("", "м³/m³", "95 %"), title=title)
    ili = "–" if row["ili"] is None else f"{row['ili']:.2f}"
    out.print(f"Потери / losses: {row['losses_rub']:,.0f} ₽; ILI {ili}", markup=False)


def _pm(half: float) -> str:
    return f"± {half:,.1f}"


def _within(row: dict[str, Any], name: str) -> str:
    return f"{row[f'{name}_low_m3']:,.1f} … {row[f'{name}_high_m3']:,.1f}"
