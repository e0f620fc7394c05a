"""How the pages look: one palette, one style sheet.

Good, warning and bad are blue, amber and vermilion, never green and red: told apart with any colour vision
(Okabe & Ito 2008, "Color Universal Design"), and always said by a sign and a word too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Level = Literal["good", "warn", "bad", "stale", "none"]
LEVELS: tuple[Level, ...] = ("good", "warn", "bad", "stale", "none")
SIGNS: dict[Level, str] = {"good": "●", "warn": "▲", "bad": "■", "stale": "○", "none": "·"}

# (light, dark)
PALETTE: dict[str, tuple[str, str]] = {
    "page": ("#F4F6F8", "#0E161C"),
    "card": ("#FFFFFF", "#16212A"),
    "ink": ("#14212B", "#E8EEF2"),
    "muted": ("#566673", "#9DADB9"),
    "line": ("#D7DFE5", "#2A3944"),
    "accent": ("#0B5F7E", "#63C3E0"),
    "good": ("#0B6A8C", "#5FC3E4"),
    "warn": ("#8A5B00", "#EDBE55"),
    "bad": ("#B23A12", "#FF9068"),
    "stale": ("#64737F", "#8A9AA6"),
    "good-soft": ("#E3F1F6", "#12303C"),
    "warn-soft": ("#FBF0D9", "#382C10"),
    "bad-soft": ("#FBE7DF", "#43210F"),
    "stale-soft": ("#EAEEF1", "#1E2A33"),
}
CHART = {"inflow": "#2B8CB0", "metered": "#8FB8C8", "loss": "#D2602F", "target": "#8A9AA6", "norm": "#D9A23B"}
RGB: dict[Level, tuple[int, int, int]] = {
    "good": (43, 140, 176),
    "warn": (224, 158, 30),
    "bad": (210, 84, 40),
    "stale": (138, 150, 160),
    "none": (138, 150, 160),
}
FONT = '"Source Sans", "PT Sans", "Segoe UI", Roboto, "Noto Sans", sans-serif'
STYLE = Path(__file__).with_name("style.css")


def theme_options() -> dict[str, str | int | bool]:
    """Streamlit's theme settings for both modes; the browser's preference chooses."""
    options: dict[str, str | int | bool] = {
        "theme.font": FONT,
        "theme.baseRadius": "0.5rem",
        "theme.buttonRadius": "0.5rem",
        "theme.headingFontWeights": "[650,650,650,600,600,600]",
        "theme.showWidgetBorder": True,
    }
    for index, mode in enumerate(("light", "dark")):
        chosen = {name: pair[index] for name, pair in PALETTE.items()}
        options |= {
            f"theme.{mode}.primaryColor": chosen["accent"],
            f"theme.{mode}.backgroundColor": chosen["page"],
            f"theme.{mode}.secondaryBackgroundColor": chosen["card"],
            f"theme.{mode}.textColor": chosen["ink"],
            f"theme.{mode}.linkColor": chosen["accent"],
            f"theme.{mode}.borderColor": chosen["line"],
            f"theme.{mode}.dataframeBorderColor": chosen["line"],
        }
    return options


def style_sheet() -> str:
    """The pages' CSS: the palette as variables (light where the browser knows no `light-dark()`), then style.css."""
    plain = "".join(f"--g-{name}:{light};" for name, (light, _) in PALETTE.items())
    both = "".join(f"--g-{name}:light-dark({light},{dark});" for name, (light, dark) in PALETTE.items())
    variables = f".stApp{{{plain}}}@supports (color:light-dark(#000,#fff)){{.stApp{{{both}}}}}"
    return f"<style>{variables}\n{STYLE.read_text(encoding='utf-8')}</style>"
