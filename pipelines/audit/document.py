"""An audit as a JSON document and as a tidy table. Neither holds text, values or paths, nor when and where it was made."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from filters.mentions.lexicon import AXES
from pipelines.audit.associations import RATE
from pipelines.audit.audit import ALL, Audit, Audited, Said

VERSION = "corpusmill/audit/1"
SCHEMA_FILE = "audit.schema.json"
DIGITS = 6
"""Decimals of shares: the last one is of a record in a million."""

METHOD = {
    "sample": "the records whose keys, hashes of id and seed, are the lowest",
    "interval": "Wilson's score interval, 95 %, finite population; ratio estimators linearised",
    "mention": "surface mention: a word of the lexicons stands there, whoever it speaks of",
    "associations": f"log odds ratios by record, words in one sentence; Benjamini-Hochberg at {RATE:.0%}",
}
COLUMNS = (
    "dataset", "stratum", "section", "axis", "value", "measure", "among", "numerator", "denominator", "share", "low", "high",
)  # fmt: skip


def json_schema() -> dict[str, Any]:
    """The published JSON Schema of audits."""
    return json.loads(files("pipelines.audit").joinpath(SCHEMA_FILE).read_text("utf-8"))


def document(audit: Audit) -> dict[str, Any]:
    """The same for the same records and question, wherever it was asked."""
    from pipelines.audit.look import lexicon_digests, not_scanned

    asked = audit.asked
    return {
        "audit": VERSION,
        "corpusmill": version("corpusmill"),
        "asked": {
            "size": None if asked.exhaustive or asked.margin is not None else asked.size,
            "margin": asked.margin,
            "exhaustive": asked.exhaustive,
            "seed": asked.seed,
            "by": asked.by,
            "allocation": "equal" if asked.equal else "proportional",
        },
        "method": METHOD,
        "axes": list(AXES),
        "lexicons": lexicon_digests(asked.lexicons),
        "not_scanned": not_scanned(),
        "datasets": [_dataset(a) for a in audit.datasets],
        "overall": _said(audit.overall) if audit.overall else None,
    }


def _dataset(a: Audited) -> dict[str, Any]:
    return {
        "name": a.dataset.name,
        "data_digest": (a.dataset.told or {}).get("data_digest"),
        "keyed_by": a.keyed,
        "exhaustive": a.keyed == ALL,
        "failed": dict(sorted(a.failed.items())),
        "notes": list(a.notes),
        **_said(a.whole),
        "strata": [{"stratum": part.stratum, **_said(part)} for part in a.parts],
    }


def _said(said: Said) -> dict[str, Any]:
    return {
        "records": said.of,
        "looked_at": said.n,
        "sentences": list(said.sentences),
        "figures": [_rounded(asdict(f)) for f in said.figures],
        "skews": [{**_rounded(asdict(s)), "balanced": s.balanced} for s in said.skews],
        "associations": [_rounded(asdict(a)) for a in said.associations],
    }


def _rounded(told: Mapping[str, Any]) -> dict[str, Any]:
    """p keeps its size: of many tests the small ones matter."""
    return {
        k: float(f"{v:.3g}") if k == "p" else round(v, DIGITS) if isinstance(v, float) else v for k, v in told.items()
    }


def dump(told: Mapping[str, Any]) -> bytes:
    return (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode()


def table(told: Mapping[str, Any]) -> str:
    """Every figure of a document as CSV, one a line; the overall ones as the dataset "(all)"."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for dataset, stratum, said in _populations(told):
        for figure in said["figures"]:
            writer.writerow({"dataset": dataset, "stratum": stratum, **figure})
        for s in said["skews"]:
            kept = {k: s[k] for k in ("axis", "numerator", "denominator", "share", "low", "high")}
            row = {
                "section": "skews",
                "value": s["first"],
                "measure": s["measure"],
                "among": f"{s['first']} or {s['second']}",
            }
            writer.writerow({"dataset": dataset, "stratum": stratum, **row, **kept})
    return out.getvalue()


def _populations(told: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for dataset in told["datasets"]:
        yield dataset["name"], "", dataset
        for part in dataset["strata"]:
            yield dataset["name"], part["stratum"], part
    if told["overall"]:
        yield "(all)", "", told["overall"]
