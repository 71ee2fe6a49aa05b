"""Telling somebody that a run did not end well: a command, or a webhook."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import urllib.request
from dataclasses import asdict, dataclass

from pipelines.errors import UsageError

TIMEOUT = 30.0
"""Seconds that the command or the server has."""


@dataclass(frozen=True)
class Failure:
    """What is told. message: the lines on standard error, which never hold record text."""

    recipe: str
    output: str
    run_id: str
    exit_code: int
    message: str


def check(target: str) -> None:
    """Raises UsageError for a command that cannot be split into words."""
    try:
        words = shlex.split(target)
    except ValueError as error:
        raise UsageError(f"--on-failure: {error}") from None
    if not words:
        raise UsageError("--on-failure: give a command, or a URL")


def tell(target: str, failure: Failure) -> str | None:
    """POST the failure as JSON to a URL, or run the command (no shell) with it as CORPUSMILL_… in its environment. One line when
    that did not work."""
    try:
        if target.startswith(("http://", "https://")):
            data = json.dumps(asdict(failure)).encode()
            request = urllib.request.Request(target, data=data, headers={"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=TIMEOUT):
                return None
        told = {f"CORPUSMILL_{name.upper()}": str(value) for name, value in asdict(failure).items()}
        done = subprocess.run(shlex.split(target), env={**os.environ, **told}, timeout=TIMEOUT, check=False)
        return f"the failure command ended with {done.returncode}" if done.returncode else None
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
        return f"nobody was told of the failure: {why}"
