"""Markup that is only spoken of: in code, in quotes, or in a sentence about it."""

from __future__ import annotations

import re
from bisect import bisect_right

SPANS = 20
"""Places of one kind shown for one segment."""

Spans = tuple[list[int], list[int]]
"""Starts and ends, sorted."""

_CODE = re.compile(rb"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]{1,200}`", re.DOTALL)
_QUOTES = {b'"': b'"', b"'": b"'", b"\xe2\x80\x9c": b"\xe2\x80\x9d", b"\xe2\x80\x98": b"\xe2\x80\x99"}
_NOUN = re.compile(rb" ?(?:tags?|tokens?|blocks?|elements?|sections?|markers?|markup|delimiters?)\b", re.IGNORECASE)
_WORD_BEFORE = re.compile(rb"(?:[a-z]{2,}|\ba)[,:]? \Z")
_TEXT_AFTER = re.compile(rb"[,;:)]? ?[^\s]")


def code_spans(raw: bytes) -> Spans:
    found = [m.span() for m in _CODE.finditer(raw)]
    return [s for s, _ in found], [e for _, e in found]


def is_mention(raw: bytes, start: int, end: int, code: Spans) -> bool:
    """In a code span, or between quotes."""
    at = bisect_right(code[0], start) - 1
    if at >= 0 and code[0][at] < start and end <= code[1][at]:
        return True
    return any(raw[max(0, start - len(q)) : start] == q and raw[end : end + len(w)] == w for q, w in _QUOTES.items())


def is_named(raw: bytes, start: int, end: int) -> bool:
    """``the <think> tag``: a word of a sentence, which says what it is."""
    return bool(_NOUN.match(raw, end)) and bool(_WORD_BEFORE.search(raw, max(0, start - 40), start))


def is_in_sentence(raw: bytes, start: int, end: int) -> bool:
    """A word before it and text behind it, on the same line. Enough only where the question was about such tags."""
    return bool(_WORD_BEFORE.search(raw, max(0, start - 40), start)) and bool(_TEXT_AFTER.match(raw, end))
