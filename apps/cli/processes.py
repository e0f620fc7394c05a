"""Starts the Procfile's processes in order, watches them, and stops them so that nothing under way is lost.

honcho reads the Procfile (and runs it: `honcho start`); the order of starting and stopping is ours, because
honcho signals all at once, and a broker that dies before its gateway takes messages with it.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from honcho.environ import parse_procfile

from city.settings import ROOT, Settings

STOP_S = 20.0


class ProcessFailedError(RuntimeError):
    """A process ended, or did not become ready; the message holds the end of its log."""


@dataclass
class Processes:
    """The platform's processes of one home. Logs go to <home>/logs/<name>.log."""

    settings: Settings
    environment: Mapping[str, str] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _logs: dict[str, IO[bytes]] = field(default_factory=dict)

    def start(self, name: str, line: str | None = None) -> None:
        """Starts one process of the Procfile, or of `line`, in a session of its own, so that Ctrl-C reaches only us."""
        command = shlex.split(line or parse_procfile((ROOT / "Procfile").read_text()).processes[name])
        if command[0] == "python":
            command[0] = sys.executable
        folder = self.settings.home / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        log = (folder / f"{name}.log").open("ab")
        environment = {
            **os.environ,
            "GORODOK_HOME": str(self.settings.home),
            "GORODOK_CITY": self.settings.city,
            "PYTHONUNBUFFERED": "1",
            **self.environment,
        }
        self.running[name] = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        self._logs[name] = log

    def wait_ready(self, name: str, ready: Callable[[], bool], timeout_s: float = 60) -> None:
        """Waits until `ready`; raises ProcessFailedError when the process ends or the time is over."""
        give_up = time.monotonic() + timeout_s
        while not ready():
            self.check([name])
            if time.monotonic() > give_up:
                raise ProcessFailedError(f"{name} is not ready after {timeout_s:.0f} s\n{self.log_tail(name)}")
            time.sleep(0.1)

    def check(self, names: Sequence[str] | None = None) -> None:
        """Raises ProcessFailedError when one of the processes has ended."""
        for name in names or list(self.running):
            code = self.running[name].poll()
            if code is not None:
                raise ProcessFailedError(f"{name} ended with code {code}\n{self.log_tail(name)}")

    def stop(self, name: str) -> None:
        """SIGTERM, and SIGKILL to its whole group when it does not go."""
        process = self.running.pop(name, None)
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                _kill_group(process)
        _kill_group(process)  # children that outlive their parent (Dagster's code servers)
        self._logs.pop(name).close()

    def stop_all(self, order: Sequence[str]) -> None:
        """Stops in the given order, then whatever is left."""
        for name in [*order, *[name for name in self.running if name not in order]]:
            self.stop(name)

    def log_path(self, name: str) -> Path:
        return self.settings.home / "logs" / f"{name}.log"

    def log_tail(self, name: str, lines: int = 15) -> str:
        """The last lines of a process's log, for its epitaph."""
        text = self.log_path(name).read_text(errors="replace").splitlines()
        return "\n".join(text[-lines:])


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()
