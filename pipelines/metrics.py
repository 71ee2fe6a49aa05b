"""A run's figures in the Prometheus text format: as a textfile for node_exporter, or pushed to a gateway.

Names follow Prometheus' practices: a unit at the end, ``_total`` for what is counted. No label holds text of a record.
"""

from __future__ import annotations

import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import UsageError
from pipelines.ledger import replace

TIMEOUT = 10.0
"""Seconds that a gateway has to answer."""

HELP = {
    "run_exit_code": "exit code of the last run",
    "run_timestamp_seconds": "when the last run ended",
    "run_duration_seconds": "how long the last run took",
    "run_units": "units of work done by the last run",
    "records": "records of the published dataset, by what became of them",
    "rejected_records": "records by filter and reason; a record counts at every filter that rejects it",
    "edits": "replacements in kept records, by what was replaced",
    "failed_shards": "shards of the input that are not in the dataset",
}


@dataclass(frozen=True)
class Outcome:
    """How a run ended. manifest: what is published, if that is known."""

    name: str
    run_id: str
    exit_code: int
    seconds: float
    units: int = 0
    failed: int = 0
    manifest: Mapping[str, Any] | None = None


def render(outcome: Outcome) -> str:
    """The exposition; one metric after the other, each with its help and type."""
    found: dict[str, list[str]] = {}
    for name, labels, value in _samples(outcome):
        given = ",".join(f'{key}="{_escaped(text)}"' for key, text in {"recipe": outcome.name, **labels}.items())
        found.setdefault(name, []).append(f"corpusmill_{name}{{{given}}} {value:.15g}")
    lines = []
    for name, samples in found.items():
        lines += [f"# HELP corpusmill_{name} {HELP[name]}", f"# TYPE corpusmill_{name} gauge", *samples]
    return "\n".join(lines) + "\n"


def _samples(outcome: Outcome) -> Iterator[tuple[str, dict[str, str], float]]:
    yield "run_exit_code", {}, outcome.exit_code
    yield "run_timestamp_seconds", {}, int(time.time())
    yield "run_duration_seconds", {}, round(outcome.seconds, 3)
    yield "run_units", {}, outcome.units
    yield "failed_shards", {}, outcome.failed
    if outcome.manifest is None:
        return
    for state in ("read", "kept", "rejected"):
        yield "records", {"state": state}, outcome.manifest["records"][state]
    for told in outcome.manifest["filters"]:
        for reason, n in told["reasons"].items():
            yield "rejected_records", {"filter": told["name"], "reason": reason}, n["records"]
    for entity, n in outcome.manifest["edits"].items():
        yield "edits", {"entity": entity}, n


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def check(target: str) -> None:
    """Raises UsageError for a target that cannot be meant; nothing is sent or written."""
    if _is_url(target):
        if not urllib.parse.urlsplit(target).netloc:
            raise UsageError(f"--metrics {target!r:.80}: a URL of a push gateway, or a file that ends in .prom")
    elif not Path(target).absolute().parent.is_dir():
        raise UsageError(f"--metrics {target}: its folder is not there")


def write(target: str, outcome: Outcome) -> str | None:
    """To a file, in one step, or by PUT to a gateway; one line when that failed. A run is not lost over its metrics."""
    text = render(outcome).encode()
    try:
        if _is_url(target):
            request = urllib.request.Request(
                target, data=text, method="PUT", headers={"Content-Type": "text/plain; version=0.0.4"}
            )
            with urllib.request.urlopen(request, timeout=TIMEOUT):
                return None
        replace(Path(target), text)
        Path(target).chmod(0o644)
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
        return f"metrics were not {'pushed' if _is_url(target) else 'written'}: {why}"
    return None


def _is_url(target: str) -> bool:
    return target.startswith(("http://", "https://"))
