"""Duplicates: records that say the same as another one, exactly or nearly; of each cluster the best is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from filters.batch import Batch
from filters.contract import KEPT, ConfigError, Filter, Judgement, Part
from filters.duplicates.options import DuplicatesOptions, check

SCHEME = 1
"""Goes up when digests or sketches of the same text change: then those of other datasets are made anew."""


class DuplicatesFilter(Filter):
    """Signs every record when it is judged, and decides when all are there, among those that every other filter keeps."""

    name = "duplicates"
    summary = "Drops records that another one says already, exactly or nearly, and keeps the best of each cluster."
    reasons: ClassVar = {
        "duplicate_exact": "A record that is kept has the same text.",
        "duplicate_near": "A record that is kept has nearly the same text.",
    }
    scores: ClassVar = {
        "duplicate_of": pa.string(),
        "at": pa.string(),
        "dataset": pa.string(),
        "similarity": pa.float32(),
        "cluster_size": pa.int32(),
    }
    compares: ClassVar = True
    resolved_with: ClassVar = ("threshold", "bands", "against")
    Options = DuplicatesOptions
    options: DuplicatesOptions

    def __init__(self, options: DuplicatesOptions | None = None) -> None:
        super().__init__(options)
        check(self.options)

    def judge(self, batch: Batch) -> Judgement:
        """Keeps everything; the scores are null until ``resolve``. signatures: see ``sign``."""
        nothing = {name: pa.nulls(len(batch), kind) for name, kind in self.scores.items()}
        return Judgement(np.full(len(batch), KEPT, np.int16), nothing, signatures=self.sign(batch))

    def sign(self, batch: Batch) -> pa.RecordBatch:
        """A row a record: digest (16 bytes, null where there is no text to compare), rank and, for near duplicates, sketch."""
        # Imported here: numba takes a fifth of a second, and a plan has no use for it.
        from filters.duplicates.digests import digests
        from filters.duplicates.ranks import ranks
        from filters.duplicates.sketches import sketches
        from filters.duplicates.texts import compared

        options = self.options
        found = compared(batch, options.what)
        silent = np.ones(len(batch), bool)
        silent[batch.segments.record[found.segment]] = False
        columns = [_binary(digests(batch, found, options.normalise), silent), pa.array(ranks(batch, found, options))]
        if options.method == "near":
            columns.append(_binary(sketches(batch, found, options.ngram, options.permutations)))
        return pa.RecordBatch.from_arrays(columns, schema=self.signature(options))

    @classmethod
    def signature(cls, options: Any) -> pa.Schema:
        alike = [SCHEME, options.what]
        fields = [_field("digest", 16, [*alike, options.normalise]), pa.field("rank", pa.int64())]
        if options.method == "near":
            fields.append(_field("sketch", options.permutations // 2, [*alike, options.ngram, options.permutations]))
        return pa.schema(fields)

    @classmethod
    def needs_checked(cls, options: Any) -> bool:
        return options.keep == "verified" and not options.verified

    @classmethod
    def assets(cls, options: Any) -> Mapping[str, str]:
        """The other datasets, by what they kept."""
        return {Path(given).name: _data_digest(Path(given)) for given in options.against}

    @classmethod
    def overview(cls, rejected: pa.Table, options: Any) -> dict[str, Any]:
        from filters.duplicates.overview import overview

        return overview(rejected, options)

    @classmethod
    def resolve(cls, parts: Sequence[Part], options: Any) -> pa.Table:
        from filters.duplicates.resolve import resolve

        check(options)
        return resolve(parts, options)


def _data_digest(out: Path) -> str:
    """Of what a dataset kept, from its manifest. Raises ConfigError when it has none."""
    try:
        return str(json.loads((out / "manifest.json").read_text("utf-8"))["data_digest"])
    except (OSError, ValueError, LookupError, TypeError):
        raise ConfigError(
            f"duplicates: against: no dataset at {out}: it has no manifest.json that can be read"
        ) from None


def _field(name: str, width: int, made_with: list[Any]) -> pa.Field:
    return pa.field(name, pa.binary(width), metadata={"made_with": " ".join(map(str, made_with))})


def _binary(values: np.ndarray, null: np.ndarray | None = None) -> pa.Array:
    """Rows of an array as fixed_size_binary."""
    width = values.shape[1] * values.dtype.itemsize
    valid = None if null is None or not null.any() else pa.array(~null).buffers()[1]
    return pa.Array.from_buffers(pa.binary(width), len(values), [valid, pa.py_buffer(np.ascontiguousarray(values))])
