"""`gorodok acl`: mosquitto's access list and password file, made from the city's device list."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from actuation.acl.mosquitto import acl_file, password_file
from actuation.acl.rights import User, users
from actuation.keys import KeysError
from actuation.keys.broker import broker_password, broker_secret
from actuation.keys.ring import read_record
from apps.cli.output import fail, out, print_json
from city.geometry import features
from city.layers import Device
from city.problem import CityError
from city.profile import load_city
from city.settings import settings

ACL, PASSWORDS, SERVICES = "acl", "passwords", "services.json"


def register(app: typer.Typer) -> None:
    app.command("acl", help="Права брокера по списку устройств / The broker's rights, from the device list")(acl)


def acl(
    to: Annotated[
        Path | None, typer.Option("--out", help="Папка, иначе GORODOK_HOME/broker / Folder, or GORODOK_HOME/broker")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Не писать, сказать, свежи ли / Write nothing, say whether they are fresh")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Итог в JSON / The result as JSON")] = False,
) -> None:
    """Write mosquitto's acl_file and password_file, and the services' passwords beside them.

    Exit code 1: no keys yet, or --check and the files are stale; 2: the city's folder is wrong.
    """
    folder = to or settings().home / "broker"
    files, logins = _made()
    stale = [name for name, text in files.items() if not (folder / name).is_file() or _read(folder / name) != text]
    if not check:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in files:
                _write(folder / name, files[name])
        except OSError as error:
            fail(f"--out: {error}", "name a folder of yours", 2)
    if as_json:
        print_json({"folder": folder, "files": list(files), "stale": stale, "users": [user.name for user in logins]})
    else:
        for name in files:
            mark = "устарел / stale" if check and name in stale else f"{len(logins)} логинов / logins"
            out.print(f"{folder / name}: {mark}", markup=False, soft_wrap=True)
    if check and stale:
        raise typer.Exit(1)


def _made() -> tuple[Mapping[str, str], list[User]]:
    try:
        city = load_city(settings())
        devices = [f.properties for f in features(city, "devices") if isinstance(f.properties, Device)]
        logins = users(city.code, devices)
    except (CityError, ValueError) as error:
        fail(str(error), "`gorodok city check` says more", 2)
    try:
        serials = read_record(settings().keys_dir).device_serials
        secret = broker_secret(settings().keys_dir)
    except KeysError as error:
        fail(error.message, error.remedy, 1)
    passwords = {user.name: broker_password(secret, user.name, serials.get(user.name, 0)) for user in logins}
    services = {user.name: passwords[user.name] for user in logins if not user.is_device}
    return {
        ACL: acl_file(logins),
        PASSWORDS: password_file(passwords, secret),
        SERVICES: json.dumps(services, indent=2) + "\n",
    }, logins


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _write(path: Path, text: str) -> None:
    """0600: mosquitto's user must own them (`chown mosquitto`), nobody else reads them."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
