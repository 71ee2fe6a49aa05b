"""``corpusmill card``: what a model's card and the EU's summary say of its training data, from manifests alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines.provenance import facts, training_card, training_eu
from pipelines.provenance.facts import Dataset


def card(outs: Sequence[Path], kind: str) -> str:
    """kind: model-card, eu-summary, or json. Raises UsageError where a place holds no dataset."""
    datasets = facts.load(outs)
    if kind == "json":
        return json.dumps(_document(datasets), indent=2, ensure_ascii=False) + "\n"
    return (training_eu if kind == "eu-summary" else training_card).render(datasets)


def _document(datasets: Sequence[Dataset]) -> dict[str, Any]:
    """Totals with their places, and each dataset's declarations and figures."""
    totals = {
        "datasets": len(datasets),
        "records": asdict(facts.records(datasets)),
        "tokens": asdict(facts.tokens(datasets)),
        "period": asdict(facts.period(datasets)),
        "collection_methods": asdict(facts.declared(datasets, "collection_method")),
        "labelling_methods": asdict(facts.declared(datasets, "labelling_method")),
        "languages": {k: asdict(f) for k, f in facts.table(datasets, "languages").items()},
        "pairs": {k: asdict(f) for k, f in facts.table(datasets, "pairs").items()},
    }
    return {"totals": totals, "datasets": [_dataset(d) for d in datasets]}


def _dataset(d: Dataset) -> dict[str, Any]:
    told = d.told
    return {
        "label": d.label,
        "digest": told["digest"],
        "data_digest": told["data_digest"],
        "about": told["about"],
        "records": told["records"],
        "tokens": told.get("tokens"),
        "tables": told["tables"],
        "parents": told["parents"],
        "rejected_first": {f["name"]: f["rejected_first"] for f in told["filters"]},
        "edits": told["edits"],
        "audited": "audit" in told,
        "forgotten": sum(entry["records"] for entry in told.get("forgotten", ())),
    }
