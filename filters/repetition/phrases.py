"""Text copied from earlier text, found in one pass: phrases, loops, bursts and restatements, in linear time.

At each token the last place that had the same n-gram is looked up in a table with one slot a hash; while the copy goes on
from there nothing is looked up, the next token is compared with the one a *period* back. So a collision, crafted or not,
costs a comparison that fails, and never a false match. A *phrase* is a stretch copied from one place. Its *depth* says how
often the text had been written before: one more than the depth of what it copies.

A loop is a phrase longer than its own period. A growing chain, recopied at every step with one link more, has phrases as
long as you like, but they end in the link that the last step added, at depth 1; a model that goes in circles copies
phrases that were old at both ends. That is the difference between progress and restating.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from filters.repetition.tokens import NUMBER

GRAM = 6
"""Tokens that must agree before a copy is followed."""

RESTATED_TOKENS, RESTATED_BYTES, RESTATED_DEPTH = 8, 36, 3
"""A phrase is restated when it is this long and, at both ends, was written this often before."""

FORM_DEPTH = 20
"""A phrase that was written more often is a form that is filled in, as long as it stands in no loop."""

TEMPLATE_APART, TEMPLATE_TOKENS = 4, 32
"""A shorter phrase that is copied from less than so many times its own length back belongs to a template."""

VARIED_TOKENS, VARIED_WITHIN = 5, 24
"""Different tokens that a restated phrase must have, and how many of its first tokens are looked at."""

LOOP_WEIGHT = 40
"""Words a run must have before its copies count as a loop; a run of signs counts an eighth of a word each."""
SIGNS_A_WORD = 8
LONG_LOOP_COPIES = 4
"""Copies in a row after which the words of a loop count, however long its period."""

BURST_DEPTH = 12
"""Times that text in a loop was written before, never more than a window back, when it counts as part of a burst."""

LOOP_COPIES, LOOP_WORDS, BURST_WORDS, RESTATED_WORDS, COPIED_TOKENS, TOKENS = range(6)
MEASURES = 6
"""Measures of one segment, once for prose (row 0) and once for code (row 1)."""

PROSE, CODE = 0, 1

COPIED, RESTATED, LOOP, LONG_LOOP, BURST, COUNTER = 1, 2, 4, 8, 16, 32
"""Bits of ROW_KIND."""

ROW_START, ROW_END, ROW_KIND, ROW_CODE, ROW_WEIGHT, ROW_MILLICOPIES, ROW_UNITS, ROW_FIRST = range(8)
UNITS = 8
ROW = ROW_FIRST + 2 * UNITS
"""A row of evidence: bytes of the repeated span, its kinds, PROSE or CODE, words, copies in thousandths, how many copies
are listed, and start and end of each in bytes."""

_BASE = np.uint64(0xD6E8FEB86659FD93)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_TOP = np.uint64(pow(0xD6E8FEB86659FD93, GRAM, 1 << 64))


@njit(cache=True, nogil=True)
def weight(words: np.ndarray, start: int, end: int) -> int:
    """Words between two tokens; where there are hardly any, a share of the signs."""
    return max(words[end] - words[start], (end - start) // SIGNS_A_WORD)


@njit(cache=True, nogil=True)
def varied(codes: np.ndarray, start: int, end: int) -> bool:
    """Whether a phrase says something: rows of a truth table have the same few tokens in many orders."""
    kinds = 0
    for i in range(start, min(end, start + VARIED_WITHIN)):
        new = True
        for k in range(start, i):
            new &= codes[k] != codes[i]
        kinds += new
    return kinds >= VARIED_TOKENS


@njit(cache=True, nogil=True)
def said(codes: np.ndarray, sizes: np.ndarray, words: np.ndarray, start: int, end: int) -> int:
    """Words of letters between two tokens: figures and the names of unknowns come again wherever something is calculated."""
    count = 0
    for i in range(start, end):
        if words[i + 1] > words[i] and sizes[i] > 1 and codes[i] < NUMBER:
            count += 1
    return count


@njit(cache=True, nogil=True)
def close(
    codes: np.ndarray,
    start: int,
    end: int,
    match: int,
    period: int,
    starts: np.ndarray,
    sizes: np.ndarray,
    words: np.ndarray,
    fence: np.ndarray,
    depth: np.ndarray,
    near: np.ndarray,
    marks: np.ndarray,
    measures: np.ndarray,
) -> tuple[int, int]:
    """Count one phrase: tokens ``start:end``, of which the match began at ``match``. Returns its kinds and PROSE or CODE."""
    where = CODE if (fence[match] == fence[end - 1] and fence[match] & 1) else PROSE
    found = measures[where]
    length = end - match
    kinds = COPIED
    looped = length >= 2 * period
    found[COPIED_TOKENS] += end - start
    if looped:
        copies = (length + period) / period
        heavy = weight(words, match - period, end)
        if heavy >= LOOP_WEIGHT:
            kinds |= LOOP
            found[LOOP_COPIES] = max(found[LOOP_COPIES], copies)
        if copies >= LONG_LOOP_COPIES:
            kinds |= LONG_LOOP
            found[LOOP_WORDS] = max(found[LOOP_WORDS], heavy)
    size = starts[end - 1] - starts[match]
    old = length >= RESTATED_TOKENS and size >= RESTATED_BYTES and min(depth[start], depth[end - 1]) >= RESTATED_DEPTH
    # Sentences off one template, a new name in each, are an enumeration: they follow each other closely, and differ.
    if looped:
        kinds |= RESTATED
        third = start + max(0, RESTATED_DEPTH - depth[start]) * period
        if varied(codes, start, end):
            found[RESTATED_WORDS] += said(codes, sizes, words, min(third, end), end)
    elif old and (period >= TEMPLATE_APART * length or length >= TEMPLATE_TOKENS) and varied(codes, start, end):
        kinds |= RESTATED
        if min(depth[start], depth[end - 1]) <= FORM_DEPTH:
            found[RESTATED_WORDS] += said(codes, sizes, words, start, end)
    if looped and near[end - 1] >= BURST_DEPTH:
        kinds |= BURST
        found[BURST_WORDS] = max(found[BURST_WORDS], 1)
        for i in range(start, end):
            if near[i] >= BURST_DEPTH:
                marks[i] = 1 + where
    return kinds, where


@njit(cache=True, nogil=True)
def note(
    rows: np.ndarray,
    used: int,
    kinds: int,
    where: int,
    start: int,
    end: int,
    period: int,
    offset: int,
    starts: np.ndarray,
    sizes: np.ndarray,
    words: np.ndarray,
) -> int:
    """Write tokens ``start:end``, whose first copy is as long as ``period``, as a row if there is room. Returns rows used."""
    if used >= len(rows):
        return used
    row = rows[used]
    row[ROW_START] = offset + starts[start]
    row[ROW_END] = offset + starts[end - 1] + sizes[end - 1]
    row[ROW_KIND] = kinds
    row[ROW_CODE] = where
    row[ROW_WEIGHT] = weight(words, start, end)
    row[ROW_MILLICOPIES] = 1000 * (end - start) // period
    units = min(UNITS, (end - start) // period)
    row[ROW_UNITS] = units
    for k in range(units):
        first, last = start + k * period, start + (k + 1) * period - 1
        row[ROW_FIRST + 2 * k] = offset + starts[first]
        row[ROW_FIRST + 2 * k + 1] = offset + starts[last] + sizes[last]
    return used + 1


@njit(cache=True, nogil=True)
def note_copy(
    rows: np.ndarray,
    used: int,
    kinds: int,
    where: int,
    start: int,
    end: int,
    period: int,
    offset: int,
    starts: np.ndarray,
    sizes: np.ndarray,
    words: np.ndarray,
) -> int:
    """The same for a phrase copied from farther off: its one listed copy is the place that it was copied from."""
    now = note(rows, used, kinds, where, start, end, end - start, offset, starts, sizes, words)
    if now > used:
        row, last = rows[used], min(end - period, start) - 1
        row[ROW_FIRST] = offset + starts[start - period]
        row[ROW_FIRST + 1] = offset + starts[last] + sizes[last]
    return now


@njit(cache=True, nogil=True)
def follow(
    codes: np.ndarray,
    count: int,
    offset: int,
    starts: np.ndarray,
    sizes: np.ndarray,
    words: np.ndarray,
    fence: np.ndarray,
    window: int,
    table: np.ndarray,
    depth: np.ndarray,
    near: np.ndarray,
    marks: np.ndarray,
    measures: np.ndarray,
    rows: np.ndarray,
    used: int,
) -> int:
    """Add one chunk of tokens to ``measures``, and what repeats in it to ``rows`` while there is room (there may be none).

    offset: bytes of the segment before the chunk. table: int32, at least twice ``count`` rounded up to a power of two.
    Returns how many rows are used now.
    """
    bits = 4
    while (1 << bits) < 2 * count:
        bits += 1
    table[: 1 << bits] = -1
    shift = np.uint64(64 - bits)
    gram = np.uint64(0)
    period, match, start = 0, 0, 0
    for i in range(count + 1):
        if i < count:
            code = codes[i]
            gram = gram * _BASE + code
            if i >= GRAM:
                gram -= _TOP * codes[i - GRAM]
            marks[i] = 0
        if period > 0:
            if i < count and codes[i - period] == code:
                depth[i] = depth[i - period] + 1
                near[i] = near[i - period] + 1 if period <= window else 0
                table[(gram * _MIX) >> shift] = i
                continue
            kinds, where = close(
                codes, start, i, match, period, starts, sizes, words, fence, depth, near, marks, measures
            )
            if kinds & (LOOP | LONG_LOOP):
                used = note(rows, used, kinds, where, match - period, i, period, offset, starts, sizes, words)
            else:
                used = note_copy(rows, used, kinds, where, match, i, period, offset, starts, sizes, words)
            start = i
            period = 0
        if i == count:
            break
        depth[i] = 0
        near[i] = 0
        if i < GRAM - 1:
            continue
        slot = (gram * _MIX) >> shift
        before = table[slot]
        table[slot] = i
        if before < 0:
            continue
        same = 0
        while same < GRAM and codes[before - same] == codes[i - same]:
            same += 1
        if same < GRAM:
            continue
        period = i - before
        match = i - GRAM + 1
        start = max(start, match)
        for k in range(start, i + 1):
            depth[k] = depth[k - period] + 1
            near[k] = near[k - period] + 1 if period <= window else 0
    return used


@njit(cache=True, nogil=True)
def densest(marks: np.ndarray, words: np.ndarray, count: int, window: int, measures: np.ndarray) -> None:
    """The most burst words in any ``window`` words of a chunk, prose and code, into ``measures``."""
    for where in (PROSE, CODE):
        inside, low = 0, 0
        for i in range(count):
            if marks[i] == 1 + where:
                inside += words[i + 1] - words[i]
            while words[i + 1] - words[low] > window:
                if marks[low] == 1 + where:
                    inside -= words[low + 1] - words[low]
                low += 1
            measures[where, BURST_WORDS] = max(measures[where, BURST_WORDS], inside)
