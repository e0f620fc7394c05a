"""The report of a run: what the marts counted stands in it, in Russian, as HTML that fetches nothing and as PDF."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from PIL import Image

from city.settings import Settings
from orchestration.defs import run_reports
from orchestration.run_report.drawing import draw_answers, draw_map
from orchestration.run_report.gather import RunMissingError, RunReport, gather, in_the_lake
from orchestration.run_report.html import page
from orchestration.run_report.pdf import compile_report
from orchestration.run_report.write import write_run
from warehouse.read import query

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def run_id(settings: Settings, mode: str) -> str:
    return str(query(settings, "SELECT run_id FROM marts.mart_scenario_run WHERE mode = ?", [mode]).item())


@pytest.fixture(scope="module")
def live(modelled: Settings) -> RunReport:
    return gather(modelled, run_id(modelled, "live"))


def test_marts_tell_the_story(modelled: Settings) -> None:
    rows = {row["mode"]: row for row in query(modelled, "SELECT * FROM marts.mart_scenario_run").to_dicts()}
    assert (rows["live"]["doors"], rows["live"]["doors_answered"], rows["live"]["escalated"]) == (2, 1, 1)
    assert (rows["drill"]["doors_answered"], rows["drill"]["started_by"]) == (2, "Иванова")
    assert rows["drill"]["last_answer_ms"] == 300
    doors = query(
        modelled,
        "SELECT device_id, result, sensed, attempts FROM marts.mart_command "
        "WHERE mode = 'live' AND action = 'unlock' ORDER BY device_id",
    ).rows()
    assert doors == [("door-shelter-01", "done", "unlocked", 1), ("door-shelter-04", None, None, 2)]
    houses = query(
        modelled, "SELECT answered_share FROM marts.mart_drill_house WHERE zone_id = 'dma-2' ORDER BY house_id"
    )
    assert houses["answered_share"].to_list() == [1.0, 1.0]
    kpis = dict(query(modelled, "SELECT code, numerator / denominator FROM intermediate.int_kpi_alerts_day").rows())
    assert kpis["alert_doors_answered"] == pytest.approx(4 / 6)
    assert kpis["alert_houses_ready"] == 1


def test_it_says_who_did_not_answer_where_and_whom_to_call(live: RunReport) -> None:
    silent = {row["device_id"]: row for row in live.silent}
    assert "door-shelter-04" in silent
    assert "door-shelter-01" not in silent
    assert silent["door-shelter-04"]["address"] == "г. Городок, Садовая улица, д. 11"
    assert "Школа № 2" in silent["door-shelter-04"]["contact"]


def test_html_holds_everything_and_fetches_nothing(live: RunReport) -> None:
    text = page(live)
    for word in ("Ракетная опасность", "Садовая улица, д. 11", "молчит · silent", "Центральный", "1 из / of 2", "<svg"):
        assert word in text
    assert not re.search(r"""(src|href)\s*=|url\(|@import|<script""", text)
    outside = [found for found in re.findall(r"https?://[^\s\"<]+", text) if found != "http://www.w3.org/2000/svg"]
    assert outside == []


def test_text_of_a_stranger_is_text(live: RunReport) -> None:
    """An alert's key comes from outside."""
    from dataclasses import replace

    evil = '<script>alert(1)</script> #import "x" $1$ *b* "'
    report = replace(live, run={**live.run, "trigger_key": evil}, titles=(evil, "en"))
    assert "<script>" not in page(report)
    (pdf,) = compile_report(report)
    assert pdf.startswith(b"%PDF")


def test_pdf_has_its_pages_and_its_cyrillic(live: RunReport) -> None:
    (pdf,) = compile_report(live)
    assert pdf.startswith(b"%PDF")
    assert b"LibertinusSerif" in pdf
    pages = [Image.open(io.BytesIO(each)).convert("RGB") for each in compile_report(live, "png")]
    assert len(pages) >= 2
    red = sum(count for count, (r, g, b) in pages[0].getcolors(2**24) if r > 150 and g < 60 and b < 60)
    assert red > 50  # the silent door's cross on the map
    # glyphs of Cyrillic are drawn: a font without them would give empty boxes of one shape
    heading = [crop(pages[0], left) for left in (0, 22, 44)]
    assert len({each.tobytes() for each in heading}) == 3


def crop(picture: Any, left: int) -> Any:
    return picture.crop((78 + left, 64, 100 + left, 92))


def test_a_run_without_answers_and_one_with_thousands_are_drawn(live: RunReport) -> None:
    assert "ответов не было" in draw_answers([], 10)
    many = draw_answers([10.0 + number / 10 for number in range(10_000)], 10_000)
    assert many.count("<svg") == 1
    assert draw_map(live).count("<circle") >= 1


def test_an_unknown_run_says_what_is_missing(modelled: Settings) -> None:
    with pytest.raises(RunMissingError, match="loaded and built"):
        gather(modelled, "nothing")


def test_a_run_is_ready_when_its_last_line_is_in_the_lake(modelled: Settings) -> None:
    known = run_id(modelled, "drill")
    last = query(modelled, "SELECT max(written_at) AS at FROM staging.stg_ledger_entry").item()
    assert in_the_lake(modelled, {known: last, "unknown": last}) == [known]
    assert in_the_lake(modelled, {known: last + timedelta(minutes=1)}) == []


def test_an_empty_lake_has_no_run_and_no_error(tmp_path: Path) -> None:
    assert in_the_lake(Settings(home=tmp_path), {"r": None}) == []  # type: ignore[dict-item]


def test_the_asset_writes_both_files_in_a_partition_of_its_run(modelled: Settings) -> None:
    job = run_reports.definitions(modelled).resolve_job_def("report_run")
    found = run_id(modelled, "live")
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("scenario_run", [found])
        result = job.execute_in_process(instance=instance, partition_key=found)
        assert result.success
        (event,) = result.get_asset_materialization_events()
    metadata = event.materialization.metadata
    assert metadata["silent"].value > 0
    for name in ("pdf", "html"):
        assert Path(str(metadata[name].value)).stat().st_size > 10_000
    again = write_run(modelled, found)
    assert len(list(again.pdf.parent.iterdir())) == 2  # the same run, the same files
