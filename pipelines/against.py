"""Signatures of other published datasets' kept records, to compare ours with.

Where a dataset was made with the same way of signing, its units' signatures are taken; where not, its data/ is read, once. Either way
they are remembered in ``.corpusmill/against/FILTER``, file by file, by the sha256 of the file in data/: what the other dataset adds
later is all that is looked at again. Which files those were is remembered too: forgetting compares with what the run compared with,
whatever has become of the other dataset.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters.contract import ConfigError, Part
from pipelines import listing, manifest, recipe, signatures, stores
from pipelines.again import rows_of
from pipelines.errors import UsageError
from pipelines.ledger import OF, Ledger
from pipelines.recipe import Recipe, Stage
from pipelines.schemas.read import read

FOLDER, INDEX = "against", "against.json"


def parts(stage: Stage, ledger: Ledger, held: int, *, remembered: bool = False) -> list[Part]:
    """One part a file of the other datasets' data/, in the order in which the recipe and their manifests name them. held: signatures
    that the caller holds. remembered: those of the last comparison, if it was with the same datasets."""
    if remembered and (found := _remembered(stage, ledger, held)) is not None:
        return found
    found, told = [], []
    for given in _given(stage):
        other = _other(stage, given, ledger)
        mine = _dataset(other, stage, _cache(stage, ledger), held + len(found))
        told.append([given, other.told["name"], [[file, p.name, p.world] for file, p in mine]])
        found += [p for _, p in mine]
    wanted = {file for _, _, mine in told for file, _, _ in mine}
    for path in _cache(stage, ledger).glob("*"):
        if path.name not in wanted:
            path.unlink(missing_ok=True)
    if told or ledger.load(INDEX):
        ledger.save(INDEX, {**ledger.load(INDEX), stage.name: told})
    return found


def check(recipe: Recipe, ledger: Ledger, *, remembered: bool = False) -> None:
    """Raises UsageError for what cannot be compared with, before any work is done."""
    for stage in recipe.stages:
        if not (remembered and _remembered(stage, ledger) is not None):
            for given in _given(stage):
                _other(stage, given, ledger)


def _cache(stage: Stage, ledger: Ledger) -> Path:
    return ledger.root / FOLDER / stage.name


def _given(stage: Stage) -> list[str]:
    return list(getattr(stage.options, "against", ()))


def _other(stage: Stage, given: str, ledger: Ledger) -> _Other:
    if stores.is_url(given):
        raise UsageError(f"{stage.name}: against a URL: only folders are compared with; copy that dataset to one")
    out = Path(given).absolute()
    itself = out.resolve() == ledger.out.resolve()
    told = manifest.standing(out)
    if told is None or itself:
        why = "it is the output itself" if itself else "no manifest.json that a run wrote"
        raise UsageError(f"{stage.name}: against {given}: {why}; name the folder of another dataset")
    return _Other(out, told)


def _remembered(stage: Stage, ledger: Ledger, held: int = 0) -> list[Part] | None:
    """None where the last comparison was with others, or is not there any more."""
    told = ledger.load(INDEX).get(stage.name, [])
    files = [_cache(stage, ledger) / file for _, _, mine in told for file, _, _ in mine]
    if [given for given, _, _ in told] != _given(stage) or not all(file.is_file() for file in files):
        return None
    found: list[Part] = []
    for _, name, mine in told:
        for file, shard, world in mine:
            table = signatures.table_of(_cache(stage, ledger) / file, held + len(found))
            found.append(Part(shard, table, world, name))
    return found


class _Other:
    """A dataset that ours is compared with."""

    def __init__(self, out: Path, told: Mapping[str, Any]) -> None:
        self.out, self.told, self.ledger = out, told, Ledger(out)
        self.recipe = recipe.overridden(told["recipe"]["effective"], (), "manifest.json")
        self.worlds = {i["path"]: i["augmented"] for i in listing.inputs(told) if "augmented" in i}

    def files(self) -> Iterator[Mapping[str, Any]]:
        yield from (o for o in listing.outputs(self.told, "data") if o["rows"])


def _dataset(other: _Other, stage: Stage, cache: Path, held: int) -> list[tuple[str, Part]]:
    """The parts, and the names of the files in which they are remembered."""
    found: list[tuple[str, Part]] = []
    for entry in other.files():
        name = f"{entry['sha256'][:40]}-{_digest(stage.filter.signature(stage.options))}"
        if not (cache / name).is_file():
            cache.mkdir(parents=True, exist_ok=True)
            _write(cache / name, other, entry, stage)
        table, world = signatures.table_of(cache / name, held + len(found)), other.worlds.get(entry["shard"], "")
        found.append((name, Part(entry["shard"], table, world, other.told["name"])))
    return found


def _write(path: Path, other: _Other, entry: Mapping[str, Any], stage: Stage) -> None:
    """The signatures of one file, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        wanted = stage.filter.signature(stage.options)
        made = _recorded(other, entry, stage.name, wanted) or _computed(other, entry, stage)
        first = next(made)
        with pa.OSFile(str(temporary), "wb") as file, pa.ipc.new_file(file, first.schema) as writer:
            for batch in (first, *made):
                writer.write_batch(batch)
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    except (OSError, pa.ArrowException):
        raise UsageError(
            f"{stage.name}: {other.out / entry['path']} cannot be read: `corpusmill verify {other.out}` says what is wrong with it"
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def _kept(other: _Other, entry: Mapping[str, Any]) -> pa.Table:
    """``record_id`` and ``row`` of the records in a file of data/, in their order."""
    path = other.out / "annotations" / entry["path"].removeprefix("data/")
    return pq.read_table(path, columns=["record_id", "row", "kept"], filters=[("kept", "=", True)])


def _recorded(other: _Other, entry: Mapping[str, Any], name: str, wanted: pa.Schema) -> Iterator[pa.RecordBatch] | None:
    """What its own run signed, of the records that are in data/; None where that is not there, or was signed otherwise."""
    receipt = other.ledger.receipt(entry["unit"])
    table = signatures.load(other.ledger.unit(receipt.get(OF, entry["unit"])), name) if receipt else None
    if table is None or not all(_has(table.schema, field) for field in wanted):
        return None
    rows = _kept(other, entry)["row"].to_numpy()
    mine = table.select(["row", "id", *wanted.names])
    return (b.filter(pa.array(np.isin(b["row"].to_numpy(), rows))) for b in mine.to_batches())


def _has(schema: pa.Schema, wanted: pa.Field) -> bool:
    at = schema.get_field_index(wanted.name)
    return at >= 0 and schema.field(at).equals(wanted, check_metadata=True)


def _digest(schema: pa.Schema) -> str:
    return hashlib.sha256(schema.serialize()).hexdigest()[:16]


def _computed(other: _Other, entry: Mapping[str, Any], stage: Stage) -> Iterator[pa.RecordBatch]:
    try:
        built = stage.build()
    except ConfigError as error:
        raise UsageError(f"{stage.name}: {error}") from None
    kept = _kept(other, entry)
    path, at = other.out / entry["path"], 0
    for rows, columns in rows_of(path, pq.read_schema(path), other.recipe):
        batch = read(rows, columns, max_record_bytes=other.recipe.input.max_record_bytes).batch
        signed = built.judge(batch).signatures
        assert signed is not None
        here = kept.slice(at, len(batch)).combine_chunks()
        at += len(batch)
        found = pa.RecordBatch.from_arrays(
            [here["row"].chunk(0), here["record_id"].chunk(0), *signed.columns],
            schema=pa.schema([("row", pa.int64()), ("id", pa.string()), *signed.schema]),
        )
        yield found.filter(signed.column(0).is_valid())
