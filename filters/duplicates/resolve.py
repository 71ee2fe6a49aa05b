"""From the signatures of all records to the ones that are rejected, each with the record it duplicates."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.contract import Part
from filters.duplicates import groups
from filters.duplicates.ranks import by_checks
from filters.duplicates.sketches import rows_a_band

EXACT, NEAR = 0, 1
"""Indices of the reasons."""


def resolve(parts: Sequence[Part], options: Any) -> pa.Table:
    """See ``Filter.resolve``. Takes about 100 bytes of memory a record, 230 for near duplicates; those also take a sketch and its bands,
    which lie in temporary files when they are large."""
    return Comparison(parts, options).rejected()


class Comparison:
    """The records of all parts, numbered from 0 in the order of the parts."""

    def __init__(self, parts: Sequence[Part], options: Any) -> None:
        self.parts, self.options = parts, options
        self.ends = np.cumsum([0, *(len(p.signatures) for p in parts)])
        self.fixed = np.repeat([bool(p.dataset) for p in parts], np.diff(self.ends)).astype(bool)
        self.digests = np.empty((len(self), 2), np.uint64)
        self.rank = np.empty(len(self), np.int64)
        for number, part in enumerate(parts):
            here = slice(self.ends[number], self.ends[number + 1])
            digest = fixed_width(part.signatures["digest"], np.uint64)
            self.digests[here] = digest ^ _world(part.world)
            told = options.keep == "verified" and not options.verified
            self.rank[here] = by_checks(part.signatures) if told else part.signatures["rank"].to_numpy()
        if options.keep == "first":
            self.rank = np.arange(len(self))

    def __len__(self) -> int:
        return int(self.ends[-1])

    def rejected(self) -> pa.Table:
        kept = groups.exact(self.digests, self._best_first)
        alike = np.ones(len(self), np.float32)
        if self.options.method == "near":
            chosen = np.flatnonzero(kept == np.arange(len(self)))
            # By content, so that nothing depends on the order in which records came.
            chosen = chosen[np.lexsort((self.digests[chosen, 1], self.digests[chosen, 0]))]
            to, how = self._near(chosen)
            place = np.empty(len(self), np.int64)
            place[chosen] = np.arange(len(chosen))
            kept, alike = chosen[to[place[kept]]], how[place[kept]]
        return self._told(kept, alike)

    def _near(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each world by itself."""
        to, how = np.arange(len(chosen)), np.ones(len(chosen), np.float32)
        part = self._part(chosen)
        worlds = np.array([p.world for p in self.parts], object)[part] if len(chosen) else np.zeros(0, object)
        options = self.options
        shape = rows_a_band(options.permutations, options.bands, options.threshold)
        for world in sorted(set(worlds.tolist())):
            mine = np.flatnonzero(worlds == world)
            records = chosen[mine]
            sketches = self._sketches(records, options.permutations)
            found, alike = groups.near(
                sketches, self.fixed[records], options.threshold, shape, partial(self._best_of, records)
            )
            to[mine], how[mine] = mine[found], alike
        return to, how

    def _sketches(self, records: np.ndarray, size: int) -> np.ndarray:
        """uint64[len(records), size // 16], read part by part."""
        out = groups.room((len(records), size // 16), np.uint64)
        part = self._part(records)
        for number in np.unique(part):
            mine = np.flatnonzero(part == number)
            out[mine] = fixed_width(self.parts[number].signatures["sketch"], np.uint64)[
                records[mine] - self.ends[number]
            ]
        return out

    def _part(self, records: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.ends, records, side="right") - 1

    def _best_first(self, records: np.ndarray) -> np.ndarray:
        """Other datasets' records, then by the recipe's rule, the record id, and the place."""
        by_id = pc.rank(self._text("id", records), sort_keys="ascending", tiebreaker="dense").to_numpy()
        return records[np.lexsort((records, by_id, self.rank[records], ~self.fixed[records]))]

    def _best_of(self, records: np.ndarray, some: np.ndarray) -> np.ndarray:
        """The same for ``records[some]``, as numbers into ``records``."""
        sorter = np.argsort(records)
        return sorter[np.searchsorted(records, self._best_first(records[some]), sorter=sorter)]

    def _text(self, name: str, records: np.ndarray) -> pa.Array:
        """A column of some records."""
        part = self._part(records)
        found, places = [], []
        for number in np.unique(part):
            mine = np.flatnonzero(part == number)
            taken = self.parts[number].signatures[name].take(pa.array(records[mine] - self.ends[number]))
            found.append(taken.combine_chunks())
            places.append(mine)
        if not found:
            return pa.array([], pa.string())
        return pa.concat_arrays(found).take(pa.array(np.argsort(np.concatenate(places))))

    def _told(self, kept: np.ndarray, alike: np.ndarray) -> pa.Table:
        gone = np.flatnonzero((kept != np.arange(len(self))) & ~self.fixed)
        best = kept[gone]
        size = np.bincount(best, minlength=len(self))[best] + 1
        same = (self.digests[gone] == self.digests[best]).all(axis=1)
        part = self._part(best)
        rows = self._text("row", best).cast(pa.int64())
        names = pa.array([p.name for p in self.parts], pa.string()).take(pa.array(part))
        datasets = pa.array([p.dataset or None for p in self.parts], pa.string()).take(pa.array(part))
        return pa.table(
            {
                "part": self._part(gone).astype(np.int32),
                "row": self._text("row", gone).cast(pa.int64()),
                "reason": np.where(same, EXACT, NEAR).astype(np.int16),
                "duplicate_of": self._text("id", best).cast(pa.string()),
                "at": pc.binary_join_element_wise(names, rows.cast(pa.string()), ":"),
                "dataset": datasets,
                "similarity": np.where(same, np.float32(1), alike[gone]).astype(np.float32),
                "cluster_size": size.astype(np.int32),
            }
        )


def fixed_width(column: pa.ChunkedArray, kind: type) -> np.ndarray:
    """A fixed_size_binary column without nulls as ``kind[n, width]``, chunk by chunk without a copy where there is one."""
    width = column.type.byte_width // np.dtype(kind).itemsize
    pieces = []
    for chunk in column.chunks:
        flat: np.ndarray = np.frombuffer(chunk.buffers()[1], kind) if len(chunk) else np.zeros(0, kind)
        pieces.append(flat[chunk.offset * width : (chunk.offset + len(chunk)) * width].reshape(-1, width))
    return pieces[0] if len(pieces) == 1 else np.concatenate([np.zeros((0, width), kind), *pieces])


def _world(name: str) -> np.ndarray:
    """What the digests of a world are marked with, so that none is like another world's."""
    if not name:
        return np.zeros(2, np.uint64)
    return np.frombuffer(hashlib.blake2b(name.encode(), digest_size=16).digest(), np.uint64)
