"""A guard model's server, as far as the filter can see: real HTTP, and every way in which such a server fails."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SAFE, UNSAFE = "safe", "unsafe\nS9"


class Server(ThreadingHTTPServer):
    """answer: from the request and its number (from 0) to a text, a whole completion, or a Fault. asked: the requests."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer: Callable[[dict, int], Any]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer, self.asked, self.headers, self.times = answer, [], [], []
        self.lock, self.now, self.most = threading.Lock(), 0, 0
        self.url = f"http://127.0.0.1:{self.server_port}/v1"

    def texts(self) -> list[str]:
        """What was asked about: the last message of each request."""
        return [told["messages"][-1]["content"] for told in self.asked]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class Fault:
    def __init__(self, status: int = 200, body: bytes = b"", *, headers: dict | None = None, torn: bool = False,
                 stall: float = 0, hang_up: bool = False, drip: bool = False) -> None:  # fmt: skip
        self.status, self.body, self.headers, self.torn = status, body, headers or {}, torn
        self.stall, self.hang_up, self.drip = stall, hang_up, drip


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        with server.lock:
            number = len(server.asked)
            server.asked.append({**told, "path": self.path})
            server.headers.append(dict(self.headers))
            server.times.append(time.monotonic())
            server.now += 1
            server.most = max(server.most, server.now)
        try:
            self._send(server.answer(told, number))
        finally:
            with server.lock:
                server.now -= 1

    def _send(self, said: Any) -> None:
        if isinstance(said, Fault):
            time.sleep(said.stall)
            if said.hang_up:
                self.close_connection = True
                return
            self._write(said.status, said.body, said)
            return
        usage = {"prompt_tokens": 11, "completion_tokens": 3}
        whole = said if isinstance(said, dict) else {"choices": [{"message": {"content": said}}], "usage": usage}
        self._write(200, json.dumps(whole).encode(), Fault())

    def _write(self, status: int, body: bytes, how: Fault) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body) + 20 * how.torn), **how.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        for part in [body[i : i + 1] for i in range(len(body))] if how.drip else [body]:
            self.wfile.write(part)
            self.wfile.flush()
            time.sleep(0.05 * how.drip)
        self.close_connection |= how.torn

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextlib.contextmanager
def serving(answer: Callable[[dict, int], Any]) -> Iterator[Server]:
    server = Server(answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def by_word(told: dict, _number: int) -> str:
    """Llama Guard's answer form; a text with ``bomb`` in it is unsafe."""
    return UNSAFE if "bomb" in told["messages"][-1]["content"] else SAFE
