"""Where lineage events go: a file of JSON lines, or a service by HTTP. Nothing that goes wrong there is the run's trouble."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from pipelines.errors import UsageError

TIMEOUT = 5.0
"""Seconds for one attempt, from connecting to the answer's first line."""

ATTEMPTS, PAUSE = 3, 0.5
DEADLINE = 15.0
"""Seconds an event may hold the run up in all. A service that trickles its answer would never run into TIMEOUT."""


class Transport(Protocol):
    def send(self, event: Mapping[str, Any]) -> None:
        """Deliver, or warn (once); never raises."""


class _Quiet:
    """Warns once, in one line."""

    def __init__(self, told: str) -> None:
        self.told, self._warned = told, False

    def warn(self, why: str) -> None:
        if not self._warned:
            print(f"corpusmill: lineage events do not reach {self.told} ({why}); the run goes on", file=sys.stderr)
        self._warned = True


class FileTransport(_Quiet):
    """Appends one line an event."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path

    def send(self, event: Mapping[str, Any]) -> None:
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(event, ensure_ascii=False) + "\n")
        except OSError as error:
            self.warn(error.strerror or type(error).__name__)


class HttpTransport(_Quiet):
    """POSTs one event a request, again after a failure of the service (5xx, 429) or of the way to it."""

    def __init__(self, url: str, key: str = "", timeout: float = TIMEOUT, deadline: float = DEADLINE) -> None:
        super().__init__(f"{urlsplit(url).scheme}://{urlsplit(url).netloc}")
        self.url, self.key, self.timeout, self.deadline = url, key, timeout, deadline
        self._opener = urllib.request.build_opener(_NoRedirect())

    def send(self, event: Mapping[str, Any]) -> None:
        said: list[str] = []
        body = json.dumps(event).encode()
        thread = threading.Thread(target=self._deliver, args=(body, said), daemon=True)
        thread.start()
        thread.join(self.deadline)
        if thread.is_alive():
            self.warn(f"no answer within {self.deadline:g} s")
        elif said:
            self.warn(said[-1])

    def _deliver(self, body: bytes, said: list[str]) -> None:
        """said: empty after a delivery, else why the last attempt failed."""
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(PAUSE * attempt)
            why, again = self._attempt(body)
            if not why:
                said.clear()
                return
            said.append(why)
            if not again:
                return

    def _attempt(self, body: bytes) -> tuple[str, bool]:
        """Why it failed (empty: it did not), and whether another attempt may help."""
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(self.url, data=body, headers=headers, method="POST")
        try:
            with self._opener.open(request, timeout=self.timeout):
                return "", False
        except urllib.error.HTTPError as error:
            return f"it answers {error.code}", error.code >= 500 or error.code == 429
        except Exception as error:
            # Whatever the way there comes up with (refused, timed out, not HTTP) must not end the run.
            return str(getattr(error, "reason", "") or type(error).__name__)[:80], True


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would take the key to another place."""

    def redirect_request(self, *_: Any) -> None:
        return None


def wanted(target: str | None, environment: Mapping[str, str] = os.environ) -> Transport | None:
    """The transport that ``--lineage-events FILE|URL``, or OPENLINEAGE_URL (with OPENLINEAGE_ENDPOINT and OPENLINEAGE_API_KEY) asks
    for; None when nothing does, or OPENLINEAGE_DISABLED is true. Raises UsageError for an address that cannot be one."""
    key = environment.get("OPENLINEAGE_API_KEY", "")
    if target:
        return HttpTransport(_address(target), key) if "://" in target else FileTransport(Path(target))
    base = environment.get("OPENLINEAGE_URL", "")
    if not base or environment.get("OPENLINEAGE_DISABLED", "").lower() == "true":
        return None
    endpoint = environment.get("OPENLINEAGE_ENDPOINT", "api/v1/lineage")
    return HttpTransport(_address(f"{base.rstrip('/')}/{endpoint.lstrip('/')}"), key)


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise UsageError("the address for lineage events must be http:// or https:// with a host")
    if parts.username or parts.password:
        raise UsageError("the address for lineage events holds a password: give the key in OPENLINEAGE_API_KEY instead")
    return url
