"""Which records are the same, exactly or nearly, and which of them stays. Arrays in, arrays out; no text, no files.

Nothing here depends on the order in which records come: they are put in the order of their digests, or of (rule, record id).
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable

import numpy as np
from numba import njit

from filters.duplicates.sketches import band_keys, similarity

PAIRS = 64
"""Records of one bucket that are compared each with each; in a larger one, each with the first of every cluster found so far."""

IN_MEMORY = 1 << 26
"""Bytes of one array that are kept in memory; a larger one is put in a temporary file, which the system may page out."""


def exact(digests: np.ndarray, order: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """int64[n]: the best record with the same digest (uint64[n, 2]); itself where there is no other.

    order: the numbers of some records, the best first.
    """
    best = np.arange(len(digests))
    by = np.lexsort((digests[:, 1], digests[:, 0]))
    same = (digests[by[1:]] == digests[by[:-1]]).all(axis=1)
    group = np.concatenate(([0], np.cumsum(~same))) if len(by) else np.zeros(0, np.int64)
    size = np.bincount(group)
    several = size[group] > 1
    if several.any():
        members, number = by[several], group[several]
        groups = np.empty(len(digests), np.int64)
        groups[members] = number
        ranked = order(members)
        first = np.full(len(size), -1)
        # Written backwards, so that the best of a group is what stands there at the end.
        first[groups[ranked[::-1]]] = ranked[::-1]
        best[members] = first[number]
    return best


def near(
    sketches: np.ndarray,
    fixed: np.ndarray,
    threshold: float,
    shape: tuple[int, int],
    order: Callable[[np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """(int64[n], float32[n]): the record that each duplicates (itself: it is kept), and how alike the two are.

    sketches: uint64[n, k]. fixed: bool[n], records that are kept whatever they are like. shape: bands, and values of each.

    Bands find candidates, sketches confirm them, confirmed pairs make up clusters. Of a cluster the best record is kept, and then,
    best first, each that is not like one that is kept. So whatever is dropped is like the record it is dropped for: in a chain
    A ~ B ~ C where A and C differ, C stays.
    """
    full = np.flatnonzero(_filled(sketches))
    keys = room((shape[0], len(sketches)), np.uint64)
    band_keys(sketches, *shape, keys)
    parent = np.arange(len(sketches))
    for band in keys:
        mine = full[np.argsort(band[full])]
        _join(band[mine], mine, sketches, fixed, threshold, parent)
    return _chosen(sketches, fixed, threshold, _roots(parent), order)


def _chosen(
    sketches: np.ndarray,
    fixed: np.ndarray,
    threshold: float,
    roots: np.ndarray,
    order: Callable[[np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    kept, alike = np.arange(len(roots)), np.ones(len(roots), np.float32)
    members = np.flatnonzero(np.bincount(roots, minlength=len(roots))[roots] > 1)
    if len(members):
        ranked = order(members)
        by = ranked[np.argsort(roots[ranked], kind="stable")]
        starts = np.flatnonzero(np.concatenate(([True], roots[by[1:]] != roots[by[:-1]], [True])))
        _thin(by, starts, sketches, fixed, threshold, kept, alike)
    return kept, alike


def room(shape: tuple[int, ...], kind: type) -> np.ndarray:
    """An array to fill, in memory or, when it is large, in a file that goes with it."""
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    if size <= IN_MEMORY:
        return np.empty(shape, kind)
    with tempfile.TemporaryFile(prefix="corpusmill-") as file:
        if hasattr(os, "posix_fallocate"):
            _reserve(file.fileno(), size)
        return np.asarray(np.memmap(file, kind, "w+", shape=shape))


def _reserve(handle: int, size: int) -> None:
    """Writing to a map of a file for which there is no space kills the process. Raises OSError instead, which says where to look."""
    try:
        os.posix_fallocate(handle, 0, size)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise OSError(
                error.errno,
                f"{error.strerror}: comparing needs {size / 1e9:,.1f} GB of temporary files (TMPDIR says where)",
                tempfile.gettempdir(),
            ) from None


@njit(cache=True, nogil=True)
def _filled(sketches: np.ndarray) -> np.ndarray:
    """bool[n]: whether there is an n-gram at all."""
    out = np.zeros(len(sketches), np.bool_)
    for i in range(len(sketches)):
        for j in range(sketches.shape[1]):
            if sketches[i, j]:
                out[i] = True
                break
    return out


@njit(cache=True, nogil=True)
def _root(parent: np.ndarray, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(cache=True, nogil=True)
def _roots(parent: np.ndarray) -> np.ndarray:
    out = np.empty(len(parent), np.int64)
    for i in range(len(parent)):
        out[i] = _root(parent, i)
    return out


@njit(cache=True, nogil=True)
def _meet(a: int, b: int, sketches: np.ndarray, fixed: np.ndarray, threshold: float, parent: np.ndarray) -> bool:
    """Whether two records are of one cluster, joined if they are alike."""
    first, second = _root(parent, a), _root(parent, b)
    if first == second:
        return True
    if (fixed[a] and fixed[b]) or similarity(sketches[a], sketches[b]) < threshold:
        return False
    parent[max(first, second)] = min(first, second)
    return True


@njit(cache=True, nogil=True)
def _join(
    keys: np.ndarray, members: np.ndarray, sketches: np.ndarray, fixed: np.ndarray, threshold: float, parent: np.ndarray
) -> None:
    """Join those records of each bucket (a run of equal keys, in whatever order) that are alike. ``members`` may be reordered."""
    leaders = np.empty(PAIRS, np.int64)
    at = 0
    while at < len(keys):
        end = at + 1
        while end < len(keys) and keys[end] == keys[at]:
            end += 1
        if end - at <= PAIRS:
            for i in range(at, end):
                for j in range(at, i):
                    _meet(members[j], members[i], sketches, fixed, threshold, parent)
        else:
            members[at:end] = np.sort(members[at:end])
            count = 0
            for i in range(at, end):
                met = False
                for j in range(min(count, PAIRS)):
                    met = met or _meet(leaders[j], members[i], sketches, fixed, threshold, parent)
                if not met:
                    leaders[count % PAIRS] = members[i]
                    count += 1
        at = end


@njit(cache=True, nogil=True)
def _thin(
    members: np.ndarray,
    starts: np.ndarray,
    sketches: np.ndarray,
    fixed: np.ndarray,
    threshold: float,
    kept: np.ndarray,
    alike: np.ndarray,
) -> None:
    """Within each cluster (a run of ``members`` from one start to the next), the best first: what is like a record that is kept is
    dropped for the most alike of those."""
    staying = np.empty(len(members), np.int64)
    for c in range(len(starts) - 1):
        count = 0
        for i in range(starts[c], starts[c + 1]):
            mine, best, most = members[i], -1, threshold
            for j in range(0 if fixed[mine] else count):
                told = similarity(sketches[mine], sketches[staying[j]])
                if told >= most and (best < 0 or told > most):
                    best, most = staying[j], told
            if best >= 0:
                kept[mine], alike[mine] = best, most
            else:
                staying[count] = mine
                count += 1
