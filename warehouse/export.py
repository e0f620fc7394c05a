"""A mart as a file for somebody without the lake: GeoParquet, CSV or XLSX."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from city.settings import Settings
from warehouse.read import query

FORMATS = (".parquet", ".csv", ".xlsx")
XLSX_ROWS = 1_048_575
"""Rows of one sheet, its header left out (ECMA-376, part 1, section 18.3.1.73)."""


class ExportError(ValueError):
    """The mart or the file cannot be written so; the message says what can."""


def export_mart(settings: Settings, mart: str, target: Path) -> int:
    """Writes a whole mart and gives its rows. A .parquet has a geometry where the mart has a place (WGS 84 points).

    Raises ExportError for an unknown mart, another ending, or more rows than a sheet holds.
    """
    if target.suffix not in FORMATS:
        raise ExportError(f"{target.name}: the ending must be one of {', '.join(FORMATS)}")
    known = query(settings, "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'marts' ORDER BY 1")
    names = known["table_name"].to_list()
    if mart not in names:
        raise ExportError(f"no mart is called {mart!r}; there are: {', '.join(names) or 'none yet (gorodok build)'}")
    frame = query(settings, f'SELECT * FROM marts."{mart}"')  # noqa: S608 - one of the names above
    if target.suffix == ".csv":
        frame.write_csv(target)
    elif target.suffix == ".xlsx":
        _xlsx(frame, target)
    else:
        _geoparquet(frame, target)
    return frame.height


def _xlsx(frame: pl.DataFrame, target: Path) -> None:
    if frame.height > XLSX_ROWS:
        raise ExportError(f"{frame.height} rows do not fit a sheet of {XLSX_ROWS}: export .parquet or .csv")
    zoned = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime) and kind.time_zone]
    frame.with_columns(pl.col(zoned).dt.replace_time_zone(None)).write_excel(target)  # Excel knows no zones: UTC


def _geoparquet(frame: pl.DataFrame, target: Path) -> None:
    if not {"latitude", "longitude"} <= set(frame.columns):
        frame.write_parquet(target)
        return
    import geopandas

    table = frame.to_pandas()
    points = geopandas.points_from_xy(table["longitude"], table["latitude"], crs="EPSG:4326")
    geopandas.GeoDataFrame(table, geometry=points).to_parquet(target)
