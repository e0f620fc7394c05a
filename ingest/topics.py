"""Topic names: gorodok/v1/<city>/<feed>/<publisher>."""

from __future__ import annotations

PREFIX = "gorodok/v1"


def subscription(city: str, group: str | None = None) -> str:
    """What a gateway subscribes; with a group the broker shares the messages among its members."""
    plain = f"{PREFIX}/{city}/+/+"
    return f"$share/{group}/{plain}" if group else plain


def feed_of(name: str) -> str:
    """The feed that a topic names, or "" when it has another form."""
    parts = name.split("/")
    return parts[3] if len(parts) == 5 else ""
