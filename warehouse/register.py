"""The city's register of devices as `ops.device`, so that a mart can say house and address of a door.

Taken from the city's folder at each load. A device that was taken out of the folder stays with `is_registered` false:
the ledger still speaks of it.
"""

from __future__ import annotations

from typing import Any

import duckdb

from city.geometry import features
from city.profile import load_city
from city.settings import Settings

COLUMNS = {
    "device_id": "VARCHAR",
    "kind": "VARCHAR",
    "name_ru": "VARCHAR",
    "name_en": "VARCHAR",
    "zone_id": "VARCHAR",
    "site_id": "VARCHAR",
    "house_id": "VARCHAR",
    "address": "VARCHAR",
    "latitude": "DOUBLE",
    "longitude": "DOUBLE",
    "actions": "VARCHAR",
    "is_registered": "BOOLEAN",
}


def device_rows(settings: Settings) -> list[tuple[Any, ...]]:
    """One row a device of the city's folder, in the order of COLUMNS; house and address through its site, actions with

    spaces between them."""
    city = load_city(settings)
    houses = {each.properties.building_id: each.properties.address for each in features(city, "buildings")}
    sites = {each.properties.site_id: each.properties.building_id for each in features(city, "sites")}
    rows = []
    for each in features(city, "devices"):
        device = each.properties
        house = sites.get(device.site_id) if device.site_id else None
        rows.append(
            (
                device.device_id, device.kind, device.name_ru, device.name_en, device.zone_id, device.site_id, house,
                houses.get(house) if house else None, each.latitude, each.longitude,
                " ".join(device.actions), True,
            )
        )  # fmt: skip
    return rows


def keep_register(connection: duckdb.DuckDBPyConnection, settings: Settings) -> bool:
    """Brings `ops.device` up to the city's folder; True when it had to. One transaction; the caller has the lock."""
    wanted = {row[0]: row for row in device_rows(settings)}
    listed = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM lake.ops.device").fetchall()  # noqa: S608 - our names
    have = {row[0]: row for row in listed}
    gone = {key: (*row[:-1], False) for key, row in have.items() if key not in wanted}
    if have == gone | wanted:
        return False
    rows = list((gone | wanted).values())
    connection.execute("BEGIN")
    try:
        connection.execute("DELETE FROM lake.ops.device")
        marks = ", ".join("?" for _ in COLUMNS)
        connection.executemany(f"INSERT INTO lake.ops.device VALUES ({marks})", rows)  # noqa: S608 - question marks
        connection.execute("COMMIT")
    except duckdb.Error:
        connection.execute("ROLLBACK")
        raise
    return True
