"""Loops in which nothing but a counter moves: ``Step 17: check again.`` ``Step 18: check again.``

Seen by comparing tokens with every number taken for every other. A table of numbers looks just like that, so the numbers
of a run are then looked at: in a loop each stays as it was, or goes on by the same step.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from filters.repetition.phrases import COUNTER, LOOP_WEIGHT, note, weight
from filters.repetition.tokens import NUMBER

GRAM = 4
"""Tokens, numbers counted as one and the same, that must agree before a run is followed."""
FEWEST_COPIES = 12
FEWEST_WORDS = 2
"""Words other than numbers in one period: ``1, 2, 3, 4`` is a list, not a loop."""
REGULAR = 0.9
"""Share of the numbers that must go on as foretold."""

_BASE = np.uint64(0xD6E8FEB86659FD93)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_TOP = np.uint64(pow(0xD6E8FEB86659FD93, GRAM, 1 << 64))


@njit(cache=True, nogil=True)
def _template(code: np.uint64) -> np.uint64:
    return NUMBER if code & NUMBER else code


@njit(cache=True, nogil=True)
def _counts(codes: np.ndarray, words: np.ndarray, start: int, end: int, period: int) -> bool:
    """Whether the run from ``start`` is a counter loop: its numbers move, and all of them regularly."""
    copies = (end - start) // period
    numbers, regular, moved = 0, 0, 0
    for i in range(start + 2 * period, end):
        if codes[i] & NUMBER:
            numbers += 1
            regular += codes[i] - codes[i - period] == codes[i - period] - codes[i - 2 * period]
            moved += codes[i] != codes[i - period]
    in_first = 0
    for i in range(start, start + period):
        in_first += codes[i] & NUMBER != 0
    others = words[start + period] - words[start] - in_first
    return others >= FEWEST_WORDS and 2 * moved >= copies and regular >= REGULAR * numbers


@njit(cache=True, nogil=True)
def count_loops(
    codes: np.ndarray,
    count: int,
    offset: int,
    starts: np.ndarray,
    sizes: np.ndarray,
    words: np.ndarray,
    fence: np.ndarray,
    table: np.ndarray,
    copies: np.ndarray,
    rows: np.ndarray,
    used: int,
) -> int:
    """The most copies of a counter loop, into ``copies`` (prose, code), and the loops to ``rows`` while there is room."""
    bits = 4
    while (1 << bits) < 2 * count:
        bits += 1
    table[: 1 << bits] = -1
    shift = np.uint64(64 - bits)
    gram = np.uint64(0)
    period, match = 0, 0
    for i in range(count + 1):
        if i < count:
            code = _template(codes[i])
            gram = gram * _BASE + code
            if i >= GRAM:
                gram -= _TOP * _template(codes[i - GRAM])
        if period > 0:
            if i < count and _template(codes[i - period]) == code:
                table[(gram * _MIX) >> shift] = i
                continue
            start = match - period
            many = (i - start) / period
            if (
                many >= FEWEST_COPIES
                and weight(words, start, i) >= LOOP_WEIGHT
                and _counts(codes, words, start, i, period)
            ):
                where = int(fence[start] == fence[i - 1] and fence[start] & 1)
                copies[where] = max(copies[where], many)
                used = note(rows, used, COUNTER, where, start, i, period, offset, starts, sizes, words)
            period = 0
        if i == count:
            break
        if i < GRAM - 1:
            continue
        slot = (gram * _MIX) >> shift
        before = table[slot]
        table[slot] = i
        if before < 0:
            continue
        same = 0
        while same < GRAM and _template(codes[before - same]) == _template(codes[i - same]):
            same += 1
        if same == GRAM:
            period = i - before
            match = i - GRAM + 1
    return used
