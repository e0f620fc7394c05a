"""Our folders `dbt` and `apps/streamlit` must never hide the libraries of those names; the wheel holds code only."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Names in the wheel that hatchling builds from the working tree."""
    target = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = target.glob("*.whl")
    return zipfile.ZipFile(built).namelist()


def test_dbt_is_no_package_and_apps_are() -> None:
    assert not (ROOT / "dbt" / "__init__.py").exists(), "it would hide the library dbt"
    assert (ROOT / "apps" / "__init__.py").exists(), "without it apps/streamlit is imported as streamlit"
    assert (ROOT / "apps" / "streamlit" / "__init__.py").exists(), "without it apps/streamlit is imported as streamlit"


@pytest.mark.parametrize("library", ["dbt.version", "streamlit.version"])
def test_from_the_repository_the_libraries_are_imported(library: str) -> None:
    assert "site-packages" in _file_of(library, ROOT)


@pytest.mark.parametrize("library", ["dbt.version", "streamlit.version"])
def test_from_apps_the_libraries_are_imported(library: str) -> None:
    # -P: the working folder is not on the path, as for installed commands (gorodok, streamlit, dagster).
    # A plain `python` in apps/ does put it there; there is no work to be done in that folder.
    assert "site-packages" in _file_of(library, ROOT / "apps", "-P")


def _file_of(module: str, folder: Path, *options: str) -> str:
    program = f"import importlib; print(importlib.import_module({module!r}).__file__)"
    run = subprocess.run(
        [sys.executable, *options, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )
    return run.stdout + run.stderr


def test_the_installed_command_works_from_apps() -> None:
    run = subprocess.run(
        [Path(sys.executable).with_name("gorodok"), "--help"],
        cwd=ROOT / "apps",
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]


def test_the_wheel_holds_no_dbt_tests_or_bench(wheel: list[str]) -> None:
    tops = {name.split("/")[0] for name in wheel}
    assert not tops & {"dbt", "tests", "bench", "docs", "deploy", "streamlit"}, sorted(tops)
    assert {"apps", "cities", "city", "ingest", "warehouse"} <= tops


def test_the_wheel_holds_what_the_code_reads(wheel: list[str]) -> None:
    assert "ingest/derive/examples/vehicle_position.json" in wheel
    assert "ingest/quality/suites/vehicle_position.json" in wheel
    assert any(re.fullmatch(r"cities/gorodok/\w+\.toml", name) for name in wheel)


def test_no_committed_file_names_a_registry() -> None:
    hosts = [
        ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"))
    ]
    pattern = "|".join(re.escape(host) for host in hosts)
    found = subprocess.run(
        ["git", "grep", "-nIiE", f"{pattern}|^--(extra-)?index-url"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode in (0, 1), found.stderr
    assert found.stdout == "", "a lock or a document that names a registry's host may not be committed"


def test_hooks_are_local() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    repositories = re.findall(r"^\s*-\s*repo:\s*(\S+)", text, re.MULTILINE)
    assert repositories
    assert set(repositories) == {"local"}
