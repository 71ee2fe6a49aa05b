"""Compiled passes over joined texts: word boundaries in UTF-8, what is no prose, which language stands around a hit.

One file on purpose: numba's cache does not notice when a function that another file defines has changed.
"""

from __future__ import annotations

import numpy as np
from numba import njit

URL_REACH = 200
"""Bytes before a hit in which the start of the address that it stands in is looked for."""
FAR = 4096
"""Bytes in which inline code or a formula must close; without a bound a line of openers would take quadratic time."""
AROUND = 160
"""Bytes on either side of a block that its language is read from."""
BLOCK = 256
"""Bytes that share one reading of their language."""
LONGEST_WORD = 12
"""Function words are short; longer ones are not looked up."""
ENOUGH = 6
"""Function words around a block that settle its language by themselves."""
SPECIAL = np.isin(np.arange(256), [10, 96, 36, 92, 60])
"""Bytes at which something may begin that is no prose: newline ` $ backslash <"""


_STARTS = np.array([97 <= (c | 32) <= 122 if c < 128 else 0xC3 <= c <= 0xE1 for c in range(256)])
"""Bytes that letters begin with, in scripts that put spaces between words. CJK and punctuation part words as a space does."""
_GOES_ON = _STARTS | np.array([0x80 <= c <= 0xBF for c in range(256)])


@njit(cache=True, nogil=True)
def _is_letter(data, p, high) -> bool:  # type: ignore[no-untyped-def]
    return p < high and _STARTS[data[p]]


@njit(cache=True, nogil=True)
def _lowered(data, p) -> int:  # type: ignore[no-untyped-def]
    """The byte at p, of the small letter: ASCII and Latin-1 (É is C3 89, é is C3 A9)."""
    c = data[p]
    if 65 <= c <= 90:
        return c | 32
    if 0x80 <= c <= 0x9E and c != 0x97 and p > 0 and data[p - 1] == 0xC3:
        return c + 32
    return c


@njit(cache=True, nogil=True)
def _hash(data, p, e):  # type: ignore[no-untyped-def]
    """FNV-1a. Without bit 5 capitals of ASCII and Latin-1 are as their small letters; what else that merges, a look at the
    bytes tells apart."""
    h = np.uint64(1469598103934665603)
    for q in range(p, e):
        h = (h ^ np.uint64(data[q] | 32)) * np.uint64(1099511628211)
    return h


@njit(cache=True, nogil=True)
def shape(data, p, e):  # type: ignore[no-untyped-def]
    """A word's first two bytes and its last, five bits of each, as a place in the table of lengths."""
    return (np.int64(data[p] & 31) << 10) | (np.int64(data[p + 1] & 31) << 5) | np.int64(data[e - 1] & 31)


@njit(cache=True, nogil=True)
def _find(h, keys, values) -> int:  # type: ignore[no-untyped-def]
    """The value of a key in an open table (its size a power of two, 0 marks a free place), or -1."""
    mask = np.uint64(len(keys) - 1)
    at = (h ^ (h >> np.uint64(32))) & mask
    while keys[at] != 0:
        if keys[at] == h:
            return values[at]
        at = (at + np.uint64(1)) & mask
    return -1


@njit(cache=True, nogil=True)
def word_end(data, p, high) -> int:  # type: ignore[no-untyped-def]
    """Where the run of letters that begins at p ends (p itself if none does)."""
    if _is_letter(data, p, high):
        p += 1
        while p < high and _GOES_ON[data[p]]:
            p += 1
    return p


@njit(cache=True, nogil=True)
def first_key(data, p, high):  # type: ignore[no-untyped-def]
    """What a form is looked up by: its first word, or its first character where there are no words."""
    e = word_end(data, p, high)
    if e == p:
        e = p + 1
        while e < high and data[e] & 0xC0 == 0x80:
            e += 1
    return _hash(data, p, e)


@njit(cache=True, nogil=True)
def _matches(data, p, high, form, a, b, exact) -> int:  # type: ignore[no-untyped-def]
    """Where the form (bytes a:b of ``form``) ends if it stands at p, or -1. A space is a line's end or a hyphen as well."""
    while a < b:
        if p >= high:
            return -1
        c, d = data[p], form[a]
        if d == 32 or d == 45:
            if c != 32 and c != 10 and c != 45:
                return -1
        elif d == 39 and c == 0xE2:  # ’
            if p + 2 >= high or data[p + 1] != 0x80 or data[p + 2] != 0x99:
                return -1
            p += 2
        elif (c != d) if exact else (_lowered(data, p) != _lowered(form, a)):
            return -1
        p += 1
        a += 1
    return p


@njit(cache=True, nogil=True)
def scan(data, begin, high, lengths, keys, values, first, forms, text, low_text, exact, number, out):  # type: ignore[no-untyped-def]
    """Fill out (rows of start, end, form) with the forms that stand in data[begin:high]; returns rows and where to go on.

    lengths: for each shape, the lengths (bits, 31 and more as one) that words of it have: most words of a text end there.
    keys/values: a table from a form's first word to a place in ``first``; forms[first[v]:first[v + 1]] have that word; form f is
    text[low_text[f]:low_text[f + 1]]. number: the form may follow a digit (34岁, 34enne).
    """
    count = 0
    p = begin
    while p < high:
        c = data[p]
        if _is_letter(data, p, high):
            e = word_end(data, p, high)
            if e - p < 2 or not (lengths[shape(data, p, e)] >> np.uint32(min(e - p, 31))) & np.uint32(1):
                p = e
                continue
        elif 0xE3 <= c <= 0xED:
            e = p + 3
        else:
            p += 1
            continue
        at = _find(_hash(data, p, min(e, high)), keys, values)
        if at >= 0:
            if count + first[at + 1] - first[at] > len(out):
                return count, p
            before = data[p - 1] if p > 0 else 32
            for k in range(first[at], first[at + 1]):
                f = forms[k]
                end = _matches(data, p, high, text, low_text[f], low_text[f + 1], exact[f])
                if end < 0 or before == 95 or (48 <= before <= 57 and not number[f] and c < 0xE3):
                    continue
                # A form of letters ends where its word ends.
                if end < high and text[low_text[f + 1] - 1] != 46 and data[end - 1] < 0x80:
                    after = data[end]
                    if _is_letter(data, end, high) or after == 95 or 48 <= after <= 57:
                        continue
                elif end < high and c < 0xE2 and _is_letter(data, end, high):
                    continue
                out[count, 0] = p
                out[count, 1] = end
                out[count, 2] = f
                count += 1
        p = e
    return count, p


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
    before_dot = start - 2 >= a and data[start - 1] == 46 and _is_letter(data, start - 2, b)
    after_dot = end + 1 < b and data[end] == 46 and 97 <= data[end + 1] <= 122
    at_sign = end < b and data[end] == 64
    return before_dot or after_dot or at_sign


@njit(cache=True, nogil=True)
def _is_key(data, start, end, a, b) -> bool:  # type: ignore[no-untyped-def]
    """A JSON key or an assignment: "man": or man= or =man or man( right at the hit."""
    if start - 1 > a and data[start - 1] == 61 and _is_letter(data, start - 2, b):
        return True
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
def _fence_end(data, p, b) -> int:  # type: ignore[no-untyped-def]
    """The end of the line that begins at p if it is a fence (``` or ~~~, quoted or not), else -1."""
    while p < b and (data[p] == 32 or data[p] == 9 or data[p] == 62):
        p += 1
    if p + 2 < b and (data[p] == 96 or data[p] == 126) and data[p] == data[p + 1] and data[p] == data[p + 2]:
        return _line_end(data, p, b)
    return -1


@njit(cache=True, nogil=True)
def _skip(data, p, b) -> tuple[int, int]:  # type: ignore[no-untyped-def]
    """Past inline code, a formula or a tag that begins at p (p + 1 if none does), and the byte that closes a display formula
    that stays open at the line's end (0 if none does)."""
    c = data[p]
    following = data[p + 1] if p + 1 < b else 32
    if c == 96:
        run = p
        while run < b and data[run] == 96:
            run += 1
        close = _closing(data, run, min(b, run + FAR), 96, 0)
        return (close + 1 if close >= 0 else run), 0
    if c == 36 and following == 36:
        close = _closing(data, p + 2, min(b, p + FAR), 36, 36)
        return (close + 2, 0) if close >= 0 else (p + 2, 36)
    if c == 36 and following > 32 and not 48 <= following <= 57:
        close = _closing(data, p + 1, min(b, p + FAR), 36, 0)
        return (close + 1 if close >= 0 else p + 1), 0
    if c == 92 and (following == 40 or following == 91):
        close = _closing(data, p + 2, min(b, p + FAR), 92, following + (1 if following == 40 else 2))
        if close >= 0:
            return close + 2, 0
        return p + 2, 93 if following == 91 else 0
    if c == 60 and (97 <= (following | 32) <= 122 or following == 47):
        close = _closing(data, p, min(b, p + URL_REACH), 62, 0)
        return (close + 1 if close >= 0 else p + 1), 0
    return p + 1, 0


@njit(cache=True, nogil=True)
def _prose_of(data, a, b, start, end, out, i, n, special) -> int:  # type: ignore[no-untyped-def]
    """Fill out[i..] for the hits (sorted by start) that lie in the text a:b; returns the index after the last of them."""
    fenced = False
    formula = 0
    p = line = a
    fresh = True
    code = -1
    while i < n and start[i] < b:
        if fresh:
            line, fresh, code = p, False, -1
            fence = _fence_end(data, p, b)
            if fence >= 0:
                fenced = not fenced
            if fence >= 0 or fenced:
                p = _line_end(data, p, b)
                while i < n and start[i] < p:
                    out[i] = False
                    i += 1
                fresh = True
                p += 1
                continue
        stop = min(b, start[i])
        while p < stop and not special[data[p]]:
            p += 1
        if p < stop or special[data[p]]:
            c = data[p]
            if c == 10:
                fresh = True
                p += 1
                continue
            past, opened = p + 1, 0
            if formula == 0:
                past, opened = _skip(data, p, b)
            elif (c == 36 and formula == 36) or (c == 92 and formula == 93 and p + 1 < b and data[p + 1] == 93):
                formula = 0
                past = p + 2
            if opened:
                formula = opened
            while i < n and start[i] < past:
                out[i] = False
                i += 1
            p = past
            continue
        if code < 0:
            code = 1 if _is_code_line(data, line, b) else 0
        bad = code == 1 or formula != 0
        out[i] = not (bad or _is_address(data, a, start[i], end[i], b) or _is_key(data, start[i], end[i], a, b))
        i += 1
    return i


@njit(cache=True, nogil=True)
def prose(data, low, high, start, end, special) -> np.ndarray:  # type: ignore[no-untyped-def]
    """bool a hit (sorted by start): it stands in prose. low/high: the text that each hit lies in. special: bool[256], SPECIAL."""
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
            i = _prose_of(data, low[i], high[i], start, end, out, i, n, special)
    return out


@njit(cache=True, nogil=True)
def _count(data, a, b, keys, values, counts):  # type: ignore[no-untyped-def]
    """Add the function words in data[a:b] to the counts of their languages."""
    p = a
    while p < b:
        if not _is_letter(data, p, b):
            p += 1
            continue
        e = word_end(data, p, b)
        if e - p <= LONGEST_WORD:
            mask = _find(_hash(data, p, e), keys, values)
            k = 0
            while mask > 0:
                counts[k] += mask & 1
                mask >>= 1
                k += 1
        p = e


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
def languages(data, start, low, high, keys, values, count) -> np.ndarray:  # type: ignore[no-untyped-def]
    """int64 a hit (sorted by start): the languages it can be read in, as bits; ``count`` is the bit for Japanese.

    Function words around the hit decide between languages of words (where they are few, those that the text begins with, too;
    without any, all are possible); kana say Japanese.
    """
    out = np.empty(len(start), np.int64)
    block = np.int64(-1)
    text = np.int64(-1)
    held = np.int64(0)
    whole = np.zeros(count, np.int64)
    for i in range(len(start)):
        if low[i] != text:
            text = low[i]
            block = np.int64(-1)
            whole[:] = 0
            _count(data, low[i], min(high[i], low[i] + 8 * BLOCK), keys, values, whole)
        if (start[i] - low[i]) // BLOCK != block:
            block = (start[i] - low[i]) // BLOCK
            a = max(low[i], low[i] + block * BLOCK - AROUND)
            b = min(high[i], low[i] + (block + 1) * BLOCK + AROUND)
            # Never from inside a character.
            while a < b and data[a] & 0xC0 == 0x80:
                a += 1
            counts = np.zeros(count, np.int64)
            _count(data, a, b, keys, values, counts)
            # Lists of names and short texts: what the text begins with tells, too.
            if counts.max() < ENOUGH:
                counts += whole
            held = np.int64(0)
            for k in range(count):
                # Two thirds are enough: short texts have few function words, and neighbours share many.
                if 3 * counts[k] >= 2 * counts.max():
                    held |= np.int64(1 << k)
            held |= np.int64(1 << count if _is_japanese(data, a, b) else 0)
        out[i] = held
    return out


@njit(cache=True, nogil=True)
def longest(start, end, axis, unmentioned, kin) -> np.ndarray:  # type: ignore[no-untyped-def]
    """bool a hit (sorted by start): it stands, because no longer one of its kin holds it.

    A phrase that is no mention (axis ``unmentioned``) takes all that it overlaps, unless that is longer; itself it never stands.
    Of equal ones of one axis the first stands. kin: axes with one number take from each other.
    """
    out = np.ones(len(start), np.bool_)
    reach = 0
    for i in range(len(start)):
        reach = max(reach, end[i] - start[i])
    for i in range(len(start)):
        if axis[i] == unmentioned:
            out[i] = False
        j = i - 1
        while j >= 0 and start[i] - start[j] < reach:
            if end[j] > start[i]:
                if _takes(start, end, axis, unmentioned, kin, j, i):
                    out[i] = False
                if _takes(start, end, axis, unmentioned, kin, i, j):
                    out[j] = False
            j -= 1
    return out


@njit(cache=True, nogil=True)
def _takes(start, end, axis, unmentioned, kin, a, b) -> bool:  # type: ignore[no-untyped-def]
    """Whether hit a takes the place of hit b, which it overlaps."""
    longer = (end[a] - start[a]) - (end[b] - start[b])
    if axis[a] == unmentioned:
        return longer >= 0
    if axis[a] == axis[b]:
        return longer > 0 or (longer == 0 and a < b)
    return kin[axis[a]] == kin[axis[b]] and longer > 0 and start[a] <= start[b] and end[a] >= end[b]
