"""128-bit digests of what is compared of a record: two records with the same one are exact duplicates.

The hash is that of ``filters.hashing``; two different records among a hundred million have the same one with a probability of about
1e-23. Each text counts with its role, its channel, the tool's name, and where a turn begins: the same words said by another are
another record.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from filters import hashing
from filters.batch import Batch
from filters.duplicates import kernels
from filters.duplicates.texts import Ranges

_PRIME = np.uint64(0x100000001B3)
_MULTIPLY = np.uint64(0x9E3779B97F4A7C15)
_SEEDS = np.uint64(0xCBF29CE484222325), np.uint64(0x9E3779B97F4A7C15)


def digests(batch: Batch, ranges: Ranges, normalise: str) -> np.ndarray:
    """uint64[n, 2] of each record; what stands for a record without texts means nothing."""
    segments = batch.segments
    texts = np.zeros((len(ranges.segment), 2), np.uint64)
    for number in np.unique(segments.buffer[ranges.segment]):
        mine = np.flatnonzero(segments.buffer[ranges.segment] == number)
        buffer, start, end = segments.buffers[number], ranges.start[mine], ranges.end[mine]
        if normalise == "words":
            texts[mine] = kernels.word_digests(buffer, start, end)
        elif normalise == "spaces":
            found = np.empty((len(mine), 2), np.uint64)
            _without_spaces(buffer, start, end, found)
            texts[mine] = found
        else:
            texts[mine] = hashing.of_ranges(buffer, start, end)
    out = np.empty((len(batch), 2), np.uint64)
    at = np.searchsorted(segments.record[ranges.segment], np.arange(len(batch) + 1))
    _joined(at, segments.turn[ranges.segment], _marks(batch, ranges), texts, out)
    return out


def _marks(batch: Batch, ranges: Ranges) -> np.ndarray:
    """uint64[m]: role, channel and tool of each text."""
    segments = batch.segments
    role, channel = (getattr(segments, n)[ranges.segment].astype(np.uint64) for n in ("role", "channel"))
    names = pc.fill_null(segments.names.take(pa.array(ranges.segment)).cast(pa.large_string()), "")
    tool = hashing.of_strings(names.combine_chunks() if isinstance(names, pa.ChunkedArray) else names)[:, 0]
    return tool ^ ((role << np.uint64(8)) + channel + np.uint64(1)) * _MULTIPLY


@njit(cache=True, nogil=True)
def _joined(at: np.ndarray, turn: np.ndarray, marks: np.ndarray, texts: np.ndarray, out: np.ndarray) -> None:
    """The texts' hashes in order, with their marks; a turn's number counts only in so far as it is another turn."""
    for record in range(len(at) - 1):
        a, b = _SEEDS
        for i in range(at[record], at[record + 1]):
            if i > at[record] and turn[i] != turn[i - 1]:
                a, b = hashing.mixed(a), hashing.mixed(b)
            a = hashing.mixed((a ^ marks[i]) * _PRIME) ^ texts[i, 0]
            b = hashing.mixed((b ^ marks[i]) * _PRIME) ^ texts[i, 1]
            a, b = hashing.mixed(a * _MULTIPLY), hashing.mixed(b * _MULTIPLY)
        out[record, 0], out[record, 1] = a, b


@njit(cache=True, nogil=True)
def _without_spaces(buffer: np.ndarray, start: np.ndarray, end: np.ndarray, out: np.ndarray) -> None:
    """As ``hashing.of_ranges``, every run of ASCII white space as one space, none at the ends."""
    for i in range(len(start)):
        a, b = _SEEDS
        count, waiting = 0, False
        for j in range(start[i], end[i]):
            byte = np.uint64(buffer[j])
            if byte == 32 or (byte >= 9 and byte <= 13):
                waiting = count > 0
                continue
            if waiting:
                a, b = (a ^ np.uint64(32)) * _PRIME, (b ^ np.uint64(32)) * _PRIME
                count += 1
                waiting = False
            a, b = (a ^ byte) * _PRIME, (b ^ byte) * _PRIME
            count += 1
        out[i, 0] = hashing.mixed(a)
        out[i, 1] = hashing.mixed(b + np.uint64(count))
