"""What may die, does: every reachable door ends in the right state, none acts twice, the ledger has all of it once."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import paho.mqtt.publish as mqtt_publish
import pytest

from actuation.ledger import open_reader, read_ledger
from actuation.reflex.client import ReflexClient, ReflexRefusedError
from actuation.reflex.failpoint import POINTS
from actuation.topics import control_topic
from bench.lib.reflexes import Chain, Fleet, steady_port, until

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.fault]


def publish_alert(town: Chain, data: bytes) -> None:
    topic = control_topic("gorodok", "cap", "cap")
    mqtt_publish.single(topic, data, qos=1, hostname="127.0.0.1", port=town.port)


def all_are(fleet: Fleet, state: str, zone: str = "za", *, but_deaf: bool = False) -> bool:
    found = [each for each in fleet.truth() if each["zone_id"] == zone and not (but_deaf and each["deaf"])]
    return bool(found) and all(each["state"] == state for each in found)


def check_ledger(town: Chain, fleet: Fleet) -> Counter[str]:
    """Nothing missing, nothing doubled: each command once created, once sent, once answered by each door."""
    with open_reader(town.settings.ledger_path) as ledger:
        assert ledger.verify() is None
    lines = list(read_ledger(town.settings.ledger_path))
    assert [line.seq for line in lines] == list(range(1, len(lines) + 1))
    commands = {line.command_id: line for line in lines if line.kind == "created" and line.command_id}
    for kind in ("created", "sent"):
        twice = Counter(line.entity for line in lines if line.kind == kind)
        assert not [entity for entity, count in twice.items() if count > 1], kind
    events = Counter((line.trigger_kind, line.trigger_key) for line in lines if line.kind == "seen")
    assert not [key for key, count in events.items() if count > 1 and key[0] == "alert"]
    counted = Counter((line.command_id, line.device_id) for line in lines if line.kind == "acked")
    assert set(counted.values()) <= {1}
    said = {(cid, each["device_id"]) for each in fleet.truth() for cid in each["answered"] if cid in commands}
    assert set(counted) == said, "every answer that a door gave is in the ledger once"
    return Counter(line.kind for line in lines)


def test_killed_between_any_two_steps(make):
    """SIGKILL before and after the ledger, after the publish, after the acknowledgement, after answers."""
    town: Chain = make({"za": 60})
    fleet = town.start_fleet()
    for number, point in enumerate(POINTS):
        victim = town.start_reflex(name=f"victim-{point}", GORODOK_FAILPOINT=f"{point}:1")
        publish_alert(town, town.signed("za"))
        assert victim.wait(30) == -signal.SIGKILL, point
        survivor = town.start_reflex(name=f"survivor-{point}")
        with town.client() as client:
            until(lambda: all_are(fleet, "unlocked"), 30)
            until(lambda: _all_answered(client), 30)
            client.press("missile_alert", "all_clear", ["za"])
            until(lambda: all_are(fleet, "locked"), 30)
            until(lambda: _all_answered(client), 30)
        moves = {each["moves"] for each in fleet.truth()}
        assert moves == {2 * (number + 1)}, f"{point}: each door moved once open and once shut"
        survivor.terminate()
        survivor.wait(20)
    kinds = check_ledger(town, fleet)
    assert kinds["acked"] == 60 * 2 * len(POINTS)


def _all_answered(client: ReflexClient) -> bool:
    rows = [each for row in [*client.runs(), *client.runs(past=True)] for each in row["commands"]]
    return bool(rows) and not any(each["silent"] for each in rows)


KILLS = 45
"""With the five named points above: fifty."""


@pytest.mark.timeout(900)
def test_killed_at_forty_five_random_moments(make):
    """Alerts and all-clears come all the time by MQTT; the process is killed and started again."""
    seed = int(os.environ.get("GORODOK_TEST_SEED", "20261125"))
    print("seed", seed)
    dice = random.Random(seed)
    town: Chain = make({"za": 20, "zb": 5})
    process = town.start_reflex()
    fleet = town.start_fleet()
    ends = threading.Event()
    sent: list[str] = []
    pace = random.Random(seed + 1)
    sender = threading.Thread(target=_keep_sending, args=(town, ends, sent, pace), daemon=True)
    sender.start()
    for number in range(KILLS):
        time.sleep(dice.uniform(0.0, 0.6))
        process.kill()
        process.wait()
        process = town.start_reflex(wait=False, name=f"reflex-{number}")
        if dice.random() < 0.5:
            town.wait_holding(process, town.folder / f"reflex-{number}.log")
        else:
            time.sleep(dice.uniform(0.0, 1.5))  # killed while it starts, too
    ends.set()
    sender.join()
    town.wait_holding(process, town.folder / f"reflex-{KILLS - 1}.log")
    with town.client() as client:
        last = town.signed("za", sent_s=time.time() + 3)
        assert client.send_cap("cap", last)["result"] == "accepted"
        until(lambda: all_are(fleet, "unlocked"), 40)
        until(lambda: _all_answered(client), 40)
    assert all_are(fleet, "locked", "zb")
    assert all(each["moves"] == 0 for each in fleet.truth() if each["zone_id"] == "zb")
    kinds = check_ledger(town, fleet)
    lines = list(read_ledger(town.settings.ledger_path))
    commands = {line.command_id for line in lines if line.kind == "created" and line.command_id}
    for each in fleet.truth():
        if each["zone_id"] == "za":
            assert set(each["answered"]) == commands, "every command reached every door"
    seen = {
        str(line.trigger_key).split(",")[1] for line in lines if line.kind == "seen" and line.trigger_kind == "alert"
    }
    assert seen >= set(sent), "every alert that the broker took was acted on"
    print(len(sent), "alerts", kinds)


def _keep_sending(town: Chain, ends: threading.Event, sent: list[str], pace: random.Random) -> None:
    """An alert, its Cancel, the next alert, …: each a second later than the one before by its own clock."""
    sent_s, number = time.time() - 40_000, 0
    while not ends.wait(pace.uniform(0.4, 1.2)):
        number += 1
        sent_s += 5
        name = f"storm-{number}"
        publish_alert(town, town.signed("za", identifier=name, sent_s=sent_s, expires_s=80_000))
        sent.append(name)
        if pace.random() < 0.5:
            sent_s += 5
            moment = time.strftime("%Y-%m-%dT%H:%M:%S-00:00", time.gmtime(sent_s - 5))
            reference = f"edds@gorodok.example,{name},{moment}"
            over: dict[str, Any] = {"msg_type": "Cancel", "references": [reference], "expires_s": 80_000}
            publish_alert(town, town.signed("za", identifier=f"cancel-{number}", sent_s=sent_s, **over))
            sent.append(f"cancel-{number}")


def test_broker_down_for_ten_seconds_in_the_middle(make):
    town: Chain = make({"za": 80})
    town.start_reflex()
    fleet = town.start_fleet()
    first = town.broker_process
    with town.client() as client:
        verdict = client.send_cap("cap", town.signed("za"))
        first.kill()
        first.wait()
        assert verdict["result"] == "accepted"
        down = time.monotonic()
        until(lambda: client.health()["broker"] != "connected", 10)
        with pytest.raises(ReflexRefusedError, match="may not act now") as refused:
            client.press("missile_alert", "drill", ["za"])
        assert refused.value.status == 409
        time.sleep(max(0.0, 10 - (time.monotonic() - down)))
        town.start_broker()
        town.wait_holding(None, town.folder / "reflex.log", 30)
        until(lambda: all_are(fleet, "unlocked"), 40)
        until(lambda: _all_answered(client), 40)
        client.press("missile_alert", "all_clear", ["za"])
        until(lambda: all_are(fleet, "locked"), 30)
    assert {each["moves"] for each in fleet.truth()} == {2}
    check_ledger(town, fleet)


def test_a_fifth_is_deaf_and_clocks_are_ten_minutes_off(make):
    town: Chain = make({"za": 150})
    town.start_reflex()
    fleet = town.start_fleet("--deaf", "0.2", "--clock-s", "600", "--seed", "7")
    deaf = {each["device_id"] for each in fleet.truth() if each["deaf"]}
    assert 15 <= len(deaf) <= 50
    with town.client() as client:
        began = time.monotonic()
        verdict = client.send_cap("cap", town.signed("za"))
        until(lambda: _silent(client, verdict["runs"][0]) == deaf, 20)
        assert time.monotonic() - began < 15
        rows = [row for row in client.run_devices(verdict["runs"][0]) if row["answered"] is None]
        assert all(row["contact"] for row in rows)
    assert all_are(fleet, "unlocked", but_deaf=True)
    check_ledger(town, fleet)


def _silent(client: ReflexClient, run_id: str) -> set[str]:
    return {row["device_id"] for row in client.run_devices(run_id) if row["answered"] != "done"}


def test_duplicate_and_reordered_alerts_act_once(make):
    town: Chain = make({"za": 40, "zb": 20})
    town.start_reflex()
    fleet = town.start_fleet()
    alert = town.signed("za", identifier="a-1", sent_s=time.time() - 60)
    for _ in range(3):
        publish_alert(town, alert)
    with town.client() as client:
        until(lambda: all_are(fleet, "unlocked"))
        assert client.send_cap("cap", alert)["result"] == "repeated"
        # a Cancel that overtakes its alert: the alert comes late and does nothing
        sent_s = time.time() - 30
        moment = time.strftime("%Y-%m-%dT%H:%M:%S-00:00", time.gmtime(sent_s))
        cancel = town.signed("zb", identifier="c-2", sent_s=sent_s + 10, msg_type="Cancel",
                             references=[f"edds@gorodok.example,a-2,{moment}"])  # fmt: skip
        publish_alert(town, cancel)
        publish_alert(town, town.signed("zb", identifier="a-2", sent_s=sent_s))
        time.sleep(1.0)
        assert all_are(fleet, "locked", "zb")
        until(lambda: _all_answered(client))
    assert {each["moves"] for each in fleet.truth() if each["zone_id"] == "za"} == {1}
    assert check_ledger(town, fleet)["created"] == 2, "one command and one notice"


def test_the_next_process_of_this_machine_takes_over(make):
    """Two processes with one home: the file's lock goes over, and with it the lease."""
    town: Chain = make({"za": 40})
    first = town.start_reflex(name="first", GORODOK_REFLEX_ID="first")
    town.start_reflex(wait=False, name="second", GORODOK_REFLEX_ID="second")
    fleet = town.start_fleet()
    with town.client() as client:
        assert client.status()["holder"]["holder"] == "first"
        verdict = client.send_cap("cap", town.signed("za"))
        until(lambda: "waits" in (town.folder / "second.log").read_text(), 30)
        first.kill()
        killed = time.monotonic()
        until(lambda: _holder(town) == "second", 15, 0.02)
        took = time.monotonic() - killed
        print(f"taken over in {took:.2f} s")
        assert took < 5
        until(lambda: _all_answered(client), 20)
        assert any(row["run_id"] == verdict["runs"][0] for row in client.runs()), "the run goes on"
        client.press("missile_alert", "all_clear", ["za"])
        until(lambda: all_are(fleet, "locked"), 20)
    check_ledger(town, fleet)


def _holder(town: Chain, port: int | None = None) -> str | None:
    settings = town.settings if port is None else town.settings.model_copy(update={"reflex_port": port})
    try:
        with ReflexClient(settings) as client:
            health = client.health()
            return str(health["holder"]) if health["ok"] else None
    except (ConnectionError, ReflexRefusedError):
        return None


def _other_machine(town: Chain) -> tuple[Path, int]:
    """A second home with the same keys."""
    home, port = town.folder / "home-2", steady_port()
    (home / "simulator").mkdir(parents=True)
    shutil.copytree(town.settings.keys_dir, home / "keys")
    home.joinpath("keys").chmod(0o700)
    shutil.copy(town.signer.certificate_path, home / "simulator" / "cap-certificate.pem")
    return home, port


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "asleep"])
def test_another_machine_takes_over_with_the_runs_and_the_old_holder_is_fenced(make, end):
    town: Chain = make({"za": 40, "zb": 10})
    first = town.start_reflex(name="first", GORODOK_REFLEX_ID="first")
    home, port = _other_machine(town)
    town.start_reflex(wait=False, name="second", GORODOK_REFLEX_ID="second", GORODOK_HOME=str(home),
                      GORODOK_REFLEX_PORT=str(port))  # fmt: skip
    fleet = town.start_fleet()
    second_log = town.folder / "second.log"
    until(lambda: "first holds" in second_log.read_text(), 30)
    with town.client() as client:
        verdict = client.send_cap("cap", town.signed("za"))
        until(lambda: _all_answered(client), 20)
    time.sleep(2.0)  # the state is handed on once a second
    first.send_signal(end)
    stopped = time.monotonic()
    until(lambda: _holder(town, port) == "second", 20, 0.02)
    took = time.monotonic() - stopped
    print(f"taken over in {took:.2f} s")
    assert took < 5
    other = town.settings.model_copy(update={"reflex_port": port})
    with ReflexClient(other, user="b", role="duty") as client:
        assert any(row["run_id"] == verdict["runs"][0] for row in client.runs()), "the run came along"
        client.press("missile_alert", "all_clear", ["za"])
        until(lambda: all_are(fleet, "locked"), 20)
        if end == signal.SIGSTOP:
            before = _lines(town.settings.ledger_path)
            first.send_signal(signal.SIGCONT)
            until(lambda: "stops acting" in (town.folder / "first.log").read_text(), 20)
            publish_alert(town, town.signed("zb", sent_s=time.time() + 1))
            until(lambda: all_are(fleet, "unlocked", "zb"), 20)
            after = [line.kind for line in read_ledger(town.settings.ledger_path, before)]
            assert "created" not in after, "the old holder commands nothing"
            assert _holder(town, port) == "second"
    moves = {(each["zone_id"], each["moves"]) for each in fleet.truth()}
    assert moves == {("za", 2), ("zb", 1 if end == signal.SIGSTOP else 0)}


def _lines(path: Path) -> int:
    with open_reader(path) as ledger:
        return ledger.head()[0]


def test_a_full_restart_replays_to_the_same_state(make):
    """Stopped in an orderly way, and the snapshot thrown away: the ledger alone gives the runs and counts."""
    town: Chain = make({"za": 30})
    process = town.start_reflex()
    town.start_fleet("--deaf", "0.1", "--seed", "2")
    with town.client() as client:
        verdict = client.send_cap("cap", town.signed("za"))
        until(lambda: client.runs()[0]["commands"][0]["silent"] < 10, 20)
        time.sleep(1.0)
        before: Any = (client.runs(), client.run_devices(verdict["runs"][0]))
    process.terminate()
    process.wait(20)
    (town.settings.ledger_path.parent / "snapshot.json").unlink()
    town.start_reflex(name="again")
    with town.client() as client:
        assert (client.runs(), client.run_devices(verdict["runs"][0])) == before


def test_failpoints_are_named() -> None:
    run = subprocess.run(
        [sys.executable, "-c", "import actuation.reflex.failpoint"], env={**os.environ, "GORODOK_FAILPOINT": "nowhere"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "before_ledger" in run.stderr
