r"""From a recognizer's regular expression to one that a scanner can run over bytes and that matches no less.

Presidio's patterns run on the ``regex`` module over code points; hyperscan runs over bytes, with its own idea of ``\w``, of
case and of assertions. Rather than trust that the two agree, the parsed pattern is rewritten so that they need not: only
questions about ASCII are kept, and any character beyond it may be anything. Assertions are dropped, except ``\b`` beside
a character that can only be an ASCII word character, where bytes say at most too often that there is a boundary.

So every match of the pattern ends where the rewritten one reports an end. A pattern that cannot be rewritten (back
references, fuzzy matching, properties) raises Unfilterable and is run in full.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass

# The standard library's own parser, which has no public name since 3.11. Tests hold every node kind used here in place.
from re import _constants as c  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from filters.pii.characters import ASCII, WORD, Chars, Unfilterable, chars_of

_FAR = 256
"""Characters: a lookahead wider than this counts as unbounded."""
_MANY = 64
"""A repetition bounded above by more than this is scanned as unbounded: smaller automata, and no match is lost."""
_ANY_BYTES = r"[\x80-\xff]"
_BRANCHES = 40
"""Longer lists of alternatives (top-level domains) become "that many of these characters": expressions have a size limit."""
_ATOM = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_FUZZY = re.compile(r"\{(?!\d*,?\d*\})")
_INLINE_FLAGS = re.compile(r"\(\?([aimsux]+)\)")
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE, "a": 0, "u": 0}


@dataclass(frozen=True)
class Approximation:
    """expression: for hyperscan, on bytes. width: characters a match can have at most, None without a bound.

    reach: characters that lookaheads can see past a match, None without a bound. stops: ASCII bytes that no match, and no
    lookahead without a bound, can contain.
    """

    expression: bytes
    width: int | None
    reach: int | None
    stops: frozenset[int]


def approximate(pattern: str, flags: int) -> Approximation:
    """The approximation of one pattern, flags as the ``regex`` module's (their values are ``re``'s for i, m, s, x)."""
    for letters in _INLINE_FLAGS.findall(pattern):
        # ``regex`` applies these to the whole pattern wherever they stand; ``re`` wants them first.
        for letter in letters:
            flags |= _FLAGS[letter]
    pattern = _INLINE_FLAGS.sub("", pattern)
    if _FUZZY.search(_ATOM.sub("x", pattern)):
        raise Unfilterable("a brace that is no repetition: fuzzy matching or a literal")
    known = re.IGNORECASE | re.MULTILINE | re.DOTALL | re.VERBOSE | re.UNICODE
    if int(flags) & ~int(known):
        raise Unfilterable("flags other than i, m, s, x")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tree = _parser.parse(pattern, int(flags))
    except (re.error, Warning, RecursionError, OverflowError) as error:
        raise Unfilterable(str(error)) from None
    writer = _Writer()
    expression = writer.behind(tree, int(flags)) + writer.sequence(list(tree), int(flags), False)
    low, high = tree.getwidth()
    if low == 0:
        raise Unfilterable("it can match nothing")
    unbounded = high >= int(c.MAXREPEAT) or high > 1 << 20
    return Approximation(
        expression.encode(), None if unbounded else high, None if writer.far else writer.reach + 1, ASCII - writer.used
    )


class _Writer:
    """Rewrites nodes; notes which ASCII characters can be part of a match and how far lookaheads see."""

    def __init__(self, groups: dict[int, str] | None = None) -> None:
        self.used: set[int] = set()
        self.groups = {} if groups is None else groups
        self.reach = 0
        self.far = False

    def sequence(self, nodes: list[Any], flags: int, boundary: bool) -> str:
        r"""boundary: a ``\b`` stands right before."""
        out: list[str] = []
        for at, (op, value) in enumerate(nodes):
            if op is c.AT:
                if value is c.AT_BOUNDARY:
                    if at and _ends_in_ascii_word(nodes[at - 1], flags):
                        out.append(r"\b")
                    else:
                        boundary = True
                continue
            if op in (c.ASSERT, c.ASSERT_NOT):
                self._look(value, flags)
                continue
            out.append(self.node(op, value, flags, boundary))
            boundary = False
        return "".join(out)

    def behind(self, tree: Any, flags: int) -> str:
        """What a lookbehind that opens the pattern asks for: a match must be preceded by it, and ends where it did."""
        nodes = list(tree)
        if not nodes or nodes[0][0] is not c.ASSERT or nodes[0][1][0] > 0:
            return ""
        return _Writer(self.groups).sequence(list(nodes[0][1][1]), flags, False)

    def _look(self, value: tuple[int, Any], flags: int) -> None:
        direction, inner = value
        if direction < 0:
            return
        # What stands inside is not part of the match; how far it sees is what counts.
        inside = _Writer(self.groups)
        inside.sequence(list(inner), flags, False)
        width = inner.getwidth()[1]
        if width > _FAR or inside.far:
            self.far = True
            self.used |= inside.used
        else:
            self.reach += width + inside.reach

    def node(self, op: Any, value: Any, flags: int, boundary: bool) -> str:
        if (chars := chars_of(op, value, flags)) is not None:
            self.used |= chars.ascii
            return _one(chars, boundary)
        if op is c.BRANCH:
            return self._branch([list(b) for b in value[1]], flags, boundary)
        if op is c.SUBPATTERN:
            group, add, remove, inner = value
            written = "(?:" + self.sequence(list(inner), (flags | add) & ~remove, boundary) + ")"
            if group is not None:
                self.groups[group] = written
            return written
        if op is c.GROUPREF:
            # What a group matched is one of the texts that it can match.
            if value not in self.groups:
                raise Unfilterable("a reference to a group that is still open")
            return self.groups[value].replace(r"\b", "")
        if op is getattr(c, "ATOMIC_GROUP", None):
            return "(?:" + self.sequence(list(value), flags, boundary) + ")"
        if op in (c.MAX_REPEAT, c.MIN_REPEAT, getattr(c, "POSSESSIVE_REPEAT", None)):
            return self._repeat(*value, flags=flags, boundary=boundary)
        raise Unfilterable(f"{op} is not supported")

    def _branch(self, branches: list[list[Any]], flags: int, boundary: bool) -> str:
        written = [self.sequence(nodes, flags, boundary) for nodes in branches]
        if len(branches) <= _BRANCHES:
            return "(?:" + "|".join(written) + ")"
        inside = _Writer(self.groups)
        for nodes in branches:
            inside.sequence(nodes, flags, False)
        low, high = 1 << 30, 0
        for nodes in branches:
            least, most = _width(nodes)
            low, high = min(low, least), max(high, most)
        # Characters beyond ASCII cannot be counted in bytes, so there is no upper bound here.
        return "[" + _ranges(frozenset(inside.used)) + r"\x80-\xff]" + _times(low, c.MAXREPEAT)

    def _repeat(self, low: int, high: Any, inner: Any, *, flags: int, boundary: bool) -> str:
        nodes: list[tuple[Any, Any]] = list(inner)
        if len(nodes) == 1 and (chars := chars_of(*nodes[0], flags)) is not None:
            self.used |= chars.ascii
            first = _one(chars, True) if boundary and low else ""
            if first:
                low, high = low - 1, high if high == c.MAXREPEAT else high - 1
            # A character beyond ASCII is up to four bytes, each of which counts here.
            most = high if high == c.MAXREPEAT or not chars.beyond else high * 4
            return first + (_bytes(chars) + _times(low, most) if most else "")
        if boundary and low:
            first = self.sequence(nodes, flags, True)
            low, high = low - 1, high if high == c.MAXREPEAT else high - 1
            return first + ("(?:" + self.sequence(nodes, flags, False) + ")" + _times(low, high) if high else "")
        if not high:
            return ""
        return "(?:" + self.sequence(nodes, flags, False) + ")" + _times(low, high)


def _width(nodes: list[Any]) -> tuple[int, int]:
    tree = _parser.SubPattern(_parser.State(), nodes)
    return tree.getwidth()


def _times(low: int, high: Any) -> str:
    if low == high == 1:
        return ""
    if high == c.MAXREPEAT or high > _MANY:
        return f"{{{min(low, _MANY)},}}"
    return f"{{{low},{high}}}"


def _one(chars: Chars, boundary: bool) -> str:
    r"""One character; with a ``\b`` before it where that holds in bytes whenever it holds in text."""
    inside = _class(chars.ascii) if chars.ascii else ""
    if boundary and inside and chars.ascii <= WORD:
        inside = r"\b" + inside
    if not chars.beyond:
        return inside or r"[^\x00-\xff]"
    beyond = _ANY_BYTES + "{1,4}"
    return f"(?:{inside}|{beyond})" if inside else beyond


def _bytes(chars: Chars) -> str:
    """The class of single bytes for use under a repetition."""
    return "[" + _ranges(chars.ascii) + (r"\x80-\xff" if chars.beyond else "") + "]"


def _class(ascii_: frozenset[int]) -> str:
    return "[" + _ranges(ascii_) + "]"


def _ranges(ascii_: frozenset[int]) -> str:
    out: list[str] = []
    run: list[int] = []
    for byte in [*sorted(ascii_), 999]:
        if run and byte != run[-1] + 1:
            out.append(_byte(run[0]) + (("-" if len(run) > 2 else "") + _byte(run[-1]) if len(run) > 1 else ""))
            run = []
        run.append(byte)
    return "".join(out)


def _byte(code: int) -> str:
    return chr(code) if chr(code).isalnum() else f"\\x{code:02x}"


def _ends_in_ascii_word(node: tuple[Any, Any], flags: int) -> bool:
    op, value = node
    if (chars := chars_of(op, value, flags)) is not None:
        return bool(chars.ascii) and chars.ascii <= WORD and not chars.beyond
    if op in (c.MAX_REPEAT, c.MIN_REPEAT) and value[0] > 0 and len(value[2]) == 1:
        return _ends_in_ascii_word(next(iter(value[2])), flags)
    if op is c.SUBPATTERN and (nodes := list(value[3])):
        return _ends_in_ascii_word(nodes[-1], (flags | value[1]) & ~value[2])
    if op is c.BRANCH:
        return all(list(b) and _ends_in_ascii_word(list(b)[-1], flags) for b in value[1])
    return False
