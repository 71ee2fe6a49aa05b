"""The manifest: what a dataset is made of, from its receipts. Identical for identical datasets.

When, where and by whom it was run stands in ``run.json``; nothing of that is here.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs

from filters.contract import ConfigError, Filter
from filters.reading import ReadFilter
from pipelines import histograms
from pipelines.errors import UsageError
from pipelines.ledger import is_inside, is_key
from pipelines.provenance import about, columns, tokens
from pipelines.recipe import Recipe
from pipelines.units import Plan
from pipelines.write import REASON_EXAMPLES, fewest, table_names

VERSION = "corpusmill/manifest/1"
SCHEMA_FILE = "manifest.schema.json"


def json_schema() -> dict[str, Any]:
    """The published JSON Schema of manifests."""
    return json.loads(files("pipelines").joinpath(SCHEMA_FILE).read_text("utf-8"))


def build(
    recipe: Recipe,
    plan: Plan,
    receipts: Mapping[str, dict[str, Any]],
    parents: Sequence[Mapping[str, str]] = (),
    standing: Mapping[str, Any] | None = None,
    compared: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The manifest of a dataset from the receipts (by unit key) of the units that were finished.

    parents: name and data_digest of the datasets that were read. standing: the manifest published before; what people found
    when they reviewed it still holds if the recipe is the same, and an audit if the kept records are. compared: what filters that
    compare records say of those that they reject.
    """
    done = [receipts[u.key] for u in plan.units if u.key in receipts]
    counted = _counted(recipe, done, recipe.assets(), compared or {})
    body = {
        "manifest": VERSION,
        "name": recipe.name,
        "complete": not plan.failed and len(done) == len(plan.units),
        "records": counted["records"],
        "about": about.told(recipe.about),
        "recipe": {"fingerprint": recipe.fingerprint(), "effective": recipe.effective()},
        "software": recipe.software(),
        "inputs": _inputs(plan, receipts),
        "schemas": columns.told(plan),
        "parents": [dict(p) for p in parents],
        **counted,
    }
    if standing and "review" in standing and standing["recipe"]["fingerprint"] == recipe.fingerprint():
        body["review"] = standing["review"]
    if standing and standing.get("audit", {}).get("data_digest") == body["data_digest"]:
        body["audit"] = standing["audit"]
    if standing and "forgotten" in standing:
        body["forgotten"] = standing["forgotten"]
    return {**body, "digest": digest(body)}


def recounted(
    told: Mapping[str, Any],
    recipe: Recipe,
    receipts: Mapping[str, dict[str, Any]],
    compared: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A manifest with everything that is counted from receipts counted anew, when units of it have changed."""
    keys = list(dict.fromkeys(entry["unit"] for entry in told["outputs"]))
    done = [receipts[key] for key in keys]
    rows = _sum({r["shard"]: r["files"]["annotations"]["rows"]} for r in done)
    assets = {f["name"]: f["assets"] for f in told["filters"]}
    counted = _counted(recipe, done, assets, compared or {})
    # An audit speaks of the records that were there.
    stale = {"audit"} if counted["data_digest"] != told["data_digest"] else set()
    return {
        **{k: v for k, v in told.items() if k not in stale},
        **counted,
        "inputs": [{**i, "rows": rows[i["path"]]} if i["path"] in rows else i for i in told["inputs"]],
    }


def _counted(
    recipe: Recipe,
    done: Sequence[Mapping[str, Any]],
    assets: Mapping[str, Mapping[str, str]],
    compared: Mapping[str, Any],
) -> dict[str, Any]:
    """What a manifest says from receipts alone."""
    outputs = [
        {"path": f"{kind}/{r['output']}", "shard": r["shard"], "unit": r["key"], **told}
        for r in done
        for kind, told in sorted(r["files"].items())
    ]
    filters = _filters(recipe, done, assets)
    names = table_names(s.filter for s in recipe.stages)
    tables = {name: _sum(r["tables"][name] for r in done) for name in names}
    try:
        summaries = {s.name: told for s in recipe.stages if (told := s.filter.summarise(tables, s.options))}
        summaries |= compared
    except ConfigError as error:
        raise UsageError(str(error)) from None
    kept = sum(r["files"]["data"]["rows"] for r in done)
    counted = tokens.total(filters, kept)
    return {
        "records": {
            "read": sum(r["files"]["annotations"]["rows"] for r in done),
            "kept": kept,
            "rejected": sum(r["files"]["rejected"]["rows"] for r in done),
        },
        "outputs": outputs,
        "data_digest": data_digest(outputs),
        "filters": filters,
        "edits": _sum(f["edits"] for f in filters),
        "tables": tables,
        **({"summaries": summaries} if summaries else {}),
        **({"tokens": counted} if counted else {}),
    }


def digest(manifest: Mapping[str, Any]) -> str:
    """sha256 over everything in a manifest but the digest itself, as canonical JSON."""
    body = {k: v for k, v in manifest.items() if k != "digest"}
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def data_digest(outputs: Sequence[Mapping[str, Any]]) -> str:
    """sha256 over the names and sha256 of the files in data/: the kept records, whatever else is said about them."""
    files = sorted((o["path"], o["sha256"]) for o in outputs if o["path"].startswith("data/"))
    return hashlib.sha256(json.dumps(files, separators=(",", ":")).encode()).hexdigest()


def dump(manifest: Mapping[str, Any]) -> bytes:
    return (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode()


def load(out: Path) -> dict[str, Any]:
    """Raises OSError or ValueError when there is none, it is not JSON, or it names files outside of the dataset."""
    try:
        told = json.loads((out / "manifest.json").read_text("utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    outputs = told.get("outputs") if isinstance(told, dict) else None
    for entry in outputs if isinstance(outputs, list) else ():
        if not (isinstance(entry, dict) and is_inside(entry.get("path")) and is_key(entry.get("unit"))):
            raise ValueError("an output outside of the dataset")
    return told


def sound(out: Path) -> dict[str, Any] | None:
    """``standing``, and as its schema says: for datasets that somebody else may have made."""
    told = standing(out)
    return told if told is not None and jsonschema_rs.validator_for(json_schema()).is_valid(told) else None


def standing(out: Path) -> dict[str, Any] | None:
    """The manifest that is published at a place; None when there is none, or it is not one that we wrote."""
    try:
        told = load(out)
        return told if told.get("digest") == digest(told) else None
    except (OSError, ValueError, AttributeError, TypeError, KeyError):
        return None


def _inputs(plan: Plan, receipts: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    told = []
    for planned in plan.shards:
        mine = [receipts.get(u.key) for u in planned.units]
        entry: dict[str, Any] = {
            "path": planned.shard.name,
            "bytes": planned.shard.size,
            "sha256": planned.sha256,
            "format": planned.shard.kind,
            **({"augmented": planned.shard.augment} if planned.shard.augment else {}),
            "schema": planned.columns.name,
            "columns": dict(planned.columns.mapping),
            "scanned_as_metadata": list(planned.columns.metadata),
            "rows": sum(r["files"]["annotations"]["rows"] for r in mine if r),
            "status": "read" if all(mine) else "failed",
        }
        told.append(entry)
    told += [{"path": name, "status": "failed", "why": why} for name, why in plan.failed.items()]
    return sorted(told, key=lambda e: e["path"])


def _filters(
    recipe: Recipe, done: Sequence[Mapping[str, Any]], assets: Mapping[str, Mapping[str, str]]
) -> list[dict[str, Any]]:
    told = []
    stages: list[tuple[str, type[Filter], Any]] = [("read", ReadFilter, None)]
    for name, filter_, options in [*stages, *((s.name, s.filter, s.options) for s in recipe.stages)]:
        mine = [r["filters"][name] for r in done]
        reasons, first = _sum(m["reasons"] for m in mine), _sum(m["first_reasons"] for m in mine)
        told.append(
            {
                "name": name,
                "rejected": sum(m["rejected"] for m in mine),
                "rejected_first": sum(m["first"] for m in mine),
                "reasons": {
                    code: {
                        "records": reasons[code],
                        "first": first.get(code, 0),
                        **({} if filter_.withholds else {"examples": _first_places(mine, code)}),
                    }
                    for code in filter_.reasons
                    if code in reasons
                },
                "rules": _rules([m["rules"] for m in mine]),
                "histograms": histograms.total(m.get("histograms", {}) for m in mine),
                "edits": _sum(m["edits"] for m in mine),
                "records_edited": sum(m["edited"] for m in mine),
                "assets": assets.get(name, {}),
                "not_scanned": list(filter_.not_scanned(options)),
                "sums": _sum(m.get("sums", {}) for m in mine),
            }
        )
    return told


def _first_places(each: Sequence[Mapping[str, Any]], code: str) -> list[str]:
    """A few records that the reason was the first to reject, over units."""
    return fewest((p for m in each for p in m.get("first_examples", {}).get(code, ())), REASON_EXAMPLES)


def _rules(each: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Records by rule, and a few places to look at, over units."""
    found: dict[str, dict[str, Any]] = {}
    for unit in each:
        for rule, told in unit.items():
            mine = found.setdefault(rule, {"records": 0, "examples": []})
            mine["records"] += told["records"]
            mine["examples"] = fewest([*mine["examples"], *told["examples"]])
    return dict(sorted(found.items()))


def _sum(counts: Any) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(sorted(total.items()))
