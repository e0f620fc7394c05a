"""`cities/<code>/scenarios/*.yaml` read and checked against the city; CityError names file, key, value and remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from actuation.scenario.model import Scenario
from actuation.scenario.program import Program
from actuation.scenario.step import CommandStep, EndStep, ShowStep, TaskStep
from actuation.scenario.town import Town, load_town
from city.problem import CityError, Problem, from_validation, shown
from city.profile import City

FOLDER = "scenarios"


def load_scenarios(city: City) -> Program:
    """The city's program; empty where the city has no scenarios."""
    town = load_town(city)
    found, problems = [], []
    for path in scenario_files(city.folder):
        try:
            scenario = read_scenario(path)
        except CityError as error:
            problems += error.problems
        else:
            found.append(scenario)
            problems += check_against(scenario, town, f"{FOLDER}/{path.name}")
    codes = {path.stem for path in scenario_files(city.folder)}
    for scenario in found:
        problems += _references(scenario, codes)
    if problems:
        raise CityError(problems)
    return Program.of(found, town)


def scenario_problems(city: City) -> list[Problem]:
    """What is wrong with the city's scenarios; empty when nothing is."""
    try:
        load_scenarios(city)
    except CityError as error:
        return error.problems
    return []


def scenario_files(folder: Path) -> list[Path]:
    return sorted((folder / FOLDER).glob("*.yaml"))


def read_scenario(path: Path) -> Scenario:
    """One file by its model; CityError where it is wrong."""
    file, raw = f"{FOLDER}/{path.name}", read_yaml(path)
    if not isinstance(raw, dict):
        raise CityError([Problem(file, "", shown(raw), "a scenario is a mapping of keys: see docs/scenarios.md")])
    try:
        scenario = Scenario.model_validate(raw)
    except ValidationError as error:
        raise CityError(from_validation(file, error)) from error
    if scenario.scenario != path.stem:
        raise CityError([Problem(file, "scenario", scenario.scenario, f"write {path.stem}, or rename the file")])
    return scenario


def read_yaml(path: Path) -> Any:
    """The file as data. Only true and false are booleans (so `on` is a word), and a key twice is an error."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_Strict)  # noqa: S506 a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())
        raise CityError([Problem(f"{FOLDER}/{path.name}", "", said, "not YAML: put the line right")]) from error


def check_against(scenario: Scenario, town: Town, file: str) -> Iterator[Problem]:
    """Devices, zones and services that the scenario names are the city's."""
    for where, triggers in (("triggers", scenario.triggers), ("keeps", scenario.keeps), ("ends", scenario.ends)):
        for index, trigger in enumerate(triggers):
            for zone in trigger.zones:
                if zone not in town.zones:
                    yield Problem(file, f"{where}.{index}.zones", zone, "not in zones.geojson: correct it")
    for index, step in enumerate(scenario.steps):
        if isinstance(step, CommandStep | ShowStep):
            action = "show" if isinstance(step, ShowStep) else step.action
            for device_id in step.devices:
                device = town.devices.get(device_id)
                if device is None or action not in device.actions:
                    remedy = f"not in devices.geojson, or does not take {action}: correct it"
                    yield Problem(file, f"steps.{index}.devices", device_id, remedy)
            kinds = () if isinstance(step, ShowStep) else step.kinds
            for kind in kinds:
                if not any(found == (kind, action) for _, *rest in town.acting for found in [tuple(rest)]):
                    remedy = f"no {kind} of devices.geojson takes {action}: add the device, or remove the step"
                    yield Problem(file, f"steps.{index}.kinds", kind, remedy)
        if isinstance(step, TaskStep) and step.service not in town.services:
            yield Problem(file, f"steps.{index}.service", step.service, "not in [[services]] of city.toml: add it")


def _references(scenario: Scenario, codes: set[str]) -> Iterator[Problem]:
    for index, step in enumerate(scenario.steps):
        for code in step.scenarios if isinstance(step, EndStep) else ():
            if code not in codes:
                remedy = "no such scenario in this folder: add it, or remove it here"
                yield Problem(f"{FOLDER}/{scenario.scenario}.yaml", f"steps.{index}.scenarios", code, remedy)


class _Strict(yaml.SafeLoader):
    """YAML without surprises: a key twice is an error; `on` and `no` are words, 10:30 is text."""


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key, _ in node.value:
        name = loader.construct_object(key, deep=True)
        if name in seen:
            raise yaml.constructor.ConstructorError(None, None, f"key {name!r} is written twice", key.start_mark)
        seen.add(name)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=deep)


_Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_Strict.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag.rsplit(":", 1)[1] not in ("bool", "int", "timestamp")]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Strict.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_Strict.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))
