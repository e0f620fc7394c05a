"""A PostgreSQL of its own to compare with: Debian's package, a fresh cluster in a folder, a Unix socket, no network.

Settings that a good DBA gives a reporting server with this memory; everything else is as shipped.
"""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

USER = "postgres"
SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "2GB",
    "effective_cache_size": "12GB",
    "work_mem": "64MB",
    "maintenance_work_mem": "1GB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "30min",
    "random_page_cost": "1.1",
    "timezone": "UTC",
}


def programs() -> Path | None:
    """The newest installed server's folder of programs; PostgreSQL 15 where several are."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    preferred = [path for path in found if path.parts[-3] == "15"] or found[-1:]
    return preferred[0].parent if preferred else None


@contextmanager
def cluster() -> Iterator[str]:
    """A running server's URI. Raises FileNotFoundError with the remedy when PostgreSQL is not installed."""
    bin_dir = programs()
    if bin_dir is None:
        raise FileNotFoundError("PostgreSQL is not installed: apt install postgresql (make test-deps)")
    folder = Path(tempfile.mkdtemp(prefix="gorodok-pg-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, USER)
        data = folder / "data"
        _as_postgres([bin_dir / "initdb", "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C"])
        options = " ".join(f"-c {name}={value or repr('')}" for name, value in SETTINGS.items())
        start = ["-o", f"-k {folder} {options}", "-l", folder / "log", "-w", "-t", "60", "start"]
        _as_postgres([bin_dir / "pg_ctl", "-D", data, *start])
        try:
            yield f"postgresql://{USER}@/postgres?host={folder}"
        finally:
            with suppress(subprocess.CalledProcessError):
                _as_postgres([bin_dir / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_postgres(command: list[str | Path]) -> None:
    """initdb and the server refuse to run as root."""
    before = ["runuser", "-u", USER, "--"] if getpass.getuser() == "root" else []
    subprocess.run([*before, *command], check=True, stdout=subprocess.DEVNULL, cwd="/")
