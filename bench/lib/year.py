"""A lake with a year of a town, made once and reused when its folder is kept."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.lib import steps
from bench.lib.table import Options
from bench.lib.town import Town, write_town, yesterday
from city.settings import Settings

METERS, DAYS = 2_000, 365
MARKER = "bench-year.json"


@dataclass(frozen=True, slots=True)
class Year:
    """What the lake holds and what it cost; seconds and bytes of the run that made it."""

    meters: int
    days: int
    last: str
    meter_rows: int
    rows: int
    generate_s: float
    landed_bytes: int
    load_s: float
    load_peak_bytes: int
    build_s: float
    build_peak_bytes: int
    checks_passed: int
    checks_failed: list[str]
    ok: bool


def prepare(folder: Path, options: Options) -> tuple[Settings, Year]:
    """The lake under `folder`; makes it when it is not there, or was made for another size."""
    settings = Settings(home=folder / "year-home")
    town = Town(options.sized(METERS, 20), options.days or DAYS, yesterday())
    marker = settings.home / MARKER
    if marker.exists():
        known = Year(**json.loads(marker.read_text()))
        if (known.meters, known.days) == (town.meters, town.days):
            return settings, known
        raise RuntimeError(
            f"{settings.home} holds {known.meters} meters over {known.days} days, asked are {town.meters} over "
            f"{town.days}: choose another --home"
        )
    made = _make(settings, town)
    marker.write_text(json.dumps(asdict(made)))
    return settings, made


def _make(settings: Settings, town: Town) -> Year:
    clock = time.monotonic()
    rows = write_town(settings, town)
    generate_s = time.monotonic() - clock
    landed = sum(path.stat().st_size for path in settings.landing_dir.glob("*/sealed/*.parquet"))
    loaded, sums = steps.load(settings)
    if sums["rows"] != rows:
        raise RuntimeError(f"{rows} rows were landed and {sums['rows']} loaded")
    built, report = steps.build(settings)
    return Year(
        meters=town.meters,
        days=town.days,
        last=town.last.isoformat(),
        meter_rows=town.meter_rows,
        rows=rows,
        generate_s=generate_s,
        landed_bytes=landed,
        load_s=loaded.seconds,
        load_peak_bytes=loaded.peak_rss_bytes,
        build_s=built.seconds,
        build_peak_bytes=built.peak_rss_bytes,
        checks_passed=report["checks_passed"],
        checks_failed=[f"{each['asset']}: {each['check']} ({each['severity']})" for each in report["checks_failed"]],
        ok=report["ok"],
    )
