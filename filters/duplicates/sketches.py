"""Sketches of sets of n-grams: how alike two sets are is read off two sketches, and bands of them find candidates.

One hash an n-gram, k bins by its highest bits, the least hash of each bin: one permutation hashing (Li, Owen, Zhang, NIPS 2012), in
time that does not grow with k. Of a set smaller than k almost every n-gram has a bin of its own, so the estimate for short texts is
all but exact. Four bits of a value are kept, two values a byte: for the same room, four times as many bins with values that now and
then agree by chance tell sets that are alike apart twice as well (Li, König, b-bit minwise hashing, WWW 2010).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from filters import hashing
from filters.batch import Batch
from filters.duplicates import kernels
from filters.duplicates.texts import Ranges

BLOCK = 4096
"""Records sketched together: their bins take 8 bytes each while they are filled, a quarter of that afterwards."""

VALUES = 15
"""Different values of a bin; 0 is an empty one."""

BANDED = 256
"""Values at most that bands are made from: more find no more pairs, and each band costs a sort of all records."""


def sketches(batch: Batch, ranges: Ranges, ngram: int, size: int) -> np.ndarray:
    """uint64[n, size // 16]: of the least hash of each bin a value from 1 to VALUES, 0 where no n-gram fell; sixteen bins a word, from its
    lowest bits on."""
    out = np.zeros((len(batch), size // 16), np.uint64)
    record = batch.segments.record[ranges.segment]
    for first in range(0, len(batch), BLOCK):
        count = min(BLOCK, len(batch) - first)
        bins = np.full((count, size), kernels.NOTHING, np.uint64)
        low, high = np.searchsorted(record, (first, first + count))
        buffers = batch.segments.buffer[ranges.segment[low:high]]
        for number in np.unique(buffers):
            mine = low + np.flatnonzero(buffers == number)
            rows = record[mine].astype(np.int64) - first
            buffer = batch.segments.buffers[number]
            kernels.least_hashes(buffer, ranges.start[mine], ranges.end[mine], rows, ngram, bins)
        _shorten(bins, out[first : first + count])
    return out


@njit(cache=True, nogil=True)
def _shorten(bins: np.ndarray, out: np.ndarray) -> None:
    """The value is of bits that neither say which bin it is nor get smaller the more n-grams there are."""
    for i in range(bins.shape[0]):
        for j in range(bins.shape[1]):
            if bins[i, j] != kernels.NOTHING:
                value = np.uint64(1) + (bins[i, j] & np.uint64(0xFFFF)) % np.uint64(VALUES)
                out[i, j >> 4] |= value << np.uint64(4 * (j & 15))


@njit(cache=True, nogil=True)
def similarity(a: np.ndarray, b: np.ndarray) -> float:
    """Estimated Jaccard similarity of two sets: bins that agree, less those that do by chance, of those that are not empty in both
    (Li et al., theorem 1)."""
    differ, filled, both = 0, 0, 0
    for j in range(len(a)):
        x, y = _marked(a[j]), _marked(b[j])
        differ += _count(_marked(a[j] ^ b[j]))
        filled += _count(x | y)
        both += _count(x & y)
    if not filled:
        return 0.0
    agreed = (filled - differ - both / VALUES) / (1 - 1 / VALUES)
    return max(0.0, agreed / filled)


@njit(cache=True, nogil=True)
def _marked(word: np.uint64) -> np.uint64:
    """The lowest bit of every half byte that is not 0."""
    word |= word >> np.uint64(1)
    word |= word >> np.uint64(2)
    return word & np.uint64(0x1111111111111111)


@njit(cache=True, nogil=True)
def _count(marks: np.uint64) -> int:
    pairs = (marks + (marks >> np.uint64(4))) & np.uint64(0x0303030303030303)
    return int((pairs * np.uint64(0x0101010101010101)) >> np.uint64(56))


def rows_a_band(size: int, bands: int, threshold: float) -> tuple[int, int]:
    """(bands, values of each). With bands 0: the longest bands with which 99 % of pairs at the threshold share one, since two sets
    of similarity s agree in a band of r values with a probability of s ** r at least."""
    size = max(bands, min(size, BANDED))
    if bands:
        return bands, size // bands
    fitting = [r for r in range(1, size + 1) if 1 - (1 - threshold**r) ** (size // r) >= 0.99]
    rows = max(fitting, default=1)
    return size // rows, rows


@njit(cache=True, nogil=True)
def band_keys(sketch: np.ndarray, bands: int, rows: int, out: np.ndarray) -> None:
    """Fill ``out`` (uint64[bands, n]) with a hash of each band of each sketch."""
    used = np.empty(bands * rows, np.uint8)
    full = np.empty((2, 16 * sketch.shape[1]), np.int64)
    for i in range(sketch.shape[0]):
        _densify(sketch[i], used, full)
        for b in range(bands):
            key = np.uint64(b + 1)
            for j in range(b * rows, (b + 1) * rows):
                key = hashing.mixed(key ^ np.uint64(used[j])) + np.uint64(0x9E3779B97F4A7C15)
            out[b, i] = hashing.mixed(key)


@njit(cache=True, nogil=True)
def _densify(sketch: np.ndarray, used: np.ndarray, full: np.ndarray) -> None:
    """The first bins' values, where a bin is empty that of a full one, so that two short texts meet as often as two long ones.

    All full bins offer theirs to bins chosen by a hash, in rounds, until none is empty (Mai et al., On densification for minwise
    hashing, UAI 2019). full: room for their numbers and values.
    """
    count, left = 0, 0
    for j in range(full.shape[1]):
        value = (sketch[j >> 4] >> np.uint64(4 * (j & 15))) & np.uint64(15)
        if value:
            full[0, count], full[1, count] = j, value
            count += 1
        if j < len(used):
            used[j] = value
            left += value == 0
    attempt = 0
    while count and left > 0:
        for k in range(count):
            target = int(hashing.mixed(np.uint64(attempt * full.shape[1] + full[0, k] + 1)) % np.uint64(len(used)))
            if used[target] == 0:
                used[target] = full[1, k]
                left -= 1
        attempt += 1
