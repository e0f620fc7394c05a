"""city.toml: what is read, and what an error says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from city.geometry import features
from city.problem import CityError
from city.profile import load_city, read_profile
from city.settings import ROOT, Settings

GORODOK = ROOT / "cities" / "gorodok"


def changed(tmp_path: Path, old: str, new: str) -> Path:
    folder = tmp_path / "town"
    folder.mkdir()
    text = (GORODOK / "city.toml").read_text()
    assert old in text
    (folder / "city.toml").write_text(text.replace(old, new, 1))
    return folder


def test_gorodok_is_what_its_files_say():
    city = load_city(Settings(city="gorodok"))
    assert (city.code, city.name.ru, city.timezone.key) == ("gorodok", "Городок", "Europe/Moscow")
    assert city.population == sum(house.properties.residents for house in features(city, "buildings"))
    assert {service.owner for service in city.services} <= set(city.owners)


def test_every_contract_has_an_owner_in_gorodok():
    from ingest.contracts import CONTRACTS

    wanted = {contract.spec.owner for contract in CONTRACTS.values() if contract.spec.origin != "platform"}
    assert wanted <= set(load_city(Settings(city="gorodok")).owners)


@pytest.mark.parametrize(
    ("old", "new", "key", "value", "remedy"),
    [
        ("population =", "populaton =", "populaton", "4866", "misprint"),
        ('"Europe/Moscow"', '"Moscow"', "time_zone", "'Moscow'", "Europe/Moscow"),
        (
            "loss_share_target = 0.15",
            "loss_share_target = 15",
            "norms.water.loss_share_target",
            "15",
            "less than or equal",
        ),
        ("south = 57.58", "south = 57.7", "bounds", "57.7", "swap"),
        ("latitude = 57.6", "latitude = 5.76", "centre", "5.76", "outside bounds"),
        ('night_from = "02:00"', 'night_from = "25:00"', "norms.water.night_from", "'25:00'", "pattern"),
        ('owner = "water"', 'owner = "watr"', "services.water_leak.owner", "watr", "[owners]"),
        ('code = "no_water"', 'code = "water_leak"', "services.code", "water_leak", "keep one"),
    ],
)
def test_error_names_file_key_value_and_remedy(tmp_path, old, new, key, value, remedy):
    with pytest.raises(CityError) as caught:
        read_profile(changed(tmp_path, old, new))
    problem = next(one for one in caught.value.problems if one.key == key)
    assert problem.file == "city.toml"
    assert value in problem.value
    assert remedy in problem.remedy
    assert all(word in str(caught.value) for word in ("city.toml", remedy))


def test_no_city_says_how_to_make_one(tmp_path):
    with pytest.raises(CityError, match="gorodok city new nowhere"):
        load_city(Settings(city="nowhere", cities_dir=tmp_path))


def test_no_toml_is_a_problem_too(tmp_path):
    (tmp_path / "city.toml").write_bytes(b"name = \xff")
    with pytest.raises(CityError, match="not TOML"):
        read_profile(tmp_path)


def test_code_is_the_folder(tmp_path):
    shutil.copytree(GORODOK, tmp_path / "other")
    assert load_city(Settings(city="other", cities_dir=tmp_path)).code == "other"
