"""More than one machine is a change of settings: a PostgreSQL of its own for the catalog, two gateways side by side."""

from __future__ import annotations

import os
import pwd
import random
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from city.settings import Settings
from tests.broker.conftest import free_pair
from tests.fault.test_no_loss import Messages, Victim, broker, compare, environment, health, publish, wait_for_silence
from warehouse.load import load_segments

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Debian's PostgreSQL with a cluster of its own under `folder` (which its user can reach); gives its URI."""
    if not BINARIES or os.geteuid() != 0:
        pytest.skip("needs Debian's postgresql package, and root to start it as the user postgres")
    pwd.getpwnam("postgres")
    shutil.chown(folder, "postgres")
    port = free_pair()
    tool = str(BINARIES[-1] / "initdb"), str(BINARIES[-1] / "pg_ctl")
    data = folder / "data"

    def run(*command: str) -> None:
        subprocess.run(["runuser", "-u", "postgres", "--", *command], check=True, capture_output=True, cwd=folder)

    run(tool[0], "--auth=trust", "--username=postgres", "-D", str(data))
    options = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off"
    run(tool[1], "-w", "-D", str(data), "-o", options, "-l", str(folder / "log"), "start")
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        run(tool[1], "-w", "-D", str(data), "-m", "immediate", "stop")


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_gateways_and_an_outer_postgres_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seed = int(os.environ.get("GORODOK_TEST_SEED", random.SystemRandom().randrange(2**32)))
    print(f"seed {seed}")
    rng = random.Random(seed)
    url = f"mqtt://127.0.0.1:{free_pair()}"
    with tempfile.TemporaryDirectory(prefix="gorodok-postgres-") as folder, postgres(Path(folder)) as uri:
        both = [
            Settings(
                home=tmp_path / "home",
                mqtt_url=url,
                gateway_port=free_pair(),
                gateway_id=f"gateway-{number}",
                gateway_group="gateways",
                lake_catalog=SecretStr(uri),
                seal_s=1.0,
            )
            for number in (1, 2)
        ]
        both[0].home.mkdir()
        monkeypatch.setattr("tests.fault.test_no_loss.environment", full_environment)
        messages = Messages(rng)
        with broker("mosquitto", both[0]):
            gateways = [Victim(["-m", "apps.cli", "gateway"], one, tmp_path / f"{one.gateway_id}.log") for one in both]
            for one in both:
                while not (health(one) or {}).get("connected"):
                    time.sleep(0.2)
            progress = [0]
            sender = threading.Thread(target=publish, args=(both[0], messages, progress))
            sender.start()
            while sender.is_alive():
                time.sleep(rng.uniform(3, 6))
                victim = rng.choice(gateways)
                victim.kill()
                victim.start()
            for one, gateway in zip(both, gateways, strict=True):
                wait_for_silence(one, gateway)
            for gateway in gateways:
                assert gateway.end() == 0
        load_segments(both[0])
        print(f"kills: {[gateway.kills for gateway in gateways]}")
        assert all(gateway.kills for gateway in gateways) or sum(gateway.kills for gateway in gateways) >= 3
        compare(both[0], messages)


def full_environment(settings: Settings) -> dict[str, str]:
    assert settings.lake_catalog is not None
    assert settings.gateway_group is not None
    return environment(settings) | {
        "GORODOK_GATEWAY_ID": settings.gateway_id,
        "GORODOK_GATEWAY_GROUP": settings.gateway_group,
        "GORODOK_LAKE_CATALOG": settings.lake_catalog.get_secret_value(),
    }
