"""Docs are tested: every command, setting, contract, KPI and job has its heading; the site builds offline."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import pytest
import yaml

from city.settings import ROOT, Settings
from domains.kpi.catalogue import catalogue
from ingest.contracts import CONTRACTS

DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_reference", DOCS / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _headings(page: str) -> set[str]:
    return set(re.findall(r"^#+ (.+)$", (DOCS / page).read_text("utf-8"), re.MULTILINE))


def test_every_command_has_its_heading(reference: ModuleType) -> None:
    paths = {path for path, _ in reference.commands()}
    assert len(paths) > 10
    assert paths - _headings("cli.md") == set(), "run `python docs/reference.py`"


def test_every_option_has_its_meaning(reference: ModuleType) -> None:
    silent = [
        f"{path} {parameter.name}"
        for path, command in reference.commands()
        for parameter in command.params
        if parameter.name != "help" and not getattr(parameter, "help", None)
    ]
    assert silent == [], "give the option a help text"
    assert [path for path, command in reference.commands() if not command.help] == []


def test_every_setting_has_its_heading_and_meaning() -> None:
    wanted = {f"GORODOK_{name.upper()}" for name in Settings.model_fields}
    assert wanted - _headings("settings.md") == set(), "run `python docs/reference.py`"
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_every_contract_and_kpi_has_its_heading() -> None:
    for feed in CONTRACTS:
        assert feed in _headings(f"contracts/{feed}.md")
    assert {kpi.code for kpi in catalogue().kpis} <= _headings("kpi.md"), "run `python docs/reference.py`"


def test_pages_made_from_code_are_fresh(reference: ModuleType) -> None:
    stale = [path.name for path, text in reference.pages().items() if path.read_text("utf-8") != text]
    assert stale == [], "run `python docs/reference.py` and commit what it writes"


def test_every_job_of_the_runbook_is_listed() -> None:
    jobs = {path.name for path in (DOCS / "operations").glob("*.md")} - {"index.md"}
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", (DOCS / "operations" / "index.md").read_text("utf-8")))
    assert jobs == linked


@pytest.mark.parametrize("page", ["README.md", "README.ru.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_of_the_front_pages_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    links = re.findall(r"!?\[[^\]]*\]\(([^)]+)\)", text)
    local = [link for link in links if not link.startswith(("http", "#"))]
    assert [link for link in local if not (ROOT / link.split("#")[0]).exists()] == []


def test_both_readmes_say_the_same_about_what_is_done() -> None:
    words = {"**partly**": "**частично**", "partly": "частично", "planned": "в планах", "done": "готово"}
    english = re.findall(r"^\| .+? \| (\S+) \|", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    russian = re.findall(r"^\| .+? \| (\S+(?: планах)?) \|", (ROOT / "README.ru.md").read_text("utf-8"), re.MULTILINE)
    states = [words[word] for word in english if word in words]
    assert states == [word for word in russian if word in words.values()]
    assert len(states) == 10, "ten municipal systems, each with its state"


def test_commands_and_files_that_the_docs_name_exist(reference: ModuleType) -> None:
    """`gorodok xyz` in a page is a command; `deploy/x.conf` in a page is a file."""
    known = {path.split()[1] for path, _ in reference.commands()} - {""}
    pages = [*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "README.ru.md", ROOT / "CONTRIBUTING.md"]
    for page in pages:
        text = page.read_text("utf-8")
        named = set(re.findall(r"(?:^|`)gorodok ([a-z]+)", text, re.MULTILINE))
        assert named <= known, f"{page.name}: {sorted(named - known)} are no commands"
        if page.name == "CONTRIBUTING.md":
            continue  # names files that its examples make; a test runs those
        for path in re.findall(r"`((?:deploy|tests|domains|ingest|simulator)/[\w/.]+\.\w+)`", text):
            assert (ROOT / path).exists(), f"{page.name} names {path}"


def test_hand_written_settings_exist() -> None:
    known = {f"GORODOK_{name.upper()}" for name in Settings.model_fields}
    for page in [*DOCS.rglob("*.md"), ROOT / "README.ru.md", ROOT / "CONTRIBUTING.md"]:
        named = set(re.findall(r"GORODOK_[A-Z_]+", page.read_text("utf-8")))
        assert named <= known, f"{page.name}: {sorted(named - known)} are no settings"


class _Loaded(HTMLParser):
    """Addresses that a browser fetches by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag in ("script", "img", "iframe", "source"):
            self.addresses.append(found.get("src") or "")
        if tag == "link" and found.get("rel") not in ("canonical", "next", "prev"):
            self.addresses.append(found.get("href") or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    run = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(target)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return target


def test_the_site_fetches_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 25
    for page in pages:
        loaded = _Loaded()
        loaded.feed(page.read_text("utf-8"))
        away = [address for address in loaded.addresses if address.startswith(("http:", "https:", "//"))]
        assert away == [], f"{page.name} fetches {away}"
    for style in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", style.read_text("utf-8")), style.name


def test_every_contract_is_in_the_navigation(site: Path) -> None:
    front = unquote((site / "index.html").read_text("utf-8"))
    for feed in CONTRACTS:
        assert f"contracts/{feed}.html" in front
        assert json.loads((site / "contracts" / f"{feed}.schema.json").read_text("utf-8"))
    assert yaml.safe_load((site / "contracts" / "asyncapi.yaml").read_text("utf-8"))["asyncapi"] == "3.0.0"
    assert not list(site.rglob("*.py"))
