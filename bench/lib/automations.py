"""Peers that do the same automation without a signature and without a ledger: Node-RED and Home Assistant.

Event of class person with a confidence of 0.5 or more on camera_event/<site> → a message on peer/command/<site>. Each
is installed on first use under bench/peers/ (npm, PyPI), and left out with a reason where that cannot be.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.lib.peer_environment import PEERS, program_of
from bench.lib.processes import free_port, running, tail

NODE_RED = "node-red@4"
PREFIX = "peer/command/"
EVENTS = "gorodok/v1/gorodok/camera_event/+"
INSTALL_S = 900


class PeerAwayError(RuntimeError):
    """The peer cannot be had here; the message says why."""


def node_red() -> Path:
    """The program of Node-RED, installed first (a minute)."""
    folder = PEERS / "nodered"
    program = folder / "node_modules" / "node-red" / "red.js"
    if program.exists():
        return program
    if shutil.which("npm") is None:
        raise PeerAwayError("npm is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    _run(["npm", "install", "--no-audit", "--no-fund", "--silent", NODE_RED], folder)
    return program


def hass() -> Path:
    """The program of Home Assistant in an environment of its own, made first (two minutes)."""
    try:
        return program_of("homeassistant", "hass", INSTALL_S)
    except RuntimeError as error:
        raise PeerAwayError(str(error)) from error


def _run(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, timeout=INSTALL_S, capture_output=True, text=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise PeerAwayError(f"`{' '.join(command[:4])} …` failed: {error}") from error


@contextmanager
def running_node_red(home: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A Node-RED with the flow, connected to the broker on this port."""
    program = node_red()
    home.mkdir(parents=True, exist_ok=True)
    (home / "flows.json").write_text(json.dumps(_flow(port)))
    (home / "settings.js").write_text("module.exports = {flowFile: 'flows.json', uiHost: '127.0.0.1'};")
    log = home / "node-red.log"
    command = ["node", program, "-u", home, "-p", str(free_port()), "-s", home / "settings.js"]
    with running(command, log, dict(os.environ), 20) as process:
        _wait_for_words(log, process, "Connected to broker", 120)
        yield process


def _flow(port: int) -> list[dict[str, Any]]:
    decide = (
        "const e = msg.payload; if (e.class_name !== 'person' || !(e.confidence >= 0.5)) return null;"
        "return {topic: 'peer/command/' + e.site_id, payload: JSON.stringify({action: 'light_on', event: e.event_id})};"
    )
    shared = {"z": "flow", "x": 100, "y": 100}
    return [
        {"id": "flow", "type": "tab", "label": "bench"},
        {"id": "broker", "type": "mqtt-broker", "broker": "127.0.0.1", "port": str(port), "clientid": "node-red",
         "autoConnect": True, "protocolVersion": "5", "keepalive": "60", "cleansession": True},
        {"id": "in", "type": "mqtt in", "topic": EVENTS, "qos": "1", "datatype": "json", "broker": "broker",
         "nl": False, "rap": True, "rh": 0, "inputs": 0, "wires": [["decide"]], **shared},
        {"id": "decide", "type": "function", "func": decide, "outputs": 1, "noerr": 0, "wires": [["out"]], **shared},
        {"id": "out", "type": "mqtt out", "topic": "", "qos": "1", "retain": "false", "broker": "broker", "wires": [],
         **shared},
    ]  # fmt: skip


@contextmanager
def running_hass(home: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A Home Assistant with the automation, connected to the broker on this port."""
    program = hass()
    (home / ".storage").mkdir(parents=True, exist_ok=True)
    (home / "configuration.yaml").write_text(_configuration(free_port()))
    entry = {"entry_id": "bench", "version": 1, "minor_version": 1, "domain": "mqtt", "title": "bench", "options": {},
             "data": {"broker": "127.0.0.1", "port": port, "discovery": False}, "source": "user", "unique_id": None,
             "pref_disable_new_entities": False, "pref_disable_polling": False, "disabled_by": None}  # fmt: skip
    stored = {"version": 1, "minor_version": 1, "key": "core.config_entries", "data": {"entries": [entry]}}
    (home / ".storage" / "core.config_entries").write_text(json.dumps(stored))
    log = home / "hass.log"
    command = [program, "-c", home, "--log-file", home / "home-assistant.log", "-v"]
    with running(command, log, {**os.environ, "HOME": str(home)}, 30) as process:
        _wait_for_words(log, process, "Initialized trigger", 300)
        time.sleep(3)
        yield process


def _configuration(port: int) -> str:
    return f"""
homeassistant: {{name: bench, latitude: 57.6, longitude: 39.9, time_zone: UTC, unit_system: metric}}
logger: {{default: warning, logs: {{homeassistant.components.automation: info}}}}
http: {{server_host: 127.0.0.1, server_port: {port}}}
automation:
  - id: lamp
    alias: lamp
    mode: parallel
    max: 1000
    trigger: [{{platform: mqtt, topic: "{EVENTS}", qos: 1}}]
    condition:
      - condition: template
        value_template: >-
          {{{{ trigger.payload_json.class_name == 'person' and trigger.payload_json.confidence >= 0.5 }}}}
    action:
      - service: mqtt.publish
        data:
          topic: "peer/command/{{{{ trigger.payload_json.site_id }}}}"
          payload: '{{"action": "light_on", "event": "{{{{ trigger.payload_json.event_id }}}}"}}'
          qos: 1
"""


def _wait_for_words(log: Path, process: subprocess.Popen[bytes], words: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while words not in (log.read_text(errors="replace") if log.exists() else ""):
        if process.poll() is not None or time.monotonic() > end:
            raise PeerAwayError(f"it does not start: {tail(log, 600)}")
        time.sleep(0.2)
