"""sources.toml: filled in, checked, and wrong in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from city.settings import ROOT, Settings
from ingest.adapters.source import Source
from ingest.adapters.sources import SourcesError, load_sources

GOOD = '[[source]]\ncode = "bus"\nadapter = "gtfs-rt"\nurl = "http://h:${PORT}/a?key=${KEY:-none}"\n'


def load(tmp_path: Path, text: str, **environment: str) -> list[Source]:
    (tmp_path / "gorodok").mkdir(exist_ok=True)
    (tmp_path / "gorodok" / "sources.toml").write_text(text, encoding="utf-8")
    return load_sources(Settings(cities_dir=tmp_path), environment)


def test_gorodok_s_sources_point_at_the_simulator() -> None:
    found = load_sources(Settings(simulator_port=9_999, cities_dir=ROOT / "cities"), {})
    assert {source.url.split("9999")[1] for source in found} == {
        "/gtfs-rt/trip-updates.pb",
        "/open311/v2/requests.json",
        "/cap/index.atom",
    }
    assert {source.zone for source in found} == {"Europe/Moscow"}


def test_environment_is_filled_in_and_kept_out_of_the_source_column(tmp_path: Path) -> None:
    [source] = load(tmp_path, GOOD, PORT="8", KEY="secret")
    assert source.url == "http://h:8/a?key=secret"
    assert source.address == "gtfs-rt:http://h:8/a"


def test_city_without_sources_has_none(tmp_path: Path) -> None:
    assert load_sources(Settings(cities_dir=tmp_path), {}) == []


def test_disabled_source_is_left_out(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD + "enabled = false\n", PORT="8") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("${PORT}", "${MISSING}"), "${MISSING} is not set"),
        (GOOD + 'colour = "red"\n', "source.0.colour"),
        (GOOD.replace("gtfs-rt", "gopher"), "source.0.adapter"),
        (GOOD.replace("http://", "ftp://"), "http://"),
        (GOOD + 'zone = "Mars/Base"\n', "Europe/Moscow"),
        (GOOD + "every_s = 0\n", "every_s"),
        (GOOD + GOOD, "stands twice"),
        ("[[source]\n", "sources.toml"),
    ],
)
def test_wrong_file_is_said_in_words(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SourcesError, match=r"sources\.toml") as caught:
        load(tmp_path, text, PORT="8")
    assert said in str(caught.value)
