"""A run killed by SIGKILL must not block the next for more than a minute, whatever dies with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psutil
import pytest

from city.settings import ROOT, Settings
from orchestration.lib.instance import NEXT_RUN_WITHIN_S, dagster_home, prepare_instance
from orchestration.lib.launcher import lives
from orchestration.serve import environment

pytestmark = [pytest.mark.slow, pytest.mark.fault]
MODULE = Path(__file__).with_name("killable.py")


def wait_for(what: Callable[[], object], seconds: float) -> float:
    """Seconds until it was true."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds, f"waited {seconds:g} s in vain"
        time.sleep(0.2)
    return time.monotonic() - began


class Daemon:
    """The real daemon with the real dagster.yaml, over a job that only holds the lake."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        prepare_instance(settings)
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "dagster._daemon", "run", "--python-file", str(MODULE)]
        with (self.settings.home / "daemon.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=os.environ | environment(self.settings),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill_everything(self) -> None:
        """Daemon, code server and run workers, as a power cut would."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        for process in [psutil.Process(self.process.pid), *found]:
            if process.is_running():
                process.kill()
        self.process.wait(10)

    def submit(self, seconds: float) -> str:
        """Asks for a run as the UI does: into the queue; gives its id."""
        command = [
            sys.executable,
            "-m",
            "dagster",
            "job",
            "launch",
            "--python-file",
            str(MODULE),
            "-j",
            "hold_the_lake",
        ]
        config = f'{{"ops": {{"hold": {{"config": {{"seconds": {seconds}}}}}}}}}'
        told = subprocess.run(
            [*command, "--config-json", config],
            cwd=ROOT,
            env=os.environ | environment(self.settings),
            check=False,
            capture_output=True,
            text=True,
        )
        assert told.returncode == 0, told.stderr[-2_000:]
        with self.instance() as instance:
            return instance.get_run_records(limit=1)[0].dagster_run.run_id

    def instance(self) -> dg.DagsterInstance:
        return dg.DagsterInstance.from_config(str(dagster_home(self.settings)))

    def worker(self, run_id: str) -> int:
        """Process id of the run's worker, once it holds the lake."""
        path = self.settings.home / f"{run_id}.pid"
        wait_for(path.exists, 120)
        return int(path.read_text())

    def status(self, run_id: str) -> str:
        with self.instance() as instance:
            return instance.get_run_by_id(run_id).status.value  # type: ignore[union-attr]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    running = Daemon(Settings(home=tmp_path))
    yield running
    running.kill_everything()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("everything", [False, True], ids=["the worker alone", "daemon and code server with it"])
def test_the_next_run_starts_within_a_minute(daemon: Daemon, everything: bool) -> None:
    first = daemon.submit(seconds=3_600)
    worker = daemon.worker(first)
    second = daemon.submit(seconds=0)
    time.sleep(5)
    assert daemon.status(second) == "QUEUED", "one writer of the lake at a time"
    if everything:
        daemon.kill_everything()
        daemon.start()
    else:
        os.kill(worker, signal.SIGKILL)
    took_s = wait_for((daemon.settings.home / f"{second}.pid").exists, NEXT_RUN_WITHIN_S)
    print(f"the next run held the lake {took_s:.1f} s after the kill")
    assert daemon.status(first) == "FAILURE"


def test_a_process_id_that_somebody_else_got_since_is_not_our_worker() -> None:
    now = datetime.now(UTC)
    assert lives(os.getpid(), now)
    assert not lives(os.getpid(), now - timedelta(days=1))
    assert not lives(2**22 - 1, now)


def test_dbt_dies_with_the_run_that_started_it(tmp_path: Path) -> None:
    """Otherwise it would write on, while the lock of its dead parent is free for the next run."""
    child = "from orchestration.lib.dbt_child import die_with_parent; die_with_parent(); import time; time.sleep(600)"
    parent = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    time.sleep(2)
    assert psutil.pid_exists(pid)
    process.kill()
    process.wait(10)
    process.stdout.close()
    wait_for(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, 10)
