"""A contract as a page for people: grain, key, fields, topic, an example that works, silence and duplicates."""

from __future__ import annotations

import json

from ingest.contracts import CONTRACTS
from ingest.contracts.contract import FeedSpec
from ingest.derive.examples import example_of
from ingest.derive.fields import FieldFacts, fields_of, rules_of
from ingest.topics import PREFIX

HEAD = "<!-- Generated from ingest/contracts by `python -m ingest.derive`; do not edit. -->\n"

_ORIGINS = {
    "device": "published by devices over MQTT",
    "service": "pulled by an adapter from a service; may be published over MQTT too",
    "platform": "written by Gorodok itself",
}


def page_of(feed: str) -> str:
    """The Markdown of `docs/contracts/<feed>.md`."""
    spec = CONTRACTS[feed].spec
    parts = [
        f"{HEAD}\n# {feed}\n\n**{spec.title_ru}** ({spec.title_en}): {spec.grain}; {_ORIGINS[spec.origin]}.",
        _facts(spec),
        f"## Fields\n\n{_table(fields_of(feed))}{_rules(feed)}",
        f"## Example\n\n{_example(feed)}",
        f"## Time\n\n{_time(spec)}",
        f"## Duplicates and gaps\n\n{_duplicates(spec)}",
        f"## In the lake\n\n{_lake(feed)}",
    ]
    return "\n\n".join(parts) + "\n"


def index_page() -> str:
    """The Markdown of `docs/contracts/index.md`: one row a feed."""
    rows = [
        f"| [`{feed}`]({feed}.md) | {contract.spec.title_ru} | {contract.spec.grain} | {contract.spec.origin} | "
        f"{contract.spec.owner} | {duration(contract.spec.freshness_s) if contract.spec.freshness_s else 'never due'} |"
        for feed, contract in CONTRACTS.items()
    ]
    return "\n".join(
        [
            HEAD,
            "# Contracts",
            "",
            "A feed is declared once, in `ingest/contracts/`. From it come the landing schema, validation,",
            "[JSON Schema](#for-machines), [AsyncAPI](#for-machines), the Great Expectations suite, the dbt source",
            "and these pages; `python -m ingest.derive` writes them again, and a test says when they are stale.",
            "",
            "| Feed | Название | Grain | Origin | Owner | Silent too long after |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            "## For machines",
            "",
            "- [AsyncAPI 3.0 of all device topics](asyncapi.yaml)",
            *[f"- [JSON Schema of `{feed}`]({feed}.schema.json)" for feed in CONTRACTS],
            "",
        ]
    )


def duration(seconds: int) -> str:
    """Seconds in the largest unit that divides them: 7200 → "2 h"."""
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {name}"
    return f"{seconds} s"


def _facts(spec: FeedSpec) -> str:
    lines = [
        f"- Key: {_codes(spec.key)}",
        f"- Event time: `{spec.event_time}`; entity: `{spec.entity}`"
        + ("; the newest message of each is kept in the city state" if spec.live else ""),
        f"- Owner: {spec.owner}",
    ]
    if spec.origin != "platform" or spec.code.startswith("device_"):
        lines.insert(0, f"- Topic: `{PREFIX}/<city>/{spec.code}/<{_publisher(spec)}>`, QoS 1")
    return "\n".join(lines)


def _publisher(spec: FeedSpec) -> str:
    return "device_id" if spec.code.startswith("device_") else "publisher"


def _codes(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(fields: tuple[FieldFacts, ...]) -> str:
    rows = ["| Field | Kind | Unit | Allowed | Meaning |", "| --- | --- | --- | --- | --- |"]
    for field in fields:
        name = f"**`{field.name}`**" if field.required else f"`{field.name}`"
        rows.append(
            f"| {name} | {field.kind} | {field.unit or ''} | {_cell(_allowed(field))} | {_cell(_meaning(field))} |"
        )
    return "\n".join(rows) + "\n\nBold fields are required."


def _allowed(field: FieldFacts) -> str:
    return ", ".join(f"`{value}`" for value in field.values) or field.limits


def _meaning(field: FieldFacts) -> str:
    default = "" if field.default in (None, []) else f" Default: `{json.dumps(field.default)}`."
    private = " Personal: pseudonymised in staging, never in a mart." if field.personal else ""
    return f"{field.description.rstrip('.')}.{default}{private}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _rules(feed: str) -> str:
    rules = rules_of(feed)
    return "\n\nFields are checked together too: " + "; ".join(rules) + "." if rules else ""


def _example(feed: str) -> str:
    message = json.dumps(example_of(feed), indent=2, ensure_ascii=False)
    return f"This message is accepted as it stands (a test sends it through the contract):\n\n```json\n{message}\n```"


def _time(spec: FeedSpec) -> str:
    lines = [
        f"A message whose `{spec.event_time}` is more than {duration(spec.ahead_s)} ahead of the receive time is "
        f"marked `ahead` and takes the receive time; one more than {duration(spec.behind_s)} behind is marked "
        "`behind` and keeps its own. Both times are kept."
    ]
    if spec.freshness_s:
        lines.append(f"Silence longer than {duration(spec.freshness_s)} is an incident.")
    else:
        lines.append("Silence is allowed for any time: nothing is due.")
    return "\n\n".join(lines)


def _duplicates(spec: FeedSpec) -> str:
    lines = [
        f"Delivery is at least once. Two messages with the same {_codes(spec.key)} are one: **the first that was "
        "loaded stays**. A later one that says something else is kept in `ops.conflict` and counted, never mixed in."
    ]
    if spec.sequence:
        boot, counter = spec.sequence
        lines.append(
            f"`{counter}` counts up by one within a `{boot}`; a number that never came is a row of "
            "`marts.mart_sequence_gap`. A device that restarts takes a new "
            f"`{boot}` and may begin at 0 again."
        )
    return "\n\n".join(lines)


def _lake(feed: str) -> str:
    return (
        f"`raw.{feed}` holds these fields, then `event_at`, `received_at`, `clock_status`, `source`, `segment` and "
        f"`segment_row` (lists and objects as JSON text); `staging.stg_{feed}` is what models build on. "
        f"Schema for machines: [`{feed}.schema.json`]({feed}.schema.json)."
    )
