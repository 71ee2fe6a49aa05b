"""Benchmarks as a table of n-grams: which items each stands in, and how many an item has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from filters.batch import Segments
from filters.characters import folded, kinds
from filters.contamination import kernels
from filters.contamination.items import Benchmark

CHUNK = 8 << 20
"""Bytes of text looked at in one call."""


@dataclass(frozen=True)
class Hits:
    """Known n-grams found, one row each: segment, gram (its number in the index), start and end in the segment's bytes; and the segments
    whose words are an item's, from the first to the last, as pairs (segment, item)."""

    segment: np.ndarray
    gram: np.ndarray
    start: np.ndarray
    end: np.ndarray
    whole: np.ndarray


@dataclass(frozen=True)
class Index:
    """n: words an n-gram. owners: items of gram g are ``owners[first[g]:first[g + 1]]``. size: different n-grams of each item that count.
    benchmark/number: which benchmark an item is of, and its row there. wholes: hash -> the first item whose words it is."""

    n: int
    names: tuple[str, ...]
    grams: np.ndarray
    first: np.ndarray
    owners: np.ndarray
    size: np.ndarray
    benchmark: np.ndarray
    number: np.ndarray
    wholes: dict[int, int]

    @cached_property
    def _tables(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        size = 64
        while size < 2 * len(self.grams):
            size *= 2
        bits, table, values = np.zeros(size // 8, np.uint64), np.zeros(size, np.uint64), np.zeros(size, np.int32)
        kernels.fill(self.grams, bits, table, values)
        return bits, table, values

    def find(self, segments: Segments, which: np.ndarray) -> Hits:
        """Look the segments up."""
        parts = [self._look(segments, chunk) for chunk in _chunks(segments, which)]
        none = np.zeros(0, np.int64)
        segment, gram, start, end = (np.concatenate([none, *(p[k] for p in parts)]) for k in range(4))
        return Hits(segment, gram, start, end, np.concatenate([np.zeros((0, 2), np.int64), *(p[4] for p in parts)]))

    def _look(self, segments: Segments, which: np.ndarray) -> tuple[np.ndarray, ...]:
        """``which`` lie in one buffer."""
        data, start, end = segments.buffers[segments.buffer[which[0]]], segments.start[which], segments.end[which]
        wholes = np.zeros((len(which), 2), np.uint64)
        room, found = 1 << 12, -1
        while found < 0:
            room *= 8
            hits, places = np.empty((room, 2), np.int64), np.empty((room, 2), np.int64)
            found = kernels.look_up(data, start, end, self.n, kinds(), folded(), *self._tables, hits, places, wholes)
        hits, places = hits[:found], places[:found]
        own = which[hits[:, 0]]
        at = [(which[i], self.wholes[h]) for i, h in enumerate(wholes[:, 0].tolist()) if h in self.wholes]
        whole = np.array(at, np.int64).reshape(len(at), 2)
        return own, hits[:, 1], places[:, 0] - segments.start[own], places[:, 1] - segments.start[own], whole


def build(benchmarks: Sequence[Benchmark], n: int, common: int, shortest: int) -> Index:
    """common: an n-gram that stands in more items than this is a phrase of the benchmark's and says nothing of an item. shortest: words
    below which a whole item says nothing."""
    data, start, end = _buffers([chunk for b in benchmarks for chunk in b.questions.chunks])
    out, first = np.empty((end - start).sum() + 1, np.uint64), np.zeros(len(start) + 1, np.int64)
    wholes = np.zeros((len(start), 2), np.uint64)
    total = kernels.grams(data, start, end, n, kinds(), folded(), out, first, wholes)
    owner = np.repeat(np.arange(len(start)), np.diff(first))
    # An item that comes again (another split or configuration) is the first one: else its own words would be set phrases.
    once = _firsts(wholes[:, 0])[owner]
    # Different n-grams of an item, sorted by n-gram and then by item, which they are in the order of already.
    out, owner = out[:total][once], owner[once]
    total = len(out)
    order = np.argsort(out, kind="stable")
    out, owner = out[order], owner[order]
    new = np.ones(total, bool)
    new[1:] = (out[1:] != out[:-1]) | (owner[1:] != owner[:-1])
    out, owner = out[new], owner[new]
    grams, counts = np.unique(out, return_counts=True)
    rare = (counts <= common) & (grams != 0)
    kept = np.repeat(rare, counts)
    owners = owner[kept]
    numbers = [np.arange(len(b.questions)) for b in benchmarks]
    long = wholes[:, 1] >= shortest
    return Index(
        n,
        tuple(b.name for b in benchmarks),
        grams[rare],
        np.concatenate([[0], np.cumsum(counts[rare])]),
        owners,
        np.bincount(owners, minlength=len(start)),
        np.repeat(np.arange(len(benchmarks)), [len(b.questions) for b in benchmarks]),
        np.concatenate(numbers) if numbers else np.zeros(0, np.int64),
        {int(h): int(i) for i, h in reversed(list(enumerate(wholes[:, 0]))) if long[i]},
    )


def _firsts(hashes: np.ndarray) -> np.ndarray:
    """bool[n]: whether a hash stands there for the first time."""
    first = np.zeros(len(hashes), bool)
    first[np.unique(hashes, return_index=True)[1]] = True
    return first


def _buffers(texts: list[pa.LargeStringArray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Texts' bytes, and where each begins and ends in them."""
    _, offsets, data = pa.concat_arrays([pa.array([], pa.large_string()), *texts]).buffers()
    at = np.frombuffer(offsets, np.int64)
    return np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8), at[:-1], at[1:]


def _chunks(segments: Segments, which: np.ndarray) -> Iterator[np.ndarray]:
    """Segments of one buffer, CHUNK bytes at a time."""
    for buffer in np.unique(segments.buffer[which]):
        own = which[segments.buffer[which] == buffer]
        part = np.cumsum(segments.length[own]) // CHUNK
        yield from np.split(own, np.flatnonzero(np.diff(part)) + 1)
