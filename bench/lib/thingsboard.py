"""thingsboard-gateway in an environment of its own, and a ThingsBoard that only counts.

Configured for data that must not be lost: SQLite store, QoS 1 on both sides, a persistent MQTT 5 session at the broker.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from bench.lib.peer_environment import program_of
from bench.lib.processes import running
from ingest.broker.client import set_nodelay

NO_LIMITS: dict[str, Any] = {
    "maxPayloadSize": 1_000_000,
    "maxInflightMessages": 1_000,
    "rateLimits": {},
    "gatewayRateLimits": {},
}

Id = tuple[str, int]


def program() -> Path:
    """The gateway's program, installed first. Raises RuntimeError that says why it cannot be."""
    return program_of("thingsboard", "thingsboard-gateway")


class FakeThingsBoard:
    """Subscribes what a gateway publishes to ThingsBoard, and counts each (device, sequence)."""

    def __init__(self, port: int) -> None:
        self.arrived: Counter[Id] = Counter()
        self.last_at = 0.0
        self._lock = threading.Lock()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="fake-thingsboard", protocol=mqtt.MQTTv311)
        self._client.on_socket_open = set_nodelay
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.subscribe([("v1/gateway/telemetry", 1), ("v1/devices/me/rpc/request/+", 1)])

    def __enter__(self) -> Self:
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def count(self) -> int:
        with self._lock:
            return self.arrived.total()

    def distinct(self) -> int:
        with self._lock:
            return len(self.arrived)

    def forget(self) -> None:
        with self._lock:
            self.arrived.clear()

    def _on_message(self, client: mqtt.Client, _user: Any, message: mqtt.MQTTMessage) -> None:
        if message.topic.startswith("v1/devices/me/rpc/request/"):
            # a real ThingsBoard tells a gateway its limits before it takes data
            client.publish(message.topic.replace("request", "response"), json.dumps(NO_LIMITS), qos=1)
            return
        told = json.loads(message.payload)
        with self._lock:
            self.last_at = time.monotonic()
            for device, rows in told.items():
                for row in rows:
                    self.arrived[device, int(row.get("values", row)["sequence"])] += 1


@contextmanager
def gateway(folder: Path, broker: int, thingsboard: int, city: str) -> Iterator[subprocess.Popen[bytes]]:
    """A running gateway with its store under `folder`; the same folder again continues where it was."""
    config = folder / "config"
    config.mkdir(parents=True, exist_ok=True)
    (folder / "logs").mkdir(exist_ok=True)
    (config / "tb_gateway.json").write_text(json.dumps(_main(folder, thingsboard)))
    (config / "mqtt.json").write_text(json.dumps(_connector(broker, city)))
    (config / "logs.json").write_text(json.dumps(_quiet()))
    env = os.environ | {"TB_GW_CONFIG_DIR": str(config), "PIP_NO_INDEX": "1", "PYTHONPATH": ""}
    with running([program()], folder / "gateway.log", env, end_s=15, cwd=folder) as process:
        yield process


def _main(folder: Path, port: int) -> dict[str, Any]:
    return {
        "thingsboard": {
            "host": "127.0.0.1",
            "port": port,
            "remoteShell": False,
            "remoteConfiguration": False,
            "statistics": {"enable": False, "statsSendPeriodInSeconds": 3600},
            "deviceFiltering": {"enable": False, "filterFile": "list.json"},
            "maxPayloadSizeBytes": 65_536,
            "minPackSendDelayMS": 0,
            "minPackSizeToSend": 500,
            "checkConnectorsConfigurationInSeconds": 3600,
            "handleDeviceRenaming": False,
            "security": {"type": "accessToken", "accessToken": "bench"},
            "qos": 1,
            "reportStrategy": {"type": "ON_RECEIVED"},
            "checkingDeviceActivity": {"checkDeviceInactivity": False},
        },
        "storage": {
            "type": "sqlite",
            "data_file_path": f"{folder}/data/",
            "messages_ttl_check_in_hours": 1,
            "messages_ttl_in_days": 7,
            "max_read_records_count": 1_000,
        },
        "grpc": {"enabled": False},
        "connectors": [{"name": "bench", "type": "mqtt", "configuration": "mqtt.json"}],
    }


def _connector(port: int, city: str) -> dict[str, Any]:
    values = [
        {"type": kind, "key": key, "value": f"${{{key}}}"}
        for key, kind in (
            ("sequence", "integer"), ("latitude", "double"), ("longitude", "double"), ("bearing_deg", "double"),
            ("speed_m_s", "double"), ("route_id", "string"), ("trip_id", "string"),
        )
    ]  # fmt: skip
    return {
        "broker": {
            "host": "127.0.0.1",
            "port": port,
            "clientId": "thingsboard_gateway",
            "version": 5,
            "maxMessageNumberPerWorker": 10,
            "maxNumberOfWorkers": 100,
            "cleanSession": False,
            "cleanStart": False,
            "sessionExpiryInterval": 3_600,
            "security": {"type": "anonymous"},
        },
        "mapping": [
            {
                "topicFilter": f"gorodok/v1/{city}/vehicle_position/+",
                "subscriptionQos": 1,
                "converter": {
                    "type": "json",
                    "deviceInfo": {
                        "deviceNameExpressionSource": "message",
                        "deviceNameExpression": "${vehicle_id}",
                        "deviceProfileExpressionSource": "constant",
                        "deviceProfileExpression": "default",
                    },
                    "sendDataOnlyOnChange": False,
                    # a number; with the message's own RFC 3339 text it sends each message by itself, far slower
                    "useReceivedTs": True,
                    "timeout": 60_000,
                    "attributes": [],
                    "timeseries": values,
                },
            }
        ],
    }


def _quiet() -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
        "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "plain", "stream": "ext://sys.stdout"}},
        "loggers": {},
        "root": {"level": "WARNING", "handlers": ["out"]},
    }
