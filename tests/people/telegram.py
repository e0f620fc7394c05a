"""A local Telegram Bot API server: sendMessage with the answers that core.telegram.org/bots/api describes.

Errors carry `ok`, `error_code`, `description` and, for a flood, `parameters.retry_after` (type ResponseParameters).
"""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

TOKEN = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsawX"
FLOOD = (429, "Too Many Requests: retry after {wait}")
BLOCKED = (403, "Forbidden: bot was blocked by the user")
NO_CHAT = (400, "Bad Request: chat not found")
WRONG_TOKEN = (401, "Unauthorized")
BROKEN = (502, "Bad Gateway")


class Telegram:
    """`answers`: what to say to the next calls, in order; afterwards everything is accepted."""

    def __init__(self, token: str = TOKEN) -> None:
        self.token = token
        self.got: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.answers: list[tuple[int, str]] = []
        self.retry_after = 1
        self.hang_s = 0.0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                time.sleep(outer.hang_s)
                status, told = outer.answer(self.path, body)
                data = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.times.append(time.monotonic())
        if path != f"/bot{self.token}/sendMessage":
            code, text = WRONG_TOKEN if path.endswith("/sendMessage") else (404, "Not Found")
            return code, {"ok": False, "error_code": code, "description": text}
        if self.answers:
            code, text = self.answers.pop(0)
            told: dict[str, Any] = {"ok": False, "error_code": code, "description": text.format(wait=self.retry_after)}
            if code == 429:
                told["parameters"] = {"retry_after": self.retry_after}
            return code, told
        if len(body.get("text", "")) > 4_096:
            return 400, {"ok": False, "error_code": 400, "description": "Bad Request: message is too long"}
        self.got.append(body)
        chat = {"id": body["chat_id"], "type": "group", "title": "duty"}
        result = {"message_id": len(self.got), "date": int(time.time()), "chat": chat, "text": body["text"]}
        return 200, {"ok": True, "result": result}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Webhook(Telegram):
    """Anything that takes JSON by POST."""

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.times.append(time.monotonic())
        if self.answers:
            code, text = self.answers.pop(0)
            return code, {"error": text}
        self.got.append(body)
        return 200, {"ok": True}
