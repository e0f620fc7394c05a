"""What is derived from the contracts is checked in and fresh, and is what it claims to be."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from ingest.contracts import CONTRACTS
from ingest.decode import Decoder
from ingest.derive import examples, files
from ingest.derive.asyncapi import asyncapi
from ingest.derive.dbt_sources import dbt_sources
from ingest.derive.docs_page import duration, page_of
from ingest.derive.json_schema import json_schema_of
from ingest.topics import PREFIX, feed_of

# AsyncAPI's own schema of its documents (Apache-2.0):
# github.com/asyncapi/spec-json-schemas, schemas/3.0.0-without-$id.json
ASYNCAPI_SCHEMA = Path(__file__).with_name("asyncapi-3.0.0.schema.json.gz")


def test_generated_files_are_fresh() -> None:
    stale = [str(path.relative_to(files.ROOT)) for path in files.stale()]
    assert stale == [], "run `python -m ingest.derive` and commit what it writes"


def test_the_command_says_the_same() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "ingest.derive", "--check"], cwd=files.ROOT, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (0, "")


def test_a_changed_a_missing_and_an_orphaned_file_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CONTRACT_DOCS", tmp_path / "contracts")
    files.write_all()
    assert files.stale() == []
    (tmp_path / "contracts" / "alert.md").write_text("edited by hand", "utf-8")
    (tmp_path / "contracts" / "index.md").unlink()
    (tmp_path / "contracts" / "gone_feed.md").touch()
    assert [path.name for path in files.stale()] == ["alert.md", "gone_feed.md", "index.md"]
    files.write_all()
    assert files.stale() == []
    assert not (tmp_path / "contracts" / "gone_feed.md").exists()


@pytest.mark.parametrize("feed", list(CONTRACTS))
def test_the_example_of_the_page_goes_through_the_contract(feed: str) -> None:
    page = page_of(feed)
    (example,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    decoded = Decoder(CONTRACTS[feed]).decode(example.encode())
    assert decoded.rejects == []
    jsonschema.validate(json.loads(example), json_schema_of(feed))
    for field in CONTRACTS[feed].model_fields:
        assert f"`{field}`" in page


def test_an_example_is_made_where_none_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "EXAMPLES", tmp_path)
    for feed in CONTRACTS.keys() - {"meter_reading", "ledger_entry"}:  # a rule between fields, a pattern
        assert examples.example_of(feed)
    with pytest.raises(ValueError, match=r"Write one that validates to .*meter_reading\.json"):
        examples.example_of("meter_reading")


@pytest.mark.parametrize("feed", list(CONTRACTS))
def test_json_schema_is_json_schema(feed: str) -> None:
    schema = json_schema_of(feed)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False


class TestAsyncApi:
    def test_it_follows_the_specifications_own_schema(self) -> None:
        official = json.loads(gzip.decompress(ASYNCAPI_SCHEMA.read_bytes()))
        validator = jsonschema.Draft7Validator(official)
        assert [error.message for error in validator.iter_errors(asyncapi())] == []
        broken = asyncapi()
        broken["channels"]["alert"]["adress"] = "a typo must not pass"
        assert list(validator.iter_errors(broken))

    def test_every_reference_leads_somewhere(self) -> None:
        document = asyncapi()
        references = list(_references(document))
        assert len(references) > 30
        for reference in references:
            found: Any = document
            for part in reference.removeprefix("#/").split("/"):
                assert part in found, f"{reference} leads nowhere"
                found = found[part]

    def test_the_address_is_the_topic_that_the_gateway_understands(self) -> None:
        for feed, channel in asyncapi()["channels"].items():
            names = re.findall(r"{(\w+)}", channel["address"])
            assert set(names) == set(channel["parameters"])
            filled = channel["address"].replace("{city}", "gorodok").replace(f"{{{names[1]}}}", "bus-17")
            assert filled == f"{PREFIX}/gorodok/{feed}/bus-17"
            assert feed_of(filled) == feed

    def test_devices_publish_and_the_platform_receives(self) -> None:
        actions = {name: operation["action"] for name, operation in asyncapi()["operations"].items()}
        assert actions["receive_vehicle_position"] == "receive"
        devices = {feed for feed, contract in CONTRACTS.items() if contract.spec.origin == "device"}
        assert devices <= set(asyncapi()["channels"])
        assert "quarantine" not in asyncapi()["channels"]

    @pytest.mark.parametrize("feed", ["vehicle_position", "alert", "complaint"])
    def test_payload_takes_one_message_or_an_array(self, feed: str) -> None:
        document = asyncapi()
        schema = document["components"]["messages"][feed]["payload"] | {"components": document["components"]}
        example = examples.example_of(feed)
        jsonschema.Draft7Validator(schema).validate(example)
        jsonschema.Draft7Validator(schema).validate([example, example])
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft7Validator(schema).validate(example | {"unknown": 1})

    def test_the_file_holds_the_document(self) -> None:
        assert yaml.safe_load((files.CONTRACT_DOCS / "asyncapi.yaml").read_text("utf-8")) == asyncapi()


def _references(node: Any) -> Any:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)


def test_dbt_sources_test_only_what_can_not_be_null() -> None:
    tables = {table["name"]: table for table in dbt_sources()["sources"][0]["tables"]}
    assert set(tables) == set(CONTRACTS)
    tested = {column["name"] for column in tables["trip_update"]["columns"] if "data_tests" in column}
    assert tested == {"trip_id", "timestamp", "event_at", "received_at", "clock_status"}
    battery = next(column for column in tables["meter_reading"]["columns"] if column["name"] == "battery_v")
    assert battery["description"] == "Battery of the radio module. Unit: V."


@pytest.mark.parametrize(("seconds", "words"), [(7200, "2 h"), (90, "90 s"), (86400, "1 d"), (120, "2 min")])
def test_durations_read_well(seconds: int, words: str) -> None:
    assert duration(seconds) == words
