r"""What one position of a parsed pattern can take: which ASCII characters, and whether any beyond it.

``re`` and ``regex`` do not agree on ``\s`` and on cases beyond ASCII: wherever they differ, the larger set counts, and in a
negated class what the smaller one leaves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# The standard library's own parser, which has no public name since 3.11. Tests hold every node kind used here in place.
from re import _constants as c  # type: ignore[attr-defined]
from typing import Any

ASCII = frozenset(range(128))
WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_DIGIT = frozenset(b"0123456789")
_SPACE = frozenset(b" \t\n\r\f\v")
_SPACE_MAYBE = _SPACE | frozenset(b"\x1c\x1d\x1e\x1f")
"""``re`` takes the four separators for white space, ``regex`` does not: they count wherever that finds more."""
_FOLDED = frozenset(b"iksIKS")
"""ASCII letters with a case variant beyond ASCII (İ, the Kelvin sign, the long s)."""


class Unfilterable(ValueError):
    """A pattern of which no safe approximation is known."""


@dataclass(frozen=True)
class Chars:
    """Characters one position can take: these ASCII ones; ``beyond``: and some others; ``folded``: only by case."""

    ascii: frozenset[int]
    beyond: bool = False
    folded: bool = False


def chars_of(op: Any, value: Any, flags: int) -> Chars | None:
    """What a node that takes exactly one character can take; None for any other node."""
    fold = bool(flags & re.IGNORECASE)
    if op is c.LITERAL:
        return _literal(value, fold)
    if op is c.NOT_LITERAL:
        out = frozenset({value}) if not fold else _both_cases(frozenset({value}))
        return Chars(ASCII - out, True)
    if op is c.ANY:
        return Chars(ASCII, True)
    return _members(value, fold) if op is c.IN else None


def _literal(code: int, fold: bool) -> Chars:
    if code > 127:
        return Chars(_FOLDED if fold else frozenset(), True)
    if not fold:
        return Chars(frozenset({code}))
    return Chars(_both_cases(frozenset({code})), code in _FOLDED, code in _FOLDED)


def _both_cases(codes: frozenset[int]) -> frozenset[int]:
    text = "".join(map(chr, codes))
    return frozenset(ord(x) for x in text.lower() + text.upper() if ord(x) < 128) | codes


def _members(items: list[Any], fold: bool) -> Chars:
    """A class. ``may`` holds all it can contain, ``must`` only what it surely does: a negated class is what is left."""
    may: set[int] = set()
    must: set[int] = set()
    beyond = negated = letters = False
    for op, value in items:
        if op is c.NEGATE:
            negated = True
        elif op is c.LITERAL:
            letters |= value > 127
            may |= {value} & ASCII
            must |= {value} & ASCII
        elif op is c.RANGE:
            letters |= value[1] > 127
            span = ASCII & frozenset(range(value[0], min(value[1], 127) + 1))
            may |= span
            must |= span
        elif op is c.CATEGORY:
            some, sure = _category(value)
            may |= some
            must |= sure
            beyond = True
        else:
            raise Unfilterable(f"{op} in a class")
    if negated:
        return Chars(ASCII - frozenset(must), True)
    out = frozenset(may)
    if fold:
        out = _both_cases(out) | (_FOLDED if letters else frozenset())
    beyond |= letters
    folded = fold and bool(out & _FOLDED) and not beyond
    return Chars(out, beyond or folded, folded)


def _category(name: Any) -> tuple[frozenset[int], frozenset[int]]:
    """(can contain, surely contains)."""
    known = {
        c.CATEGORY_DIGIT: (_DIGIT, _DIGIT),
        c.CATEGORY_NOT_DIGIT: (ASCII - _DIGIT, ASCII - _DIGIT),
        c.CATEGORY_SPACE: (_SPACE_MAYBE, _SPACE),
        c.CATEGORY_NOT_SPACE: (ASCII - _SPACE, ASCII - _SPACE_MAYBE),
        c.CATEGORY_WORD: (WORD, WORD),
        c.CATEGORY_NOT_WORD: (ASCII - WORD, ASCII - WORD),
    }
    if name not in known:
        raise Unfilterable(f"{name}")
    return known[name]
