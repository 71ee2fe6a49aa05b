"""128-bit hashes of byte ranges, straight on Arrow buffers, and a table of them to look keys up in.

The hash is FNV-1a twice, from two offsets, each finished by MurmurHash3's mixer: fast, the same on every machine, and not meant to
keep secrets. Two different keys among five million have the same one with a probability below 1e-25.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numba import njit

_PRIME = np.uint64(0x100000001B3)
_OFFSETS = np.uint64(0xCBF29CE484222325), np.uint64(0x9E3779B97F4A7C15)
NOT_THERE = -1


def of_strings(array: pa.Array) -> np.ndarray:
    """uint64[n, 2], the hashes of a large_string array without nulls."""
    _, offsets, data = array.buffers()
    at = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    buffer = np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    return of_ranges(buffer, at[:-1], at[1:])


def of_ranges(buffer: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """uint64[n, 2], the hashes of ``buffer[start[i]:end[i]]``."""
    out = np.empty((len(start), 2), np.uint64)
    _hash(buffer, start, end, out)
    return out


@njit(cache=True, nogil=True)
def _hash(buffer: np.ndarray, start: np.ndarray, end: np.ndarray, out: np.ndarray) -> None:
    for i in range(len(start)):
        a, b = _OFFSETS
        for j in range(start[i], end[i]):
            byte = np.uint64(buffer[j])
            a = (a ^ byte) * _PRIME
            b = (b ^ byte) * _PRIME
        out[i, 0] = mixed(a)
        out[i, 1] = mixed(b + np.uint64(end[i] - start[i]))


@njit(cache=True, nogil=True)
def mixed(h: np.uint64) -> np.uint64:
    """MurmurHash3's finisher: every bit of ``h`` decides every bit of the answer. It is the same for ever: kernels elsewhere that call it
    are cached without looking at this file."""
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xFF51AFD7ED558CCD)
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xC4CEB9FE1A85EC53)
    return h ^ (h >> np.uint64(33))


@dataclass(frozen=True)
class Table:
    """Keys' hashes with a number each: 24 bytes a key. high is sorted; of equal keys the first number stands first."""

    high: np.ndarray
    low: np.ndarray
    number: np.ndarray

    @classmethod
    def of(cls, keys: pa.Array, numbers: np.ndarray) -> Table:
        """keys: large_string, no nulls. numbers: int64, what ``find`` is to answer."""
        hashes = of_strings(keys)
        order = np.argsort(hashes[:, 0], kind="stable")
        return cls(hashes[order, 0], hashes[order, 1], np.asarray(numbers, np.int64)[order])

    def __len__(self) -> int:
        return len(self.high)

    def find(self, keys: pa.Array) -> np.ndarray:
        """int64[n]: the number of each key, NOT_THERE where it is none of ours."""
        found = np.full(len(keys), NOT_THERE, np.int64)
        if len(self) and len(keys):
            hashes = of_strings(keys)
            _find(self.high, self.low, self.number, np.searchsorted(self.high, hashes[:, 0]), hashes, found)
        return found


@njit(cache=True, nogil=True)
def _find(
    high: np.ndarray, low: np.ndarray, number: np.ndarray, at: np.ndarray, hashes: np.ndarray, found: np.ndarray
) -> None:
    for i in range(len(at)):
        j = at[i]
        while j < len(high) and high[j] == hashes[i, 0]:
            if low[j] == hashes[i, 1]:
                found[i] = number[j]
                break
            j += 1
