"""Counting code points in UTF-8 buffers."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def count(data: np.ndarray, start: int, end: int) -> int:
    """Code points in valid UTF-8: bytes that do not continue a character."""
    points = 0
    for i in range(start, end):
        points += (data[i] & 0xC0) != 0x80
    return points


@numba.njit(cache=True, nogil=True)
def counts(data: np.ndarray, base: int, marks: np.ndarray) -> np.ndarray:
    """Code points before each of the ascending byte offsets, in one pass."""
    out = np.empty(len(marks), np.int64)
    at, points = base, 0
    for m in range(len(marks)):
        while at < base + marks[m]:
            points += (data[at] & 0xC0) != 0x80
            at += 1
        out[m] = points
    return out
