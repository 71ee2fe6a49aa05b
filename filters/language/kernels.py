"""The compiled walk that collects prose. Bytes in, bytes out; everything here works on UTF-8 without decoding it.

Numba's cache does not notice when a function that another file defines has changed. So only what is called from outside is cached,
and it holds the digest of those files: what a function closes over is part of its key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numba import njit

from filters.language import lines, scripts, tokens
from filters.language.lines import closes_formula, copy_line, is_fence, is_json, piece_end
from filters.language.scripts import HAN, LATIN
from filters.language.tokens import is_space

WINDOW = 80
"""Letters of prose in one window. Longer ones cost time in proportion and settle nothing more (docs: accuracy by length)."""
WINDOW_BYTES = 4 * WINDOW
"""A window ends here too, whatever is in it."""
COLUMNS = 7
"""group, text start, text end, letters, segment, first byte, last byte."""

_AT, _TEXT, _LETTERS, _SEGMENT, _FIRST, _LAST, _CODE_BYTES = range(7)
"""The state of the walk: where the text ends, and of the window being filled where it begins, what is in it, where it stands in the
source, and how many bytes of code were met."""


@njit(nogil=True)
def _census(data, a, b, script, count) -> None:  # type: ignore[no-untyped-def]
    """Add the letters of a:b to the counts by script. The first pass over a line is one that the processor does many bytes at a time."""
    ascii_letters = 0
    wide = np.uint8(0)
    for p in range(a, b):
        ascii_letters += 97 <= (data[p] | 32) <= 122
        wide |= data[p]
    count[LATIN] += ascii_letters
    if wide < 0x80:
        return
    p = a
    while p < b:
        c = np.int64(data[p])
        if c < 0xC0:
            p += 1
        elif c < 0xE0:
            count[script[(c & 31) << 6 | data[min(p + 1, b - 1)] & 63]] += 1
            p += 2
        elif c < 0xF0:
            middle = np.int64(data[min(p + 1, b - 1)]) & 63
            count[script[(c & 15) << 12 | middle << 6 | data[min(p + 2, b - 1)] & 63]] += 1
            p += 3
        else:
            count[HAN] += c == 0xF0 and 0xA0 <= data[min(p + 1, b - 1)] <= 0xB3
            p += 4


@njit(nogil=True)
def _end_block(now, kept, lines, codes) -> None:  # type: ignore[no-untyped-def]
    """If half of a block's lines are code, none of it is prose: back to how things stood before it."""
    if codes * 2 >= lines and lines > 1:
        code = now[_CODE_BYTES] + now[_LETTERS] - kept[_LETTERS]
        now[:] = kept
        now[_CODE_BYTES] = code
    kept[:] = now


@njit(nogil=True)
def _empty_window(now, kept) -> None:  # type: ignore[no-untyped-def]
    at = now[_AT]
    now[:] = 0
    now[_AT], now[_TEXT], now[_SEGMENT] = at, at, -1
    kept[:] = now


@njit(nogil=True)
def _is_full(now) -> bool:  # type: ignore[no-untyped-def]
    return now[_LETTERS] >= WINDOW or now[_AT] - now[_TEXT] >= WINDOW_BYTES


@njit(nogil=True)
def _emit(table, row, group, now) -> None:  # type: ignore[no-untyped-def]
    table[row, 0] = group
    table[row, 1] = now[_TEXT]
    table[row, 2] = now[_AT]
    for k in range(_LETTERS, _CODE_BYTES):
        table[row, k + 1] = now[k]


@njit(nogil=True)
def _next_zone(now, kept, table, count, group, enough, code) -> int:  # type: ignore[no-untyped-def]
    """Close the window if there is enough in it; one that is mostly code is given up. Returns the number of windows."""
    if now[_CODE_BYTES] > now[_LETTERS]:
        # Between lines of code stand comments and messages: not what the text is written in.
        code[group] += 1
        now[_AT] = now[_TEXT]
        _empty_window(now, kept)
    elif now[_LETTERS] >= enough or _is_full(now):
        _emit(table, count, group, now)
        count += 1
        _empty_window(now, kept)
    now[_CODE_BYTES] = kept[_CODE_BYTES] = 0
    return count


@njit(nogil=True)
def _last_zone(now, table, count, first_row, group, enough, code) -> int:  # type: ignore[no-untyped-def]
    """The text ends: what is left is a window, or too little for one and goes with the one before."""
    if now[_CODE_BYTES] > now[_LETTERS]:
        now[_AT] = now[_TEXT]
        code[group] += 1
        return count
    if now[_LETTERS] == 0:
        return count
    if count > first_row and now[_LETTERS] < enough:
        table[count - 1, 2] = now[_AT]
        table[count - 1, 3] += now[_LETTERS]
        return count
    _emit(table, count, group, now)
    return count + 1


@njit(nogil=True)
def _add_line(data, low, high, text, now, segment) -> tuple[bool, bool]:  # type: ignore[no-untyped-def]
    """Copy a line's prose into the window; whether the line is code, and whether a display formula opens in it."""
    now[_AT], letters, code, opens = copy_line(data, low, high, text, now[_AT])
    now[_CODE_BYTES] += high - low if code else 0
    if letters > 0:
        if now[_SEGMENT] < 0:
            now[_SEGMENT], now[_FIRST] = segment, low
        # A window may run on into later segments; its place is told in the segment it begins in.
        if now[_SEGMENT] == segment:
            now[_LAST] = high
        now[_LETTERS] += letters
    return code, opens


@njit(nogil=True)
def _segment(data, a, b, i, g, plan, passed, zone, text, table, count, now, kept, script, letters, code_zones):  # type: ignore[no-untyped-def]
    """One segment's lines, into windows and the census. Returns the number of windows and the zone it ends in."""
    step, zones, enough, clauses = plan
    fenced = formula = False
    fresh = True  # at the start of a line
    lines = codes = 0
    kept[:] = now
    p = a
    while p < b:
        q, newline = piece_end(data, p, b, clauses)
        low, high = p, q
        while low < high and is_space(data[low]):
            low += 1
        while high > low and is_space(data[high - 1]):
            high -= 1
        fence = fresh and is_fence(data, low, high)
        here = min((passed + p - a) // step, zones - 1)
        # A block ends at a blank line, a fence, or where enough has been seen; then its code, if any, goes.
        if low == high or fence or here > zone or (lines > 0 and _is_full(now)):
            _end_block(now, kept, lines, codes)
            lines = codes = 0
        if here > zone:
            zone = here
            count = _next_zone(now, kept, table, count, g, enough, code_zones)
        if fence:
            fenced = not fenced
        elif low == high:
            formula = False
        elif formula:
            formula = not closes_formula(data, low, high)
        elif not fenced:
            _census(data, low, high, script, letters)
            if not _is_full(now):
                code, formula = _add_line(data, low, high, text, now, i)
                lines += 1
                codes += code
        fresh = newline
        p = q + 1 if newline else max(q, p + 1)
    _end_block(now, kept, lines, codes)
    return count, zone


@njit(nogil=True)
def _walk(data, start, end, group, plan, script, text, table, letters, code_zones) -> int:  # type: ignore[no-untyped-def]
    now, kept = np.zeros(7, np.int64), np.zeros(7, np.int64)
    count = i = 0
    while i < len(start):
        g, first_row, passed, zone = group[i], count, 0, 0
        step, zones, enough, clauses = plan[g, 0], plan[g, 1], plan[g, 2], plan[g, 3]
        _empty_window(now, kept)
        while i < len(start) and group[i] == g:
            a, b = start[i], end[i]
            if not is_json(data, a, b):
                count, zone = _segment(
                    data, a, b, i, g, (step, zones, enough, clauses), passed, zone, text, table, count, now, kept,
                    script, letters[g], code_zones,
                )  # fmt: skip
            passed += b - a
            i += 1
        count = _last_zone(now, table, count, first_row, g, enough, code_zones)
    return count


def _cached(stamp: str) -> Callable[..., int]:
    @njit(cache=True, nogil=True)
    def collect(data, start, end, group, plan, script, text, table, letters, code_zones) -> int:  # type: ignore[no-untyped-def]
        """Fill text and table (one row a window, see COLUMNS), add to letters[group, script] and to code_zones[group], the zones that
        were mostly code; returns the number of windows.

        plan: for each group, bytes a zone, the number of zones, letters that are enough for a window, whether clauses are lines.
        """
        _ = stamp
        return _walk(data, start, end, group, plan, script, text, table, letters, code_zones)

    return collect


collect = _cached(
    hashlib.sha256(b"".join(Path(str(m.__file__)).read_bytes() for m in (tokens, lines, scripts))).hexdigest()
)


@njit(cache=True, nogil=True)
def census(text, start, end, script, letters) -> None:  # type: ignore[no-untyped-def]
    """Letters by script of each text[start:end], added to letters[n, scripts]."""
    for i in range(len(start)):
        _census(text, start[i], end[i], script, letters[i])
