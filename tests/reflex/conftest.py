"""The whole chain with real brokers, real processes and simulated devices that speak the signed protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.lib.reflexes import Chain
from ingest.broker.mosquitto import find_mosquitto

Make = Callable[..., Chain]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes chains with a running broker; everything is ended afterwards."""
    made: list[Chain] = []

    def one(doors: dict[str, int], broker: str = "mosquitto", **more: Any) -> Chain:
        if broker == "mosquitto" and find_mosquitto() is None:
            pytest.skip("mosquitto is not installed (apt install mosquitto)")
        made.append(Chain(tmp_path / f"chain-{len(made)}", doors, broker=broker, **more))
        made[-1].start_broker()
        return made[-1]

    yield one
    for each in made:
        each.close()
