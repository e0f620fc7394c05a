"""The embedded broker: `iotcore`, which is rumqttd in a wheel, with a configuration of ours.

Chosen because it comes by pip, so that `make demo` needs Python and nothing else. Its own defaults listen on
all interfaces, speak 3.1.1 only, refuse payloads over 20 KB and hold 10 MiB; so the configuration is written
here in full. It keeps everything in memory and has no access lists: for a demo, tests and a small town.
"""

from __future__ import annotations

from dataclasses import dataclass

from city.settings import Settings
from ingest.broker.address import BrokerAddress, parse_address

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
SEGMENT_MIB = 8
SEGMENTS = 64
"""The log of EACH topic filter that somebody subscribed to is a ring of SEGMENTS x SEGMENT_MIB: 512 MiB.

The library's 10 x 1 MiB lost 50,474 of 60,000 messages for a subscriber that was away. Memory is taken as
messages arrive, not in advance; the gateway's one filter `gorodok/v1/<city>/+/+` is the ring that matters.
"""
INFLIGHT = 1_000


class NotEmbeddableError(ValueError):
    """The settings name a broker that the embedded one cannot be (another machine, TLS, a user)."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Where the embedded broker listens; rumqttd speaks one version a port."""

    host: str
    five: int
    three: int

    @property
    def ports(self) -> tuple[int, int]:
        return self.five, self.three


def listeners(settings: Settings) -> Listeners:
    """Our clients' version (GORODOK_MQTT_VERSION) at the URL's port, the other one at the port after it."""
    address = parse_address(settings.mqtt_url)
    _check(address)
    first, second = address.port, address.port + 1
    host = "127.0.0.1" if address.host == "localhost" else address.host
    if settings.mqtt_version == "5":
        return Listeners(host, five=first, three=second)
    return Listeners(host, five=second, three=first)


def _check(address: BrokerAddress) -> None:
    if address.host not in LOOPBACK:
        raise NotEmbeddableError(
            f"GORODOK_MQTT_URL is {address}: the embedded broker has no access lists and listens on loopback only; "
            "use mqtt://127.0.0.1:1893, or run mosquitto with deploy/mosquitto.conf there"
        )
    if address.tls or address.user is not None:
        raise NotEmbeddableError(
            f"GORODOK_MQTT_URL is {address} with TLS or a user: the embedded broker has neither; "
            "use mqtt://127.0.0.1:1893, or run mosquitto with deploy/mosquitto.conf"
        )
    if address.port > 65_534:
        raise NotEmbeddableError(
            f"GORODOK_MQTT_URL is {address}: the port after it must be free too; choose one below 65535"
        )


def config_toml(settings: Settings) -> str:
    """rumqttd's configuration. Twice our largest payload passes, so that one too large reaches quarantine."""
    where = listeners(settings)
    payload_bytes = settings.max_payload_kb * 1024 * 2
    host = f"[{where.host}]" if ":" in where.host else where.host
    router = f"""id = 0

[router]
id = 0
max_connections = 10010
max_outgoing_packet_count = {INFLIGHT}
max_segment_size = {SEGMENT_MIB * 2**20}
max_segment_count = {SEGMENTS}
"""
    servers = [
        f"""
[{version}.1]
name = "{version}-1"
listen = "{host}:{port}"
next_connection_delay_ms = 1

[{version}.1.connections]
connection_timeout_ms = 60000
max_payload_size = {payload_bytes}
max_inflight_count = {INFLIGHT}
dynamic_filters = true
"""
        for version, port in (("v4", where.three), ("v5", where.five))
    ]
    return router + "".join(servers)
