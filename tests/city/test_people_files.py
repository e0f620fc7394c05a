"""contacts.toml and roles.toml: who is called, who may press, and what is wrong with a file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from city.check import check_city
from city.contacts import load_contacts
from city.problem import CityError
from city.roles import Roles, load_roles

CITY = Path(__file__).resolve().parents[2] / "cities" / "gorodok"


def test_a_device_has_its_own_contact_else_its_houses_else_the_citys() -> None:
    contacts = load_contacts(CITY)
    lamp, house, other = (
        contacts.of(device_id="lamp-crossing-01", building_id="b-011"),
        contacts.of(device_id="door-shelter-01", building_id="b-011"),
        contacts.of(device_id="siren-dma-1", building_id="b-001"),
    )
    assert lamp is not None
    assert "Горсвет" in lamp.name
    assert str(house) == "Смирнова Анна Павловна, комендант, +7 4850 55-01-21"
    assert other == contacts.otherwise


def test_a_role_comes_from_the_claim_or_the_mail_and_the_highest_counts() -> None:
    roles = Roles(claim="groups", groups={"/edds": "duty"}, people={"Boss@City.example": "admin"})
    assert roles.of({}) == "viewer"
    assert roles.of({"groups": ["/other", "/edds"]}) == "duty"
    assert roles.of({"groups": "admin"}) == "admin"
    assert roles.of({"groups": "root"}) == "viewer"
    assert roles.of({"email": "boss@city.example", "groups": ["/edds"]}) == "admin"
    assert roles.of({"email": "boss@city.example", "email_verified": False}) == "viewer"
    assert load_roles(CITY).of({"email": "duty1@gorodok.example"}) == "duty"


def test_a_wrong_file_names_key_value_and_remedy(tmp_path: Path) -> None:
    (tmp_path / "roles.toml").write_text('[people]\n"a@b" = "king"\n', encoding="utf-8")
    with pytest.raises(CityError, match=r"roles.toml: people.a@b = 'king'"):
        load_roles(tmp_path)
    (tmp_path / "contacts.toml").write_text('[otherwise]\nname = "ЕДДС"\nphone = "112"\n', encoding="utf-8")
    with pytest.raises(CityError, match=r"contacts.toml: otherwise.phone = '112'"):
        load_contacts(tmp_path)


def test_check_finds_a_contact_of_no_house(tmp_path: Path) -> None:
    folder = tmp_path / "gorodok"
    shutil.copytree(CITY, folder)
    path = folder / "contacts.toml"
    path.write_text(path.read_text(encoding="utf-8").replace('"b-139"', '"b-999"'), encoding="utf-8")
    assert [(one.file, one.key, one.value) for one in check_city(folder)] == [
        ("contacts.toml", "contacts.2.buildings", "'b-999'")
    ]
