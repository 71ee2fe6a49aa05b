"""Which words stand in one sentence: sentences are told from the text between one hit and the next, and no other is looked at."""

from __future__ import annotations

import numpy as np
from numba import njit

FAR = 400
"""Bytes between two hits, or from a sentence's first hit to its last, from which on they are in no sentence together: lists
and code have no full stops."""
_SPACE, _NEWLINE, _STOP, _BANG, _QUESTION = 32, 10, 46, 33, 63
_TITLES = (
    b"mr",
    b"mrs",
    b"ms",
    b"dr",
    b"prof",
    b"st",
    b"jr",
    b"sr",
    b"mme",
    b"mlle",
    b"hr",
    b"fr",
    b"sig",
    b"sra",
    b"vs",
)
_LONGEST = max(map(len, _TITLES))


def _packed(words: tuple[bytes, ...]) -> np.ndarray:
    return np.array(sorted(int.from_bytes(w, "big") for w in words), np.int64)


_NO_END = _packed(_TITLES)


def sentences(
    buffers: tuple[np.ndarray, ...], buffer: np.ndarray, base: np.ndarray, segment: np.ndarray, start: np.ndarray,
    end: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """int64[n]: a number for each hit, the same for hits of one sentence. Hits are sorted by segment and start; start/end are
    bytes from the segment's start, which lies at ``base`` of buffer number ``buffer``."""
    new = np.ones(len(segment), np.bool_)
    for number in np.unique(buffer):
        here = np.flatnonzero(buffer == number)
        fresh = np.ones(len(here), np.bool_)
        _new(buffers[number], base[here], segment[here], start[here], end[here], _NO_END, fresh)
        new[here] = fresh
    return np.cumsum(new)


@njit(cache=True, nogil=True)
def _new(
    data: np.ndarray, base: np.ndarray, segment: np.ndarray, start: np.ndarray, end: np.ndarray, titles: np.ndarray,
    new: np.ndarray,
) -> None:  # fmt: skip
    """Whether each hit is in another sentence than the one before it."""
    first, reached = 0, 0
    for i in range(len(segment)):
        if i and segment[i] == segment[i - 1]:
            far = start[i] - reached > FAR or start[i] - first > FAR
            new[i] = far or _ends(data, base[i] + reached, base[i] + start[i], titles)
            reached = max(reached, end[i])
        else:
            reached = end[i]
        if new[i]:
            first, reached = start[i], end[i]


@njit(cache=True, nogil=True)
def _ends(data: np.ndarray, low: int, high: int, titles: np.ndarray) -> bool:
    """Whether a sentence ends in data[low:high]: a line does, or there is a stop and a space (not after a title), or a full-width stop."""
    for i in range(low, high):
        byte = data[i]
        if byte == _NEWLINE:
            return True
        if byte in (_BANG, _QUESTION) and i + 1 < len(data) and data[i + 1] <= _SPACE:
            return True
        if byte == _STOP and i + 1 < len(data) and data[i + 1] <= _SPACE and not _is_short(data, i, titles):
            return True
        if byte == 0xE3 and i + 2 < high and data[i + 1] == 0x80 and data[i + 2] == 0x82:
            return True
        if byte == 0xEF and i + 2 < high and data[i + 1] == 0xBC and data[i + 2] in (0x81, 0x9F):
            return True
    return False


@njit(cache=True, nogil=True)
def _is_short(data: np.ndarray, stop: int, titles: np.ndarray) -> bool:
    """Whether the word before a full stop is a title or a single letter."""
    packed, length = np.int64(0), 0
    i = stop - 1
    while i >= 0 and length <= _LONGEST:
        byte = data[i] | 0x20
        if not (97 <= byte <= 122):
            break
        packed |= np.int64(byte) << np.int64(8 * length)
        length += 1
        i -= 1
    if length == 1:
        return True
    for title in titles:
        if packed == title:
            return length <= _LONGEST
    return False
