"""What each feed says about itself is true of its fields; a feed is found by being there."""

from __future__ import annotations

import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ingest.contracts
from ingest.contracts import CONTRACTS
from ingest.derive.arrow import ENVELOPE, TIME, landing_schema
from ingest.derive.fields import LINEAGE, columns_of, fields_of
from warehouse.tables import raw_columns

FEEDS = tuple(CONTRACTS)
UNIT_SUFFIXES = {"_m3": "m3", "_kwh": "kWh", "_m_s": "m/s", "_deg": "deg", "_v": "V", "_rub": "RUB", "_m3_h": "m3/h"}


def test_every_module_of_the_folder_is_a_feed() -> None:
    modules = {info.name for info in pkgutil.iter_modules(ingest.contracts.__path__)} - {"contract"}
    assert modules == set(CONTRACTS)


def test_the_feeds_that_the_platform_promises_are_there() -> None:
    promised = {"meter_reading", "scada_reading", "vehicle_position", "camera_event", "complaint", "alert"}
    assert promised | {"ledger_entry", "incident", "quarantine"} <= set(CONTRACTS)


def test_a_contract_in_a_module_of_another_name_is_refused(tmp_path: Path) -> None:
    package = tmp_path / "ingest" / "contracts"
    package.mkdir(parents=True)
    for path in Path(ingest.contracts.__path__[0]).glob("*.py"):
        (package / path.name).write_text(path.read_text("utf-8"), "utf-8")
    (tmp_path / "ingest" / "__init__.py").touch()
    (package / "alert.py").rename(package / "alarm.py")
    run = subprocess.run(
        [sys.executable, "-c", "import ingest.contracts"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "the contract's code is 'alert'; name the module after it" in run.stderr


@pytest.mark.parametrize("feed", FEEDS)
def test_key_event_time_entity_and_sequence_are_fields(feed: str) -> None:
    spec = CONTRACTS[feed].spec
    fields = set(CONTRACTS[feed].model_fields)
    named = {*spec.key, spec.event_time, spec.entity, *(spec.sequence or ())}
    assert named <= fields, f"{feed}: {sorted(named - fields)} are no fields of the contract"
    assert landing_schema(feed).field(spec.event_time).type == TIME
    required = {field.name for field in fields_of(feed) if field.required}
    assert {spec.event_time, spec.entity} <= required, "a row without its time or its thing cannot be used"
    assert spec.key[0] in required


@pytest.mark.parametrize("feed", FEEDS)
def test_no_field_has_the_name_of_a_column_that_the_platform_adds(feed: str) -> None:
    taken = {*ENVELOPE.names, *LINEAGE} & set(CONTRACTS[feed].model_fields)
    assert not taken, f"{feed}: {sorted(taken)} would be two columns of one name: rename the field"


@pytest.mark.parametrize("feed", FEEDS)
def test_a_feed_says_what_a_person_needs(feed: str) -> None:
    spec = CONTRACTS[feed].spec
    assert re.fullmatch(r"[a-z][a-z0-9_]*", spec.code)
    assert spec.grain.startswith("one row per ")
    assert re.search("[а-яА-Я]", spec.title_ru), "titles are Russian first"
    assert spec.title_en
    assert spec.owner
    assert spec.ahead_s > 0
    assert spec.behind_s > 0


@pytest.mark.parametrize("feed", FEEDS)
def test_every_field_has_a_meaning_and_a_unit_where_its_name_has_one(feed: str) -> None:
    for field in fields_of(feed):
        assert field.description, f"{feed}.{field.name} has no description"
        suffixes = [suffix for suffix in UNIT_SUFFIXES if field.name.endswith(suffix)]
        if field.kind in ("number", "whole number") and suffixes:
            assert field.unit == UNIT_SUFFIXES[max(suffixes, key=len)], f"{feed}.{field.name}"


@pytest.mark.parametrize("feed", FEEDS)
def test_described_columns_are_the_columns_of_the_raw_table(feed: str) -> None:
    assert [name for name, _ in columns_of(feed)] == list(raw_columns(feed))
