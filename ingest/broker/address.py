"""A broker's address, parsed from `GORODOK_MQTT_URL`."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

DEFAULT_PORT = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker listens. tls: the scheme was mqtts. user: None means anonymous."""

    host: str
    port: int
    tls: bool = False
    user: str | None = None

    def __str__(self) -> str:
        """As in the settings, without the user: safe in logs and in a row's `source`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"


def parse_address(url: str) -> BrokerAddress:
    """Reads mqtt://[user@]host[:port] or mqtts://…; raises ValueError that names the value and the remedy."""
    remedy = f"GORODOK_MQTT_URL is {_without_password(url)!r}; write mqtt://host:1883 or mqtts://user@host:8883"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{remedy} ({error})") from None
    if parts.scheme not in DEFAULT_PORT:
        raise ValueError(f"{remedy} (the scheme must be mqtt or mqtts)")
    if parts.password is not None:
        raise ValueError(f"{remedy} (a password belongs into GORODOK_MQTT_PASSWORD, not into the URL)")
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"{remedy} (a host and a port, and nothing after them)")
    if port == 0:
        raise ValueError(f"{remedy} (port 0 cannot be connected to)")
    return BrokerAddress(
        host=parts.hostname,
        port=port or DEFAULT_PORT[parts.scheme],
        tls=parts.scheme == "mqtts",
        user=unquote(parts.username) if parts.username else None,
    )


def _without_password(url: str) -> str:
    """Hides what stands between a colon and the last @ of the authority: errors end up in logs."""
    head, at, tail = url.rpartition("@")
    scheme, slashes, user = head.partition("://")
    return f"{scheme}{slashes}{user.partition(':')[0]}{at}{tail}" if at else url
