"""Socket options of our own connections."""

from __future__ import annotations

import socket
from typing import Any


def without_delay(client: Any, userdata: Any, sock: Any) -> None:
    """paho's on_socket_open: sends small messages at once (TCP_NODELAY), which paho does not set."""
    raw = sock if isinstance(sock, socket.socket) else getattr(sock, "socket", None)
    if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
