"""Whether a manifest would come out as the one that is published, known without reading a receipt.

A manifest is made of the recipe, the plan, the receipts and its parents. **When it is published a digest of all that is noted beside its
own; a further run that finds the same digest takes the manifest that stands.** A receipt is known by its unit's key and the inode of its
folder, as in ``packs``. Where the note is torn, gone or of something else, everything is summed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines import listing, resolve
from pipelines.ledger import Ledger
from pipelines.packs import Receipts
from pipelines.provenance import about
from pipelines.recipe import Recipe
from pipelines.units import Plan

FILE = "made.json"


def digest(recipe: Recipe, plan: Plan, receipts: Receipts, parents: Sequence[Mapping[str, str]]) -> str:
    """sha256 over what a manifest is made of; empty where other datasets go into it, as records are compared with theirs."""
    if resolve.comparing(recipe):
        return ""
    told = [
        recipe.fingerprint(),
        recipe.effective(),
        about.told(recipe.about),
        sorted(plan.failed.items()),
        list(parents),
        listing.MOST,
    ]
    sha256 = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for column in (*plan.found.buffers(), plan.at, plan.sums, plan.schema, plan.first, plan.keys, plan.parts):
        sha256.update(memoryview(column).nbytes.to_bytes(8))
        sha256.update(column)
    sha256.update(receipts.state)
    return sha256.hexdigest()


def is_known(ledger: Ledger, source: str, standing: Mapping[str, Any] | None) -> bool:
    """Whether the standing manifest was made of what has this digest."""
    return bool(source) and standing is not None and ledger.load(FILE) == _note(source, standing)


def note(ledger: Ledger, source: str, told: Mapping[str, Any]) -> None:
    """Note what a manifest was made of, now that it is published. Raises OSError."""
    if source and ledger.load(FILE) != _note(source, told):
        ledger.save(FILE, _note(source, told))


def _note(source: str, told: Mapping[str, Any]) -> dict[str, str]:
    return {"source": source, "manifest": told["digest"]}
