"""What all tests need: a temporary folder that another pytest on the machine cannot close.

pytest takes every other user's rights from its common folder at each start. The embedded PostgreSQL runs as a
user of its own when we are root, and would lose its files while another session of ours starts.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if config.option.basetemp is None:
        config.option.basetemp = tempfile.mkdtemp(prefix="gorodok-tests-")
        config.stash[OURS] = Path(config.option.basetemp)


OURS = pytest.StashKey[Path]()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Removed after a green run; kept for looking at after a red one."""
    folder = session.config.stash.get(OURS, None)
    if folder is not None and exitstatus == 0:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test must not depend on the GORODOK_… variables of whoever runs it."""
    for name in list(os.environ):
        if name.startswith("GORODOK_") and name != "GORODOK_TEST_SEED":
            monkeypatch.delenv(name)
