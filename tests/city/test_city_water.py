"""water.toml: defaults without a file, errors with key and remedy, what the lake is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from city.check import check_city
from city.problem import CityError
from city.profile import load_city, read_profile
from city.settings import ROOT, Settings
from city.water import WaterPlan, balance_facts, load_water

GORODOK = ROOT / "cities" / "gorodok"


@pytest.fixture
def town(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GORODOK, tmp_path / "town"))


def test_without_a_file_there_are_defaults(town: Path) -> None:
    (town / "water.toml").unlink()
    assert load_water(read_profile(town)) == WaterPlan()
    assert check_city(town) == []
    zones = json.loads(balance_facts(read_profile(town)))["zones"]
    assert [zone["zone_id"] for zone in zones] == ["dma-1", "dma-2", "dma-3"]
    assert all(zone["residents"] > 0 and "mains_km" not in zone for zone in zones)


def test_gorodok_tells_norms_and_zones() -> None:
    facts = json.loads(balance_facts(load_city(Settings(city="gorodok"))))
    assert facts["norms"]["tariff_rub_m3"] == 32.0
    assert sum(zone["residents"] for zone in facts["zones"]) == load_city(Settings(city="gorodok")).population
    assert all(zone["mains_km"] > 0 for zone in facts["zones"])


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[zones.dma-1]\nmains_km = -1\n", "zones.dma-1.mains_km"),
        ("[zones.dma-1]\nmain_km = 1\n", "zones.dma-1.main_km"),
    ],
)
def test_a_wrong_value_is_named(town: Path, text: str, key: str) -> None:
    (town / "water.toml").write_text(text)
    with pytest.raises(CityError) as error:
        load_water(read_profile(town))
    assert error.value.problems[0].key == key
    assert [problem.key for problem in check_city(town)] == [key]


def test_a_zone_that_is_not_on_the_map_is_a_problem(town: Path) -> None:
    (town / "water.toml").write_text("[zones.dma-9]\nmains_km = 1\n")
    [problem] = check_city(town)
    assert (problem.file, problem.key) == ("water.toml", "zones.dma-9")
