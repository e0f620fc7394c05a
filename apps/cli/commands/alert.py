"""`gorodok alert`: our certificate, the sources that the city believes, and what would become of an alert or a text."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from actuation.cap import (
    Accepted,
    CapSource,
    CapSources,
    CapSourcesError,
    Ignored,
    SeenAlerts,
    Verdict,
    ZoneIndex,
    judge,
    load_cap_sources,
)
from actuation.cap.out import CapKey, CapKeyError, key_folder, make_cap_key
from actuation.cap.out.certificate import CERTIFICATE
from actuation.cap.pins import PinError
from actuation.cap.text import TextRulesError, load_text_rules, read_text
from apps.cli.commands.reflex import send
from apps.cli.output import BAD, NO, fail, print_json, print_table
from city.profile import load_city
from city.settings import settings
from ingest.cap import UnsafeXmlError, split

Json = Annotated[bool, typer.Option("--json", help="Ответ в JSON / The answer as JSON")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Оповещения CAP / CAP alerts", no_args_is_help=True)
    group.command("cert", help="Наш сертификат для получателей / Our certificate, for receivers to pin")(cert)
    group.command("sources", help="Кому город верит / Whom the city believes, and until when")(sources)
    group.command("check", help="Что стало бы с оповещением / What would become of an alert; nothing acts")(check)
    group.command("text", help="Что стало бы с текстом / What would become of a text; nothing acts")(text)
    group.command("send", help="Отправить CAP и показать решение / Send CAP and show the verdict")(send)
    app.add_typer(group, name="alert")


def cert(
    new: Annotated[
        bool, typer.Option("--new", help="Заменить ключ / Replace the key; receivers must pin again")
    ] = False,
    days: Annotated[int, typer.Option(min=1, max=3_650, help="Срок, дней / Valid for so many days")] = 730,
    as_json: Json = False,
) -> None:
    """Makes the key when there is none; prints where the certificate lies and its SHA-256."""
    folder = key_folder(settings())
    try:
        if new or not (folder / CERTIFICATE).exists():
            city = load_city(settings())
            make_cap_key(folder, f"Gorodok CAP sender: {city.code}", days, replace=new)
        key = CapKey.load(folder)
    except CapKeyError as error:
        fail(str(error), "", BAD)
    row = {
        "certificate": folder / CERTIFICATE,
        "sha256": key.fingerprint,
        "valid_until": key.certificate.not_valid_after_utc,
    }
    if as_json:
        print_json(row)
    else:
        print_table([[name, value] for name, value in row.items()], ["", ""])


def sources(as_json: Json = False) -> None:
    """Exit code 0: all is well; 1: a certificate is missing, lapsed or lapses within 30 days; 2: the file is wrong."""
    now = datetime.now(UTC)
    rows = [row for source in _sources().source for row in _rows(source, now)]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, ["source", "trust", "senders", "certificate", "sha256", "valid_until", "warning"])
    if any(row["warning"] for row in rows):
        raise typer.Exit(NO)


def check(
    file: Annotated[Path, typer.Argument(help="Файл XML / An XML file", exists=True, dir_okay=False)],
    source: Annotated[str, typer.Option(help="Код источника / Code of the source")] = "cap",
    at: Annotated[datetime | None, typer.Option(help="Как если бы в это время, UTC / As if at this time, UTC")] = None,
    as_json: Json = False,
) -> None:
    """Exit code 0: every alert of the file is accepted; 1: one is not; 2: wrong usage."""
    found = _sources()
    known = _source(found, source)
    zones = ZoneIndex.of(load_city(settings()), found.geocodes)
    now = at.replace(tzinfo=UTC) if at is not None else datetime.now(UTC)
    data = file.read_bytes()
    try:
        parts = split(data) or [data]
    except UnsafeXmlError:
        parts = [data]
    verdicts = [judge(part, known, zones, SeenAlerts(), now) for part in parts]
    rows = [_verdict(verdict) for verdict in verdicts]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, ["verdict", "key", "trust", "zones", "told"])
    if not all(isinstance(verdict, Accepted) for verdict in verdicts):
        raise typer.Exit(NO)


def text(
    words: Annotated[str, typer.Argument(help="Текст сообщения / The message's text")],
    source: Annotated[str, typer.Option(help="Код источника / Code of the source")] = "channel",
    as_json: Json = False,
) -> None:
    """Exit code 0: the text makes a draft; 1: it makes none; 2: wrong usage."""
    found = _sources()
    known = _source(found, source)
    try:
        rules = load_text_rules(settings())
    except TextRulesError as error:
        fail(str(error), "", BAD)
    if rules is None:
        fail("this city reads no texts", "write cities/<city>/alert_rules.yaml: see docs/alerts.md")
    zones = ZoneIndex.of(load_city(settings()), found.geocodes)
    drafts = read_text(words, known, rules, zones, datetime.now(UTC))
    rows = [
        {
            "rule": draft.rule,
            "status": draft.alert["status"],
            "event": draft.alert["info"][0]["event"],
            "zones": " ".join(draft.zones),
            "acts": draft.acts,
            "doubts": "; ".join(draft.doubts),
        }
        for draft in drafts
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, ["rule", "status", "event", "zones", "acts", "doubts"])
    if not drafts:
        raise typer.Exit(NO)


def _sources() -> CapSources:
    try:
        return load_cap_sources(settings())
    except CapSourcesError as error:
        fail(str(error), "", BAD)


def _source(sources: CapSources, code: str) -> CapSource:
    """The source of that code; ends the command where there is none."""
    known = sources.of(code)
    if known is None:
        codes = ", ".join(each.code for each in sources.source) or "none"
        fail(f"--source: no source is called {code!r}", f"alert_sources.toml has {codes}")
    return known


def _rows(source: CapSource, now: datetime) -> list[dict[str, Any]]:
    """One row a certificate; one for a source that has none."""
    common = {"source": source.code, "trust": source.trust, "senders": ", ".join(source.senders) or "*"}
    try:
        pins = list(source.pins)
    except PinError as error:
        return [{**common, "certificate": None, "sha256": None, "valid_until": None, "warning": str(error)}]
    rows = [
        {
            **common,
            "certificate": pin.path.name,
            "sha256": pin.fingerprint,
            "valid_until": pin.certificate.not_valid_after_utc,
            "warning": pin.warning(now),
        }
        for pin in pins
    ]
    missing = "the certificate is not there yet" if source.certificates else None
    return rows or [{**common, "certificate": None, "sha256": None, "valid_until": None, "warning": missing}]


def _verdict(verdict: Verdict) -> dict[str, Any]:
    if isinstance(verdict, Accepted):
        told = "; ".join(verdict.remarks)
        trust = verdict.event.trust
        zones = " ".join(verdict.zones)
        return {"verdict": "accepted", "key": verdict.key, "trust": trust, "zones": zones, "told": told}
    if isinstance(verdict, Ignored):
        return {"verdict": verdict.why, "key": verdict.key, "trust": None, "zones": None, "told": None}
    value = f" ({verdict.field}: {verdict.value})" if verdict.field and verdict.value else ""
    told = f"{verdict.told}{value}"
    return {"verdict": verdict.reason, "key": verdict.key, "trust": None, "zones": None, "told": told}
