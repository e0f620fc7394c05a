"""`cities/<city>/contacts.toml`: whom to call when a door of a house does not answer.

A real city's telephones are personal data: keep that file out of a public repository.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from city.layers import Id
from city.problem import CityError, Problem, from_validation

CONTACTS_FILE = "contacts.toml"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Contact(_Model):
    """Somebody who can go there with a key."""

    name: Annotated[str, Field(min_length=1, max_length=120)]
    phone: str = Field(pattern=r"^\+[0-9][0-9 ()-]{5,30}$", description="With the country's code: a phone dials it")

    def __str__(self) -> str:
        return f"{self.name}, {self.phone}"


class HouseContact(Contact):
    buildings: tuple[Id, ...] = Field(default=(), description="Houses of buildings.geojson")
    devices: tuple[Id, ...] = Field(default=(), description="Devices that stand in no house")


class Contacts(_Model):
    """The whole file. otherwise: who is called where nobody is named."""

    otherwise: Contact | None = None
    contacts: tuple[HouseContact, ...] = ()

    def of(self, *, device_id: str | None = None, building_id: str | None = None) -> Contact | None:
        """The device's own contact, else its house's, else the city's."""
        for one in self.contacts:
            if device_id is not None and device_id in one.devices:
                return one
        for one in self.contacts:
            if building_id is not None and building_id in one.buildings:
                return one
        return self.otherwise


def load_contacts(folder: Path) -> Contacts:
    """The file of a city's folder, or an empty one where there is none; CityError names file, key, value and remedy."""
    path = folder / CONTACTS_FILE
    try:
        return Contacts.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Contacts()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CityError([Problem(CONTACTS_FILE, "", str(error), "not TOML in UTF-8: put the line right")]) from error
    except ValidationError as error:
        raise CityError(from_validation(CONTACTS_FILE, error)) from error
