"""The signatures of a unit's records: what a filter that compares records needs of them, in a file beside the unit's others.

One row a record that every filter keeps and that can be compared, in order: ``row`` of the shard, ``id``, what the filter gave, and
``edits``: how often something was replaced in it, so that the manifest's counts stay exact when it is rejected later. Arrow's IPC
format, not compressed: it is read where it lies, and digests do not compress.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from filters.batch import Batch
from filters.contract import Judgement

NAME = "signatures.arrow"
MAPS = 30_000
"""Files mapped into memory at a time; those beyond are read. Linux lets a process have 65,530 maps (vm.max_map_count)."""
EDITS = pa.list_(pa.struct([("filter", pa.string()), ("label", pa.string()), ("count", pa.int32())]))


class SignatureFile:
    """Takes a unit's batches in order. There is no file where no record has signatures."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._writer: pa.RecordBatchWriter | None = None

    def add(self, batch: Batch, judgements: Mapping[str, Judgement], rejected: np.ndarray, first_row: int) -> None:
        signed = [j.signatures for j in judgements.values() if j.signatures is not None]
        if not signed:
            return
        [given] = signed
        rows = pa.array(np.arange(first_row, first_row + len(batch)))
        schema = pa.schema([("row", pa.int64()), ("id", pa.string()), *given.schema, ("edits", EDITS)])
        columns = [rows, batch.ids, *given.columns, _edits(batch, judgements)]
        wanted = ~rejected & given.column(0).is_valid().to_numpy(zero_copy_only=False)
        self._write(pa.RecordBatch.from_arrays(columns, schema=schema).filter(pa.array(wanted)))

    def _write(self, rows: pa.RecordBatch) -> None:
        if not rows.num_rows:
            return
        if self._writer is None:
            self._writer = pa.ipc.new_file(self._path, rows.schema)
        self._writer.write_batch(rows)

    def close(self) -> None:
        """To the disk. Safe to call twice."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            with self._path.open("rb+") as handle:
                os.fsync(handle.fileno())


def load(unit: Path, nth: int = 0) -> pa.Table | None:
    """A unit's signatures; None where it has none. nth: how many others the caller holds."""
    return table_of(unit / NAME, nth) if (unit / NAME).is_file() else None


def table_of(path: Path, nth: int = 0) -> pa.Table:
    """An Arrow file, mapped into memory while the caller holds few others."""
    with pa.memory_map(str(path)) if nth < MAPS else pa.OSFile(str(path)) as file:
        return pa.ipc.open_file(file).read_all()


def without(unit: Path, target: Path, rows: np.ndarray) -> None:
    """A copy of a unit's signatures without those of some rows of the shard."""
    if (table := load(unit)) is None:
        return
    file = SignatureFile(target)
    for batch in table.filter(pa.array(~np.isin(table["row"].to_numpy(), rows))).to_batches():
        file._write(batch)
    file.close()


def _edits(batch: Batch, judgements: Mapping[str, Judgement]) -> pa.Array:
    counts: list[Counter[tuple[str, str]]] = [Counter() for _ in range(len(batch))]
    for name, judgement in judgements.items():
        edits = judgement.edits
        for segment, label in zip(edits.segment, edits.label, strict=True):
            counts[batch.segments.record[segment]][name, label] += 1
    told = [[{"filter": f, "label": la, "count": n} for (f, la), n in sorted(c.items())] for c in counts]
    return pa.array(told, EDITS)
