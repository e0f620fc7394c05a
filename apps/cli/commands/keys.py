"""`gorodok keys`: makes, rotates, revokes and shows the keys of the reflexes, and provisions one device."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from actuation.keys import KeyRing, KeysError, change
from actuation.keys.identity import identity
from actuation.keys.record import Record
from actuation.keys.ring import read_record
from apps.cli.output import fail, out, print_json, print_table
from city.geometry import features
from city.layers import Device
from city.problem import CityError
from city.profile import load_city
from city.settings import Settings, settings

keys = typer.Typer(
    no_args_is_help=True, help="Ключи подписи команд и ключи устройств / Keys that sign commands, keys of devices"
)

AsJson = Annotated[bool, typer.Option("--json", help="Итог в JSON / The result as JSON")]
Root = Annotated[
    Path | None, typer.Option(help="Корневой ключ, если он хранится не в папке ключей / The root key, kept elsewhere")
]


def register(app: typer.Typer) -> None:
    app.add_typer(keys, name="keys")


@keys.command("new")
def new(as_json: AsJson = False) -> None:
    """Make the first keys of the city under GORODOK_HOME/keys. Exit code 1: there are some; none is overwritten."""
    _do(lambda folder: change.create(folder, settings().city), as_json)
    if not as_json:
        out.print(f"{settings().keys_dir / 'root.key'}: перенесите в сейф / move it to a safe", markup=False)


@keys.command("rotate")
def rotate(
    after: Annotated[
        float, typer.Option(min=0, help="Часов до первой подписи новым ключом / Hours before the new key signs")
    ] = change.OVERLAP / timedelta(hours=1),
    devices: Annotated[
        bool, typer.Option("--devices", help="Новое поколение ключей устройств / A new generation of devices' keys")
    ] = False,
    root: Root = None,
    as_json: AsJson = False,
) -> None:
    """Add a signer: devices learn it at once, it signs after --after, the old one stays good until revoked."""
    if devices:
        _do(change.rotate_devices, as_json)
    else:
        _do(lambda folder: change.rotate(folder, timedelta(hours=after), root), as_json)


@keys.command("revoke")
def revoke(
    kid: Annotated[str | None, typer.Argument(metavar="KID", help="Ключ подписи / A signer")] = None,
    device: Annotated[
        str | None, typer.Option(help="Ключ одного устройства (украдено) / One device's key (stolen)")
    ] = None,
    generation: Annotated[
        int | None, typer.Option(help="Поколение ключей устройств / A generation of devices' keys")
    ] = None,
    root: Root = None,
    as_json: AsJson = False,
) -> None:
    """Make a key worthless: a signer, one device's key, or a generation of them. Exit code 1: it cannot be."""
    if sum(each is not None for each in (kid, device, generation)) != 1:
        fail("one of KID, --device and --generation is needed", "`gorodok keys show` lists them", 2)
    if kid is not None:
        _do(lambda folder: change.revoke(folder, kid, root), as_json)
    elif device is not None:
        _do(lambda folder: change.revoke_device(folder, device), as_json)
    elif generation is not None:
        _do(lambda folder: change.revoke_generation(folder, generation), as_json)


@keys.command("show")
def show(as_json: AsJson = False) -> None:
    """Show which keys there are and which one signs; no secret is printed. Exit code 1: there are none, or not safe."""

    def read(folder: Path) -> Record:
        KeyRing(folder)  # every file is looked at, its rights too
        return read_record(folder)

    _do(read, as_json)


@keys.command("export")
def export(
    device_id: Annotated[str, typer.Argument(metavar="DEVICE", help="Устройство города / A device of the city")],
    lease_end: Annotated[
        str, typer.Option(help="relock | stay_open: дверь, когда команда истекла / a door when its command has ended")
    ] = "relock",
    to: Annotated[Path | None, typer.Option("--out", help="Файл (0600) / A file (0600)")] = None,
) -> None:
    """Print what one device must be given: its name, its own key, whom it obeys. It is a secret."""
    if lease_end not in ("relock", "stay_open"):
        fail(f"--lease-end: {lease_end!r} is unknown", "use relock or stay_open", 2)
    device = _device(device_id)
    try:
        said = identity(KeyRing.load(settings()), device, "stay_open" if lease_end == "stay_open" else "relock")
    except KeysError as error:
        fail(error.message, error.remedy, 1)
    if to is None:
        print_json(said)
        return
    try:
        _write(to, json.dumps(said, ensure_ascii=False, indent=2).encode() + b"\n")
    except OSError as error:
        fail(f"--out: {error}", "name a file in a folder of yours", 2)
    out.print(str(to), markup=False)


@keys.command("identities")
def identities(
    to: Annotated[Path, typer.Option("--out", help="Файл (0600) / A file (0600)")],
) -> None:
    """Write the identity of every device that acts, one JSON line each: for the simulator and for a workshop."""
    try:
        count = write_identities(settings(), to)
    except KeysError as error:
        fail(error.message, error.remedy, 1)
    out.print(f"{to}: {count}", markup=False)


def write_identities(found: Settings, to: Path) -> int:
    """The file of the simulator's devices; gives how many. KeysError when there are no keys."""
    ring = KeyRing.load(found)
    devices = [each.properties for each in features(load_city(found), "devices")]
    lines = [json.dumps(identity(ring, each), ensure_ascii=False) for each in devices if each.actions]
    to.parent.mkdir(parents=True, exist_ok=True)
    _write(to, ("\n".join(lines) + "\n").encode())
    return len(lines)


def _write(path: Path, data: bytes) -> None:
    """0600 from the first byte, in a folder that may be open to others."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(data)


def _device(device_id: str) -> Device:
    try:
        found = (feature.properties for feature in features(load_city(settings()), "devices"))
        known = {device.device_id: device for device in found if isinstance(device, Device)}
    except CityError as error:
        fail(str(error), "`gorodok city check` says more", 2)
    if device_id not in known:
        fail(f"no device is called {device_id!r}", f"cities/{settings().city}/devices.geojson lists them", 2)
    return known[device_id]


def _do(work: Callable[[Path], Record], as_json: bool) -> None:
    try:
        record = work(settings().keys_dir)
    except KeysError as error:
        fail(error.message, error.remedy, 1)
    said = _said(record)
    if as_json:
        print_json(said)
        return
    print_table(said["signers"], ["kid", "state", "signs_now", "signs_from", "created"], "Подпись / Signers")
    print_table(said["generations"], ["generation", "state", "created"], "Ключи устройств / Devices' keys")


def _said(record: Record) -> dict[str, Any]:
    signing = record.signing(datetime.now(UTC))
    return {
        "city": record.city,
        "root": record.root_public,
        "keyset": record.keyset_seq,
        "signers": [
            {
                "kid": signer.kid,
                "public": signer.public,
                "state": "revoked" if signer.revoked else "good",
                "signs_now": signer == signing,
                "signs_from": signer.signs_from,
                "created": signer.created,
            }
            for signer in record.signers
        ],
        "generations": [
            {"generation": m.generation, "state": "revoked" if m.revoked else "good", "created": m.created}
            for m in record.masters
        ],
        "renewed_devices": record.device_serials,
    }
