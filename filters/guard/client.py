"""One question over HTTP: in good time, at the pace that is asked for, again where that may help.

The key is read from the environment for each request and kept nowhere. Nothing that a server says gets into a message: it may
quote the text, or the key.
"""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import os
import random
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from filters.contract import ConfigError, JudgeError
from filters.guard.answers import Answer, Rubbish
from filters.guard.options import Endpoint

LONGEST_WAIT = 60.0
"""Seconds between two attempts, whatever Retry-After asks for."""
MOST_BYTES = 1 << 20
"""Of an answer; a verdict is a line or two."""
HOPELESS = frozenset({301, 302, 303, 307, 308, 401, 403, 404, 405})
"""What is wrong for every question alike: the address, or the key."""
AGAIN = frozenset({408, 409, 425, 429})
"""And everything from 500 on. Other statuses are about the question itself, and asking again does not help."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEY = re.compile(r"[\x21-\x7e]+")


class Pace:
    """When the next request may go, for all threads together."""

    def __init__(self, rate: float) -> None:
        self._step, self._next, self._lock = 1 / rate if rate else 0.0, 0.0, threading.Lock()

    def take(self) -> float:
        """Seconds to wait for the turn that is taken herewith."""
        with self._lock:
            now = time.monotonic()
            mine = max(now, self._next)
            self._next = mine + self._step if self._step or mine > now else 0.0
            return mine - now

    def hold(self, seconds: float) -> None:
        """Nobody goes before that: the server asked for it."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


class Client:
    """A connection for each thread that asks. Made for one batch, and closed after it.

    failures: after so many questions without an answer, one after another, the guard counts as gone.
    """

    def __init__(self, endpoint: Endpoint, api: str, failures: int) -> None:
        self.endpoint, self.pace, self.stop = endpoint, Pace(endpoint.rate), threading.Event()
        address = urlsplit(endpoint.url)
        self._secure, self._host, self._port = address.scheme == "https", address.hostname, address.port
        self._path = address.path.rstrip("/") + ("/chat/completions" if api == "chat" else "/completions")
        self._own, self._open = threading.local(), list[http.client.HTTPConnection]()
        self._failures, self._failed, self._lock = failures, 0, threading.Lock()

    def ask(self, body: bytes, parse: Callable[[bytes], Answer]) -> Answer | str:
        """The answer, or why there is none in a few words. Raises JudgeError where no question can be answered, or none is any
        more; then the others stop, too."""
        try:
            told = self._asked(body, parse)
            with self._lock:
                self._failed = 0 if isinstance(told, Answer) else self._failed + 1
                gone = self._failed >= self._failures and not self.stop.is_set()
            if gone:
                raise JudgeError(self._gone(str(told)))
        except Exception:
            self.stop.set()
            raise
        return told

    def _asked(self, body: bytes, parse: Callable[[bytes], Answer]) -> Answer | str:
        why = "it was stopped"
        for attempt in range(self.endpoint.attempts):
            if attempt:
                wait = min(LONGEST_WAIT, self.endpoint.backoff * 2 ** (attempt - 1))
                self.stop.wait(wait * random.uniform(0.5, 1))
            self.stop.wait(self.pace.take())
            if self.stop.is_set():
                break
            try:
                status, retry_after, data = self._post(body)
            except TimeoutError:
                why = f"no answer within {self.endpoint.timeout:g} s"
                continue
            except (OSError, http.client.HTTPException) as error:
                why = f"no answer ({type(error).__name__})"
                continue
            if status == 200:
                try:
                    return parse(data)
                except Rubbish as error:
                    why = f"an answer that is none: {error}"
                    continue
            why = f"status {status}"
            if status in HOPELESS:
                raise JudgeError(f"{self.endpoint.url} answers {status}: {self._advice(status)}")
            if status not in AGAIN and status < 500:
                break
            if retry_after is not None:
                self.pace.hold(min(retry_after, LONGEST_WAIT))
        return why

    def close(self) -> None:
        """Whoever waits for an answer is woken up."""
        self.stop.set()
        for connection in list(self._open):
            if (sock := connection.sock) is not None:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _gone(self, why: str) -> str:
        told = "a question" if self._failed == 1 else f"{self._failed} questions in a row"
        return (
            f"{self.endpoint.url} gave no answer to {told} in up to {self.endpoint.attempts} attempts each ({why}); "
            "run again when it does: what was answered is not asked again"
        )

    def _advice(self, status: int) -> str:
        if status in (401, 403):
            name = self.endpoint.key_env
            return f"is the key in ${name} right?" if name else "it wants a key: set endpoint.key_env"
        return f"is {self._path} there? Give endpoint.url as its base, up to /v1"

    def _post(self, body: bytes) -> tuple[int, float | None, bytes]:
        """Status, Retry-After in seconds, and the body. A connection that went stale is opened again once."""
        until = time.monotonic() + self.endpoint.timeout
        connection, used = self._connection()
        try:
            try:
                return self._exchange(connection, body, until)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                if not used or self.stop.is_set():
                    raise
                connection.close()
                return self._exchange(connection, body, until)
        except BaseException:
            connection.close()
            raise

    def _exchange(
        self, connection: http.client.HTTPConnection, body: bytes, until: float
    ) -> tuple[int, float | None, bytes]:
        connection.timeout = max(until - time.monotonic(), 0.001)
        if connection.sock is not None:
            connection.sock.settimeout(connection.timeout)
        connection.request("POST", self._path, body, {"Content-Type": "application/json", **_authorized(self.endpoint)})
        response = connection.getresponse()
        parts, size = [], 0
        # read1 gives what is there, so that a body that comes byte by byte cannot outlast the time.
        while part := response.read1(1 << 16):
            parts.append(part)
            size += len(part)
            if size > MOST_BYTES:
                raise http.client.HTTPException("too large")
            if time.monotonic() > until:
                raise TimeoutError
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
        # Reading to the end of a known length does not close the response, and the connection takes no request before that.
        response.close()
        if response.will_close:
            connection.close()
        return response.status, _seconds(response.headers.get("Retry-After")), b"".join(parts)

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        """This thread's, and whether something went over it before."""
        if (mine := getattr(self._own, "connection", None)) is None:
            kind: Any = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            extra = {"context": ssl.create_default_context()} if self._secure else {}
            mine = self._own.connection = kind(self._host, self._port, **extra)
            self._open.append(mine)
        return mine, mine.sock is not None


def check(endpoint: Endpoint) -> None:
    """Raises ConfigError for an address or a key that cannot be. Neither stands in the message where it may be a secret."""
    try:
        address = urlsplit(endpoint.url)
        good = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        good = False
    if not good:
        raise ConfigError("guard.endpoint.url: write it as http://host:8000/v1 or https://host/v1")
    if address.username is not None or address.password is not None or address.query or address.fragment:
        raise ConfigError(
            "guard.endpoint.url: no credentials, ? or # in it: it is written down; the key goes by key_env"
        )
    if not endpoint.url.isascii() or re.search(r"[\x00-\x20\x7f]", endpoint.url):
        raise ConfigError("guard.endpoint.url: only printable ASCII, without spaces")
    if endpoint.key_env and not _NAME.fullmatch(endpoint.key_env):
        raise ConfigError("guard.endpoint.key_env: it takes the name of an environment variable, not the key itself")
    _authorized(endpoint)


def _authorized(endpoint: Endpoint) -> dict[str, str]:
    if not endpoint.key_env:
        return {}
    key = os.environ.get(endpoint.key_env, "").strip()
    if not _KEY.fullmatch(key):
        state = "holds characters that no key has" if key else "is not set"
        raise ConfigError(f"guard.endpoint.key_env: the environment variable {endpoint.key_env} {state}")
    return {"Authorization": f"Bearer {key}"}


def _seconds(told: str | None) -> float | None:
    """Retry-After is a number of seconds, or a date."""
    if not told:
        return None
    if told.strip().isdecimal():
        return float(told.strip()[:9])
    try:
        return max(email.utils.parsedate_to_datetime(told).timestamp() - time.time(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None
