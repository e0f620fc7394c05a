"""What a dbt session on the lake needs before its first statement: the extensions, and the key of the pseudonyms.

Loaded by dbt-duckdb (profiles.yml, `plugins`). The extensions come from wheels, so nothing is fetched from
the network; the key is a session variable, so it stands in no compiled SQL, no log and no view of the lake. So are
the city's norms for water, which would make dbt parse its project anew if they were dbt's own variables.
"""

from __future__ import annotations

import os
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb_extensions import import_extension

EXTENSIONS = ("ducklake", "postgres_scanner")


class Plugin(BasePlugin):
    def configure_connection(self, conn: Any) -> None:
        for name in EXTENSIONS:
            import_extension(name, con=conn)
            conn.load_extension(name)

    def configure_cursor(self, cursor: Any) -> None:
        key = os.environ.get("GORODOK_PSEUDONYM_KEY", "gorodok-demo")
        cursor.execute("SET VARIABLE pseudonym_key = $key", {"key": key})
        # norms and zones of the city (city/water.py, balance_facts); int_water_norm and int_water_zone read it
        cursor.execute("SET VARIABLE water = $facts", {"facts": os.environ.get("GORODOK_WATER", "{}")})
