"""Who looks at the page: the provider's claims (st.user) and the role that the city gives them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from apps.streamlit.data import current
from city.roles import Role, Roles, load_roles

SHIFT_S = 12 * 3_600
"""A sign-in is good for a shift; the cookie lives for thirty days, so the page looks at the clock itself."""


@dataclass(frozen=True)
class Person:
    """name, mail: of the ID token. can_sign_in: the city has a provider. ended: the sign-in is older than a shift."""

    name: str = ""
    mail: str = ""
    role: Role = "viewer"
    signed_in: bool = False
    can_sign_in: bool = False
    ended: bool = False

    @property
    def label(self) -> str:
        """As the ledger keeps it."""
        return f"{self.name} <{self.mail}>" if self.mail and self.name != self.mail else self.name or self.mail

    @property
    def may_press(self) -> bool:
        return self.role in ("duty", "admin")


def here() -> Person:
    """Of this session. Without a provider, and without a sign-in, everybody is a viewer."""
    claims: Mapping[str, Any] = st.user.to_dict() if hasattr(st.user, "to_dict") else {}
    return person(claims, load_roles(current().cities_dir / current().city), time.time())


def person(claims: Mapping[str, Any], roles: Roles, now_s: float) -> Person:
    """claims: of the ID token, with Streamlit's `is_logged_in`, which is there when a provider is configured."""
    can = "is_logged_in" in claims
    if not claims.get("is_logged_in"):
        return Person(can_sign_in=can)
    name, mail = (
        str(claims.get("name") or claims.get("email") or claims.get("sub") or ""),
        str(claims.get("email") or ""),
    )
    issued = claims.get("iat")
    if not isinstance(issued, int | float) or now_s - issued > SHIFT_S:
        return Person(name, mail, "viewer", signed_in=True, can_sign_in=can, ended=True)
    return Person(name[:64], mail[:64], roles.of(claims), signed_in=True, can_sign_in=can)
