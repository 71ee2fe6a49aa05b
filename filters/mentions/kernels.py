"""Compiled passes over joined texts: word boundaries in UTF-8, what is no prose, which language stands around a hit.

One file on purpose: numba's cache does not notice when a function that another file defines has changed.
"""

from __future__ import annotations

import numpy as np
from numba import njit

URL_REACH = 200
"""Bytes before a hit in which the start of the address that it stands in is looked for."""
AROUND = 160
"""Bytes on either side of a block that its language is read from."""
BLOCK = 256
"""Bytes that share one reading of their language."""
LONGEST_WORD = 12
"""Function words are short; longer ones are not looked up."""


@njit(cache=True, nogil=True)
def _word_before(data, i, low) -> bool:  # type: ignore[no-untyped-def]
    """Whether the character that ends at i is part of a word (letters of scripts that put spaces between words)."""
    if i <= low:
        return False
    p = i - 1
    while p > low and data[p] & 0xC0 == 0x80 and i - p < 4:
        p -= 1
    return _is_word(data, p, i)


@njit(cache=True, nogil=True)
def _is_word(data, p, high) -> bool:  # type: ignore[no-untyped-def]
    """Whether a character of a word begins at p. CJK and punctuation beyond ASCII part words as a space does."""
    if p >= high:
        return False
    c = data[p]
    if c < 0x80:
        return 48 <= c <= 57 or 97 <= (c | 32) <= 122 or c == 95
    second = data[p + 1] if p + 1 < high else 0
    if c == 0xC2:
        return False
    if c == 0xC3:
        return second != 0x97 and second != 0xB7  # × ÷
    return 0xC4 <= c <= 0xDF or 0xE0 <= c <= 0xE1


@njit(cache=True, nogil=True)
def bounded(data, start, end, low, high, wide) -> np.ndarray:  # type: ignore[no-untyped-def]
    """bool a hit: no word goes on at either side. wide: the term is of a script without spaces, and needs no boundary."""
    out = np.empty(len(start), np.bool_)
    for i in range(len(start)):
        out[i] = wide[i] or not (_word_before(data, start[i], low[i]) or _is_word(data, end[i], high[i]))
    return out


@njit(cache=True, nogil=True)
def _line_end(data, p, b) -> int:  # type: ignore[no-untyped-def]
    while p < b and data[p] != 10:
        p += 1
    return p


@njit(cache=True, nogil=True)
def _closing(data, p, b, c, d) -> int:  # type: ignore[no-untyped-def]
    """Offset of byte c (followed by d, unless d is 0) on this line from p on, or -1."""
    while p < b and data[p] != 10:
        if data[p] == c and (d == 0 or (p + 1 < b and data[p + 1] == d)):
            return p
        p += 1
    return -1


@njit(cache=True, nogil=True)
def _is_json(data, a, b) -> bool:  # type: ignore[no-untyped-def]
    while a < b and data[a] <= 32:
        a += 1
    while a < b and data[b - 1] <= 32:
        b -= 1
    if b - a < 2:
        return False
    return (data[a] == 123 and data[b - 1] == 125) or (data[a] == 91 and data[b - 1] == 93)


@njit(cache=True, nogil=True)
def _is_address(data, a, start, end, b) -> bool:  # type: ignore[no-untyped-def]
    """The hit is part of a token with :// or www. or @, or of a dotted or underscored name (foo.man, /usr/share/man)."""
    p = start
    while p > a and start - p < URL_REACH and data[p - 1] > 32:
        p -= 1
        if data[p] == 58 and p + 2 < b and data[p + 1] == 47 and data[p + 2] == 47:  # ://
            return True
        if data[p] == 64 and p + 1 < start + 1:  # @
            return True
    if p + 4 <= b and data[p] == 119 and data[p + 1] == 119 and data[p + 2] == 119 and data[p + 3] == 46:
        return True
    if start > a and data[start - 1] == 47 and (start - 1 == p):  # /man
        return True
    before_dot = start - 2 >= a and data[start - 1] == 46 and _is_word(data, start - 2, b)
    after_dot = end + 1 < b and data[end] == 46 and 97 <= data[end + 1] <= 122
    at_sign = end < b and data[end] == 64
    return before_dot or after_dot or at_sign


@njit(cache=True, nogil=True)
def _is_key(data, start, end, a, b) -> bool:  # type: ignore[no-untyped-def]
    """A JSON key or an assignment: "man": or man= or man( right at the hit."""
    if end < b and (data[end] == 61 or data[end] == 40):
        return True
    quote = data[end] if end < b else 0
    if quote == 34 or quote == 39:
        p = end + 1
        while p < b and data[p] == 32:
            p += 1
        if p < b and data[p] == 58 and start > a and data[start - 1] == quote:
            return True
    return False


@njit(cache=True, nogil=True)
def _is_code_line(data, p, b) -> bool:  # type: ignore[no-untyped-def]
    """A line that ends as statements do: ; { } or is indented and closes a bracket."""
    e = _line_end(data, p, b)
    while e > p and data[e - 1] <= 32:
        e -= 1
    if e == p:
        return False
    last = data[e - 1]
    return last == 59 or last == 123 or last == 125


@njit(cache=True, nogil=True)
def _prose_of(data, a, b, start, end, out, i, n) -> int:  # type: ignore[no-untyped-def]
    """Fill out[i..] for the hits (sorted by start) that lie in the text a:b; returns the index after the last of them."""
    fenced = formula = False
    line = a
    while line < b and i < n and start[i] < b:
        stop = _line_end(data, line, b)
        p = line
        while p < stop and (data[p] == 32 or data[p] == 9 or data[p] == 62):
            p += 1
        fence = stop - p >= 3 and (data[p] == 96 or data[p] == 126) and data[p] == data[p + 1] == data[p + 2]
        if fence:
            fenced = not fenced
        if fence or fenced:
            while i < n and start[i] < stop:
                out[i] = False
                i += 1
        else:
            i, formula = _prose_of_line(data, line, stop, start, end, out, i, n, formula, a, b)
        line = stop + 1
    while i < n and start[i] < b:
        out[i] = not fenced
        i += 1
    return i


@njit(cache=True, nogil=True)
def _prose_of_line(data, p, stop, start, end, out, i, n, formula, a, b):  # type: ignore[no-untyped-def]
    """One line's hits: none in inline code, formulae, tags; addresses, keys and lines of code as a whole."""
    code = False
    asked = False
    while p < stop:
        c = data[p]
        past = p + 1
        if formula:
            close = _closing(data, p, stop, 36, 36)
            if close < 0:
                close = _closing(data, p, stop, 92, 93)
            formula = close < 0
            past = stop if close < 0 else close + 2
        elif c == 96:
            run = p
            while run < stop and data[run] == 96:
                run += 1
            close = _closing(data, run, stop, 96, 0)
            past = close + 1 if close >= 0 else run
        elif c == 36:
            following = data[p + 1] if p + 1 < stop else 32
            if following == 36:
                close = _closing(data, p + 2, stop, 36, 36)
                formula = close < 0
                past = stop if close < 0 else close + 2
            elif following > 32 and not 48 <= following <= 57:
                close = _closing(data, p + 1, stop, 36, 0)
                past = close + 1 if close >= 0 else p + 1
        elif c == 92 and p + 1 < stop and (data[p + 1] == 40 or data[p + 1] == 91):
            square = data[p + 1] == 91
            close = _closing(data, p + 2, stop, 92, 93 if square else 41)
            formula = close < 0 and square
            past = close + 2 if close >= 0 else stop if square else p + 2
        elif c == 60 and p + 1 < stop and (97 <= (data[p + 1] | 32) <= 122 or data[p + 1] == 47):
            close = _closing(data, p, min(stop, p + URL_REACH), 62, 0)
            past = close + 1 if close >= 0 else p + 1
        if past > p + 1:
            while i < n and start[i] < past:
                out[i] = start[i] < p
                i += 1
        else:
            while i < n and start[i] <= p:
                if not asked:
                    asked = True
                    begin = p
                    while begin > a and data[begin - 1] != 10:
                        begin -= 1
                    code = _is_code_line(data, begin, b)
                out[i] = not (
                    code or _is_address(data, a, start[i], end[i], b) or _is_key(data, start[i], end[i], a, b)
                )
                i += 1
        p = past
    return i, formula


@njit(cache=True, nogil=True)
def prose(data, low, high, start, end) -> np.ndarray:  # type: ignore[no-untyped-def]
    """bool a hit (sorted by start): it stands in prose. low/high: the text that each hit lies in."""
    n = len(start)
    out = np.ones(n, np.bool_)
    i = 0
    while i < n:
        if _is_json(data, low[i], high[i]):
            whole = high[i]
            while i < n and start[i] < whole:
                out[i] = not _is_key(data, start[i], end[i], low[i], high[i])
                i += 1
        else:
            i = max(_prose_of(data, low[i], high[i], start, end, out, i, n), i + 1)
    return out


@njit(cache=True, nogil=True)
def _lookup(data, p, e, keys, masks) -> int:  # type: ignore[no-untyped-def]
    """The languages of a function word, as bits. A word of up to LONGEST_WORD bytes is its own number."""
    h = np.uint64(1469598103934665603)
    for q in range(p, e):
        c = data[q]
        if 65 <= c <= 90:
            c |= 32
        h = (h ^ np.uint64(c)) * np.uint64(1099511628211)
    at = np.searchsorted(keys, h)
    return masks[at] if at < len(keys) and keys[at] == h else 0


@njit(cache=True, nogil=True)
def _count(data, a, b, keys, masks, counts):  # type: ignore[no-untyped-def]
    p = a
    while p < b:
        while p < b and not _is_word(data, p, b):
            p += 1
            while p < b and data[p] & 0xC0 == 0x80:
                p += 1
        e = p
        while e < b and (_is_word(data, e, b) or data[e] & 0xC0 == 0x80):
            e += 1
        if 0 < e - p <= LONGEST_WORD:
            mask = _lookup(data, p, e, keys, masks)
            k = 0
            while mask:
                counts[k] += mask & 1
                mask >>= 1
                k += 1
        p = max(e, p + 1)


@njit(cache=True, nogil=True)
def _is_japanese(data, a, b) -> bool:  # type: ignore[no-untyped-def]
    """A tenth of the characters of CJK are kana: Japanese has half, Chinese has them in quotations only."""
    han = kana = 0
    for p in range(a, b - 1):
        if data[p] == 0xE3 and 0x81 <= data[p + 1] <= 0x83:
            kana += 1
        elif 0xE4 <= data[p] <= 0xE9:
            han += 1
    return kana > 0 and kana * 9 >= han


@njit(cache=True, nogil=True)
def languages(data, start, low, high, keys, masks, count) -> np.ndarray:  # type: ignore[no-untyped-def]
    """int64 a hit (sorted by start): the languages it can be read in, as bits; ``count`` is the bit for Japanese.

    Function words around the hit decide between languages of words (all of them if there are none, then the whole text's);
    kana say Japanese, which has no function words here.
    """
    out = np.empty(len(start), np.int64)
    block = np.int64(-1)
    text = np.int64(-1)
    held = 0
    whole = np.zeros(count, np.int64)
    for i in range(len(start)):
        if low[i] != text:
            text = low[i]
            block = -1
            whole[:] = 0
            _count(data, low[i], min(high[i], low[i] + 8 * BLOCK), keys, masks, whole)
        if (start[i] - low[i]) // BLOCK != block:
            block = (start[i] - low[i]) // BLOCK
            a = max(low[i], low[i] + block * BLOCK - AROUND)
            b = min(high[i], low[i] + (block + 1) * BLOCK + AROUND)
            # Never from inside a character.
            while a < b and data[a] & 0xC0 == 0x80:
                a += 1
            counts = np.zeros(count, np.int64)
            _count(data, a, b, keys, masks, counts)
            if counts.max() == 0:
                counts = whole
            held = 0
            for k in range(count):
                if counts[k] == counts.max():
                    held |= 1 << k
            held |= 1 << count if _is_japanese(data, a, b) else 0
        out[i] = held
    return out


@njit(cache=True, nogil=True)
def longest(start, end, axis, unmentioned, helper) -> np.ndarray:  # type: ignore[no-untyped-def]
    """bool a hit (sorted by start): it stands, because no longer one holds it.

    A phrase that is no mention (axis ``unmentioned``) takes all that it overlaps, unless that is longer; itself it never stands.
    Of equal ones of one axis the first stands. helper: axes that take nothing but their own.
    """
    out = np.ones(len(start), np.bool_)
    for i in range(len(start)):
        if axis[i] == unmentioned:
            out[i] = False
        j = i - 1
        while j >= 0 and start[i] - start[j] < URL_REACH:
            if end[j] > start[i]:
                if _takes(start, end, axis, unmentioned, helper, j, i):
                    out[i] = False
                if _takes(start, end, axis, unmentioned, helper, i, j):
                    out[j] = False
            j -= 1
    return out


@njit(cache=True, nogil=True)
def _takes(start, end, axis, unmentioned, helper, a, b) -> bool:  # type: ignore[no-untyped-def]
    """Whether hit a takes the place of hit b, which it overlaps."""
    longer = (end[a] - start[a]) - (end[b] - start[b])
    if axis[a] == unmentioned:
        return longer >= 0
    if axis[a] == axis[b]:
        return longer > 0 or (longer == 0 and a < b)
    if axis[b] == unmentioned or helper[axis[a]] or helper[axis[b]]:
        return False
    return longer > 0 and start[a] <= start[b] and end[a] >= end[b]
