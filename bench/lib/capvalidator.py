"""capvalidator, the WMO's reference validator of CAP, in an environment of its own under bench/peers/."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from city.settings import ROOT

PEERS = ROOT / "bench" / "peers"
REQUIREMENTS = PEERS / "capvalidator.txt"
ENVIRONMENT = PEERS / "capvalidator"


def program() -> Path:
    """Its Python; makes the environment first. Raises RuntimeError that says why it cannot."""
    python = ENVIRONMENT / "bin" / "python"
    if python.exists():
        return python
    uv = shutil.which("uv") or Path(sys.executable).with_name("uv")
    try:
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, ENVIRONMENT], check=True)
        subprocess.run(
            [uv, "pip", "install", "--quiet", "--python", python, "-r", REQUIREMENTS], check=True, timeout=600
        )
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        raise RuntimeError(f"cannot install {REQUIREMENTS.name} into {ENVIRONMENT}: {error}") from error
    return python
