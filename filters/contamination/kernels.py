"""Words and their n-grams, straight from UTF-8, and a table to look n-grams up in.

A word is a run of letters, digits and marks, in any case; an ideograph or a kana is one by itself. White space and punctuation only
part words, so an item that was spaced, quoted or marked up otherwise has the same n-grams.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numba import njit

from filters.characters import ALONE, WORD
from filters.documents import kernels as documents
from filters.documents.kernels import _char

_SEED = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_SHIFT = np.uint64(29)
_ONE, _LOW = np.uint64(1), np.uint64(63)
_WORD_BITS = np.uint64(6)
MISSING = -1


@njit(nogil=True)
def _words(data, a, b, kinds, fold, codes, starts, ends) -> int:  # type: ignore[no-untyped-def]
    """Fill codes (hashes), starts and ends (bytes) of the words of data[a:b]; how many there are."""
    count, at = 0, a
    while at < b:
        code, size = _char(data, at)
        if not kinds[code] & WORD:
            at += size
            continue
        begin, value = at, _SEED
        while at < b:
            code, size = _char(data, at)
            if not kinds[code] & WORD or (kinds[code] & ALONE and at > begin):
                break
            value = (value ^ np.uint64(fold[code])) * _PRIME
            at += size
            if kinds[code] & ALONE:
                break
        codes[count], starts[count], ends[count] = (value ^ (value >> _SHIFT)) * _MIX, begin, at
        count += 1
    return count


@njit(nogil=True)
def _all(codes, count) -> np.uint64:  # type: ignore[no-untyped-def]
    h = _SEED
    for k in range(count):
        h = h * _BASE + codes[k]
    return (h ^ (h >> _SHIFT)) * _MIX


@njit(nogil=True)
def _power(n) -> np.uint64:  # type: ignore[no-untyped-def]
    """What the word that leaves an n-gram is multiplied by."""
    power = _ONE
    for _ in range(n):
        power *= _BASE
    return power


@njit(nogil=True)
def _shift(bits) -> np.uint64:  # type: ignore[no-untyped-def]
    """Bits of a hash below those that say which bit is its own."""
    shift, size = np.uint64(64), len(bits) * 64
    while size > 1:
        size >>= 1
        shift -= _ONE
    return shift


def _grams_kernel(stamp: str) -> Callable[..., int]:
    @njit(cache=True, nogil=True)
    def grams(data, start, end, n, kinds, fold, out, first, wholes) -> int:  # type: ignore[no-untyped-def]
        """The n-grams of each text data[start[i]:end[i]] into out; those of text i begin at first[i]. wholes[i]: the hash of all its words
        and how many there are. Returns how many n-grams there are."""
        _ = stamp
        room = (end - start).max() + 1 if len(start) else 1
        codes, begins, ends = np.empty(room, np.uint64), np.empty(room, np.int64), np.empty(room, np.int64)
        total, power = 0, _power(n)
        for i in range(len(start)):
            count = _words(data, start[i], end[i], kinds, fold, codes, begins, ends)
            first[i] = total
            wholes[i, 0], wholes[i, 1] = _all(codes, count), np.uint64(count)
            h = np.uint64(0)
            for k in range(count):
                h = h * _BASE + codes[k]
                if k >= n:
                    h -= codes[k - n] * power
                if k >= n - 1:
                    out[total] = (h ^ (h >> _SHIFT)) * _MIX
                    total += 1
        first[len(start)] = total
        return total

    return grams


def _look_up_kernel(stamp: str) -> Callable[..., int]:
    @njit(cache=True, nogil=True)
    def look_up(data, start, end, n, kinds, fold, bits, table, values, hits, places, wholes) -> int:  # type: ignore[no-untyped-def]
        """Known n-grams in each text: hits[k] = (text, value), places[k] = the n-gram's bytes. Returns how many; -1 when there is no
        room.

        bits: one bit a hash, from its top, which most unknown hashes fail. table: open, 0 is free.
        """
        _ = stamp
        room = (end - start).max() + 1 if len(start) else 1
        codes, begins, ends = np.empty(room, np.uint64), np.empty(room, np.int64), np.empty(room, np.int64)
        mask, shift = np.uint64(len(table) - 1), _shift(bits)
        found, power = 0, _power(n)
        for i in range(len(start)):
            count = _words(data, start[i], end[i], kinds, fold, codes, begins, ends)
            wholes[i, 0], wholes[i, 1] = _all(codes, count), np.uint64(count)
            h = np.uint64(0)
            for k in range(count):
                h = h * _BASE + codes[k]
                if k >= n:
                    h -= codes[k - n] * power
                if k < n - 1:
                    continue
                gram = (h ^ (h >> _SHIFT)) * _MIX
                bit = gram >> shift
                if not (bits[bit >> _WORD_BITS] >> (bit & _LOW)) & _ONE:
                    continue
                at = gram & mask
                while table[at] != 0 and table[at] != gram:
                    at = (at + _ONE) & mask
                if table[at] == gram:
                    if found == len(hits):
                        return -1
                    hits[found, 0], hits[found, 1] = i, values[at]
                    places[found, 0], places[found, 1] = begins[k - n + 1], ends[k]
                    found += 1
        return found

    return look_up


@njit(cache=True, nogil=True)
def fill(grams: np.ndarray, bits: np.ndarray, table: np.ndarray, values: np.ndarray) -> None:
    """Put different hashes into the table; the value of each is its place in ``grams``."""
    mask, shift = np.uint64(len(table) - 1), _shift(bits)
    for k in range(len(grams)):
        bit = grams[k] >> shift
        bits[bit >> _WORD_BITS] |= _ONE << (bit & _LOW)
        at = grams[k] & mask
        while table[at] != 0:
            at = (at + _ONE) & mask
        table[at], values[at] = grams[k], k


_STAMP = hashlib.sha256(b"".join(Path(str(f)).read_bytes() for f in (documents.__file__, __file__))).hexdigest()
grams, look_up = _grams_kernel(_STAMP), _look_up_kernel(_STAMP)
