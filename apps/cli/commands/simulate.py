"""`gorodok simulate`: the simulated city alone, well behaved or not, against any broker."""

from __future__ import annotations

import signal
import threading
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from apps.cli.output import BAD, err, fail, print_json, print_table
from city.problem import CityError
from city.settings import settings


def register(app: typer.Typer) -> None:
    app.command("simulate", help="Живой учебный город / A living simulated city: MQTT, GTFS-RT, Open311, CAP")(simulate)


def simulate(
    *,
    seed: Annotated[int | None, typer.Option(help="Зерно случайности / Seed")] = None,
    backfill_days: Annotated[
        float | None, typer.Option(help="Дней прошлого в начале / Days of the past at start")
    ] = None,
    duration: Annotated[float | None, typer.Option(help="Секунд вживую, затем конец / Seconds live, then end")] = None,
    duplicates: Annotated[float | None, typer.Option(help="Доля повторов / Share sent twice")] = None,
    out_of_order: Annotated[float | None, typer.Option(help="Доля опоздавших / Share that comes late")] = None,
    malformed: Annotated[float | None, typer.Option(help="Доля испорченных / Share whose bytes are spoilt")] = None,
    gaps: Annotated[float | None, typer.Option(help="Доля потерянных / Share lost, the number skips")] = None,
    skew: Annotated[
        float | None, typer.Option(help="Доля устройств с неверными часами / Share of wrong clocks")
    ] = None,
    skew_s: Annotated[
        float | None, typer.Option(help="На сколько секунд неверны / How wrong they are, seconds")
    ] = None,
    silent: Annotated[
        list[str] | None, typer.Option(help="Молчащий поток / Feed that says nothing (repeatable)")
    ] = None,
    deaf: Annotated[
        float | None, typer.Option(help="Доля глухих устройств / Share of devices that never answer")
    ] = None,
    leak_m3_h: Annotated[float | None, typer.Option(help="Утечка, м3/ч / Leak, m3/h")] = None,
    alert_status: Annotated[str | None, typer.Option(help="Статус CAP / CAP status: Exercise | Actual")] = None,
    critical_alert_s: Annotated[float | None, typer.Option(help="Тревога через, с / Critical alert after, s")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Итог в JSON / Summary as JSON")] = False,
) -> None:
    """What is not given comes from GORODOK_SIMULATOR_…; Ctrl-C or SIGTERM ends it. Exit code 2: wrong usage."""
    from simulator.options import Options
    from simulator.run import Simulator
    from simulator.truth import truth_path

    told = {
        "seed": seed, "backfill_days": backfill_days, "duration_s": duration, "duplicates": duplicates,
        "out_of_order": out_of_order, "malformed": malformed, "gaps": gaps, "skew": skew, "skew_s": skew_s,
        "silent": tuple(silent) if silent else None, "deaf": deaf, "leak_m3_h": leak_m3_h,
        "alert_status": alert_status, "critical_alert_s": critical_alert_s,
    }  # fmt: skip
    given: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
    try:
        simulator = Simulator(settings(), Options(**given))
    except ValidationError as error:
        fault = error.errors()[0]
        fail(f"--{str(fault['loc'][0]).replace('_', '-')}: {fault['msg']}", f"got {fault['input']!r}", BAD)
    except CityError as error:
        fail(str(error), "gorodok city check lists every problem", BAD)
    except OSError as error:
        fail(
            f"GORODOK_SIMULATOR_PORT = {settings().simulator_port}: {error}", "End the other one, or set the port.", BAD
        )
    err.print(f"http://{settings().host}:{simulator.port}/ · {settings().mqtt_url} · {truth_path(settings())}")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    simulator.run(stop)
    _summary(as_json)


def _summary(as_json: bool) -> None:
    """What the ground truth holds now, this run and earlier ones."""
    from simulator.truth import totals, truth_path

    rows = [
        {
            "feed": feed,
            "messages": truth.messages,
            "distinct": len(truth.keys),
            "duplicates": truth.duplicates,
            "malformed": truth.malformed,
            "lost": truth.lost,
            "served": len(truth.served),
        }
        for feed, truth in sorted(totals(truth_path(settings())).items())
    ]
    if as_json:
        print_json({"truth": truth_path(settings()), "feeds": rows})
    elif rows:
        print_table(rows, list(rows[0]))
