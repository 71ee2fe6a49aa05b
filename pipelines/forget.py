"""Taking records out of a published dataset: its shards and manifest are written anew, and what is kept of it is a trail.

The units that hold a record are rewritten beside the old ones; then a journal is written, and from there on the work is only ever
finished: the units are exchanged, the dataset is published, the journal goes. Whoever is killed in between leaves a journal that
the next run or the next ``forget`` finishes first.

A record that was rejected because it duplicates one that goes is forgotten with it: it says the same, and nobody would have kept it.
Where records are compared, it is the units as they were judged that are rewritten, and the rest are compared again.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.batch import Batch
from pipelines import against, histograms, listing, manifest, packs, publish, recipe, resolve, signatures, versions
from pipelines.again import facts_of, minus, rows_of, spent_left, sums_left, told_of
from pipelines.errors import OutputError, UsageError
from pipelines.ledger import OF, Ledger, sync_folder, write_synced
from pipelines.publish import republish
from pipelines.recipe import Recipe
from pipelines.schemas.read import read
from pipelines.shards import sha256_of
from pipelines.write import KINDS, TABLES, score_counts

JOURNAL, STAGED = "forgetting.json", "forgetting"
LISTED, COMPARED = "listed", "compared"
"""Below STAGED: the side file of the journal's manifest, and of the one when what is left has been compared again."""

Match = Callable[[Batch], np.ndarray]
"""Which records of a batch are asked for: bool[n]. The batch has the ids of the annotations."""


@dataclass(frozen=True)
class List:
    """Whom to forget: where that stands. name and sha256 of the file; source, asked: on whose word and when, if told."""

    name: str
    kind: str
    sha256: str
    source: str = ""
    asked: str = ""


@dataclass(frozen=True)
class Forgotten:
    """Records found, by where they stood."""

    kept: int
    rejected: int

    @property
    def records(self) -> int:
        return self.kept + self.rejected


def forget(out: Path, match: Match, asked: List, *, do: bool = True) -> Forgotten:
    """Take every record that matches out of data/, rejected/ and annotations/, and say in the manifest that it was done.

    do: False only counts. Raises UsageError for what is no dataset of ours, or one without its finished units.
    """
    ledger = Ledger(out)
    told = _dataset(ledger)
    with ledger.lock():
        if finish(ledger):
            told = _dataset(ledger)
        standing = recipe.overridden(told["recipe"]["effective"], (), "manifest.json")
        receipts = _receipts(ledger, told)
        against.check(standing, ledger, remembered=True)
        folder = ledger.root / STAGED
        shutil.rmtree(folder, ignore_errors=True)
        changed = {}
        try:
            gone = {key: _gone(ledger.unit(key), standing, match) for key in receipts}
            _add_copies(ledger, receipts, gone, standing)
            done = _counted(ledger, gone)
            if not do or not done.records:
                return done
            judged = {key: receipt.get(OF, key) for key, receipt in receipts.items()}
            for key, unit in judged.items():
                receipt = ledger.receipt(unit)
                if gone[key].any() and receipt is not None:
                    changed[unit] = _without(ledger.unit(unit), folder / unit, receipt, standing, gone[key])
            body = dict(told)
            if not (compares := bool(resolve.comparing(standing))):
                body = manifest.recounted(told, standing, {**receipts, **changed}, folder / LISTED)
            elif (listed := listing.side(told)) is not None:
                (folder / LISTED).mkdir()
                versions.link(listed.place, folder / LISTED / listing.SIDE)
            entry = {"date": time.strftime("%Y-%m-%d", time.gmtime()), "list": asked.name, "kind": asked.kind,
                     "sha256": asked.sha256, "records": done.records, "kept": done.kept, "rejected": done.rejected}  # fmt: skip
            entry |= {name: value for name in ("source", "asked") if (value := getattr(asked, name))}
            body["forgotten"] = [*told.get("forgotten", []), entry]
            versions.sync_tree(folder)
            ledger.save(
                JOURNAL,
                {"units": sorted(changed), "manifest": body, "compare": list(judged.items()) if compares else []},
            )
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise OutputError(f"{out} cannot be written: {error.strerror}; nothing was changed") from None
        finish(ledger)
        return done


def finish(ledger: Ledger) -> bool:
    """Do what a journal says is left to do, or is left of a publish; whether anything was. The caller holds the lock."""
    journal = ledger.load(JOURNAL)
    if not journal:
        return publish.finish(ledger)
    ledger.still_held()
    packs.drop(ledger)
    for key in journal["units"]:
        staged, unit = ledger.root / STAGED / key, ledger.unit(key)
        if staged.is_dir():
            try:
                if unit.is_dir():
                    shutil.rmtree(unit)
                staged.rename(unit)
                sync_folder(unit.parent)
            except OSError as error:
                raise OutputError(
                    f"{unit} still holds what is to be forgotten: {error.strerror}; mend it and do the same again"
                ) from None
    told = listing.attach(journal["manifest"], ledger.root / STAGED / LISTED)
    if judged := journal.get("compare"):
        told = _compared(ledger, told, dict(judged))
    republish(ledger, told, files=True)
    shutil.rmtree(ledger.root / STAGED, ignore_errors=True)
    (ledger.root / JOURNAL).unlink()
    return True


def _compared(ledger: Ledger, told: Mapping[str, Any], judged: Mapping[str, str]) -> dict[str, Any]:
    """The manifest when the records that are left are compared again. judged: of each published unit, the one as it was judged."""
    standing = recipe.overridden(told["recipe"]["effective"], (), "manifest.json")
    receipts = {unit: receipt for unit in judged.values() if (receipt := ledger.receipt(unit)) is not None}
    of_shard = {i["path"]: i["augmented"] for i in listing.inputs(told) if "augmented" in i}
    worlds = {unit: of_shard.get(receipt["shard"], "") for unit, receipt in receipts.items()}
    new = resolve.resolve(standing, ledger, receipts, worlds, remembered=True)
    overviews = resolve.overviews(standing, ledger, new)
    receipts = {key: new[unit] for key, unit in judged.items()}
    return manifest.recounted(told, standing, receipts, ledger.root / STAGED / COMPARED, overviews)


def refuse_return(standing: Mapping[str, Any] | None, wanted: Recipe) -> None:
    """Raises UsageError where a run would read again what was forgotten, and its recipe does not name the list."""
    named = {Path(p).name for s in wanted.stages if s.name == "optout" for p in _paths(s.options)}
    for entry in (standing or {}).get("forgotten", []):
        if entry["list"] not in named:
            raise UsageError(
                f"{entry['records']:,} records were forgotten here on {entry['date']} (list {entry['list']}), and this run would "
                "bring them back: name that list in the recipe's optout filter, or write to another folder"
            )


def _paths(options: Any) -> Iterator[str]:
    for given in options.lists:
        yield given.path


def _dataset(ledger: Ledger) -> dict[str, Any]:
    told = manifest.standing(ledger.out)
    if told is None or told.get("manifest") != manifest.VERSION or "data_digest" not in told:
        raise UsageError(manifest.none_at(ledger.out))
    return told


def _receipts(ledger: Ledger, told: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found = {key: ledger.receipt(key) for key in dict.fromkeys(entry["unit"] for entry in listing.outputs(told))}
    if missing := [key for key, receipt in found.items() if receipt is None]:
        raise UsageError(
            f"{ledger.out} lacks {len(missing)} of its finished units (.corpusmill/units): run its recipe again first, or "
            "forget in the copy that has them"
        )
    return {key: receipt for key, receipt in found.items() if receipt is not None}


def _gone(unit: Path, standing: Recipe, match: Match) -> np.ndarray:
    """Which of a unit's records match: bool[n], as annotations have them."""
    notes = pq.read_table(unit / "annotations.parquet", columns=["record_id", "kept"])
    was_kept = notes["kept"].to_numpy()
    gone = np.zeros(len(notes), bool)
    schema = pq.read_schema(unit / "data.parquet")
    for kind, here in (("data", was_kept), ("rejected", ~was_kept)):
        at = np.flatnonzero(here)
        if len(at):
            ids = notes["record_id"].take(at).combine_chunks()
            gone[at] = _matches(unit / f"{kind}.parquet", schema, standing, ids, match)
    return gone


def _add_copies(ledger: Ledger, receipts: Mapping[str, Any], gone: dict[str, np.ndarray], standing: Recipe) -> None:
    """Add the records that were rejected as duplicates of those that go."""
    naming = [s.name for s in resolve.comparing(standing) if "at" in s.filter.scores]
    if not naming:
        return
    places: list[str] = []
    for key, mine in gone.items():
        notes = pq.read_table(ledger.unit(key) / "annotations.parquet", columns=["shard", "row"]).filter(pa.array(mine))
        places += [f"{s}:{r}" for s, r in zip(notes["shard"].to_pylist(), notes["row"].to_pylist(), strict=True)]
    wanted = pa.array(places, pa.string())
    for key in (k for k, receipt in receipts.items() if OF in receipt):
        path = ledger.unit(key) / "annotations.parquet"
        for name in naming:
            told = pq.ParquetFile(path).read([f"{name}.scores"], use_threads=False)[name].combine_chunks()
            scores = told.field("scores")
            copies = pc.and_(pc.is_in(scores.field("at"), wanted), scores.field("dataset").is_null())
            gone[key] |= copies.to_numpy(zero_copy_only=False)


def _counted(ledger: Ledger, gone: Mapping[str, np.ndarray]) -> Forgotten:
    kept = rejected = 0
    for key, mine in gone.items():
        was_kept = pq.read_table(ledger.unit(key) / "annotations.parquet", columns=["kept"])["kept"].to_numpy()
        kept, rejected = kept + int((mine & was_kept).sum()), rejected + int((mine & ~was_kept).sum())
    return Forgotten(kept, rejected)


def _without(
    unit: Path, staged: Path, receipt: Mapping[str, Any], standing: Recipe, gone: np.ndarray
) -> dict[str, Any]:
    """A unit without some of its records, written to ``staged``; returns its new receipt."""
    notes = pq.read_table(unit / "annotations.parquet")
    was_kept = notes["kept"].to_numpy()
    schema = pq.read_schema(unit / "data.parquet")
    staged.mkdir(parents=True)
    stay = {"data": ~gone[was_kept], "rejected": ~gone[~was_kept], "annotations": ~gone}
    facts = facts_of(unit / "data.parquet", schema, standing, gone[was_kept])
    signatures.without(unit, staged, notes["row"].to_numpy()[gone])
    files = {k: _filtered(unit / f"{k}.parquet", staged / f"{k}.parquet", stay[k], standing) for k in KINDS}
    scored = {t: (s.name, score) for s in standing.stages for t, score in s.filter.tables.items()}
    new = {**receipt, "files": files, **_less(receipt, notes.filter(pa.array(gone)), facts, scored)}
    write_synced(staged / "receipt.json", json.dumps(new, sort_keys=True).encode())
    sync_folder(staged)
    return new


def _matches(path: Path, schema: pa.Schema, standing: Recipe, ids: pa.Array, match: Match) -> np.ndarray:
    found, at = [], 0
    for rows, columns in rows_of(path, schema, standing):
        batch = read(rows, columns, max_record_bytes=standing.input.max_record_bytes).batch
        found.append(match(dataclasses.replace(batch, ids=ids.slice(at, len(batch)))))
        at += len(batch)
    return np.concatenate(found)


def _filtered(source: Path, target: Path, stay: np.ndarray, standing: Recipe) -> dict[str, Any]:
    """A file's rows that stay, in its own row groups."""
    if stay.all():
        shutil.copyfile(source, target)
        return told_of(target, len(stay))
    at = 0
    with pq.ParquetFile(source) as file:
        writer = pq.ParquetWriter(target, file.schema_arrow, compression=standing.output.compression)
        for group in range(file.metadata.num_row_groups):
            rows = file.read_row_group(group, use_threads=False)
            left = rows.filter(pa.array(stay[at : at + len(rows)]))
            at += len(rows)
            if len(left):
                writer.write_table(left, row_group_size=len(left))
        writer.close()
    return told_of(target, int(stay.sum()))


def _less(
    receipt: Mapping[str, Any], gone: pa.Table, facts: Mapping[str, Counter[str]], scored: Mapping[str, tuple[str, str]]
) -> dict[str, Any]:
    """A receipt's counts without the records that go. scored: tables that count a filter's score -> filter and score.

    How often something was replaced in each record is not recorded; what stands in its evidence (at most a hundred places) is taken.
    """
    kept = gone["kept"].to_numpy()
    places = {f"{s}:{r}" for s, r in zip(gone["shard"].to_pylist(), gone["row"].to_pylist(), strict=True)}
    filters = {}
    for name, told in receipt["filters"].items():
        column = gone[name].combine_chunks()
        reasons = Counter(r for r in column.field("reason").to_pylist() if r is not None)
        by = [b == name for b in gone["rejected_by"].to_pylist()]
        first = Counter(r for r, mine in zip(gone["reason"].to_pylist(), by, strict=True) if mine)
        evidence = column.field("evidence").to_pylist()
        edited = [e for e, here in zip(evidence, kept, strict=True) if here and e]
        labels = Counter(place["rule"].partition(":")[0] for places in edited for place in places)
        filters[name] = {
            "rejected": told["rejected"] - sum(reasons.values()),
            "first": told["first"] - sum(first.values()),
            "reasons": minus(told["reasons"], reasons),
            "first_reasons": minus(told["first_reasons"], first),
            "edits": minus(told["edits"], labels if told["edits"] else {}),
            "edited": max(0, told["edited"] - (len(edited) if told["edits"] else 0)),
            "rules": _without_rules(told["rules"], evidence, places),
            "first_examples": {
                reason: [p for p in named if p not in places]
                for reason, named in told.get("first_examples", {}).items()
            },
            "histograms": histograms.minus(told.get("histograms", {}), histograms.of(column)),
            **sums_left(name, told, column.filter(pa.array(kept))),
            **spent_left(name, told, column),
        }
    counts = {table: facts[fact] for table, fact in TABLES.items()}
    for table, (name, score) in scored.items():
        values = gone[name].combine_chunks().field("scores").field(score)
        counts[table] = Counter(dict(score_counts(values, kept)))
    tables = {table: minus(told, counts[table]) for table, told in receipt["tables"].items()}
    return {"filters": filters, "tables": tables}


def _without_rules(
    rules: Mapping[str, Any], evidence: Sequence[Sequence[Mapping[str, Any]]], places: set[str]
) -> dict[str, Any]:
    """Records by rule. Examples that go are not replaced."""
    less = Counter(rule for found in evidence for rule in {place["rule"] for place in found})
    left = {}
    for rule, told in rules.items():
        if told["records"] > less[rule]:
            examples = [e for e in told["examples"] if e not in places]
            left[rule] = {"records": told["records"] - less[rule], "examples": examples}
    return left


def list_of(path: Path, kind: str, source: str = "", asked: str = "") -> List:
    """A list as the trail names it. Raises UsageError when it cannot be read."""
    try:
        return List(path.name, kind, sha256_of(path), source, asked)
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from None
