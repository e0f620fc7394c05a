"""A real HTTP server on loopback that misbehaves on demand, byte by byte."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

Reply = Callable[[socket.socket, str], None]
"""Gets the connection and the request's head; writes what it likes."""


class Misbehaving:
    """`serve(reply)` sets what the next connections get; `requests` holds the heads of those that came."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.stop = threading.Event()
        self._reply: Reply = lambda connection, head: None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def serve(self, reply: Reply | bytes) -> None:
        self._reply = (lambda connection, head: connection.sendall(reply)) if isinstance(reply, bytes) else reply

    def close(self) -> None:
        self.stop.set()
        self._listener.close()

    def _accept(self) -> None:
        while not self.stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                part = connection.recv(4096)
                if not part:
                    return
                head += part
            self.requests.append(head.decode("latin-1"))
            self._reply(connection, self.requests[-1])


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    running = Misbehaving()
    yield running
    running.close()


@pytest.fixture(scope="session")
def data() -> Path:
    if not DATA.is_dir():
        pytest.skip(f"real data are not here: {DATA}")
    return DATA
