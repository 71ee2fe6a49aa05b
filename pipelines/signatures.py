"""The signatures of a unit's records: what a filter that compares records needs of them, in a file of its own beside the unit's others.

One row a record that every filter keeps and that can be compared, in order: ``row`` of the shard, ``id``, what the filter gave, what
other filters found of it (``checked.answer``, ``checked.code``), and ``edits``: how often something was replaced in it, so that the
manifest's counts stay exact when it is rejected later. Arrow's IPC format, not compressed: it is read where it lies, and digests do
not compress.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from filters.batch import Batch
from filters.contract import CHECKED, Filter, Judgement

MAPS = 30_000
"""Files mapped into memory at a time; those beyond are read. Linux lets a process have 65,530 maps (vm.max_map_count)."""
EDITS = pa.list_(pa.struct([("filter", pa.string()), ("label", pa.string()), ("count", pa.int32())]))
CHECKS = [pa.field(f"checked.{what}", pa.int8()) for what in CHECKED]


class SignatureFiles:
    """Takes a unit's batches in order. There is no file where no record has signatures."""

    def __init__(self, folder: Path, stages: Mapping[str, type[Filter]]) -> None:
        self._folder, self._stages = folder, stages
        self._files: dict[str, _File] = {}

    def add(self, batch: Batch, judgements: Mapping[str, Judgement], rejected: np.ndarray, first_row: int) -> None:
        signed = {n: j.signatures for n, j in judgements.items() if j.signatures is not None}
        if not signed:
            return
        rows = pa.array(np.arange(first_row, first_row + len(batch)))
        checked = [pa.array(self._checked(what, judgements, len(batch))) for what in CHECKED]
        edits = _edits(batch, judgements)
        for name, given in signed.items():
            schema = pa.schema([("row", pa.int64()), ("id", pa.string()), *given.schema, *CHECKS, ("edits", EDITS)])
            columns = [rows, batch.ids, *given.columns, *checked, edits]
            wanted = ~rejected & given.column(0).is_valid().to_numpy(zero_copy_only=False)
            file = self._files.setdefault(name, _File(path(self._folder, name)))
            file.write(pa.RecordBatch.from_arrays(columns, schema=schema).filter(pa.array(wanted)))

    def _checked(self, what: str, judgements: Mapping[str, Judgement], count: int) -> np.ndarray:
        """Wrong where one filter says so, else right where one does."""
        said = [
            stage.checked(judgements[name].scores)
            for name, stage in self._stages.items()
            if stage.checks == what and not stage.compares
        ]
        every = np.array([np.zeros(count, np.int8), *said])
        return np.where((every < 0).any(axis=0), -1, every.max(axis=0)).astype(np.int8)

    def close(self) -> None:
        """To the disk. Safe to call twice."""
        for file in self._files.values():
            file.close()


class _File:
    """One filter's."""

    def __init__(self, place: Path) -> None:
        self._path = place
        self._writer: pa.RecordBatchWriter | None = None

    def write(self, rows: pa.RecordBatch) -> None:
        if not rows.num_rows:
            return
        if self._writer is None:
            self._writer = pa.ipc.new_file(self._path, rows.schema)
        self._writer.write_batch(rows)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            with self._path.open("rb+") as handle:
                os.fsync(handle.fileno())


def path(unit: Path, name: str) -> Path:
    """Where a filter's signatures stand in a unit's folder."""
    return unit / f"signatures-{name}.arrow"


def load(unit: Path, name: str, nth: int = 0) -> pa.Table | None:
    """A unit's signatures by one filter; None where it has none. nth: how many others the caller holds."""
    return table_of(path(unit, name), nth) if path(unit, name).is_file() else None


def every(unit: Path) -> Iterator[tuple[Path, pa.Table]]:
    """All of a unit's signature files."""
    for found in sorted(unit.glob("signatures-*.arrow")):
        yield found, table_of(found)


def without(unit: Path, target: Path, rows: np.ndarray) -> None:
    """A copy of a unit's signatures without those of some rows of the shard."""
    for found, table in every(unit):
        file = _File(target / found.name)
        for batch in table.filter(pa.array(~np.isin(table["row"].to_numpy(), rows))).to_batches():
            file.write(batch)
        file.close()


def table_of(path: Path, nth: int = 0) -> pa.Table:
    """An Arrow file, mapped into memory while the caller holds few others."""
    with pa.memory_map(str(path)) if nth < MAPS else pa.OSFile(str(path)) as file:
        return pa.ipc.open_file(file).read_all()


def _edits(batch: Batch, judgements: Mapping[str, Judgement]) -> pa.Array:
    counts: list[Counter[tuple[str, str]]] = [Counter() for _ in range(len(batch))]
    for name, judgement in judgements.items():
        edits = judgement.edits
        for segment, label in zip(edits.segment, edits.label, strict=True):
            counts[batch.segments.record[segment]][name, label] += 1
    told = [[{"filter": f, "label": la, "count": n} for (f, la), n in sorted(c.items())] for c in counts]
    return pa.array(told, EDITS)
