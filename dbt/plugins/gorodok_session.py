"""What a dbt session on the lake needs before its first statement: the extensions, and the key of the pseudonyms.

Loaded by dbt-duckdb (profiles.yml, `plugins`). The extensions come from wheels, so nothing is fetched from
the network; the key is a session variable, so it stands in no compiled SQL, no log and no view of the lake.
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
