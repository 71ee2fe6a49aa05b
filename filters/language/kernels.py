"""The compiled walk that collects prose. Bytes in, bytes out; everything here works on UTF-8 without decoding it.

One file on purpose: numba's cache does not notice when a function that another file defines has changed.
"""

from __future__ import annotations

import numpy as np
from numba import njit

WINDOW = 80
"""Letters of prose in one window. Longer ones cost time in proportion and settle nothing more (docs: accuracy by length)."""
WINDOW_BYTES = 4 * WINDOW
"""A window ends here too, whatever is in it."""
PIECE = 256
"""A longer line is read in pieces of about this many bytes."""
MAX_WORD = 30
"""ASCII words longer than this are identifiers, hashes or noise."""
CLAUSE = 5
"""Plain words that make a line which ends with a semicolon a clause rather than a statement."""
COLUMNS = 7
"""group, text start, text end, letters, segment, first byte, last byte."""

_AT, _TEXT, _LETTERS, _SEGMENT, _FIRST, _LAST, _CODE_BYTES = range(7)
"""The state of the walk: where the text ends, and of the window being filled where it begins, what is in it, where it stands in the
source, and how many bytes of code were met."""

LATIN, HAN = 1, 2
"""Numbers of two scripts in the table that ``collect`` is given (see scripts.py)."""

_NEUTRAL, _WORD, _CODE = 0, 1, 2

_OPENER_LIST = (
    "import,from,def,return,elif,raise,yield,assert,pass,break,continue,global,#include,#define,package,using,const,let,"
    "var,function,public,private,protected,static,struct,void,int,@,//,/*,});,<?php,fn,func,impl,pub,end,echo,throw,catch,"
    "#if,#ifdef,#ifndef,#else,#endif,#error,#pragma,#undef,$,elsif,my,sub,fi,done,esac,then,do,local,export,exit,shift,"
    "SELECT,FROM,WHERE,JOIN,CREATE,ALTER,INSERT,UPDATE,DELETE,DROP,GRANT,alter,create,insert,drop"
)
_OPENERS = _OPENER_LIST.split(",")
"""Words that a line of code begins with and a sentence seldom does. Majority over a block decides, so strays do no harm."""
_HEADS = ("if", "for", "while", "with", "class", "else", "except", "try", "finally", "switch", "match", "async")
"""Words that begin a line of code when the line ends with a colon, a brace or a parenthesis."""


def _packed(words: tuple[str, ...] | list[str]) -> tuple[np.ndarray, np.ndarray]:
    ends = np.cumsum([len(w) for w in words]).astype(np.int64)
    return np.frombuffer("".join(words).encode(), np.uint8).copy(), ends


_OPENER_BYTES, _OPENER_ENDS = _packed(_OPENERS)
_HEAD_BYTES, _HEAD_ENDS = _packed(_HEADS)


@njit(cache=True, nogil=True)
def _is_letter(c: int) -> bool:
    return 97 <= (c | 32) <= 122


@njit(cache=True, nogil=True)
def _is_space(c: int) -> bool:
    return c <= 32


@njit(cache=True, nogil=True)
def _starts_with_one_of(data, a, b, words, ends) -> bool:  # type: ignore[no-untyped-def]
    """Whether the line begins with one of these words, and the word ends there."""
    low = 0
    for k in range(len(ends)):
        n = ends[k] - low
        if a + n <= b and data[a] == words[low]:
            same = True
            for j in range(n):
                if data[a + j] != words[low + j]:
                    same = False
                    break
            if same and (a + n == b or not (_is_letter(data[a + n]) and _is_letter(words[low + n - 1]))):
                return True
        low = ends[k]
    return False


@njit(cache=True, nogil=True)
def _looks_like_code(data, a, b, words, codes) -> bool:  # type: ignore[no-untyped-def]
    """A line's first word and last byte (a:b has no space at either side): statements, braces, block heads."""
    last = data[b - 1]
    if last == 59 and (words < CLAUSE or codes > 0):  # clauses end with ; too
        return True
    if last == 123 or last == 125 or data[a] == 125:  # ; { }
        return True
    stop = last == 46 or last == 33 or last == 63 or last == 44  # . ! ? ,
    if not stop and _starts_with_one_of(data, a, b, _OPENER_BYTES, _OPENER_ENDS):
        return True
    opens = last == 58 or last == 41 or last == 92  # : ) \
    return opens and _starts_with_one_of(data, a, b, _HEAD_BYTES, _HEAD_ENDS)


@njit(cache=True, nogil=True)
def _find(data, a, b, c, d) -> int:  # type: ignore[no-untyped-def]
    """Offset of byte c (followed by d, unless d is 0) in a:b, or -1."""
    for p in range(a, b):
        if data[p] == c and (d == 0 or (p + 1 < b and data[p + 1] == d)):
            return p
    return -1


@njit(cache=True, nogil=True)
def _skip_markup(data, p, b) -> tuple[int, bool]:  # type: ignore[no-untyped-def]
    """Past inline code, a formula or a tag that begins at p (p itself if none does), and whether a display formula opens."""
    c = data[p]
    following = data[p + 1] if p + 1 < b else 32
    if c == 96:  # `code`
        run = p
        while run < b and data[run] == 96:
            run += 1
        close = _find(data, run, b, 96, 0)
        while close >= 0 and close < b and data[close] == 96:
            close += 1
        return (close if close > 0 else run), False
    if c == 36:  # $x$ or $$; an amount of money begins with a digit
        if following == 36:
            close = _find(data, p + 2, b, 36, 36)
            return (close + 2, False) if close >= 0 else (b, True)
        if following > 32 and not 48 <= following <= 57:
            close = _find(data, p + 1, b, 36, 0)
            return (close + 1 if close >= 0 else p + 1), False
        return p + 1, False
    if c == 92:  # \( \), \[ \], \command
        if following == 40 or following == 91:
            close = _find(data, p + 2, b, 92, following + (1 if following == 40 else 2))
            if close >= 0:
                return close + 2, False
            return (b, True) if following == 91 else (p + 2, False)
        p += 1
        while p < b and (_is_letter(data[p]) or data[p] == 92):
            p += 1
        while p < b and data[p] == 123:  # {argument}
            close = _find(data, p, b, 125, 0)
            if close < 0:
                break
            p = close + 1
        return p, False
    if c == 60 and (_is_letter(following) or following == 47 or following == 33):  # <tag>
        close = _find(data, p, min(b, p + 200), 62, 0)
        if close >= 0:
            return close + 1, False
    return p, False


@njit(cache=True, nogil=True)
def _ascii_word(data, a, b) -> tuple[int, int, int]:  # type: ignore[no-untyped-def]
    """What an ASCII token is, and the bounds of its letters: a word, code, or neither (numbers, bullets, addresses)."""
    while a < b and not _is_letter(data[a]) and data[a] in (34, 39, 40, 91, 42, 95, 45, 62, 35):  # "'([*_->#
        a += 1
    quoted = False
    while a < b and data[b - 1] in (46, 44, 59, 58, 33, 63, 41, 93, 34, 39, 42, 95):  # .,;:!?)]"'*_
        if data[b - 1] == 34 and b < len(data) and data[b] == 58:
            quoted = True  # "key":
        b -= 1
    if a == b:
        return _NEUTRAL, a, b
    letters = symbols = 0
    operators = humps = brackets = False
    for p in range(a, b):
        c = data[p]
        if _is_letter(c):
            letters += 1
            humps |= p > a and c <= 90 and 97 <= data[p - 1] <= 122
        elif (c == 58 and p + 2 < b and data[p + 1] == 47 and data[p + 2] == 47) or c == 64:  # ://
            return _NEUTRAL, a, b
        elif (c == 39 or c == 45) and p > a:  # ' -
            pass
        else:
            symbols += 1
            brackets |= c in (40, 41, 123, 125, 91, 93)  # (){}[]
            operators |= c in (61, 60, 62, 124, 95, 43, 59, 38)  # =<>|_+;&
    if quoted:
        return _CODE, a, b
    if letters == 0:
        return (_CODE if brackets else _NEUTRAL), a, b  # arithmetic in a sentence is no code
    if symbols == 0 and not humps and b - a <= MAX_WORD:
        return _WORD, a, b
    return (_CODE if brackets or operators or humps or (symbols > 0 and letters > 2) else _NEUTRAL), a, b


@njit(cache=True, nogil=True)
def _copy_ascii(data, a, b, text, at) -> int:  # type: ignore[no-untyped-def]
    """The word and a space; words in capitals are lowered, since the model was trained on running text."""
    capitals = b - a > 1
    for p in range(a, b):
        capitals &= not 97 <= data[p] <= 122
    for p in range(a, b):
        c = data[p]
        text[at] = c | 32 if capitals and 65 <= c <= 90 else c
        at += 1
    text[at] = 32
    return at + 1


@njit(cache=True, nogil=True)
def _copy_wide(data, a, b, text, at) -> tuple[int, int]:  # type: ignore[no-untyped-def]
    """A token with letters beyond ASCII, cleaned, and a space. Returns where it ends and the letters in it.

    ASCII letters stay among accented, Cyrillic or Arabic ones and go among scripts of three bytes (a Latin name in a
    Chinese sentence says nothing of the language).
    """
    dense = False
    for p in range(a, b):
        if 0xE0 <= data[p] < 0xF0 and data[p] != 0xE2:
            # Vietnamese and old Greek have letters of three bytes, too (E1 B8 to E1 BF).
            dense |= data[p] != 0xE1 or p + 1 == b or data[p + 1] < 0xB8
    begun, letters = at, 0
    p = a
    while p < b:
        c = data[p]
        n = 1 if c < 0x80 else 2 if c < 0xE0 else 3 if c < 0xF0 else 4
        n = min(n, b - p)
        second = data[p + 1] if n > 1 else 0
        weight = 0  # of a letter; 0: kept but not counted; -1: a space instead
        if n == 1:
            weight = -1 if not _is_letter(c) or dense else 1
            if (c == 39 or c == 45) and not dense:
                weight = 0
        elif n == 2:
            weight = 1
            if c == 0xC2 or (c == 0xC3 and (second == 0x97 or second == 0xB7)):
                weight = -1
        elif c == 0xE2 and second < 0xB0:
            weight = -1
            if second == 0x80 and n == 3 and data[p + 2] == 0x99:  # ’
                text[at] = 39
                at += 1
                p += 3
                continue
        elif n == 4:
            weight = -1
            if 0xA0 <= second <= 0xB3 and c == 0xF0:
                weight = 3
        elif (c == 0xE3 and second == 0x80) or (c == 0xEF and second >= 0xB8):  # punctuation and wide forms
            weight = 0
        elif c == 0xE3 and 0x81 <= second <= 0x83:
            weight = 3
        elif (c == 0xE3 and second >= 0x90) or 0xE4 <= c <= 0xE9 or (c == 0xEA and second >= 0xB0) or 0xEB <= c <= 0xED:
            weight = 3
        else:
            weight = 1
        if weight < 0:
            text[at] = 32
            at += 1
        else:
            letters += weight
            for j in range(n):
                text[at] = data[p + j]
                at += 1
        p += n
    if letters == 0:
        return begun, 0
    text[at] = 32
    return at + 1, letters


@njit(cache=True, nogil=True)
def _copy_line(data, a, b, text, at) -> tuple[int, int, bool, bool]:  # type: ignore[no-untyped-def]
    """The prose of one line (or piece): where it ends and its letters; whether it is code; whether a formula opens."""
    begun, letters = at, 0
    words = codes = tabs = 0
    opens = False
    p = a
    while p < b:
        c = data[p]
        if _is_space(c):
            tabs += c == 9
            p += 1
            continue
        if c == 96 or c == 36 or c == 92 or c == 60:
            past, opens = _skip_markup(data, p, b)
            if opens:
                break
            if past > p:
                p = past
                continue
        e = p + 1
        wide = c >= 0x80
        while e < b and not _is_space(data[e]):
            c = data[e]
            if c == 96 or c == 36 or c == 92 or c == 60:
                break
            wide |= c >= 0x80
            e += 1
        if wide:
            at, more = _copy_wide(data, p, e, text, at)
            letters += more
            # Scripts without spaces put a whole clause in one token.
            words += (more + 5) // 6
        else:
            kind, low, high = _ascii_word(data, p, e)
            if kind == _WORD:
                at = _copy_ascii(data, low, high, text, at)
                letters += high - low
                words += 1
            codes += kind == _CODE
        p = e
    code = _looks_like_code(data, a, b, words, codes) or (codes > 0 and codes * 2 >= words)
    if code or tabs >= 2 or data[a] == 124:  # a table's row: | or tabs
        return begun, 0, code, opens
    return at, letters, False, opens


@njit(cache=True, nogil=True)
def _is_json(data, a, b) -> bool:  # type: ignore[no-untyped-def]
    while a < b and _is_space(data[a]):
        a += 1
    while a < b and _is_space(data[b - 1]):
        b -= 1
    if b - a < 2:
        return False
    return (data[a] == 123 and data[b - 1] == 125) or (data[a] == 91 and data[b - 1] == 93)


@njit(cache=True, nogil=True)
def _piece_end(data, a, b, clauses) -> tuple[int, bool]:  # type: ignore[no-untyped-def]
    """Where the line, piece or (if asked for) clause that begins at a ends, and whether a newline is there."""
    e, stop = a, min(b, a + PIECE)
    while e < stop:
        if data[e] == 10:
            return e, True
        e += 1
        if clauses and data[e - 1] == 58 and e < b and data[e] == 32:  # ": "
            return e, False
    far = min(b, e + 64)
    cut = e
    while cut < far and not _is_space(data[cut]):
        cut += 1
    if cut < far or cut == b:
        return cut, cut < b and data[cut] == 10
    while e < b and data[e] & 0xC0 == 0x80:
        e += 1
    return e, False


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def _fence(data, low, high) -> bool:  # type: ignore[no-untyped-def]
    mark = data[low] if high - low >= 3 else 0
    return (mark == 96 or mark == 126) and data[low + 1] == mark and data[low + 2] == mark


@njit(cache=True, nogil=True)
def _end_block(now, kept, lines, codes) -> None:  # type: ignore[no-untyped-def]
    """If half of a block's lines are code, none of it is prose: back to how things stood before it."""
    if codes * 2 >= lines and lines > 1:
        code = now[_CODE_BYTES] + now[_LETTERS] - kept[_LETTERS]
        now[:] = kept
        now[_CODE_BYTES] = code
    kept[:] = now


@njit(cache=True, nogil=True)
def _empty_window(now, kept) -> None:  # type: ignore[no-untyped-def]
    at = now[_AT]
    now[:] = 0
    now[_AT], now[_TEXT], now[_SEGMENT] = at, at, -1
    kept[:] = now


@njit(cache=True, nogil=True)
def _is_full(now) -> bool:  # type: ignore[no-untyped-def]
    return now[_LETTERS] >= WINDOW or now[_AT] - now[_TEXT] >= WINDOW_BYTES


@njit(cache=True, nogil=True)
def _emit(table, row, group, now) -> None:  # type: ignore[no-untyped-def]
    table[row, 0] = group
    table[row, 1] = now[_TEXT]
    table[row, 2] = now[_AT]
    for k in range(_LETTERS, _CODE_BYTES):
        table[row, k + 1] = now[k]


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def _add_line(data, low, high, text, now, segment) -> tuple[bool, bool]:  # type: ignore[no-untyped-def]
    """Copy a line's prose into the window; whether the line is code, and whether a display formula opens in it."""
    now[_AT], letters, code, opens = _copy_line(data, low, high, text, now[_AT])
    now[_CODE_BYTES] += high - low if code else 0
    if letters > 0:
        if now[_SEGMENT] < 0:
            now[_SEGMENT], now[_FIRST] = segment, low
        # A window may run on into later segments; its place is told in the segment it begins in.
        if now[_SEGMENT] == segment:
            now[_LAST] = high
        now[_LETTERS] += letters
    return code, opens


@njit(cache=True, nogil=True)
def _closes_formula(data, low, high) -> bool:  # type: ignore[no-untyped-def]
    return _find(data, low, high, 36, 36) >= 0 or _find(data, low, high, 92, 93) >= 0  # $$ or \]


@njit(cache=True, nogil=True)
def _segment(data, a, b, i, g, plan, passed, zone, text, table, count, now, kept, script, letters, code_zones):  # type: ignore[no-untyped-def]
    """One segment's lines, into windows and the census. Returns the number of windows and the zone it ends in."""
    step, zones, enough, clauses = plan
    fenced = formula = False
    fresh = True  # at the start of a line
    lines = codes = 0
    kept[:] = now
    p = a
    while p < b:
        q, newline = _piece_end(data, p, b, clauses)
        low, high = p, q
        while low < high and _is_space(data[low]):
            low += 1
        while high > low and _is_space(data[high - 1]):
            high -= 1
        fence = fresh and _fence(data, low, high)
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
            formula = not _closes_formula(data, low, high)
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


@njit(cache=True, nogil=True)
def collect(data, start, end, group, plan, script, text, table, letters, code_zones) -> int:  # type: ignore[no-untyped-def]
    """Fill text and table (one row a window, see COLUMNS), add to letters[group, script] and to code_zones[group], the zones that
    were mostly code; returns the number of windows.

    plan: for each group, bytes a zone, the number of zones, letters that are enough for a window, whether clauses are lines.
    """
    now, kept = np.zeros(7, np.int64), np.zeros(7, np.int64)
    count = i = 0
    while i < len(start):
        g, first_row, passed, zone = group[i], count, 0, 0
        step, zones, enough, clauses = plan[g, 0], plan[g, 1], plan[g, 2], plan[g, 3]
        _empty_window(now, kept)
        while i < len(start) and group[i] == g:
            a, b = start[i], end[i]
            if not _is_json(data, a, b):
                count, zone = _segment(
                    data, a, b, i, g, (step, zones, enough, clauses), passed, zone, text, table, count, now, kept,
                    script, letters[g], code_zones,
                )  # fmt: skip
            passed += b - a
            i += 1
        count = _last_zone(now, table, count, first_row, g, enough, code_zones)
    return count


@njit(cache=True, nogil=True)
def census(text, start, end, script, letters) -> None:  # type: ignore[no-untyped-def]
    """Letters by script of each text[start:end], added to letters[n, scripts]."""
    for i in range(len(start)):
        _census(text, start[i], end[i], script, letters[i])
