"""The catalogue is data: it is strict, it is what the SQL computes, and what is generated from it is fresh."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from city.settings import ROOT
from domains.kpi import catalogue as module
from domains.kpi import docs, feed_list, seed
from domains.kpi.catalogue import CatalogueError, catalogue, load
from ingest.contracts import CONTRACTS

MODELS = ROOT / "dbt" / "models"


def codes_in_sql() -> dict[str, str]:
    """Code → model, from the text of int_kpi_*_day."""
    found = {}
    for path in MODELS.glob("intermediate/int_kpi_*_day.sql"):
        for code in re.findall(r"select day, '(\w+)'", path.read_text()):
            assert code not in found, f"{code} is computed twice"
            found[code] = path.stem
    return found


def test_catalogue_and_sql_tell_the_same_kpis() -> None:
    assert codes_in_sql() == {one.code: one.model for one in catalogue().kpis}


def test_mart_takes_every_domain() -> None:
    mart = (MODELS / "marts" / "mart_kpi_daily.sql").read_text()
    domains = re.findall(r"'(\w+)'", re.search(r"set domains = \[(.*?)\]", mart)[1])
    assert {f"int_kpi_{domain}_day" for domain in domains} == {one.model for one in catalogue().kpis}


def test_at_least_fourteen_over_the_five_feeds() -> None:
    assert len(catalogue().kpis) >= 14
    used = {feed for one in catalogue().kpis for feed in one.feeds}
    assert {"vehicle_position", "meter_reading", "scada_reading", "complaint", "camera_event", "alert"} <= used


def test_seed_and_feed_list_are_fresh() -> None:
    assert seed.PATH.read_text(encoding="utf-8") == seed.seed_csv(catalogue()), "run: python -m domains.kpi.seed"
    assert feed_list.PATH.read_text(encoding="utf-8") == feed_list.feeds_macro(CONTRACTS), (
        "run: python -m domains.kpi.feed_list"
    )


def test_every_contract_has_a_staging_model() -> None:
    assert {path.stem for path in MODELS.glob("staging/*.sql")} == {f"stg_{code}" for code in CONTRACTS}


def test_personal_fields_leave_staging_only_under_a_pseudonym() -> None:
    for code, contract in CONTRACTS.items():
        sql = (MODELS / "staging" / f"stg_{code}.sql").read_text()
        for name, field in contract.model_fields.items():
            if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("personal"):
                bare = re.sub(rf"pseudonym\('{name}'\) }}}} as {name}_key", "", sql)
                assert not re.search(rf"\b{name}\b", bare), f"stg_{code} tells {name} as it is"


def test_drill_asks_for_one_day_in_the_citys_zone() -> None:
    for one in catalogue().kpis:
        sql = one.drill_sql("Asia/Yekaterinburg")
        assert "$1" in sql
        assert "?" not in sql
        assert "{" not in sql
    assert "'Asia/Yekaterinburg'" in catalogue()["appeals_closed_on_time"].drill_sql("Asia/Yekaterinburg")
    with pytest.raises(ValueError, match="IANA"):
        catalogue()["transit_speed"].drill_sql("Moscow'; drop table x")


def test_docs_have_a_heading_for_each_kpi() -> None:
    page = docs.markdown(catalogue())
    for one in catalogue().kpis:
        assert f"### {one.code}\n" in page
        assert one.numerator.ru in page
        assert one.denominator.en in page


def test_value_is_unknown_without_a_denominator() -> None:
    share, hours = catalogue()["water_loss_share"], catalogue()["appeals_hours_to_close"]
    assert share.value_of(1, 4) == 25
    assert share.value_of(0, 4) == 0
    assert share.value_of(1, 0) is None
    assert hours.value_of(6.5, 3) == 6.5
    assert hours.value_of(None, 0) is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"colour": "red"}, "colour"),
        ({"feeds": ["vehicle_positions"]}, "have no contract"),
        ({"better": "up"}, "better"),
        ({"target": {"value": 1.0, "whose": "somebody"}}, "targets"),
        ({"factor": "100"}, "factor"),
    ],
)
def test_a_wrong_entry_is_refused_by_name(tmp_path: Path, change: dict, says: str) -> None:
    data = yaml.safe_load(module.PATH.read_text(encoding="utf-8"))
    data["kpis"][0] |= change
    path = tmp_path / "catalogue.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True))
    with pytest.raises(CatalogueError, match=says):
        load(path)


def test_a_code_stands_once(tmp_path: Path) -> None:
    data = yaml.safe_load(module.PATH.read_text(encoding="utf-8"))
    data["kpis"].append(data["kpis"][0])
    path = tmp_path / "catalogue.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True))
    with pytest.raises(CatalogueError, match="stand twice"):
        load(path)
