"""A new feed's files as text: the contract, the staging model, and where asked an adapter to fill in.

Everything else about the feed (`python -m ingest.derive`) follows from the contract.
"""

from __future__ import annotations

import json
import keyword
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ingest.contracts import CONTRACTS
from ingest.derive.arrow import ENVELOPE, landing_schema

LINE = 120
CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
SQL_WORDS = frozenset(
    {"timestamp", "sequence", "source", "status", "scope", "references", "field", "value", "position", "at", "by"}
)
"""Words that are quoted in SQL: types and keywords of some dialect, so that nobody has to wonder."""
STAGING = """\
with source as (
    select * from {{ source('raw', 'CODE') }}
),

CODE as (
    select
        COLUMNS
    from source
)

select * from CODE
"""


class ScaffoldError(ValueError):
    """The feed cannot be made so; the text names field, value and remedy."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A measured quantity: its name ends with its unit (`pm25_ug_m3`), low and high bound it."""

    name: str
    unit: str
    low: float
    high: float
    meaning: str

    @classmethod
    def parse(cls, text: str) -> Measure:
        """From NAME:UNIT:LOW:HIGH:MEANING. Raises ScaffoldError."""
        parts = text.split(":", 4)
        if len(parts) != 5:
            raise ScaffoldError(f"measure {text!r}: write NAME:UNIT:LOW:HIGH:MEANING, as pm25_ug_m3:ug/m3:0:1000:Dust")
        name, unit, low, high, meaning = (part.strip() for part in parts)
        _name("measure", name)
        try:
            bounds = float(low), float(high)
        except ValueError:
            raise ScaffoldError(f"measure {name}: bounds {low!r}, {high!r}: give two numbers") from None
        if not bounds[0] < bounds[1]:
            raise ScaffoldError(f"measure {name}: {low} … {high} is empty: give the lower bound first")
        return cls(name, unit, *bounds, meaning or name)


@dataclass(frozen=True, slots=True)
class NewFeed:
    """What a person says about a feed before there is any code of it."""

    code: str
    title_ru: str
    title_en: str
    owner: str
    entity: str = "device_id"
    origin: Literal["device", "service"] = "device"
    freshness_s: int = 3_600
    measures: tuple[Measure, ...] = field(default=())

    def __post_init__(self) -> None:
        _name("name", self.code)
        _name("entity", self.entity)
        if self.code in CONTRACTS or self.code == "contract":
            raise ScaffoldError(f"name {self.code!r}: there is such a feed already: choose another name or edit it")
        if not re.search("[а-яА-ЯёЁ]", self.title_ru):
            raise ScaffoldError(f"title-ru {self.title_ru!r}: give the title in Russian, people read it first")
        if self.freshness_s < 0:
            raise ScaffoldError(f"freshness {self.freshness_s}: give seconds, 0 when nothing is ever due")

    @property
    def thing(self) -> str:
        return self.entity.removesuffix("_id").replace("_", " ")


def files_of(feed: NewFeed, root: Path, adapter: bool) -> dict[Path, str]:
    """Path → text of what a person goes on from. Raises ScaffoldError where a file exists."""
    files = {
        root / "ingest" / "contracts" / f"{feed.code}.py": contract_text(feed),
        root / "dbt" / "models" / "staging" / f"stg_{feed.code}.sql": staging_text(feed.code, _columns(feed)),
    }
    if adapter:
        files[root / "ingest" / "adapters" / f"{feed.code}.py"] = adapter_text(feed)
    for path in files:
        if path.exists():
            raise ScaffoldError(f"{path.relative_to(root)} exists: remove it, or choose another name")
    return files


def contract_text(feed: NewFeed) -> str:
    """The module of `ingest/contracts/`."""
    device = feed.origin == "device"
    used = ["Contract", "FeedSpec", "Identifier", "Latitude", "Longitude", "Sequence" if device else "", "UtcTime"]
    names = ", ".join([name for name in used if name] + (["unit"] if feed.measures else []))
    class_name = "".join(part.capitalize() for part in feed.code.split("_"))
    sequence = '\n        sequence=("boot_id", "sequence"),' if device else ""
    lines = [
        f'"""{feed.title_en}: what a {feed.thing} measures."""',
        "",
        "from __future__ import annotations",
        "",
        "from typing import ClassVar",
        "",
        "from pydantic import Field",
        "",
        f"from ingest.contracts.contract import {names}",
        "",
        "",
        f"class {class_name}(Contract):",
        "    spec: ClassVar[FeedSpec] = FeedSpec(",
        f'        code="{feed.code}",',
        f'        grain="one row per {feed.thing} and moment",',
        f"        title_en={_quoted(feed.title_en)},",
        f"        title_ru={_quoted(feed.title_ru)},",
        f'        key=("{feed.entity}", "event_time"),',
        '        event_time="event_time",',
        f'        entity="{feed.entity}",',
        f'        origin="{feed.origin}",',
        f"        owner={_quoted(feed.owner)},",
        f"        freshness_s={feed.freshness_s:_},{sequence}",
        "    )",
        "",
        f'    {feed.entity}: Identifier = Field(description="The {feed.thing} of the city\'s register")',
        '    event_time: UtcTime = Field(description="When it was measured, by its own clock")',
        *[_measure_line(measure) for measure in feed.measures],
        '    latitude: Latitude | None = Field(default=None, description="WGS 84 latitude, where it moves")',
        '    longitude: Longitude | None = Field(default=None, description="WGS 84 longitude, where it moves")',
    ]
    if device:
        lines += [
            '    boot_id: Identifier | None = Field(default=None, description="New at every start of the device")',
            '    sequence: Sequence | None = Field(default=None, description="Counts up by one within a boot")',
        ]
    return "\n".join(lines) + "\n"


def staging_text(code: str, columns: list[str]) -> str:
    """Staging model: source, one clean CTE of the model's name, select."""
    listed = ",\n        ".join(f'"{name}"' if name in SQL_WORDS else name for name in columns)
    return STAGING.replace("CODE", code).replace("COLUMNS", listed)


def adapter_text(feed: NewFeed) -> str:
    """An adapter that turns a service's JSON list into messages: fetch is done, decode is for you to fill in."""
    class_name = "".join(part.capitalize() for part in feed.code.split("_"))
    return f'''"""{feed.title_en}: pulls the service and maps its answer to `{feed.code}`."""

from __future__ import annotations

import json

from ingest.adapters.decoding import Decoding
from ingest.adapters.fetching import Document, Fetcher
from ingest.adapters.source import Source

FEED = "{feed.code}"
MAX_BYTES = 16 * 2**20


class {class_name}:
    """One request a fetch. Name it in ingest/adapters/source.py (`adapter`) and ingest/adapters/pulling.py."""

    max_bytes = MAX_BYTES

    def __init__(self, source: Source) -> None:
        self._source = source

    async def fetch(self, fetcher: Fetcher) -> list[Document]:
        return [await fetcher.get(self._source.url)]

    def decode(self, document: Document) -> Decoding:
        return decode(document.data, document.source)


def decode(data: bytes, source: str) -> Decoding:
    """The service's answer, a JSON list with our field names; map its own names here."""
    done = Decoding(source)
    try:
        items = json.loads(data)
    except ValueError as error:
        done.refuse(FEED, data, f"not JSON: {{error}}")
        return done
    for item in items if isinstance(items, list) else [items]:
        original = json.dumps(item, ensure_ascii=False).encode()
        if isinstance(item, dict):
            done.add(FEED, item, original)
        else:
            done.refuse(FEED, original, "not a JSON object")
    return done
'''


def _columns(feed: NewFeed) -> list[str]:
    """Columns of the raw table that the new contract will have; envelope and lineage as everywhere."""
    own = [feed.entity, "event_time", *[measure.name for measure in feed.measures], "latitude", "longitude"]
    numbered = ["boot_id", "sequence"] if feed.origin == "device" else []
    return [*own, *numbered, *ENVELOPE.names, "segment", "segment_row"]


def columns_of_contract(code: str) -> list[str]:
    """The same for a contract that exists: to write its staging model anew after a field was added."""
    return [*landing_schema(code).names, "segment", "segment_row"]


def _measure_line(measure: Measure) -> str:
    bounds = f"ge={measure.low:g}, le={measure.high:g}"
    inner = f"{_quoted(measure.unit)}, default=None, {bounds}, description={_quoted(measure.meaning)}"
    line = f"    {measure.name}: float | None = unit({inner})"
    return line if len(line) <= LINE else f"    {measure.name}: float | None = unit(\n        {inner}\n    )"


def _quoted(text: str) -> str:
    """A Python string in double quotes, with Russian letters as they are."""
    return json.dumps(text, ensure_ascii=False)


def _name(what: str, name: str) -> None:
    if not CODE.fullmatch(name) or keyword.iskeyword(name):
        raise ScaffoldError(f"{what} {name!r}: use small letters, digits and single underscores, as air_quality")
    if name in ENVELOPE.names:
        raise ScaffoldError(f"{what} {name!r}: the platform adds a column of that name: choose another")
