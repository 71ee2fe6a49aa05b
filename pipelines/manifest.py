"""The manifest: what a dataset is made of, from its receipts. Identical for identical datasets.

When, where and by whom it was run stands in ``run.json``; nothing of that is here.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec

from filters.contract import ConfigError
from pipelines import listing
from pipelines.errors import UsageError
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
    folder: Path,
    parents: Sequence[Mapping[str, str]] = (),
    standing: Mapping[str, Any] | None = None,
    compared: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The manifest of a dataset from the receipts (by unit key) of the units that were finished. Each receipt is asked for once, in
    the order of the plan.

    folder: where the file is put that lists the dataset's files, if they are many. parents: name and data_digest of the datasets that
    were read. standing: the manifest published before; what people found when they reviewed it still holds if the recipe is the same,
    and an audit if the kept records are. compared: what filters that compare records say of those that they reject.
    """
    read, lists = _Read(plan, receipts), listing.Lists(folder)
    schemas, configs = columns.told(plan)
    count = len(plan.failed) + len(plan.shards)
    counted = _counted(recipe, read, recipe.assets(), compared or {}, lists, configs, lambda: (read.inputs(), count))
    body = {
        "manifest": VERSION,
        "name": recipe.name,
        "complete": read.complete,
        "records": counted["records"],
        "about": about.told(recipe.about),
        "recipe": {"fingerprint": recipe.fingerprint(), "effective": recipe.effective()},
        "software": recipe.software(),
        **({"inputs": counted.pop("inputs")} if "inputs" in counted else {}),
        "schemas": schemas if "outputs" in counted else [_bare(s) for s in schemas],
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
    folder: Path,
    compared: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A manifest with everything that is counted from receipts counted anew, when units of it have changed. folder: as in ``build``."""
    keys = dict.fromkeys(entry["unit"] for entry in listing.outputs(told))
    assets = {f["name"]: f["assets"] for f in told["filters"]}
    rows: Counter[str] = Counter()

    def done() -> Iterator[Mapping[str, Any]]:
        for key in keys:
            rows[receipts[key]["shard"]] += receipts[key]["files"]["annotations"]["rows"]
            yield receipts[key]

    def inputs() -> tuple[Iterator[dict[str, Any]], int]:
        entries = ({**i, "rows": rows[i["path"]]} if i["path"] in rows else i for i in listing.inputs(told))
        return entries, listing.number_of_inputs(told)

    # Forgetting makes no list shorter; a dataset that was made with another bound keeps its form.
    lists = listing.Lists(folder, long=listing.side(told) is not None)
    counted = _counted(recipe, done(), assets, compared or {}, lists, listing.configs(told), inputs)
    # An audit speaks of the records that were there.
    stale = {"audit"} if counted["data_digest"] != told["data_digest"] else set()
    return {k: v for k, v in told.items() if k not in stale} | counted


class _Read:
    """The receipts of what is planned, in its order; when they have been taken, what the manifest says of the shards."""

    def __init__(self, plan: Plan, receipts: Mapping[str, Mapping[str, Any]]) -> None:
        self.plan, self.receipts = plan, receipts
        self.rows, self.whole = array("q"), bytearray()

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        for keys in self.plan.keys_by_shard():
            rows, whole = 0, True
            for key in keys:
                if (receipt := self.receipts.get(key)) is None:
                    whole = False
                    continue
                rows += receipt["files"]["annotations"]["rows"]
                yield receipt
            self.rows.append(rows)
            self.whole.append(whole)

    @property
    def complete(self) -> bool:
        return not self.plan.failed and all(self.whole)

    def inputs(self) -> Iterator[dict[str, Any]]:
        """By path, as a plan has its shards."""
        failed = ({"path": n, "status": "failed", "why": why} for n, why in sorted(self.plan.failed.items()))
        told = zip(self.plan.uncut(), self.rows, self.whole, strict=True)
        planned = (_input(shard, rows, whole=bool(whole)) for shard, rows, whole in told)
        return heapq.merge(failed, planned, key=lambda entry: entry["path"])


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
    lists: listing.Lists,
    configs: Mapping[str, str],
    inputs: Callable[[], tuple[Iterable[dict[str, Any]], int]],
) -> dict[str, Any]:
    """What a manifest says from receipts alone, and its lists. configs: of a shard, where there are several schemas. inputs: the shards by
    path and their number, to be asked for when the receipts have been taken."""
    totals = Totals(recipe)
    for receipt in done:
        totals.add(receipt)
        for entry in _outputs(receipt):
            lists.output(entry, configs.get(receipt["shard"]))
    lists.inputs(*inputs())
    listed = lists.told()
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
        **listed,
        "data_digest": data_digest(listed),
        "filters": filters,
        "edits": dict(sorted(edits.items())),
        "tables": tables,
        **({"summaries": summaries} if summaries else {}),
        **({"tokens": counted} if counted else {}),
    }


def _bare(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Without its shards, which the side file names."""
    return {k: v for k, v in schema.items() if k != "shards"}


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


def data_digest(told: Mapping[str, Any]) -> str:
    """sha256 over the names and sha256 of the files in data/, as a JSON list by name: the kept records, whatever else is said of them."""
    sha256, some = hashlib.sha256(b"["), False
    for pairs in filter(None, listing.by_path(told, "data")):
        sha256.update(b"," if some else b"")
        sha256.update(json.dumps(pairs, separators=(",", ":"))[1:-1].encode())
        some = True
    sha256.update(b"]")
    return sha256.hexdigest()


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
    """Raises OSError where there is none, ValueError, with a line that says why, where it is not JSON or does not list files of a
    dataset."""
    try:
        told = json.loads((out / "manifest.json").read_text("utf-8"))
    except RecursionError:
        raise ValueError("manifest.json: nested too deeply") from None
    except ValueError:
        raise ValueError("manifest.json: not JSON") from None
    if isinstance(told, dict) and (why := listing.problem(listing.attach(told, out))):
        raise ValueError(why)
    return told


def none_at(out: Path) -> str:
    """That there is no dataset at a place, for an error's line, and why, where somebody would look for it."""
    told = f"no dataset at {out}: it has no manifest.json as a run writes it"
    try:
        load(out)
    except OSError:
        return told
    except ValueError as error:
        return f"{told} ({error})"
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
