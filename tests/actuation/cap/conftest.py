"""Sources, a memory and a city of four square zones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import shapely

from actuation.cap import Accepted, CapSource, SeenAlerts, Verdict, ZoneIndex, judge
from city.settings import Settings
from ingest.broker.mosquitto import find_mosquitto, mosquitto_command
from tests.actuation.cap.signing import NOW, SENDER, Signer, signer
from tests.broker.conftest import RunningBroker, free_pair

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.fixture(scope="session")
def data() -> Path:
    if not DATA.is_dir():
        pytest.skip(f"real data are not here: {DATA}")
    return DATA


@pytest.fixture(scope="session")
def zones() -> ZoneIndex:
    """sw, se, nw, ne: one degree each, their common corner at 51 N 41 E."""
    corners = {"sw": (40, 50), "se": (41, 50), "nw": (40, 51), "ne": (41, 51)}
    squares = {name: shapely.box(x, y, x + 1, y + 1) for name, (x, y) in corners.items()}
    codes = {"OKTMO": {"100": ("*",), "101": ("sw",), "102": ("ne", "nw")}}
    return ZoneIndex(squares, codes, {"юг": "sw", "север": "nw"})


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., CapSource]:
    """source(trust="signed", …): pins the certificates in `pins`, by default that of signer()."""

    def make(*, pins: tuple[Signer, ...] = (), **more: Any) -> CapSource:
        told: dict[str, Any] = {
            "code": "edds", "title_ru": "ЕДДС", "title_en": "EDDS", "trust": "signed", "senders": (SENDER,)
        }  # fmt: skip
        told |= more
        names = []
        for number, one in enumerate(pins or ((signer(),) if told["trust"] == "signed" else ())):
            (tmp_path / f"{told['code']}-{number}.pem").write_bytes(one.pem)
            names.append(f"{told['code']}-{number}.pem")
        return CapSource(**{"certificates": tuple(names), **told}).resolved(tmp_path, tmp_path)

    return make


class Desk:
    """One source, one memory: accepted alerts are remembered as the reflex process remembers them."""

    def __init__(self, zones: ZoneIndex, seen: SeenAlerts) -> None:
        self.zones, self.seen = zones, seen

    def __call__(self, data: bytes, source: CapSource, now: datetime = NOW, **more: Any) -> Verdict:
        verdict = judge(data, source, self.zones, self.seen, now, **more)
        if isinstance(verdict, Accepted):
            self.seen.add(verdict, now)
        return verdict


@pytest.fixture
def desk(zones: ZoneIndex) -> Desk:
    return Desk(zones, SeenAlerts())


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[RunningBroker]:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    settings = Settings(home=tmp_path / "broker", mqtt_url=f"mqtt://127.0.0.1:{free_pair()}")
    settings.home.mkdir()
    broker = RunningBroker("mosquitto", settings, mosquitto_command(settings))
    broker.start()
    yield broker
    broker.stop()
