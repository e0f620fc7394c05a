"""Finds the benchmarks: every module of `bench` that is no package."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

import bench
from bench.lib.table import BenchTable, Options

Run = Callable[[Options], BenchTable]


def names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(bench.__path__) if not module.ispkg)


def find(name: str) -> Run:
    """The benchmark's `run`. Raises KeyError for an unknown name."""
    if name not in names():
        raise KeyError(name)
    run: Run = importlib.import_module(f"bench.{name}").run
    return run


def summary(name: str) -> str:
    """The first sentence of the benchmark's docstring."""
    text = importlib.import_module(f"bench.{name}").__doc__ or ""
    return text.split("\n\n")[0].replace("\n", " ").strip()
