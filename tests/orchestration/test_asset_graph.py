"""The asset graph as a snapshot: what a change of it changes is seen in review (`pytest --snapshot-update`)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from city.settings import Settings
from ingest.contracts import CONTRACTS
from orchestration.lib.discovery import discover
from orchestration.lib.keys import CONTRACT_CHECK, FRESH_CHECK
from orchestration.lib.policy import apply_policy
from orchestration.lib.telemetry import OFF

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    """As Dagster loads them, over a home with nothing in it."""
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    return apply_policy(discover(settings), settings)


def nodes(definitions: dg.Definitions) -> dict[str, Any]:
    graph = definitions.resolve_asset_graph()
    return {key.to_user_string(): graph.get(key) for key in graph.get_all_asset_keys()}


def seconds(policy: dg.FreshnessPolicy | None) -> int | None:
    return None if policy is None else int(policy.fail_window.to_timedelta().total_seconds())  # type: ignore[attr-defined]


def test_the_graph_is_the_one_that_was_reviewed(definitions: dg.Definitions, snapshot: Any) -> None:
    graph = {
        name: {
            "group": node.group_name,
            "owners": sorted(node.owners),
            "kinds": sorted(node.kinds),
            "made_of": sorted(key.to_user_string() for key in node.parent_keys),
            "fails_after_s": seconds(node.freshness_policy),
            "partitions": None if node.partitions_def is None else type(node.partitions_def).__name__,
        }
        for name, node in sorted(nodes(definitions).items())
    }
    assert graph == snapshot


def test_jobs_sensors_and_schedules_are_the_ones_that_were_reviewed(definitions: dg.Definitions, snapshot: Any) -> None:
    repository = definitions.get_repository_def()
    found = {
        "jobs": sorted(job.name for job in repository.get_all_jobs() if not job.name.startswith("__")),
        "sensors": {each.name: each.minimum_interval_seconds for each in repository.sensor_defs},
        "schedules": {each.name: each.cron_schedule for each in repository.schedule_defs},
    }
    assert found == snapshot


def test_every_feed_has_its_way_into_the_lake_and_its_check(definitions: dg.Definitions) -> None:
    found = nodes(definitions)
    checks = definitions.resolve_asset_graph().asset_check_keys
    for feed in CONTRACTS:
        assert {f"landed/{feed}", f"raw/{feed}", f"staging/stg_{feed}"} <= set(found)
        assert dg.AssetCheckKey(dg.AssetKey(["raw", feed]), CONTRACT_CHECK) in checks
        assert found[f"raw/{feed}"].group_name == found[f"staging/stg_{feed}"].group_name == feed


def test_dbts_tests_are_asset_checks(definitions: dg.Definitions) -> None:
    checks = Counter(check.asset_key.path[0] for check in definitions.resolve_asset_graph().asset_check_keys)
    assert checks["marts"] > 10


def test_every_asset_has_an_owner_and_every_feed_that_owes_freshness_has_it(definitions: dg.Definitions) -> None:
    found = nodes(definitions)
    assert [name for name, node in found.items() if not node.owners] == []
    checks = definitions.resolve_asset_graph().asset_check_keys
    for feed, contract in CONTRACTS.items():
        due = bool(contract.spec.freshness_s)
        assert (found[f"landed/{feed}"].freshness_policy is not None) == due
        assert (dg.AssetCheckKey(dg.AssetKey(["raw", feed]), FRESH_CHECK) in checks) == due
        assert found[f"raw/{feed}"].freshness_policy is None  # a build without news would make it look fresh


def test_telemetry_is_off_in_the_instance_and_for_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestration.lib.instance import prepare_instance
    from orchestration.serve import commands, environment

    settings = Settings(home=tmp_path)
    path = prepare_instance(settings)
    with dg.DagsterInstance.from_config(str(path.parent)) as instance:
        assert not instance.telemetry_enabled
        assert instance.freshness_enabled
    assert environment(settings).items() >= OFF.items()
    for command in commands(settings).values():
        assert "--host" not in command or command[command.index("--host") + 1] == "127.0.0.1"
