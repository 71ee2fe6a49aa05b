"""Which findings a person looks at: a seeded sample of the places in a dataset's annotations, stratified by rule."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import listing
from pipelines.errors import UsageError

BATCH_ROWS = 16_384


@dataclass(frozen=True, order=True)
class Finding:
    """One place of one record, as annotations have it; start/end in code points, rule as the filter names it."""

    shard: str
    row: int
    turn: int
    channel: str
    start: int
    end: int
    rule: str
    record_id: str

    @property
    def key(self) -> str:
        """Names the finding in the review's files."""
        place = [self.shard, self.row, self.turn, self.channel, self.start, self.end, self.rule]
        return hashlib.sha256("\0".join(map(str, place)).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Sample:
    """findings: those drawn, in order of place. population: findings there are, by rule."""

    findings: tuple[Finding, ...]
    population: Mapping[str, int]


def draw(out: Path, told: Mapping[str, Any], filter_: str, size: int, seed: int) -> Sample:
    """As equal a number from every rule as there are, ``size`` in all; the same for the same dataset and seed."""
    lowest: dict[str, list[tuple[int, Finding]]] = {}
    population: Counter[str] = Counter()
    for finding in findings(out, told, filter_):
        population[finding.rule] += 1
        heap = lowest.setdefault(finding.rule, [])
        rank = -int.from_bytes(hashlib.blake2b(f"{seed} {finding.key}".encode(), digest_size=8).digest())
        if len(heap) < size:
            heapq.heappush(heap, (rank, finding))
        elif heap and rank > heap[0][0]:
            heapq.heapreplace(heap, (rank, finding))
    share = allocate(population, size)
    drawn = [f for rule, n in share.items() for _, f in heapq.nlargest(n, lowest[rule])]
    return Sample(tuple(sorted(drawn)), dict(sorted(population.items())))


def allocate(population: Mapping[str, int], size: int) -> dict[str, int]:
    """The same number for every stratum, as far as it has that many; what one cannot give, the others do."""
    share: dict[str, int] = {}
    left = size
    for done, (rule, count) in enumerate(sorted(population.items(), key=lambda e: (e[1], e[0]))):
        share[rule] = min(count, left // (len(population) - done))
        left -= share[rule]
    return share


def count(out: Path, told: Mapping[str, Any], filter_: str) -> dict[str, int]:
    """Findings there are, by rule."""
    found: Counter[str] = Counter()
    for rows in _batches(out, told, filter_):
        rules = rows.column(filter_).field("evidence").flatten().field("rule")
        found.update({v["values"]: v["counts"] for v in pc.value_counts(rules).to_pylist()})
    return dict(sorted(found.items()))


def findings(out: Path, told: Mapping[str, Any], filter_: str) -> Iterator[Finding]:
    """Every finding of a filter, in order of place."""
    for rows in _batches(out, told, filter_):
        evidence = rows.column(filter_).field("evidence")
        parents = pc.list_parent_indices(evidence)
        ids, shards, at = (rows.column(n).take(parents).to_pylist() for n in ("record_id", "shard", "row"))
        for record_id, shard, row, place in zip(ids, shards, at, evidence.flatten().to_pylist(), strict=True):
            yield Finding(
                shard, row, place["turn"], place["channel"], place["start"], place["end"], place["rule"], record_id
            )


def _batches(out: Path, told: Mapping[str, Any], filter_: str) -> Iterator[pa.RecordBatch]:
    if filter_ not in [f["name"] for f in told["filters"][1:]]:
        raise UsageError(f"{out} was made without a {filter_} filter: there is nothing of it to review")
    columns = ["record_id", "shard", "row", f"{filter_}.evidence"]
    for entry in listing.outputs(told, "annotations"):
        try:
            file = pq.ParquetFile(out / entry["path"])
            yield from file.iter_batches(BATCH_ROWS, columns=columns, use_threads=False)
        except (OSError, pa.ArrowException):
            raise UsageError(f"{out / entry['path']} cannot be read: `corpusmill verify` says what is wrong") from None
