"""The manifest: what a dataset is made of, from its receipts. Identical for identical datasets.

When, where and by whom it was run stands in ``run.json``; nothing of that is here.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec

from filters.contract import ConfigError
from pipelines.errors import UsageError
from pipelines.ledger import is_inside, is_key
from pipelines.provenance import about, columns, tokens
from pipelines.recipe import Recipe
from pipelines.totals import Totals
from pipelines.units import Plan, PlannedShard

VERSION = "corpusmill/manifest/1"
SCHEMA_FILE = "manifest.schema.json"
PIECE = 1000
"""Entries of a long list that are turned into JSON at a time."""


def json_schema() -> dict[str, Any]:
    """The published JSON Schema of manifests."""
    return json.loads(files("pipelines").joinpath(SCHEMA_FILE).read_text("utf-8"))


def build(
    recipe: Recipe,
    plan: Plan,
    receipts: Mapping[str, Mapping[str, Any]],
    parents: Sequence[Mapping[str, str]] = (),
    standing: Mapping[str, Any] | None = None,
    compared: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The manifest of a dataset from the receipts (by unit key) of the units that were finished. Each receipt is asked for once, in
    the order of the plan.

    parents: name and data_digest of the datasets that were read. standing: the manifest published before; what people found
    when they reviewed it still holds if the recipe is the same, and an audit if the kept records are. compared: what filters that
    compare records say of those that they reject.
    """
    inputs: list[dict[str, Any]] = [{"path": name, "status": "failed", "why": why} for name, why in plan.failed.items()]
    counted = _counted(recipe, _each(plan, receipts, inputs), recipe.assets(), compared or {})
    body = {
        "manifest": VERSION,
        "name": recipe.name,
        "complete": all(entry["status"] == "read" for entry in inputs),
        "records": counted["records"],
        "about": about.told(recipe.about),
        "recipe": {"fingerprint": recipe.fingerprint(), "effective": recipe.effective()},
        "software": recipe.software(),
        "inputs": sorted(inputs, key=lambda e: e["path"]),
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
    receipts: Mapping[str, Mapping[str, Any]],
    compared: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A manifest with everything that is counted from receipts counted anew, when units of it have changed."""
    keys = list(dict.fromkeys(entry["unit"] for entry in told["outputs"]))
    assets = {f["name"]: f["assets"] for f in told["filters"]}
    counted = _counted(recipe, (receipts[key] for key in keys), assets, compared or {})
    rows: Counter[str] = Counter()
    for entry in counted["outputs"]:
        rows[entry["shard"]] += entry["rows"] if entry["path"].startswith("annotations/") else 0
    # An audit speaks of the records that were there.
    stale = {"audit"} if counted["data_digest"] != told["data_digest"] else set()
    return {
        **{k: v for k, v in told.items() if k not in stale},
        **counted,
        "inputs": [{**i, "rows": rows[i["path"]]} if i["path"] in rows else i for i in told["inputs"]],
    }


def _each(
    plan: Plan, receipts: Mapping[str, Mapping[str, Any]], inputs: list[dict[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    """The receipts of what is planned; when a shard's have been taken, its entry is among the inputs."""
    for planned in plan.shards:
        rows, whole = 0, True
        for unit in planned.units:
            if (receipt := receipts.get(unit.key)) is None:
                whole = False
                continue
            rows += receipt["files"]["annotations"]["rows"]
            yield receipt
        inputs.append(_input(planned, rows, whole=whole))


def _input(planned: PlannedShard, rows: int, *, whole: bool) -> dict[str, Any]:
    return {
        "path": planned.shard.name,
        "bytes": planned.shard.size,
        "sha256": planned.sha256,
        "format": planned.shard.kind,
        **({"augmented": planned.shard.augment} if planned.shard.augment else {}),
        "schema": planned.columns.name,
        "columns": dict(planned.columns.mapping),
        "scanned_as_metadata": list(planned.columns.metadata),
        "rows": rows,
        "status": "read" if whole else "failed",
    }


def _counted(
    recipe: Recipe,
    done: Iterable[Mapping[str, Any]],
    assets: Mapping[str, Mapping[str, str]],
    compared: Mapping[str, Any],
) -> dict[str, Any]:
    """What a manifest says from receipts alone."""
    totals = Totals(recipe)
    outputs: list[dict[str, Any]] = []
    for receipt in done:
        totals.add(receipt)
        outputs += _outputs(receipt)
    filters, tables = totals.filters(assets), totals.tables
    try:
        summaries = {s.name: told for s in recipe.stages if (told := s.filter.summarise(tables, s.options))}
        summaries |= compared
    except ConfigError as error:
        raise UsageError(str(error)) from None
    counted = tokens.total(filters, totals.rows["data"])
    edits: Counter[str] = Counter()
    for each in filters:
        edits.update(each["edits"])
    return {
        "records": {
            "read": totals.rows["annotations"],
            "kept": totals.rows["data"],
            "rejected": totals.rows["rejected"],
        },
        "outputs": outputs,
        "data_digest": data_digest(outputs),
        "filters": filters,
        "edits": dict(sorted(edits.items())),
        "tables": tables,
        **({"summaries": summaries} if summaries else {}),
        **({"tokens": counted} if counted else {}),
    }


def _outputs(receipt: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    shard, unit = receipt["shard"], receipt["key"]
    for kind, told in sorted(receipt["files"].items()):
        yield {"path": f"{kind}/{receipt['output']}", "shard": shard, "unit": unit, **told}


def digest(manifest: Mapping[str, Any]) -> str:
    """sha256 over everything in a manifest but the digest itself, as canonical JSON."""
    sha256 = hashlib.sha256()
    for i, key in enumerate(sorted(k for k in manifest if k != "digest")):
        sha256.update(f"{',' if i else '{'}{json.dumps(key)}:".encode())
        for piece in _compact(manifest[key]):
            sha256.update(piece.encode())
    sha256.update(b"}")
    return sha256.hexdigest()


def _compact(value: Any) -> Iterator[str]:
    """Canonical JSON; a long list in pieces, as its whole text may be larger than it is."""
    if not isinstance(value, list) or len(value) <= PIECE:
        yield json.dumps(value, sort_keys=True, separators=(",", ":"))
        return
    for at in range(0, len(value), PIECE):
        yield "," if at else "["
        yield json.dumps(value[at : at + PIECE], sort_keys=True, separators=(",", ":"))[1:-1]
    yield "]"


def data_digest(outputs: Sequence[Mapping[str, Any]]) -> str:
    """sha256 over the names and sha256 of the files in data/: the kept records, whatever else is said about them."""
    files = sorted((o["path"], o["sha256"]) for o in outputs if o["path"].startswith("data/"))
    return hashlib.sha256(json.dumps(files, separators=(",", ":")).encode()).hexdigest()


def dump(manifest: Mapping[str, Any]) -> bytes:
    return b"".join(pieces(manifest))


def pieces(manifest: Mapping[str, Any]) -> Iterator[bytes]:
    """``dump``, without having the whole of it in memory."""
    for i, (key, value) in enumerate(manifest.items()):
        yield b",\n  " if i else b"{\n  "
        if not isinstance(value, list) or len(value) <= PIECE:
            yield indented({key: value})[4:-2]
            continue
        head, tail = f"{json.dumps(key, ensure_ascii=False)}: [".encode(), b"\n  ]"
        yield head
        for at in range(0, len(value), PIECE):
            yield b"," if at else b""
            yield indented({key: value[at : at + PIECE]})[4 + len(head) : -2 - len(tail)]
        yield tail
    yield b"\n}\n"


def written(manifest: Mapping[str, Any]) -> tuple[int, str]:
    """The bytes and the sha256 of its file."""
    size, sha256 = 0, hashlib.sha256()
    for piece in pieces(manifest):
        size += len(piece)
        sha256.update(piece)
    return size, sha256.hexdigest()


def indented(value: Any, indent: int = 2) -> bytes:
    """The bytes of ``json.dumps`` with that indent, which Python's own encoder takes ten times as long for."""
    return msgspec.json.format(json.dumps(value, ensure_ascii=False).encode(), indent=indent)


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
