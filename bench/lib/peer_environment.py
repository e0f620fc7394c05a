"""A peer from PyPI in an environment of its own under bench/peers/, which git ignores; made at the first use."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from city.settings import ROOT

PEERS = ROOT / "bench" / "peers"


def program_of(peer: str, program: str, timeout_s: float = 600) -> Path:
    """bench/peers/<peer>/bin/<program>, installed from bench/peers/<peer>.txt (a minute).

    Raises RuntimeError that says why it cannot; nothing half made is left.
    """
    environment, requirements = PEERS / peer, PEERS / f"{peer}.txt"
    found, python = environment / "bin" / program, environment / "bin" / "python"
    if found.exists():
        return found
    uv = shutil.which("uv") or Path(sys.executable).with_name("uv")
    try:
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
        subprocess.run(
            [uv, "pip", "install", "--quiet", "--python", python, "-r", requirements], check=True, timeout=timeout_s
        )
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(environment, ignore_errors=True)
        raise RuntimeError(f"cannot install {requirements.name} into {environment}: {error}") from error
    return found
