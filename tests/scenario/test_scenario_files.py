"""Files: the shipped ones are right and explained; each way of breaking one is said with file, key, value, remedy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from actuation.scenario import schema
from actuation.scenario.explain import explain
from actuation.scenario.load import load_scenarios, read_scenario, read_yaml, scenario_files, scenario_problems
from actuation.scenario.program import Program
from apps.cli.main import app
from city.problem import CityError
from city.profile import read_profile
from city.settings import ROOT, settings

GORODOK = ROOT / "cities" / "gorodok"
SHIPPED = {
    "missile_alert", "uav_alert", "emergency_regime", "smart_crossing", "lamp_failed", "feed_silent", "water_burst",
    "all_clear", "monthly_drill", "device_unanswered",
}  # fmt: skip


@pytest.fixture
def town(tmp_path: Path) -> Path:
    folder = tmp_path / "cities" / "town"
    shutil.copytree(GORODOK, folder)
    return folder


def test_the_shipped_scenarios_are_right(program: Program) -> None:
    assert set(program.scenarios) == SHIPPED
    assert {code for code, one in program.scenarios.items() if one.mode != "live"} == {"monthly_drill"}


def test_the_schema_is_fresh_and_the_shipped_files_are_valid_by_it() -> None:
    assert not schema.is_stale(), "run python -m actuation.scenario.schema"
    validator = Draft202012Validator(json.loads(schema.PATH.read_text()))
    for path in scenario_files(GORODOK):
        first = path.read_text().splitlines()[0]
        assert first == "# yaml-language-server: $schema=../../../docs/scenario.schema.json", path.name
        assert (path.parent / first.split("=")[1]).resolve() == schema.PATH
        assert list(validator.iter_errors(read_yaml(path))) == [], path.name
    broken = {**read_yaml(scenario_files(GORODOK)[0]), "mood": "good"}
    assert list(validator.iter_errors(broken))


@pytest.mark.parametrize("path", scenario_files(GORODOK), ids=lambda path: path.stem)
def test_every_scenario_is_explained_in_both_languages(path: Path) -> None:
    said = explain(read_scenario(path))
    assert [part for part in ("when", "then", "end", "drill") if part in {one.part for one in said}] == [
        "when", "then", "end", "drill",
    ]  # fmt: skip
    for one in said:
        assert one.ru[0].isupper() or one.ru[0] in "«0123456789", one.ru
        assert one.ru.endswith("."), one.ru
        assert one.en.endswith("."), one.en
        assert any("а" <= letter <= "я" for letter in one.ru.lower())
        assert "None" not in one.ru + one.en


def test_a_comment_or_a_default_written_out_leaves_the_version(town: Path) -> None:
    path = town / "scenarios" / "missile_alert.yaml"
    before = read_scenario(path).version
    path.write_text(path.read_text().replace("mode: live", "mode: live # as ever\nper: entity"))
    assert read_scenario(path).version == before
    path.write_text(path.read_text().replace("max_hold_s: 10800", "max_hold_s: 10801"))
    assert read_scenario(path).version != before


BREAKS = [
    ("missile_alert", "mode: live", "mode: alive", "mode", "alive", "'live'"),
    ("missile_alert", "mode: live", "mode: live\nmood: good", "mood", "good", "misprint"),
    ("missile_alert", "kinds: [door]", "kinds: [gate]", "steps.0.command.kinds.0", "gate", "'door'"),
    ("missile_alert", "action: unlock", "action: lock", "action", "lock", "unlock"),
    ("missile_alert", "    then: {action: lock, after_s: 600}", "   ", "command.then", "missing", "stay_unlocked"),
    ("missile_alert", "[siren]", "[siren]\n    then: stay_unlocked", "command.then", "siren_on", "only unlock"),
    ("missile_alert", "repeat_s: 50", "repeat_s: 500", "repeat_s", "500", "shorter than lease_s"),
    ("missile_alert", "scenario: missile_alert", "scenario: rockets", "scenario", "rockets", "rename the file"),
    ("missile_alert", "name: sirens", "name: displays", "steps.name", "displays", "used twice"),
    ("missile_alert", "mode: live", "mode: live\nmode: drill", "", "mode", "put the line right"),
    ("missile_alert", "mode: live", "mode: live\nper: city", "per", "city", "run of its own"),
    ("missile_alert", "on: button #", "on: button\n    zones: [dma-9] #", "triggers.1.zones", "dma-9", "zones.geojson"),
    ("smart_crossing", "at_most: 2}", "at_most: two}", "at_most", "two", "number"),
    ("smart_crossing", "  quiet_s: 5", "  # quiet_s: 5", "keeps", "1 triggers", "add timers.quiet_s"),
    ("smart_crossing", "kinds: [lamp], where: site, level: 60", "devices: [lamp-9], level: 60", "steps.1.devices",
     "lamp-9", "devices.geojson"),
    ("lamp_failed", "service: street_light", "service: lights", "steps.0.service", "lights", "city.toml"),
    ("all_clear", "missile_alert, uav_alert", "missile, uav_alert", "steps.0.scenarios", "missile", "no such scenario"),
    ("feed_silent", "  max_hold_s: 86400", "  # none", "timers.max_hold_s", "missing", "add this key"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "old", "new", "key", "value", "remedy"), BREAKS, ids=[f"{b[0]}-{b[3]}" for b in BREAKS]
)
def test_each_break_is_found(town: Path, code: str, old: str, new: str, key: str, value: str, remedy: str) -> None:
    path = town / "scenarios" / f"{code}.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    problems = scenario_problems(read_profile(town))
    found = [one for one in problems if one.key.endswith(key) and value in one.value and remedy in one.remedy]
    assert found, problems
    assert found[0].file == f"scenarios/{code}.yaml"


def test_a_sensor_alone_never_opens_doors_live(town: Path) -> None:
    path = town / "scenarios" / "uav_alert.yaml"
    sensor = "triggers:\n  - {on: camera_event, class_names: [drone], confidence: 0.8}"
    path.write_text(path.read_text().replace("triggers:", sensor, 1))
    with pytest.raises(CityError, match="a sensor alone never opens doors"):
        read_scenario(path)
    path.write_text(path.read_text().replace("confidence: 0.8}", "confidence: 0.8, confirm_within_s: 60}"))
    assert read_scenario(path).scenario == "uav_alert"


def test_a_city_without_scenarios_has_none(town: Path) -> None:
    shutil.rmtree(town / "scenarios")
    assert load_scenarios(read_profile(town)).scenarios == {}


# The command


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setenv("GORODOK_CITIES_DIR", str(tmp_path / "cities"))
    monkeypatch.setenv("GORODOK_CITY", "town")
    monkeypatch.setenv("GORODOK_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    yield lambda *arguments, **more: CliRunner().invoke(app, list(arguments), **more)
    settings.cache_clear()


def test_check_says_no_and_city_check_too(cli, town: Path) -> None:  # type: ignore[no-untyped-def]
    assert cli("scenario", "check").exit_code == 0
    assert cli("city", "check", "town").exit_code == 0
    path = town / "scenarios" / "uav_alert.yaml"
    path.write_text(path.read_text().replace("mode: live", "mode: alive"))
    for arguments in (["scenario", "check", "--json"], ["scenario", "check", str(path), "--json"],
                      ["city", "check", "town", "--json"]):  # fmt: skip
        said = cli(*arguments)
        assert said.exit_code == 1
        assert [one["key"] for one in json.loads(said.stdout)["problems"]] == ["mode"]


def test_explain_prints_both_languages(cli, town: Path) -> None:  # type: ignore[no-untyped-def]
    said = cli("scenario", "explain", str(town / "scenarios" / "missile_alert.yaml"), env={"COLUMNS": "200"})
    assert said.exit_code == 0
    assert "Ракетная опасность / Missile alert" in said.stdout
    assert "другой человек должен подтвердить" in said.stdout
    assert "another person must confirm" in said.stdout
    everything = json.loads(cli("scenario", "explain", "--json").stdout)
    assert {one["scenario"] for one in everything} == SHIPPED
    assert cli("scenario", "explain", "nowhere.yaml").exit_code == 2


MESSAGE = {
    "feed": "alert", "identifier": "a", "sender": "edds", "sent": "2026-11-25T12:00:00+03:00", "status": "Actual",
    "msgType": "Alert", "scope": "Public",
    "info": [{"language": "ru-RU", "category": ["Safety"], "event": "Ракетная опасность", "urgency": "Immediate",
              "severity": "Extreme", "certainty": "Likely", "expires": "2026-11-25T12:03:00+03:00",
              "area": [{"areaDesc": "x", "circle": ["57.598,39.885 0.2"]}]}],
}  # fmt: skip


def test_simulate_prints_the_timeline_of_given_events(cli, town: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    events = tmp_path / "events.jsonl"
    events.write_text(json.dumps(MESSAGE) + "\n")
    said = cli("scenario", "simulate", "--events", str(events), "--json")
    assert said.exit_code == 0, said.output
    done = [(one["what"], one["target"], one["mode"]) for line in json.loads(said.stdout) for one in line["effects"]]
    assert done[0] == ("unlock", "dma-1/door", "live")
    assert done[-1] == ("lock", "dma-1/door", "live")
    untrusted = cli("scenario", "simulate", "--events", str(events), "--trust", "none", "--json")
    acted = [one for line in json.loads(untrusted.stdout) for one in line["effects"] if one["what"] != "notify"]
    assert {one["mode"] for one in acted} == {"shadow"}
    assert cli("scenario", "simulate", "--events", str(events)).exit_code == 0


def test_simulate_says_what_is_wrong_with_its_input(cli, town: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    events = tmp_path / "events.jsonl"
    events.write_text(json.dumps(MESSAGE) + '\n{"feed": "alert"}\n')
    wrong = cli("scenario", "simulate", "--events", str(events), env={"COLUMNS": "300"})
    assert wrong.exit_code == 2
    assert "line 2" in wrong.stderr
    assert cli("scenario", "simulate").exit_code == 2
    assert cli("scenario", "simulate", "--events", str(events), "--trust", "much").exit_code == 2
    assert cli("scenario", "simulate", "--at", "yesterday", "today").exit_code == 2


@pytest.mark.slow
def test_simulate_takes_landed_events_of_the_lake(cli, town: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from ingest.intake import Intake
    from ingest.parcel import Parcel
    from warehouse.load import load_segments

    found = settings()
    body = {name: value for name, value in MESSAGE.items() if name != "feed"}
    with Intake(found, writer="test") as intake:
        intake.submit(Parcel("alert", "test", json.dumps(body).encode()))
        intake.flush()
        intake.seal()
    load_segments(found, ["alert"])
    window = ("--at", "2026-11-25T08:00:00+00:00", "2026-11-25T10:00:00+00:00")
    said = cli("scenario", "simulate", *window, "--json")
    assert said.exit_code == 0, said.output
    done = [(one["what"], one["target"]) for line in json.loads(said.stdout) for one in line["effects"]]
    assert ("unlock", "dma-1/door") in done
    assert ("lock", "dma-1/door") in done
