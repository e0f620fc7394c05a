"""All topics that devices speak, as one AsyncAPI 3.0 document (asyncapi.com/docs/reference/specification/v3.0.0).

From the platform's side: it receives what devices and services publish. Signed commands are no feed: their topics and
payloads are in docs/devices-protocol.md.
"""

from __future__ import annotations

from typing import Any

import yaml

from ingest.contracts import CONTRACTS
from ingest.derive.examples import example_of
from ingest.topics import PREFIX

Json = dict[str, Any]


def asyncapi() -> Json:
    """The document as JSON values."""
    feeds = [feed for feed, contract in CONTRACTS.items() if contract.spec.origin != "platform"]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Gorodok: topics of a city",
            "version": "1.0.0",
            "description": (
                "MQTT topics of the city data platform. The payload is one JSON object or an array of them, UTF-8; "
                "unknown keys are refused; times are RFC 3339 strings with an offset. "
                "Publish with QoS 1: a message is acknowledged when it is on the disk."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "broker": {
                "host": "{host}:{port}",
                "protocol": "mqtt",
                "protocolVersion": "5",
                "description": "The city's broker; MQTT 3.1.1 is served too",
                "variables": {"host": {"default": "127.0.0.1"}, "port": {"default": "1893"}},
            }
        },
        "channels": {feed: _channel(feed) for feed in feeds},
        "operations": {_operation_name(feed): _operation(feed) for feed in feeds},
        "components": {
            "messages": {feed: _message(feed) for feed in feeds},
            "schemas": {name: schema for feed in feeds for name, schema in _schemas(feed).items()},
        },
    }


def asyncapi_text() -> str:
    head = "# Generated from ingest/contracts by `python -m ingest.derive`; do not edit.\n"
    return head + yaml.dump(asyncapi(), Dumper=_NoAliases, sort_keys=False, allow_unicode=True, width=110)


class _NoAliases(yaml.SafeDumper):
    """The same object twice is written twice: readers of the document know no YAML anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _channel(feed: str) -> Json:
    spec = CONTRACTS[feed].spec
    return {
        "address": f"{PREFIX}/{{city}}/{feed}/{{publisher}}",
        "title": spec.title_en,
        "summary": spec.grain,
        "messages": {feed: {"$ref": f"#/components/messages/{feed}"}},
        "parameters": {
            "city": {"description": "Code of the city: its folder under cities/", "default": "gorodok"},
            "publisher": {"description": "The device or service that publishes; the characters + # / are not allowed"},
        },
        "bindings": {"mqtt": {"bindingVersion": "0.2.0"}},
    }


def _operation_name(feed: str) -> str:
    return f"receive_{feed}"


def _operation(feed: str) -> Json:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{feed}"},
        "summary": CONTRACTS[feed].spec.title_en,
        "messages": [{"$ref": f"#/channels/{feed}/messages/{feed}"}],
        "bindings": {"mqtt": {"qos": 1, "retain": False, "bindingVersion": "0.2.0"}},
    }


def _message(feed: str) -> Json:
    one = {"$ref": f"#/components/schemas/{feed}"}
    return {
        "name": feed,
        "title": CONTRACTS[feed].spec.title_en,
        "contentType": "application/json",
        "payload": {"oneOf": [one, {"type": "array", "items": one}]},
        "examples": [{"name": feed, "payload": example_of(feed)}],
    }


def _schemas(feed: str) -> dict[str, Json]:
    """The contract and its parts; a part carries the feed's name, so that two feeds may name parts alike."""
    schema = CONTRACTS[feed].model_json_schema(ref_template=f"#/components/schemas/{feed}.{{model}}")
    parts = schema.pop("$defs", {})
    return {feed: schema} | {f"{feed}.{name}": part for name, part in parts.items()}
