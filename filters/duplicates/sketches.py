"""Sketches of sets of n-grams: how alike two sets are is read off two sketches, and bands of them find candidates.

One hash an n-gram, k bins by its highest bits, the least hash of each bin: one permutation hashing (Li, Owen, Zhang, NIPS 2012), in
time that does not grow with k. Of a set smaller than k almost every n-gram has a bin of its own, so the estimate for short texts is
all but exact. Sixteen bits of a value are kept: two different ones look alike once in 65,535 times.
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

EMPTY = np.uint16(0)


def sketches(batch: Batch, ranges: Ranges, ngram: int, size: int) -> np.ndarray:
    """uint16[n, size]: the least hash of each bin, EMPTY where no n-gram fell."""
    out = np.empty((len(batch), size), np.uint16)
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
    for i in range(bins.shape[0]):
        for j in range(bins.shape[1]):
            value = np.uint16(bins[i, j] & np.uint64(0xFFFF))
            out[i, j] = EMPTY if bins[i, j] == kernels.NOTHING else max(value, np.uint16(1))


@njit(cache=True, nogil=True)
def similarity(a: np.ndarray, b: np.ndarray) -> float:
    """Estimated Jaccard similarity of two sets: bins that agree, of those that are not empty in both (Li et al., theorem 1)."""
    same, none = 0, 0
    for j in range(len(a)):
        same += a[j] == b[j]
        none += (a[j] | b[j]) == EMPTY
    filled = len(a) - none
    return (same - none) / filled if filled else 0.0


def rows_a_band(size: int, bands: int, threshold: float) -> tuple[int, int]:
    """(bands, values of each). With bands 0: the longest bands with which 99 % of pairs at the threshold share one, since two sets
    of similarity s agree in a band of r values with probability s ** r."""
    if bands:
        return bands, size // bands
    fitting = [r for r in range(1, size + 1) if 1 - (1 - threshold**r) ** (size // r) >= 0.99]
    rows = max(fitting, default=1)
    return size // rows, rows


@njit(cache=True, nogil=True)
def band_keys(sketch: np.ndarray, bands: int, rows: int, out: np.ndarray) -> None:
    """Fill ``out`` (uint64[bands, n]) with a hash of each band of each sketch (uint16[n, k]).

    Empty bins take the value of a full one first, so that two short texts meet as often as two long ones. Full bins offer theirs to
    bins chosen by a hash, in rounds, until none is empty (Mai et al., On densification for MinWise hashing, UAI 2019).
    """
    size = sketch.shape[1]
    filled = np.empty(size, np.uint16)
    for i in range(sketch.shape[0]):
        left = 0
        for j in range(size):
            filled[j] = sketch[i, j]
            left += filled[j] == EMPTY
        attempt = 0
        while 0 < left < size:
            for j in range(size):
                if sketch[i, j] != EMPTY:
                    target = int(hashing.mixed(np.uint64(attempt * size + j + 1)) % np.uint64(size))
                    if filled[target] == EMPTY:
                        filled[target] = sketch[i, j]
                        left -= 1
            attempt += 1
        for b in range(bands):
            key = np.uint64(b + 1)
            for j in range(b * rows, (b + 1) * rows):
                key = hashing.mixed(key ^ np.uint64(filled[j])) + np.uint64(0x9E3779B97F4A7C15)
            out[b, i] = hashing.mixed(key)
