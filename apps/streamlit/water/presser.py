"""Who presses: the name of the sign-in where the installation has one, else what the person writes. Never nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from apps.streamlit.words import Words

LONGEST = 120
REMEMBERED = "presser_name"
"""Of this session: a field that is not drawn for a while is forgotten by Streamlit."""


def signed_in(claims: Mapping[str, Any]) -> str | None:
    """The provider's name of the person; "" when there is a provider and nobody has signed in; None without one."""
    if "is_logged_in" not in claims:
        return None
    if not claims["is_logged_in"]:
        return ""
    return str(claims.get("name") or claims.get("email") or claims.get("sub") or "")[:LONGEST]


def ask(words: Words, key: str) -> str:
    """The name; "" while there is none, and then no button may be pressed."""
    claims: Mapping[str, Any] = st.user.to_dict() if hasattr(st.user, "to_dict") else {}
    known = signed_in(claims)
    if known is not None:
        if not known:
            st.caption(words("loss.sign_in"))
        return known
    written = st.text_input(
        words("loss.your_name"), st.session_state.get(REMEMBERED, ""), max_chars=LONGEST, key=key,
        placeholder=words("loss.your_name_hint"),
    )  # fmt: skip
    name = " ".join("".join(char for char in written if char.isprintable()).split())
    st.session_state[REMEMBERED] = name
    return name
