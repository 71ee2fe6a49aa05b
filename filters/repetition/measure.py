"""Segments to measures: tokens, phrases and counters of each, chunk by chunk, in memory that does not grow with the text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from filters.batch import Segments
from filters.repetition import counters, layout, phrases, tokens

CHUNK = 1 << 19
"""Tokens looked at together, about 3 MB of text. A loop whose period is longer than this is not seen."""

COUNTER_COPIES = phrases.MEASURES
MEASURES = phrases.MEASURES + 1

NUMBERS_SHARE = 32
"""Counters are looked for where at least one token in this many is a number."""

Scratch = tuple[np.ndarray, ...]


def measure(segments: Segments, which: np.ndarray, window: int) -> np.ndarray:
    """float64[len(which), 2, MEASURES]: the measures of each named segment, prose and code."""
    out = np.zeros((len(which), 2, MEASURES))
    if not len(which):
        return out
    scratch = _scratch(int(segments.length[which].max()))
    rows = np.empty((0, phrases.ROW), np.int64)
    for number in np.unique(segments.buffer[which]):
        mine = np.flatnonzero(segments.buffer[which] == number)
        starts, ends = segments.start[which[mine]].astype(np.int64), segments.end[which[mine]].astype(np.int64)
        found = np.zeros((len(mine), 2, MEASURES))
        kernel()(segments.buffers[number], starts, ends, window, tokens.CLASSES, *scratch, found, rows)
        out[mine] = found
    return out


def repeats(segments: Segments, segment: int, window: int, room: int) -> np.ndarray:
    """What repeats in one segment: rows of evidence (see ``phrases.ROW``), the first ``room`` of them, in text order."""
    rows = np.empty((room, phrases.ROW), np.int64)
    start, end = segments.start[segment : segment + 1], segments.end[segment : segment + 1]
    found = np.zeros((1, 2, MEASURES))
    used = kernel()(
        segments.buffers[segments.buffer[segment]], start.astype(np.int64), end.astype(np.int64), window,
        tokens.CLASSES, *_scratch(int(end[0] - start[0])), found, rows,
    )  # fmt: skip
    return rows[:used]


def _scratch(longest: int) -> Scratch:
    """Token arrays with room for a text of so many bytes, or for a chunk of a longer one. A token has at least one byte."""
    n = max(16, min(CHUNK, longest))
    types = (np.uint64, np.int64, np.uint8, np.int32, np.int32, np.int32, np.int32, np.uint8)
    return *(np.empty(n + 1, t) for t in types), np.empty(4 * n, np.int32)


@cache
def kernel() -> Callable[..., int]:
    """The compiled kernel, from numba's cache where it is there.

    That cache looks at the file of this function alone, while the code has those of all the others inside; so they are
    made part of its key, by way of a closure.
    """
    files = (counters, layout, phrases, tokens)
    digest = hashlib.blake2b(b"".join(Path(str(m.__file__)).read_bytes() for m in files), digest_size=16)
    return _build(digest.hexdigest())


def _build(sources: str) -> Callable[..., Any]:
    @njit(cache=True, nogil=True)
    def run(
        text: np.ndarray,
        begins: np.ndarray,
        ends: np.ndarray,
        window: int,
        classes: np.ndarray,
        codes: np.ndarray,
        starts: np.ndarray,
        sizes: np.ndarray,
        words: np.ndarray,
        fence: np.ndarray,
        depth: np.ndarray,
        near: np.ndarray,
        marks: np.ndarray,
        table: np.ndarray,
        out: np.ndarray,
        rows: np.ndarray,
    ) -> int:
        if len(sources) == 0:  # never: it is here so that numba sees the closure
            return 0
        used = 0
        for s in range(len(begins)):
            at, fences = begins[s], 0
            found = out[s]
            own = found[:, : phrases.MEASURES]
            while at < ends[s]:
                offset = at - begins[s]
                count, at, fences, numbers = tokens.tokenize(
                    text, at, ends[s], fences, classes, codes, starts, sizes, words, fence
                )
                used = phrases.follow(
                    codes,
                    count,
                    offset,
                    starts,
                    sizes,
                    words,
                    fence,
                    window,
                    table,
                    depth,
                    near,
                    marks,
                    own,
                    rows,
                    used,
                )
                if own[phrases.PROSE, phrases.BURST_WORDS] + own[phrases.CODE, phrases.BURST_WORDS] > 0:
                    phrases.densest(marks, words, count, window, own)
                code = 0
                for k in range(count):
                    code += fence[k] & 1
                own[phrases.CODE, phrases.TOKENS] += code
                own[phrases.PROSE, phrases.TOKENS] += count - code
                if numbers * NUMBERS_SHARE >= count:
                    used = counters.count_loops(
                        codes, count, offset, starts, sizes, words, fence, table, found[:, COUNTER_COPIES], rows, used
                    )
            if own[phrases.PROSE, phrases.RESTATED_WORDS] > 0 and layout.looks_like_code(text, begins[s], ends[s]):
                layout.as_code(found)
        return used

    return run
