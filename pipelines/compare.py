"""Two datasets side by side: what differs in recipe, software and counts, and which records changed their verdict.

Records are matched by ``record_id``, the n-th of an id on one side with the n-th on the other, as the manifests list their shards.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import drift, listing, manifest
from pipelines.drift import Shift
from pipelines.errors import UsageError

EXAMPLES = 5
"""Records named for each change of verdict."""

SCORES = 1000
"""Score histograms that are compared. More are no recipe's."""


@dataclass(frozen=True)
class Change:
    """Records that went from one verdict to another. was, now: ``kept``, or ``filter: reason``."""

    was: str
    now: str
    records: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """before, now: summaries of the two manifests (``pipelines.drift.summary``). both, gone, new: records with the id on both sides,
    on the first alone, on the second alone."""

    before: Mapping[str, Any]
    now: Mapping[str, Any]
    both: int
    gone: int
    new: int
    changes: tuple[Change, ...] = ()
    scores: Mapping[str, Shift] = field(default_factory=dict)

    @property
    def options(self) -> list[tuple[str, Any, Any]]:
        return drift.changed_options(self.before["recipe"]["effective"], self.now["recipe"]["effective"])

    @property
    def software(self) -> list[tuple[str, str, str]]:
        return drift.changed_software(self.before["software"], self.now["software"])

    @property
    def verdicts(self) -> Shift:
        return drift.shift(drift.verdicts(self.before), drift.verdicts(self.now))

    @property
    def tables(self) -> dict[str, Shift]:
        """Languages, licences and whatever else either side counts, and replacements."""
        a, b = self.before["tables"], self.now["tables"]
        found = {name: drift.shift(a.get(name, {}), b.get(name, {})) for name in dict.fromkeys([*a, *b])}
        return {**found, "replacements": drift.shift(self.before["edits"], self.now["edits"])}


def compare(first: Path, second: Path) -> Comparison:
    """Raises UsageError for what is no dataset of ours, or cannot be read."""
    told = [_manifest(out) for out in (first, second)]
    ids, verdicts = zip(*(_verdicts(out, t) for out, t in zip((first, second), told, strict=True)), strict=True)
    before, now = (drift.summary(t) for t in told)
    a, b, found = _matched(ids[0], ids[1])
    gone, new = len(ids[0]) - len(a), len(ids[1]) - len(b)
    changes = tuple(_changes(found, verdicts[0].take(pa.array(a)), verdicts[1].take(pa.array(b))))
    return Comparison(before, now, len(a), gone, new, changes, _scores(*told))


def _manifest(out: Path) -> dict[str, Any]:
    told = manifest.sound(out)
    if told is None or told.get("manifest") != manifest.VERSION:
        raise UsageError(manifest.none_at(out))
    return told


def _verdicts(out: Path, told: Mapping[str, Any]) -> tuple[pa.Array, pa.Array]:
    """record_id and verdict of every record, in the manifest's order."""
    columns = ["record_id", "rejected_by", "reason"]
    schema = pa.schema([(name, pa.string()) for name in columns])
    tables = [schema.empty_table()]
    for path in (o["path"] for o in listing.outputs(told, "annotations")):
        try:
            tables.append(pq.read_table(out / path, columns=columns).cast(schema))
        except (OSError, pa.ArrowException):
            raise UsageError(f"{out / path} cannot be read: `corpusmill verify` says what is wrong") from None
    table = pa.concat_tables(tables)
    said = pc.binary_join_element_wise(table["rejected_by"], table["reason"], ": ")
    said = pc.fill_null(said, "kept").dictionary_encode().combine_chunks()
    ids = table["record_id"].cast(pa.large_string()).combine_chunks()
    return ids, said if isinstance(said, pa.DictionaryArray) else pa.concat_arrays(said.chunks)


def _matched(first: pa.Array, second: pa.Array) -> tuple[np.ndarray, np.ndarray, pa.Array]:
    """Positions of the records that both sides have, and their ids."""
    every = pa.concat_arrays([first, second]).dictionary_encode()
    codes = every.indices.to_numpy().astype(np.int64)
    sides = _numbered(codes[: len(first)]), _numbered(codes[len(first) :])
    most = 1 + max((int(s[1].max()) for s in sides if len(s[1])), default=0)
    keys = [code * most + rank for code, rank in sides]
    _, a, b = np.intersect1d(keys[0], keys[1], assume_unique=True, return_indices=True)
    return a, b, first.take(pa.array(a))


def _numbered(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The codes, and how many of the same came before each."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts = np.searchsorted(ordered, ordered)
    rank = np.empty(len(codes), np.int64)
    rank[order] = np.arange(len(codes)) - starts
    return codes, rank


def _changes(ids: pa.Array, was: pa.DictionaryArray, now: pa.DictionaryArray) -> Iterator[Change]:
    """Every pair of different verdicts, the most frequent first."""
    names = [a.dictionary.to_pylist() for a in (was, now)]
    codes = [a.indices.to_numpy() for a in (was, now)]
    pair = codes[0].astype(np.int64) * (len(names[1]) or 1) + codes[1]
    found = []
    for key, count in zip(*np.unique(pair, return_counts=True), strict=True):
        a, b = names[0][key // len(names[1])], names[1][key % len(names[1])]
        if a != b:
            at = np.flatnonzero(pair == key)
            found.append(Change(a, b, int(count), _few(ids.take(pa.array(at)).to_pylist())))
    yield from sorted(found, key=lambda c: (-c.records, c.was, c.now))


def _few(ids: list[str]) -> tuple[str, ...]:
    """Those whose ids hash lowest: a fair sample, and the same every time."""
    return tuple(heapq.nsmallest(EXAMPLES, set(ids), key=lambda i: hashlib.blake2b(i.encode()).digest()))


def _scores(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Shift]:
    """``filter.score`` -> how its histogram moved, over kept and rejected records, the most moved first."""
    a, b = _histograms(first), _histograms(second)
    shifts = {name: drift.shift(a[name], b[name]) for name in a.keys() & b.keys()}
    return dict(sorted(shifts.items(), key=lambda e: (-e[1].psi, e[0]))[:SCORES])


def _histograms(told: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    found = {}
    for f in told["filters"]:
        for score, sides in f.get("histograms", {}).items():
            bins = dict.fromkeys([*sides["kept"], *sides["rejected"]])
            found[f"{f['name']}.{score}"] = {
                bin_: sides["kept"].get(bin_, 0) + sides["rejected"].get(bin_, 0) for bin_ in bins
            }
    return found
