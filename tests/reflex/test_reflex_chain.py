"""End to end: an alert in, the doors of its zone open and no others; all-clear; drill; counts equal the truth."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import pytest

from actuation.ledger import open_reader, read_ledger
from actuation.reflex.client import ReflexClient, ReflexRefusedError
from bench.lib.reflexes import Chain, Fleet, until
from city.settings import ROOT

pytestmark = [pytest.mark.broker, pytest.mark.slow]

DOORS = {"za": 120, "zb": 40}


def answered(client: ReflexClient, run_id: str) -> list[dict[str, Any]] | None:
    """The run's commands when nobody is silent."""
    run = next((row for row in [*client.runs(), *client.runs(past=True)] if row["run_id"] == run_id), None)
    if run is None or not run["commands"] or any(each["silent"] for each in run["commands"]):
        return None
    return run["commands"]  # type: ignore[return-value]


def states(fleet: Fleet) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for each in fleet.truth():
        found.setdefault(each["zone_id"], Counter())[each["state"]] += 1
    return found


def test_alert_opens_its_zone_and_no_other_and_the_all_clear_locks_it(make):
    town: Chain = make(DOORS)
    town.start_reflex()
    fleet = town.start_fleet("--seed", "3", "--deaf", "0.05", "--jammed", "0.03")
    with town.client() as client:
        first = client.send_cap("cap", town.signed("za"))
        assert first["result"] == "accepted"
        (run_id,) = first["runs"]
        truth = [each for each in fleet.truth() if each["zone_id"] == "za"]
        deaf, jammed = sum(each["deaf"] for each in truth), sum(each["jammed"] for each in truth)
        assert deaf > 0, "the seed must give both faults"
        assert jammed > 0

        def counted() -> Any:
            (command,) = next(row for row in client.runs() if row["run_id"] == run_id)["commands"]
            return command if command["done"] + command["failed"] == 120 - deaf else None

        command = until(counted, 25)
        assert (command["expected"], command["done"], command["failed"], command["silent"]) == (
            120, 120 - deaf - jammed, jammed, deaf,
        )  # fmt: skip
        assert states(fleet) == {
            "za": Counter(unlocked=120 - deaf - jammed, locked=deaf + jammed), "zb": Counter(locked=40),
        }  # fmt: skip
        rows = {row["device_id"]: row for row in client.run_devices(run_id)}
        for each in truth:
            row = rows[each["device_id"]]
            assert row["commanded"] == "unlock"
            wanted = None if each["deaf"] else "failed" if each["jammed"] else "done"
            assert row["answered"] == wanted
            if not each["deaf"]:
                until(lambda name=each["device_id"], state=each["state"]: sensed(client, run_id, name) == state)
            assert row["contact"] == "Диспетчер, +7 4852 000000"

        again = client.send_cap("cap", town.signed("za"))  # another alert for the same zone
        refers = [_reference(first), _reference(again)]
        words: dict[str, Any] = {"msg_type": "Update", "response": "AllClear", "event": "Отбой ракетной опасности"}
        over = town.signed("za", sent_s=time.time() + 2, references=refers, **words)
        assert client.send_cap("cap", over)["result"] == "accepted"
        until(lambda: states(fleet)["za"] == Counter(locked=120), 15)
        assert all(each["moves"] <= 2 for each in fleet.truth()), "no door moved twice for one command"
    _check_ledger(town, fleet)


def sensed(client: ReflexClient, run_id: str, device_id: str) -> str | None:
    return next(row["sensed"] for row in client.run_devices(run_id) if row["device_id"] == device_id)


def _reference(verdict: Any) -> str:
    sender, identifier, sent = verdict["event_key"].split(",")
    return f"{sender},{identifier},{sent.replace('Z', '-00:00')}"


def _check_ledger(town: Chain, fleet: Fleet) -> None:
    """Unbroken, and one `acked` line for each answer that a device gave."""
    lines = list(read_ledger(town.settings.ledger_path))
    with open_reader(town.settings.ledger_path) as ledger:
        assert ledger.verify() is None
    acked = Counter((line.command_id, line.device_id) for line in lines if line.kind in ("acked", "failed"))
    assert set(acked.values()) == {1}, "an answer is counted once"
    said = {(cid, each["device_id"]) for each in fleet.truth() for cid in each["answered"]}
    assert set(acked) == said


def test_embedded_broker_drills_and_refuses_live_doors(make):
    town: Chain = make({"za": 60, "zb": 10}, broker="embedded", live_doors=False)
    town.start_reflex()
    fleet = town.start_fleet()
    with town.client() as client:
        assert client.status()["live_doors"] is False
        live = client.send_cap("cap", town.signed("za"))
        assert live["result"] == "accepted"
        drill = client.send_cap("cap", town.signed("za", status="Exercise"))
        (run_id,) = drill["runs"]
        (command,) = until(lambda: answered(client, run_id), 20)
        assert (command["mode"], command["expected"], command["done"]) == ("drill", 60, 60)
    assert states(fleet) == {"za": Counter(locked=60), "zb": Counter(locked=10)}
    assert all(each["moves"] == 0 for each in fleet.truth())
    refused = [line for line in read_ledger(town.settings.ledger_path) if line.kind == "refused"]
    assert [(line.action, line.reason) for line in refused] == [("unlock", "no_access_lists")]
    assert "no access lists" in (town.folder / "reflex.log").read_text()


def test_a_person_starts_another_confirms_and_the_ledger_has_both_names(make):
    town: Chain = make({"za": 30})
    town.start_reflex()
    fleet = town.start_fleet()
    with (
        town.client("Иванова", "duty") as one,
        town.client("Петров", "duty") as two,
        town.client("Гость", "viewer") as no,
    ):
        with pytest.raises(ReflexRefusedError, match="viewer") as refused:
            no.press("missile_alert", "start", ["za"])
        assert refused.value.status == 403
        pressed = one.press("missile_alert", "start", ["za"], note="звонок")
        (run_id,) = pressed["runs"]
        assert pressed["commands"] == 0
        assert one.runs()[0]["waiting_confirmation"]
        with pytest.raises(ReflexRefusedError, match="changes nothing") as same:
            one.press("missile_alert", "confirm", ["za"], run_id=run_id)
        assert same.value.status == 409
        assert two.press("missile_alert", "confirm", ["za"], run_id=run_id)["commands"] == 1
        until(lambda: answered(two, run_id))
        assert states(fleet) == {"za": Counter(unlocked=30)}
        assert two.press("missile_alert", "all_clear", ["za"])["effects"]
        until(lambda: states(fleet) == {"za": Counter(locked=30)})
        with pytest.raises(ReflexRefusedError) as nothing:
            two.press("missile_alert", "all_clear", ["za"])
        assert nothing.value.status == 409
        lines = two.timeline(0)
    pressed_by = [(line["by"], line["action"]) for line in lines if line["kind"] == "pressed"]
    assert pressed_by[:3] == [("Иванова", "start"), ("Иванова", "confirm"), ("Петров", "confirm")]


def test_the_commands_of_the_shell(make):
    town: Chain = make({"za": 40, "zb": 5})
    town.start_reflex()
    town.start_fleet("--seed", "5", "--deaf", "0.1")
    file = town.folder / "alert.xml"
    file.write_bytes(town.signed("zb"))

    def gorodok(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "apps.cli", *arguments]
        wide = town.variables(COLUMNS="200")
        run = subprocess.run(command, cwd=ROOT, env=wide, text=True, capture_output=True, timeout=60, check=False)
        return run.returncode, run.stdout + run.stderr

    code, said = gorodok("alert", "send", str(file), "--source", "cap", "--json")
    assert (code, json.loads(said)["result"]) == (0, "accepted"), said
    code, said = gorodok("alert", "send", str(file), "--source", "nobody")
    assert code == 1
    assert "nobody" in said
    code, said = gorodok("drill", "za", "--json", "--wait-s", "2")
    found = json.loads(said)
    assert code == 1, "some are deaf"
    assert found["silent"]
    assert all(row["address"] is None or row["contact"] for row in found["silent"])
    (command,) = found["run"]["commands"]
    assert command["done"] + len(found["silent"]) == 40
    code, said = gorodok("drill", "za", "--wait-s", "2")
    assert code == 1
    assert "p99_ms" in said
    code, said = gorodok("ledger", "--json")
    assert code == 0, said[-500:]


def test_retry_reaches_who_was_away_and_never_reopens_what_was_locked_later(make):
    town: Chain = make({"za": 20})
    town.start_reflex()
    with town.client() as client:
        verdict = client.send_cap("cap", town.signed("za"))
        (command_id,) = verdict["commands"]
        fleet = town.start_fleet()  # these devices had no session when the command went out
        retried = client.retry(command_id, [])
        assert len(retried["device_ids"]) == 20
        until(lambda: states(fleet) == {"za": Counter(unlocked=20)})
        client.press("missile_alert", "all_clear", ["za"])
        until(lambda: states(fleet) == {"za": Counter(locked=20)})
        with pytest.raises(ReflexRefusedError, match="later command") as refused:
            client.retry(command_id, [])
        assert refused.value.status == 409
    kinds = Counter(line.kind for line in read_ledger(town.settings.ledger_path))
    assert kinds["retried"] == 20


def test_the_token_is_asked_for(make):
    import httpx

    town: Chain = make({"za": 1})
    town.start_reflex()
    address = f"http://127.0.0.1:{town.settings.reflex_port}"
    assert httpx.get(f"{address}/health").status_code == 200
    assert httpx.get(f"{address}/runs").status_code == 401
    assert httpx.post(f"{address}/press", headers={"Authorization": "Bearer x"}, json={}).status_code == 401
    token = town.ring.api_token
    good = {"Authorization": f"Bearer {token}", "X-Gorodok-User": "a", "X-Gorodok-Role": "admin"}
    answer = httpx.post(f"{address}/press", headers=good, json={"scenario": "missile_alert", "press": "open"})
    assert (answer.status_code, answer.json()["field"]) == (422, "press")
    answer = httpx.post(f"{address}/cap/cap", headers=good, content=b"x" * 3_000_000)
    assert answer.status_code == 413
