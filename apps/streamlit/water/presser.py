"""Who presses: the person who signed in where the installation has a provider, else what is written. Never nobody."""

from __future__ import annotations

import streamlit as st

from apps.streamlit import who
from apps.streamlit.words import Words

LONGEST = 120
REMEMBERED = "presser_name"
"""Of this session: a field that is not drawn for a while is forgotten by Streamlit."""


def signed_in(person: who.Person) -> str | None:
    """The name of somebody who may press; "" for anybody else where there is a provider; None without a provider."""
    if not person.can_sign_in:
        return None
    return person.label[:LONGEST] if person.may_press and not person.ended else ""


def ask(words: Words, key: str) -> str:
    """The name; "" while there is none, and then no button may be pressed."""
    known = signed_in(who.here())
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
