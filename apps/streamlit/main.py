"""The script that `streamlit run` starts: language, look and the list of pages.

Streamlit puts this folder first on `sys.path`; it is taken off again at once, so that no module of ours
(`words`, `maps`, …) can be imported in place of somebody's library.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != HERE]
if str(HERE.parent.parent) not in sys.path:
    sys.path.append(str(HERE.parent.parent))

import streamlit as st  # noqa: E402 - the path must be clean first

from apps.streamlit import frame, look  # noqa: E402
from city.problem import CityError  # noqa: E402

PAGES = {
    "home": ":material/dashboard:",
    "duty": ":material/notifications_active:",
    "twin": ":material/map:",
    "water": ":material/water_drop:",
    "cleaning": ":material/recycling:",
    "crossing": ":material/directions_walk:",
    "kpi": ":material/monitoring:",
    "data": ":material/database:",
}


def main() -> None:
    try:
        words = frame.words()
    except CityError as error:
        st.error(f"Папка города не читается. The city's folder cannot be read.\n\n{error}\n\n`gorodok city check`")
        return
    st.set_page_config(
        page_title=f"{frame.place().name(words.language)}: {words('app.title')}",
        # a file of ours: for a material icon the front end asks fonts.gstatic.com (measured)
        page_icon=str(HERE / "icon.svg"),
        layout="wide",
        initial_sidebar_state="collapsed",
    )
    st.html(look.style_sheet())
    chosen = st.navigation(
        [
            st.Page(
                HERE / "views" / f"{code}.py",
                title=words(f"{code}.menu"),
                icon=icon,
                url_path=None if code == "home" else code,
                default=code == "home",
            )
            for code, icon in PAGES.items()
        ],
        position="top",
    )
    chosen.run()


main()
