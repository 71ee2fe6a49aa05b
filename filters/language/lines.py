"""Lines, compiled: where they end, whether they are code, and their prose copied.

What is here is compiled into ``kernels.collect``, and only that is cached.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from filters.language.tokens import (
    CODE,
    WORD,
    ascii_word,
    copy_ascii,
    copy_wide,
    find,
    is_letter,
    is_space,
    skip_markup,
)

PIECE = 256
"""A longer line is read in pieces of about this many bytes."""
CLAUSE = 5
"""Plain words that make a line which ends with a semicolon a clause rather than a statement."""

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


@njit(nogil=True)
def starts_with_one_of(data, a, b, words, ends) -> bool:  # type: ignore[no-untyped-def]
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
            if same and (a + n == b or not (is_letter(data[a + n]) and is_letter(words[low + n - 1]))):
                return True
        low = ends[k]
    return False


@njit(nogil=True)
def looks_like_code(data, a, b, words, codes) -> bool:  # type: ignore[no-untyped-def]
    """A line's first word and last byte (a:b has no space at either side): statements, braces, block heads."""
    last = data[b - 1]
    if last == 59 and (words < CLAUSE or codes > 0):  # clauses end with ; too
        return True
    if last == 123 or last == 125 or data[a] == 125:  # ; { }
        return True
    stop = last == 46 or last == 33 or last == 63 or last == 44  # . ! ? ,
    if not stop and starts_with_one_of(data, a, b, _OPENER_BYTES, _OPENER_ENDS):
        return True
    opens = last == 58 or last == 41 or last == 92  # : ) \
    return opens and starts_with_one_of(data, a, b, _HEAD_BYTES, _HEAD_ENDS)


@njit(nogil=True)
def copy_line(data, a, b, text, at) -> tuple[int, int, bool, bool]:  # type: ignore[no-untyped-def]
    """The prose of one line (or piece): where it ends and its letters; whether it is code; whether a formula opens."""
    begun, letters = at, 0
    words = codes = tabs = 0
    opens = False
    p = a
    while p < b:
        c = data[p]
        if is_space(c):
            tabs += c == 9
            p += 1
            continue
        if c == 96 or c == 36 or c == 92 or c == 60:
            past, opens = skip_markup(data, p, b)
            if opens:
                break
            if past > p:
                p = past
                continue
        e = p + 1
        wide = c >= 0x80
        while e < b and not is_space(data[e]):
            c = data[e]
            if c == 96 or c == 36 or c == 92 or c == 60:
                break
            wide |= c >= 0x80
            e += 1
        if wide:
            at, more = copy_wide(data, p, e, text, at)
            letters += more
            # Scripts without spaces put a whole clause in one token.
            words += (more + 5) // 6
        else:
            kind, low, high = ascii_word(data, p, e)
            if kind == WORD:
                at = copy_ascii(data, low, high, text, at)
                letters += high - low
                words += 1
            codes += kind == CODE
        p = e
    code = looks_like_code(data, a, b, words, codes) or (codes > 0 and codes * 2 >= words)
    if code or tabs >= 2 or data[a] == 124:  # a table's row: | or tabs
        return begun, 0, code, opens
    return at, letters, False, opens


@njit(nogil=True)
def is_json(data, a, b) -> bool:  # type: ignore[no-untyped-def]
    while a < b and is_space(data[a]):
        a += 1
    while a < b and is_space(data[b - 1]):
        b -= 1
    if b - a < 2:
        return False
    return (data[a] == 123 and data[b - 1] == 125) or (data[a] == 91 and data[b - 1] == 93)


@njit(nogil=True)
def piece_end(data, a, b, clauses) -> tuple[int, bool]:  # type: ignore[no-untyped-def]
    """Where the line, piece or (if asked for) clause that begins at a ends, and whether a newline is there."""
    e, stop = a, min(b, a + PIECE)
    while e < stop and data[e] != 10:
        e += 1
    if clauses:
        colon = find(data, a, e, 58, 32)  # ": "
        if colon >= 0:
            return colon + 1, False
    if e < stop:
        return e, True
    far = min(b, e + 64)
    cut = e
    while cut < far and not is_space(data[cut]):
        cut += 1
    if cut < far or cut == b:
        return cut, cut < b and data[cut] == 10
    while e < b and data[e] & 0xC0 == 0x80:
        e += 1
    return e, False


@njit(nogil=True)
def is_fence(data, low, high) -> bool:  # type: ignore[no-untyped-def]
    mark = data[low] if high - low >= 3 else 0
    return (mark == 96 or mark == 126) and data[low + 1] == mark and data[low + 2] == mark


@njit(nogil=True)
def closes_formula(data, low, high) -> bool:  # type: ignore[no-untyped-def]
    return find(data, low, high, 36, 36) >= 0 or find(data, low, high, 92, 93) >= 0  # $$ or \]
