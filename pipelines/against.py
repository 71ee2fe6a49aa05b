"""Signatures of other published datasets' kept records, to compare ours with.

Where a dataset was made with the same way of signing, its units' signatures are taken; where not, its data/ is read, once. Either way
they are remembered in ``.corpusmill/against/FILTER``, file by file, by the sha256 of the file in data/: what the other dataset adds
later is all that is looked at again.
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
from pipelines import listing, manifest, recipe, signatures
from pipelines.again import rows_of
from pipelines.errors import UsageError
from pipelines.ledger import OF, Ledger
from pipelines.recipe import Stage
from pipelines.schemas.read import read

FOLDER = "against"


def parts(stage: Stage, ledger: Ledger) -> list[Part]:
    """One part a file of the other datasets' data/, in the order in which the recipe and their manifests name them."""
    found: list[Part] = []
    wanted: set[str] = set()
    cache = ledger.root / FOLDER / stage.name
    for given in getattr(stage.options, "against", ()):
        out = Path(given).absolute()
        told = manifest.standing(out)
        if told is None or out == ledger.out:
            why = "it is the output itself" if out == ledger.out else "no manifest.json that a run wrote"
            raise UsageError(f"{stage.name}: against {given}: {why}; name the folder of another dataset")
        found += _dataset(_Other(out, told), stage, cache, wanted)
    for path in cache.glob("*"):
        if path.name not in wanted:
            path.unlink(missing_ok=True)
    return found


class _Other:
    """A dataset that ours is compared with."""

    def __init__(self, out: Path, told: Mapping[str, Any]) -> None:
        self.out, self.told, self.ledger = out, told, Ledger(out)
        self.recipe = recipe.overridden(told["recipe"]["effective"], (), "manifest.json")
        self.worlds = {i["path"]: i["augmented"] for i in listing.inputs(told) if "augmented" in i}

    def files(self) -> Iterator[Mapping[str, Any]]:
        yield from (o for o in listing.outputs(self.told, "data") if o["rows"])


def _dataset(other: _Other, stage: Stage, cache: Path, wanted: set[str]) -> list[Part]:
    found = []
    for entry in other.files():
        name = f"{entry['sha256'][:40]}-{_digest(stage.filter.signature(stage.options))}"
        wanted.add(name)
        if not (cache / name).is_file():
            cache.mkdir(parents=True, exist_ok=True)
            _write(cache / name, other, entry, stage)
        table = pa.ipc.open_file(pa.memory_map(str(cache / name))).read_all()
        found.append(Part(entry["shard"], table, other.worlds.get(entry["shard"], ""), other.told["name"]))
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
