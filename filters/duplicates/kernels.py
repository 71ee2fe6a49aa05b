"""What is computed from words, straight on Arrow's bytes: digests, and sketches of the sets of word n-grams.

Words are those of ``filters.repetition.tokens``: runs of letters (ASCII without case) or digits, single characters of scripts
without spaces, operator signs; other punctuation is passed over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from filters import hashing
from filters.repetition import tokens

CHUNK = 1 << 16
"""Words looked at together; the last of a chunk are carried into the next, so no n-gram is lost at a seam."""

_BASE = np.uint64(0xD6E8FEB86659FD93)
_SEEDS = np.uint64(0xCBF29CE484222325), np.uint64(0x9E3779B97F4A7C15)
NOTHING = np.uint64(0xFFFFFFFFFFFFFFFF)
"""A bin of a sketch that no n-gram fell into."""


def word_digests(buffer: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """uint64[m, 2]: a hash of the words of each text, in order."""
    out = np.empty((len(start), 2), np.uint64)
    _kernels()[0](buffer, start, end, tokens.CLASSES, *_scratch(start, end, 0), out)
    return out


def least_hashes(
    buffer: np.ndarray, start: np.ndarray, end: np.ndarray, row: np.ndarray, ngram: int, out: np.ndarray
) -> None:
    """Lower ``out[row[i]]`` (uint64[r, k], k a power of two) to the least hash in each of its k bins among the n-grams of text i.

    The highest bits of a hash say which bin it falls into. A text with fewer words than an n-gram has is one n-gram.
    """
    _kernels()[1](buffer, start, end, row, ngram, tokens.CLASSES, *_scratch(start, end, ngram), out)


def _scratch(start: np.ndarray, end: np.ndarray, ngram: int) -> tuple[np.ndarray, ...]:
    """Word arrays with room for the longest text, or for a chunk of it, after those carried over."""
    longest = int((end - start).max()) if len(start) else 0
    n = max(16, min(CHUNK, longest)) + ngram
    types = (np.uint64, np.int64, np.int32, np.int64, np.int32)
    return tuple(np.empty(n + 1, t) for t in types)


@cache
def _kernels() -> tuple[Callable[..., None], Callable[..., None]]:
    """The compiled kernels. numba's cache looks at this file alone, so the sources of the others are made part of its key."""
    files = (tokens, hashing)
    digest = hashlib.blake2b(b"".join(Path(str(m.__file__)).read_bytes() for m in files), digest_size=16)
    return _digest_kernel(digest.hexdigest()), _least_kernel(digest.hexdigest())


def _digest_kernel(sources: str) -> Any:
    @njit(cache=True, nogil=True)
    def digest(
        text: np.ndarray,
        begins: np.ndarray,
        ends: np.ndarray,
        classes: np.ndarray,
        codes: np.ndarray,
        starts: np.ndarray,
        sizes: np.ndarray,
        words: np.ndarray,
        fence: np.ndarray,
        out: np.ndarray,
    ) -> None:
        if len(sources) == 0:  # never: it is here so that numba sees the closure
            return
        room = codes[:-1]
        for i in range(len(begins)):
            a, b = _SEEDS
            at, total = begins[i], 0
            while at < ends[i]:
                count, at, _, _ = tokens.tokenize(text, at, ends[i], 0, classes, room, starts, sizes, words, fence)
                for k in range(count):
                    a = hashing.mixed(a ^ codes[k]) * _BASE
                    b = (b + codes[k]) * _BASE
                    b ^= b >> np.uint64(29)
                total += count
            out[i, 0] = hashing.mixed(a)
            out[i, 1] = hashing.mixed(b + np.uint64(total))

    return digest


def _least_kernel(sources: str) -> Any:
    @njit(cache=True, nogil=True)
    def least(
        text: np.ndarray,
        begins: np.ndarray,
        ends: np.ndarray,
        row: np.ndarray,
        ngram: int,
        classes: np.ndarray,
        codes: np.ndarray,
        starts: np.ndarray,
        sizes: np.ndarray,
        words: np.ndarray,
        fence: np.ndarray,
        out: np.ndarray,
    ) -> None:
        if len(sources) == 0:  # never: it is here so that numba sees the closure
            return
        shift = np.uint64(64)
        bins = out.shape[1]
        while bins > 1:
            bins >>= 1
            shift -= np.uint64(1)
        top = np.uint64(1)  # what the word that leaves an n-gram is multiplied by
        for _ in range(ngram):
            top *= _BASE
        for i in range(len(begins)):
            at, carried = begins[i], 0
            mine = out[row[i]]
            rolling = np.uint64(0)
            total = 0
            while at < ends[i]:
                room = codes[carried:-1]
                found, at, _, _ = tokens.tokenize(text, at, ends[i], 0, classes, room, starts, sizes, words, fence)
                for k in range(carried, carried + found):
                    rolling = rolling * _BASE + codes[k]
                    total += 1
                    if total > ngram:
                        rolling -= codes[k - ngram] * top
                    if total >= ngram:
                        value = hashing.mixed(rolling)
                        if value < mine[value >> shift]:
                            mine[value >> shift] = value
                count = carried + found
                carried = min(ngram, count)
                for k in range(carried):
                    codes[k] = codes[count - carried + k]
            if 0 < total < ngram:
                value = hashing.mixed(rolling)
                if value < mine[value >> shift]:
                    mine[value >> shift] = value

    return least
