"""Runs a feed's checked-in suite over one batch of rows with Great Expectations.

Great Expectations is used for what it is known for: people who keep data read its suites and reports elsewhere
too. It is imported inside the function, because that takes 5 to 12 s, and with its analytics off.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ingest.quality.suite import suite_path

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Failure:
    """One expectation that does not hold. share: of the non-null values; examples: some that are wrong."""

    expectation: str
    column: str
    severity: str
    unexpected: int
    share: float
    examples: tuple[str, ...]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """How one batch did. rows: rows checked; seconds: without the import."""

    feed: str
    rows: int
    expectations: int
    failures: tuple[Failure, ...]
    seconds: float

    @property
    def critical(self) -> tuple[Failure, ...]:
        return tuple(failure for failure in self.failures if failure.severity == "critical")


def check_batch(feed: str, frame: pd.DataFrame) -> SuiteResult:
    """Every expectation of the feed's suite over the frame (columns of `raw.<feed>`, times in UTC)."""
    gx = _great_expectations()
    began = time.perf_counter()
    suite = gx.ExpectationSuite(**json.loads(suite_path(feed).read_text("utf-8")))
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("batch").add_dataframe_asset(feed)
    batch = asset.add_batch_definition_whole_dataframe("loaded").get_batch({"dataframe": frame})
    form = {"result_format": "SUMMARY", "partial_unexpected_count": EXAMPLES}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas' and Great Expectations' own, about each other
        outcome = batch.validate(suite, result_format=form)
    failures = tuple(_failure(result) for result in outcome.results if not result.success)
    return SuiteResult(feed, len(frame), len(outcome.results), failures, time.perf_counter() - began)


def _great_expectations() -> Any:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx
    return gx


def _failure(result: Any) -> Failure:
    config, found = result.expectation_config, result.result
    kwargs = config.kwargs
    column = kwargs.get("column") or ", ".join(kwargs.get("column_list", ())) or "(table)"
    errors = [
        info.get("exception_message") for info in _exceptions(result.exception_info) if info.get("raised_exception")
    ]
    return Failure(
        expectation=config.type,
        column=column,
        severity=config.severity.value if config.severity else "critical",
        unexpected=int(found.get("unexpected_count") or 0),
        share=float(found.get("unexpected_percent") or 0) / 100,
        examples=tuple(str(value)[:200] for value in found.get("partial_unexpected_list", ())[:EXAMPLES]),
        reason=errors[0] if errors else _mismatch(found),
    )


def _exceptions(info: Any) -> list[dict[str, Any]]:
    if not info:
        return []
    return [info] if "raised_exception" in info else [each for each in info.values() if isinstance(each, dict)]


def _mismatch(found: dict[str, Any]) -> str | None:
    mismatched = (found.get("details") or {}).get("mismatched")
    return json.dumps(mismatched, ensure_ascii=False) if mismatched else None
