"""From the signatures of all records to the vote on each problem, and to the samples of it that are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.contract import KEPT, Part
from filters.samples import vote
from filters.samples.answers import answers, numbered
from filters.samples.options import FIRST, LONGEST, SHORTEST, VERIFIED, SamplesOptions, columns

REFUTED_SAMPLE, UNVERIFIABLE_SAMPLE, VERIFIED_SAMPLE, NOT_BEST = range(4)
"""Indices of the reasons."""
_BY_VERDICT = {
    vote.VERIFIED: VERIFIED_SAMPLE,
    vote.REFUTED: REFUTED_SAMPLE,
    vote.UNVERIFIABLE: UNVERIFIABLE_SAMPLE,
}


def by_verdict(verdict: np.ndarray, options: SamplesOptions) -> np.ndarray:
    """int16[n]: the reason that the recipe's ``on`` gives, KEPT otherwise."""
    reason = np.full(len(verdict), KEPT, np.int16)
    for name, code in _BY_VERDICT.items():
        if getattr(options.on, name) == "drop":
            reason[verdict == name] = code
    return reason


class Samples:
    """The records of all parts, in their order."""

    def __init__(self, parts: Sequence[Part], options: SamplesOptions, empty: pa.Schema) -> None:
        self.options = options
        self.part = np.repeat(np.arange(len(parts)), [len(p.signatures) for p in parts])
        names = ["row", "id", *empty.names, "checked.answer", "checked.code"]
        types = [pa.int64(), pa.string(), *empty.types, pa.int8(), pa.int8()]
        schema = pa.schema(list(zip(names, types, strict=True)))
        tables = [p.signatures.select(names).cast(schema) for p in parts]
        self.signed = pa.concat_tables([schema.empty_table(), *tables]).combine_chunks()
        self.worlds = np.array([_world(p.world) for p in parts], np.uint64)

    def told(self) -> pa.Table:
        """See ``Filter.resolve``: every record is told of."""
        signed = self.signed
        found = answers(self.problem, _words(signed["answer"]), signed)
        guess = signed["guess"].to_numpy(zero_copy_only=False)
        scores = vote.votes(found, self.problem, guess, signed["checked.answer"].to_numpy())
        verdict, how = vote.verdicts(scores, self.options)
        reason = by_verdict(verdict, self.options)
        place = self._places(verdict, reason == KEPT) if self.options.best else np.zeros(len(reason), np.int64)
        reason[place > self.options.best] = NOT_BEST
        return pa.table(
            {
                "part": self.part.astype(np.int32),
                "row": signed["row"],
                "reason": reason,
                **{n: pa.array(v, pa.string()) if v.dtype == object else pa.array(v) for n, v in scores.items()},
                "verdict": pa.array(verdict, pa.string()),
                "how": pa.array(how, pa.string()),
                "place": pa.array(place.astype(np.int32), mask=place == 0),
            }
        )

    @cached_property
    def problem(self) -> np.ndarray:
        """int64[n], from 0 on; -1 where none is known."""
        out = np.full(len(self.signed), -1)
        there = np.flatnonzero(self.signed["problem"].is_valid().to_numpy())
        digest = _words(self.signed["problem"])[there]
        if len(there):
            out[there] = numbered(digest[:, 0], digest[:, 1], self.worlds[self.part[there]])[0]
        return out

    def _places(self, verdict: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """int64[n]: among the records of its problem that are kept, from 1 on; 0 for the others."""
        mine = np.flatnonzero(kept & (self.problem >= 0))
        ids = pc.rank(self.signed["id"].take(pa.array(mine)), sort_keys="ascending", tiebreaker="dense").to_numpy()
        keys = [self.problem[mine], *(k[mine] for k in self._keys(verdict)), ids, mine]
        ordered = mine[np.lexsort(keys[::-1])]
        of = self.problem[ordered]
        out = np.zeros(len(kept), np.int64)
        out[ordered] = np.arange(len(ordered)) - np.searchsorted(of, of) + 1
        return out

    def _keys(self, verdict: np.ndarray) -> list[np.ndarray]:
        """What the recipe orders by; the least is the best."""
        keys: list[np.ndarray] = []
        named = columns(self.options)
        length = self.signed["length"].to_numpy()
        for wanted in self.options.order:
            if wanted == VERIFIED:
                rank = {vote.VERIFIED: 0, vote.UNVERIFIABLE: 1, vote.REFUTED: 2}
                keys += [np.array([rank[v] for v in verdict]), 1 - self.signed["checked.code"].to_numpy()]
            elif wanted in (LONGEST, SHORTEST):
                keys.append(-length if wanted == LONGEST else length)
            elif wanted == FIRST:
                keys.append(np.arange(len(verdict)))
            else:
                values = self.signed[f"order.{named.index(wanted)}"].to_numpy(zero_copy_only=False).astype(float)
                # numpy sorts NaN last, whichever way round.
                keys.append(values if wanted.startswith("-") else -values)
        return keys


def _words(column: pa.ChunkedArray) -> np.ndarray:
    """uint64[n, 2] of a column of digests; what stands for a null means nothing."""
    array = column.combine_chunks()
    array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
    data = array.buffers()[1]
    if data is None or not len(array):
        return np.zeros((len(array), 2), np.uint64)
    flat: np.ndarray = np.frombuffer(data, np.uint64)
    return flat[2 * array.offset : 2 * (array.offset + len(array))].reshape(-1, 2)


def _world(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()) if name else 0
