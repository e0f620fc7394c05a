"""The command line that serves the staff's pages: offline, without telemetry, on the address that was set.

Everything is said by flags, so that no `.streamlit/config.toml` of whoever starts it can change the look or
call home. Colours are the ones of `look.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from apps.streamlit import look, signin
from city.settings import Settings

MAIN = Path(__file__).with_name("main.py")

OPTIONS: dict[str, str | int | bool] = {
    "server.headless": True,
    "server.fileWatcherType": "none",
    "server.runOnSave": False,
    "server.showEmailPrompt": False,
    "server.enableStaticServing": False,
    "browser.gatherUsageStats": False,
    "client.showErrorDetails": "none",
    "client.showErrorLinks": False,
    "client.toolbarMode": "minimal",
    "runner.magicEnabled": False,
    "logger.level": "warning",
}


def command(settings: Settings) -> list[str]:
    """Arguments for `subprocess.Popen`; the environment must carry the same GORODOK_… settings.

    `signin.prepare` writes the secrets that they name.
    """
    options: dict[str, object] = {
        **OPTIONS,
        "server.address": settings.host,
        "server.port": settings.streamlit_port,
        "browser.serverAddress": settings.host,
        "browser.serverPort": settings.streamlit_port,
        "secrets.files": settings.home / signin.SECRETS,
        **look.theme_options(),
    }
    flags = [f"--{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in options.items()]
    return [sys.executable, "-m", "streamlit", "run", str(MAIN), *flags]


if __name__ == "__main__":
    import os

    from city.settings import settings

    signin.prepare(settings())
    arguments = command(settings())
    os.execv(arguments[0], arguments)  # noqa: S606 - becomes the server, so that a signal reaches it
