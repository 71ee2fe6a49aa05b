"""A summary of an audit in a dataset's manifest, where ``corpusmill card`` finds it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines import manifest, stores
from pipelines.errors import OutputError, UsageError
from pipelines.ledger import Ledger

KEPT = ("records", "looked_at", "sentences", "figures", "skews")


def check(paths: list[str]) -> None:
    """Raises UsageError for an input that has no manifest to record anything in."""
    for path in paths:
        if stores.is_url(path):
            raise UsageError("--record: an input is a URL: give the folder that `corpusmill run` keeps its state in")
        if manifest.standing(Path(path)) is None:
            raise UsageError(
                f"--record: {path} is no dataset of corpusmill's; give the folder that `corpusmill run` wrote"
            )


def record(out: Path, told: Mapping[str, Any], number: int) -> None:
    """Writes what a document says of its dataset ``number`` into the manifest at ``out``. Raises OutputError."""
    from pipelines.publish import republish

    said = told["datasets"][number]
    ledger = Ledger(out)
    ledger.root.mkdir(exist_ok=True)
    with ledger.lock():
        standing = manifest.standing(out)
        if standing is None or standing["data_digest"] != said["data_digest"]:
            raise OutputError(f"{out} changed while it was audited: audit it again")
        republish(ledger, {**standing, "audit": section(told, said)}, files=False)


def section(told: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """What the manifest says: figures and sentences of the whole, and the associations that were believed."""
    return {
        **{key: told[key] for key in ("audit", "corpusmill", "asked", "method", "lexicons", "not_scanned")},
        "data_digest": said["data_digest"],
        **{key: said[key] for key in KEPT},
        "associations": [a for a in said["associations"] if a["found"]],
        "tested": len(said["associations"]),
        "notes": said["notes"],
    }
