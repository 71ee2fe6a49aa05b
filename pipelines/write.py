"""The one place that applies: a unit's kept records, its rejected records and its annotations, counted as they are written."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.contract import KEPT, Filter, Judgement
from pipelines import annotate, edits, histograms
from pipelines.recipe import Output
from pipelines.schemas.read import Read
from pipelines.shards import sha256_of
from pipelines.signatures import SignatureFiles
from pipelines.units import Unit

KINDS = ("data", "rejected", "annotations")
TABLES = {"languages": "language", "licenses": "license", "generators": "generator"}
NONE = "(none)"
"""How a table counts records without a value."""
_PLAIN = re.compile(r"[\w][\w .+/:()\-]{0,79}")


class UnitWriter:
    """Takes a unit's batches in order; ``finish`` closes the three files and returns the receipt."""

    def __init__(
        self, unit: Unit, schema: pa.Schema, stages: Mapping[str, type[Filter]], output: Output, folder: Path
    ) -> None:
        self.unit, self.stages, self.output, self.folder = unit, stages, output, folder
        self.counts = Counts(stages)
        self.withholding = [name for name, stage in stages.items() if stage.withholds]
        self.rejected_schema = _rejected_schema(schema, nullable=bool(self.withholding))
        schemas = (schema, self.rejected_schema, annotate.schema(stages))
        self.files = {k: BoundedFile(folder / f"{k}.parquet", s, output) for k, s in zip(KINDS, schemas, strict=True)}
        self.signatures = SignatureFiles(folder, stages)
        self.row = unit.part.first_row

    def add(self, read: Read, judgements: Mapping[str, Judgement]) -> None:
        """One batch, judged by every stage."""
        batch = read.batch
        first, rejected = _first_rejection(judgements, len(batch))
        wanted = [j.edits for j in judgements.values() if len(j.edits)]
        touched = np.ones(len(batch), bool) if self.output.scrub_rejected else ~rejected
        rows = edits.apply(read, wanted, touched) if wanted else batch.source
        self.files["data"].add(rows.filter(pa.array(~rejected)))
        columns = {name: annotate.column(self.stages[name], batch, j) for name, j in judgements.items()}
        verdict = _verdict(columns, first)
        if rejected.any():
            withheld = np.zeros(len(batch), bool)
            for name in self.withholding:
                withheld |= ~judgements[name].keep
            rows = _without_values(rows, withheld) if withheld.any() else rows
            self.files["rejected"].add(self._rejected(rows, rejected, verdict, columns))
        fixed = [
            batch.ids,
            pa.array([self.unit.shard.name] * len(batch), pa.string()),
            pa.array(np.arange(self.row, self.row + len(batch))),
            pa.array(~rejected),
            *verdict,
        ]
        self.files["annotations"].add(
            pa.RecordBatch.from_arrays([*fixed, *columns.values()], schema=self.files["annotations"].schema)
        )
        self.signatures.add(batch, judgements, rejected, self.row)
        self.row += len(batch)
        self.counts.add(read, judgements, rejected, verdict, touched)
        self.counts.add_places(judgements, verdict, self.unit.shard.name, self.row - len(batch))
        self.counts.add_scores(columns)
        self.counts.add_sums(columns, rejected)

    def _rejected(
        self, rows: pa.RecordBatch, rejected: np.ndarray, verdict: tuple[pa.Array, pa.Array], columns: dict
    ) -> pa.RecordBatch:
        mask = pa.array(rejected)
        each = [c.field("reason").filter(mask).to_pylist() for c in columns.values()]
        reasons = pa.array(
            [[r for r in row if r is not None] for row in zip(*each, strict=True)], pa.list_(pa.string())
        )
        arrays = [*rows.filter(mask).columns, *(v.filter(mask) for v in verdict), reasons]
        return pa.RecordBatch.from_arrays(arrays, schema=self.rejected_schema)

    def abandon(self) -> None:
        """Let go of the files, so that the space they took is free once they are deleted."""
        for file in self.files.values():
            # Each of them: what is buffered may find the disk full.
            with contextlib.suppress(OSError):
                file.abandon()
        with contextlib.suppress(OSError):
            self.signatures.close()

    def finish(self) -> dict[str, Any]:
        """Close and sync the files. Raises AssertionError when kept + rejected is not what was read."""
        files: dict[str, dict[str, Any]] = {}
        self.signatures.close()
        for kind, file in self.files.items():
            file.close()
            path = self.folder / f"{kind}.parquet"
            files[kind] = {"bytes": path.stat().st_size, "rows": file.rows, "sha256": sha256_of(path)}
        read = self.row - self.unit.part.first_row
        told = files["data"]["rows"] + files["rejected"]["rows"], files["annotations"]["rows"]
        if told != (read, read) or self.unit.part.rows not in (-1, read):
            raise AssertionError(f"{read} records were read, {self.unit.part.rows} planned, {told} written")
        return {
            "key": self.unit.key,
            "shard": self.unit.shard.name,
            "output": self.unit.output,
            "files": files,
            **self.counts.told(),
        }


EXAMPLES = 3
"""Records named for each rule of a filter's evidence."""

REASON_EXAMPLES = 10
"""Records named for each reason, of those that it was the first to reject."""


def fewest(places: Iterable[str], most: int = EXAMPLES) -> list[str]:
    """Those whose names hash lowest: a fair sample, the same whatever the order and the units."""
    return sorted(set(places), key=lambda place: hashlib.blake2b(place.encode()).digest())[:most]


class Counts:
    """What a unit adds to the manifest's tables. Sums of these over units are the dataset's."""

    def __init__(self, stages: Mapping[str, type[Filter]]) -> None:
        self.stages, self.bytes_read = stages, 0
        self.filters: dict[str, dict[str, Any]] = {
            name: {"rejected": 0, "first": 0, "reasons": Counter(), "first_reasons": Counter(), "edits": Counter(),
                   "edited": 0, "rules": {}, "first_examples": {}, "histograms": {},
                   **({"sums": Counter(stage_sums(stage, None))} if stage.summed else {}),
                   **({"spent": Counter(dict.fromkeys(stage.spent, 0))} if stage.spent else {})}
            for name, stage in stages.items()
        }  # fmt: skip
        self.tables: dict[str, Counter[str]] = {name: Counter() for name in table_names(stages.values())}

    def add(
        self, read: Read, judgements: Mapping[str, Judgement], rejected: np.ndarray,
        verdict: tuple[pa.Array, pa.Array], touched: np.ndarray,
    ) -> None:  # fmt: skip
        self.bytes_read += read.batch.source.nbytes
        kept = ~rejected
        for name, judgement in judgements.items():
            told = self.filters[name]
            codes, numbers = np.unique(judgement.reason[~judgement.keep], return_counts=True)
            reasons = list(self.stages[name].reasons)
            told["reasons"].update({reasons[c]: int(k) for c, k in zip(codes, numbers, strict=True)})
            told["rejected"] += int((~judgement.keep).sum())
            made = [
                (record, label)
                for segment, label in zip(judgement.edits.segment, judgement.edits.label, strict=True)
                if kept[record := int(read.batch.segments.record[segment])]
            ]
            told["edits"].update(label for _, label in made)
            told["edited"] += len({record for record, _ in made})
        for by, reason in zip(*(v.to_pylist() for v in verdict), strict=True):
            if by is not None:
                self.filters[by]["first"] += 1
                self.filters[by]["first_reasons"][reason] += 1
        self._tables(read, judgements, kept)

    def add_sums(self, columns: Mapping[str, pa.StructArray], rejected: np.ndarray) -> None:
        """The scores that are summed over kept records, and those over all."""
        for name, stage in self.stages.items():
            if stage.summed:
                self.filters[name]["sums"].update(stage_sums(stage, columns[name].filter(pa.array(~rejected))))
            if stage.spent:
                self.filters[name]["spent"].update(stage_spent(stage, columns[name]))

    def add_scores(self, columns: Mapping[str, pa.StructArray]) -> None:
        """How the scores of the annotations are spread."""
        for name, column in columns.items():
            told = self.filters[name]
            told["histograms"] = histograms.total([told["histograms"], histograms.of(column)])

    def add_places(
        self, judgements: Mapping[str, Judgement], verdict: tuple[pa.Array, pa.Array], shard: str, first_row: int
    ) -> None:
        """Records by rule of the evidence, and where a few of them stand; and a few of those each reason was first to reject."""
        found: dict[tuple[str, str], list[str]] = {}
        for row, (by, reason) in enumerate(zip(*(v.to_pylist() for v in verdict), strict=True)):
            if by is not None:
                found.setdefault((by, reason), []).append(f"{shard}:{first_row + row}")
        for (by, reason), places in found.items():
            told = self.filters[by]["first_examples"]
            told[reason] = fewest([*told.get(reason, ()), *places], REASON_EXAMPLES)
        for name, judgement in judgements.items():
            evidence, rules = judgement.evidence, self.filters[name]["rules"]
            for record, rule in sorted(set(zip(evidence.record, evidence.rule, strict=True))):
                told = rules.setdefault(rule, {"records": 0, "examples": []})
                told["records"] += 1
                told["examples"] = fewest([*told["examples"], f"{shard}:{first_row + record}"])

    def _tables(self, read: Read, judgements: Mapping[str, Judgement], kept: np.ndarray) -> None:
        """Kept records by what the source says of them, or a filter found."""
        facts = read.batch.facts
        counted = {table: value_counts(facts[fact], kept) for table, fact in TABLES.items() if fact in facts}
        for name, judgement in judgements.items():
            for table, score in self.stages[name].tables.items():
                counted[table] = score_counts(pa.array(judgement.scores[score], pa.string()), kept)
        for table, counts in counted.items():
            self.tables[table].update(dict(counts))

    def told(self) -> dict[str, Any]:
        filters = {
            name: {k: dict(sorted(v.items())) if isinstance(v, Counter) else v for k, v in told.items()}
            for name, told in self.filters.items()
        }
        tables = {name: dict(sorted(counts.items())) for name, counts in self.tables.items()}
        return {"arrow_bytes": self.bytes_read, "filters": filters, "tables": tables}


def table_names(stages: Iterable[type[Filter]]) -> list[str]:
    """Tables of facts, then those that the filters add."""
    return list(dict.fromkeys([*TABLES, *(table for stage in stages for table in stage.tables)]))


def stage_sums(stage: type[Filter], column: pa.StructArray | None) -> dict[str, int]:
    """A filter's sums over some rows of its annotation column; zeros for none."""
    if column is None:
        column = pa.array([], annotate.column_type(stage))
    scores = column.field("scores")
    return dict(stage.totals({f.name: scores.field(f.name) for f in scores.type}))


def stage_spent(stage: type[Filter], column: pa.StructArray) -> dict[str, int]:
    scores = column.field("scores")
    return {name: pc.sum(scores.field(name)).as_py() or 0 for name in stage.spent}


class BoundedFile:
    """A Parquet file whose row groups are bounded in bytes."""

    def __init__(self, path: Path, schema: pa.Schema, output: Output) -> None:
        self.schema, self.limit, self.rows = schema, output.row_group_bytes, 0
        self._handle = path.open("wb")
        self._writer = pq.ParquetWriter(self._handle, schema, compression=output.compression)
        self._waiting: list[pa.RecordBatch] = []
        self._bytes = 0

    def add(self, batch: pa.RecordBatch) -> None:
        if not batch.num_rows:
            return
        self.rows += batch.num_rows
        self._waiting.append(batch)
        self._bytes += batch.nbytes
        if self._bytes >= self.limit:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        table = pa.Table.from_batches(self._waiting, self.schema)
        # One batch alone can be several row groups' worth.
        groups = max(1, round(self._bytes / self.limit))
        self._writer.write_table(table, row_group_size=-(-table.num_rows // groups))
        self._waiting, self._bytes = [], 0

    def abandon(self) -> None:
        self._writer.is_open = False
        self._handle.close()

    def close(self) -> None:
        self._flush()
        self._writer.close()
        self._handle.flush()
        os.fsync(self._handle.fileno())
        self._handle.close()


def rejected_columns(schema: pa.Schema) -> list[str]:
    """Names of the three columns that rejected/ adds, prefixed where the input already has such a column."""
    return [n if n not in schema.names else f"corpusmill_{n}" for n in ("rejected_by", "reason", "reasons")]


def _without_values(rows: pa.RecordBatch, withheld: np.ndarray) -> pa.RecordBatch:
    """Null in every column of the records whose filter lets nothing of them be kept."""
    index = pa.array(np.arange(len(withheld)), mask=withheld)
    schema = pa.schema([field.with_nullable(True) for field in rows.schema])
    return pa.RecordBatch.from_arrays([column.take(index) for column in rows.columns], schema=schema)


def _rejected_schema(schema: pa.Schema, *, nullable: bool) -> pa.Schema:
    by, reason, reasons = rejected_columns(schema)
    added = [pa.field(by, pa.string()), pa.field(reason, pa.string()), pa.field(reasons, pa.list_(pa.string()))]
    fields = [field.with_nullable(True) for field in schema] if nullable else schema
    return pa.schema([*fields, *added], metadata=_without_features(schema.metadata))


def _without_features(metadata: dict[bytes, bytes] | None) -> dict[bytes, bytes] | None:
    """Metadata that lists the columns (pandas, Hugging Face) would contradict the added ones."""
    return {k: v for k, v in (metadata or {}).items() if k not in (b"pandas", b"huggingface")} or None


def _first_rejection(judgements: Mapping[str, Judgement], n: int) -> tuple[np.ndarray, np.ndarray]:
    """The stage (in recipe order) that rejects each record first, or -1; and whether any does."""
    first = np.full(n, -1, np.int16)
    for i, judgement in enumerate(judgements.values()):
        first[(first < 0) & (judgement.reason != KEPT)] = i
    return first, first >= 0


def _verdict(columns: Mapping[str, pa.StructArray], first: np.ndarray) -> tuple[pa.Array, pa.Array]:
    """rejected_by and reason of each record, null where it is kept."""
    index = pa.array(first, mask=first < 0)
    names = pa.array(list(columns), pa.string()).take(index)
    reasons = [c.field("reason") for c in columns.values()]
    return names, pc.choose(index.cast(pa.int64()), *reasons)


def value_counts(values: pa.Array, kept: np.ndarray) -> list[tuple[str, int]]:
    """Counts of short plain values among kept records; anything else counts as "(other)", so no text gets into a table."""
    values = values.filter(pa.array(kept))
    if pa.types.is_nested(values.type) and not pa.types.is_struct(values.type):
        values = pa.array([" | ".join(map(str, v)) if v else None for v in values.to_pylist()], pa.string())
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_nested(values.type):
        return []
    counts: Counter[str] = Counter()
    for value, count in _counts(values.cast(pa.string())):
        counts[NONE if value is None else value if _PLAIN.fullmatch(value) else "(other)"] += count
    return sorted(counts.items())


def score_counts(values: pa.Array, kept: np.ndarray) -> list[tuple[str, int]]:
    """Counts of a filter's own values, which come from a closed list, among kept records."""
    return sorted((NONE if v is None else v, n) for v, n in _counts(values.filter(pa.array(kept))))


def _counts(values: pa.Array) -> list[tuple[str | None, int]]:
    """Through bytes, since a column of facts need not be valid UTF-8."""
    told = values.cast(pa.large_binary()).value_counts().to_pylist()
    return [(None if e["values"] is None else e["values"].decode("utf-8", "replace"), e["counts"]) for e in told]
