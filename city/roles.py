"""`cities/<city>/roles.toml`: who may press the duty officer's buttons. Whoever is not in it is a viewer."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from city.problem import CityError, Problem, from_validation

ROLES_FILE = "roles.toml"
Role = Literal["viewer", "duty", "admin"]
RANK: tuple[Role, ...] = ("viewer", "duty", "admin")


class Roles(BaseModel):
    """claim: a claim of the provider's ID token that names the role (text or list); people: mail → role."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    claim: str | None = Field(default=None, min_length=1, description="For example groups or gorodok_role")
    groups: dict[str, Role] = Field(default={}, description="Value of the claim → role; a role's own name needs none")
    people: dict[str, Role] = Field(default={}, description="Mail address → role, where the claim says nothing")

    def of(self, claims: Mapping[str, Any]) -> Role:
        """The highest role that the claim or the mail address gives.

        A mail address counts only when the provider does not say that it is unverified.
        """
        found: list[Role] = ["viewer"]
        if self.claim is not None:
            said = claims.get(self.claim)
            for value in said if isinstance(said, list | tuple) else [said]:
                role = self.groups.get(str(value), value)
                if role in RANK:
                    found.append(role)
        mail = str(claims.get("email") or "").strip().lower()
        if mail and claims.get("email_verified") is not False:
            people = {address.strip().lower(): role for address, role in self.people.items()}
            found.append(people.get(mail, "viewer"))
        return max(found, key=RANK.index)


def load_roles(folder: Path) -> Roles:
    """The file of a city's folder, or nobody where there is none; CityError names file, key, value and remedy."""
    path = folder / ROLES_FILE
    try:
        return Roles.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Roles()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CityError([Problem(ROLES_FILE, "", str(error), "not TOML in UTF-8: put the line right")]) from error
    except ValidationError as error:
        raise CityError(from_validation(ROLES_FILE, error)) from error
