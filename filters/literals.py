r"""Texts of which one must occur wherever an expression matches: what a scan for thousands of expressions looks for first.

A set of plain literals is scanned for at gigabytes a second whatever their number; thousands of expressions with gaps and
alternatives are not. So an expression is cut down to the part of it that says most: of everything that it must match one after the
other, the part whose shortest alternative is longest. What stays is looked at again, so too much is only slow, too little is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

try:
    from re import _constants as sre  # type: ignore[attr-defined]
    from re import _parser as parser
except ImportError:  # pragma: no cover
    import sre_constants as sre
    import sre_parse as parser

MOST = 60
"""Alternatives kept; an expression of which no part has fewer is looked for as it stands."""
LONG = 7
"""Bytes, but for those of COMMON words, from which a literal is rare enough; of parts that reach them, the one of fewest alternatives."""
KEPT = 20
"""Characters of a literal that are looked for; the rest says little more."""
FEW = 4
"""Bytes from which it is a literal at all; an expression with less is looked for itself."""
_COMMON = """
    a about again all always and any are as at be been being but by can cannot could did do does ever every for from had has
    have he her his i if in into is it its just may more must never no not of on one only or other our out shall should so
    such than that the their them there they this to up us was we were what which who will with would you your people right
    first good true de la le les des du un une et est sont pas ne que qui en dans pour par sur au aux ce il elle nous notre
    nos se sa son der die das den dem ein eine und ist sind war nicht zu von mit im auf sich wir uns hat haben wird werden
    nur lo gli di che non per da del della dei e sono una si ci ha hanno el los las y es su por con para al
"""
COMMON = frozenset(_COMMON.split())
"""Words that say nothing of a text's subject."""

_BYTES = re.compile(r"\\x[89a-fA-F]")


@lru_cache(maxsize=20_000)
def required(expression: str) -> frozenset[str] | None:
    """Literals, ASCII in lower case and white space as spaces, one of which every match holds; None if there is no telling."""
    if _BYTES.search(expression.replace(r"\x80-\xff", "")):
        return None  # bytes by number: not characters
    try:
        tree = parser.parse(expression, re.DOTALL)
    except (re.error, OverflowError):
        return None
    best = _best(_runs(tree))
    return _shortest({text[:KEPT] for text in best}) if best else None


def _shortest(texts: set[str]) -> frozenset[str]:
    """Those that no other is a part of."""
    return frozenset(t for t in texts if not any(other != t and other in t for other in texts))


def _letters(text: str) -> int:
    """Bytes that tell something: those of words that are not in every text."""
    return sum(len(word.encode()) for word in text.split() if word not in COMMON)


def _best(sets: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    known = [s for s in sets if s and len(s) <= MOST and min(map(_letters, s)) >= FEW]
    return max(known, key=lambda s: (min(*map(_letters, s), LONG), -len(s)), default=None)


def _runs(tree: Iterable) -> list[frozenset[str] | None]:
    """What must be matched, one part after the other: runs of known texts (all their variants), broken by what is unknown."""
    out: list[frozenset[str] | None] = []
    run: frozenset[str] = frozenset({""})
    for node in tree:
        exact, needed = _node(node)
        if exact is not None and len(run) * len(exact) <= MOST:
            run = frozenset(a + b for a in run for b in exact)
            continue
        out += [run, needed]
        run = exact if exact is not None and len(exact) <= MOST else frozenset({""})
    return [*out, run]


def _node(node: tuple) -> tuple[frozenset[str] | None, frozenset[str] | None]:
    """(every text that the node can match, or None if they are too many to tell; literals it needs, or None)."""
    kind, value = node
    if kind is sre.LITERAL:
        return frozenset({_folded(value)}), None
    if kind is sre.AT:
        return frozenset({""}), None
    if kind is sre.IN:
        return _members(value), None
    if kind is sre.SUBPATTERN:
        return _sequence(value[-1])
    if kind is sre.BRANCH:
        parts = [_sequence(branch) for branch in value[1]]
        return _union([p[0] for p in parts]), _union([_best([p[0] or p[1]]) for p in parts])
    if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT):
        low, high, inner = value
        exact, needed = _sequence(inner)
        if low == 0 and high == 1 and exact is not None:
            return exact | {""}, None
        return (exact, None) if low == high == 1 else (None, (exact or needed) if low else None)
    return None, None


def _sequence(tree: Iterable) -> tuple[frozenset[str] | None, frozenset[str] | None]:
    runs = _runs(tree)
    return (runs[0] if len(runs) == 1 else None), _best(runs)


def _union(sets: list[frozenset[str] | None]) -> frozenset[str] | None:
    known = [s for s in sets if s is not None]
    if len(known) < len(sets):
        return None
    out: frozenset[str] = frozenset().union(*known)
    return out if len(out) <= MOST else None


def _members(value: list) -> frozenset[str] | None:
    out: set[str] = set()
    for kind, member in value:
        if kind is sre.LITERAL:
            out.add(_folded(member))
        elif kind is sre.CATEGORY and member is sre.CATEGORY_SPACE:
            # A text is looked for with its spaces as spaces; other white space is let in by the caller.
            out.add(" ")
        else:
            return None
    return frozenset(out)


def _folded(code: int) -> str:
    """A character as it is looked for: only ASCII has case here, as in the scanner."""
    return chr(code).lower() if code < 128 else chr(code)
