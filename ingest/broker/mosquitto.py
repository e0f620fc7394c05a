"""Finds mosquitto and starts it with our conf: the broker for more than a demo."""

from __future__ import annotations

import getpass
import re
import shutil
from pathlib import Path

from city.settings import ROOT, Settings
from ingest.broker.address import parse_address

CONF = ROOT / "deploy" / "mosquitto.conf"
PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
"""Debian installs it where the PATH of an ordinary user does not look."""


def find_mosquitto() -> Path | None:
    """The program, or None when it is not installed."""
    found = shutil.which("mosquitto") or next(
        (at for place in PLACES if (at := shutil.which("mosquitto", path=place))), None
    )
    return Path(found) if found else None


def mosquitto_command(settings: Settings) -> list[str]:
    """Command line that runs mosquitto at GORODOK_MQTT_URL with `deploy/mosquitto.conf`.

    The conf is written anew to `<home>/broker/mosquitto.conf` with the listener, the folder of its database and
    the user filled in; everything else is as shipped. Raises FileNotFoundError with the remedy.
    """
    program = find_mosquitto()
    if program is None:
        raise FileNotFoundError("mosquitto is not installed: `apt install mosquitto`, or use `python -m ingest.broker`")
    folder = settings.home / "broker"
    (folder / "data").mkdir(parents=True, exist_ok=True)
    path = folder / "mosquitto.conf"
    path.write_text(fill_conf(CONF.read_text(encoding="utf-8"), settings, folder / "data"), encoding="utf-8")
    return [str(program), "-c", str(path)]


def fill_conf(conf: str, settings: Settings, data: Path) -> str:
    """The shipped conf with this installation's listener and folder; ValueError when a line to fill is missing."""
    address = parse_address(settings.mqtt_url)
    if address.tls or address.user is not None:
        raise ValueError(f"GORODOK_MQTT_URL is {address} with TLS or a user: write that broker's conf by hand")
    conf = _replace_line(conf, "listener", f"{address.port} {address.host}")
    conf = _replace_line(conf, "persistence_location", f"{data}/")
    # started by root it would become the user `mosquitto`, who may not write into our home
    return f"{conf}\nuser {getpass.getuser()}\n"


def _replace_line(conf: str, key: str, value: str) -> str:
    filled, count = re.subn(rf"^{key} .*$", lambda _: f"{key} {value}", conf, flags=re.MULTILINE)
    if count != 1:
        raise ValueError(
            f"mosquitto.conf: {key!r} stands {count} times at the start of a line, not once; restore {CONF}"
        )
    return filled
