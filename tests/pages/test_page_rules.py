"""The rules behind colours and verdicts, and the parts that must not let foreign text act."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import packages_distributions
from pathlib import Path
from sys import stdlib_module_names

import polars as pl
import pytest

from apps.streamlit import bytes_view, judge, look, maps, parts, serve
from city.settings import Settings
from city_state.read import FEED_SCHEMA

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PAGES = Path(__file__).resolve().parents[2] / "apps" / "streamlit"


def test_kpi_level_follows_the_better_direction() -> None:
    assert judge.kpi_level(91, 90, "higher") == "good"
    assert judge.kpi_level(82, 90, "higher") == "warn"
    assert judge.kpi_level(80, 90, "higher") == "bad"
    assert judge.kpi_level(80, 90, "lower") == "good"
    assert judge.kpi_level(1, 0, "lower") == "bad"
    assert judge.kpi_level(1, None, "lower") == "none"


def test_feed_is_silent_after_its_freshness_and_not_before() -> None:
    def heard(feed: str, age_s: float) -> pl.DataFrame:
        at = NOW - timedelta(seconds=age_s)
        return pl.DataFrame([(feed, at, at, 5)], schema=FEED_SCHEMA, orient="row")

    def state(feed: str, age_s: float) -> str:
        return next(one.state for one in judge.feeds(heard(feed, age_s), NOW) if one.code == feed)

    assert state("vehicle_position", 119) == "live"
    assert state("vehicle_position", 121) == "silent"
    assert state("alert", 1e6) == "not_due"
    assert {one.state for one in judge.feeds(heard("alert", 1), NOW)} == {"never", "not_due"}


def test_closed_incidents_are_not_shown_and_the_gravest_comes_first() -> None:
    def row(entity: str, **told: str) -> dict[str, object]:
        return {"entity": entity, "event_at": NOW, "latitude": None, "longitude": None, "payload": json.dumps(told)}

    found = judge.incidents(
        pl.DataFrame(
            [
                row("a", status="open", severity="minor", title="a"),
                row("b", status="closed", severity="critical", title="b"),
                row("c", status="open", severity="critical", title="c"),
                {**row("d"), "payload": "not json"},
            ]
        )
    )
    assert [one.incident_id for one in found] == ["c", "a"]


def test_worst_zone_names_the_night_that_rose() -> None:
    days = [date(2026, 11, 1) + timedelta(days=step) for step in range(10)]
    rows = [
        {"day": day, "zone_id": zone, "loss_m3": loss, "loss_share": loss / 100, "night_flow_m3_h": night}
        for step, day in enumerate(days)
        for zone, loss, night in (("a", 5.0, 1.0), ("b", 30.0 if step == 9 else 6.0, 2.0 if step == 9 else 1.0))
    ]
    found = judge.worst_zone(pl.DataFrame(rows))
    assert found is not None
    assert (found.zone_id, found.day, found.night_rise) == ("b", days[-1], pytest.approx(1.0))
    assert judge.worst_zone(pl.DataFrame(rows).clear()) is None


def test_sites_come_worst_first_and_old_sight_is_not_called_clean() -> None:
    def row(site: str, name: str, age_h: float, tasks: int = 0) -> dict[str, object]:
        empty = dict.fromkeys(("latitude", "longitude", "frame_ref"))
        seen = {"last_event_at": NOW - timedelta(hours=age_h), "last_class": name, "last_confidence": 0.9}
        return {"site_id": site, "events_7d": 1, "open_tasks": tasks, **seen, **empty}

    rows = [row("a", "waste_ok", 1), row("b", "waste_ok", 30), row("c", "waste_full", 1), row("d", "waste_ok", 1, 1)]
    assert [(one.site_id, one.level) for one in judge.sites(rows, NOW)] == [
        ("c", "bad"),
        ("b", "stale"),
        ("d", "warn"),
        ("a", "good"),
    ]


def test_tips_are_escaped() -> None:
    assert "<script>" not in maps.tip_html(["<script>alert(1)</script>", "b & c"])


def test_a_cell_is_escaped() -> None:
    html = parts._cell(parts.Cell("<img src=x onerror=alert(1)>", note="</td>"), '"><b>')
    assert "<img" not in html
    assert html.count("</td>") == 1
    assert "<b>" not in html


def test_refused_bytes_are_shown_and_cannot_hide() -> None:
    text, is_text, cut = bytes_view.show('{"a":"\u202eb\x00"}'.encode())
    assert (is_text, cut) == (True, False)
    assert "\u202e" not in text
    assert "\\u{202e}" in text
    assert "\\u{0000}" in text
    shown, is_text, cut = bytes_view.show(bytes(range(256)) * 40)
    assert (is_text, cut) == (False, True)
    assert shown.startswith("000000  00 01 02 03")
    assert bytes_view.show("ж".encode() * 5_000)[1]  # the cut splits a letter and it is still text
    assert bytes_view.show(b"") == ("", True, False)


def test_command_line_is_offline_and_complete() -> None:
    command = serve.command(Settings(host="127.0.0.1", streamlit_port=8999))
    assert "--browser.gatherUsageStats=false" in command
    assert "--server.headless=true" in command
    assert "--server.port=8999" in command
    assert Path(command[4]).is_file()
    assert not [part for part in command if "http" in part]


def test_theme_options_are_known_to_streamlit() -> None:
    from streamlit import config

    known = config.get_config_options()
    assert not [name for name in (*serve.OPTIONS, *look.theme_options()) if name not in known]


def test_no_module_of_ours_hides_a_library() -> None:
    """Streamlit puts the script's folder on sys.path; main.py takes it off, and no name would matter anyway."""
    ours = {path.stem for path in PAGES.glob("*.py")} | {path.name for path in PAGES.iterdir() if path.is_dir()}
    ours -= {"__init__", "__pycache__", "main"}
    taken = ours & (set(stdlib_module_names) | set(packages_distributions()))
    assert not taken - {"data"}, f"{taken}: rename, a library has that name"


@pytest.mark.parametrize("mode", [0, 1])
def test_colours_are_readable(mode: int) -> None:
    """Text on card, page and its own soft ground: contrast of at least 4.5 (WCAG 2.2, 1.4.3)."""

    def luminance(colour: str) -> float:
        parts_ = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts_]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one: str, other: str) -> float:
        low, high = sorted((luminance(look.PALETTE[one][mode]), luminance(look.PALETTE[other][mode])))
        return (high + 0.05) / (low + 0.05)

    pairs = [(text, ground) for text in ("ink", "muted", "good", "warn", "bad", "stale") for ground in ("card", "page")]
    pairs += [("ink", f"{level}-soft") for level in ("good", "warn", "bad", "stale")]
    pairs += [("muted", f"{level}-soft") for level in ("good", "warn", "bad", "stale")]
    weak = {pair: round(contrast(*pair), 2) for pair in pairs if contrast(*pair) < 4.5}
    assert not weak
