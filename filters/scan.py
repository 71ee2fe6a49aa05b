"""Many patterns at once over many segments, with hyperscan, straight on Arrow's buffers.

Scanning a buffer in one call is several times faster than calling once a text, but knows nothing of where one text ends
and the next begins. So there are two passes: a loose one over whole stretches of buffer, for literals that a match must hold (see
``filters.literals``; an expression without any is looked for itself, without its assertions about neighbouring characters), so that it
can only find too much; and an exact one over the few places it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import hyperscan
import numpy as np

from filters import compiled
from filters.batch import Segments
from filters.contract import ConfigError
from filters.literals import required

GAP = 4096
"""Bytes of unwanted text scanned anyway rather than starting another call; a call costs about as much."""


MOST_ENDS = 1000
"""Ends of one pattern in one text that starts are looked for; what repeats itself more often is known by then."""
REACH = 500
"""Bytes before the end of a match in which its start is looked for; a longer match is shown from there."""
NEAR = 256
"""Bytes on either side of a literal's end in which the phrases of a shard are looked for."""


@dataclass(frozen=True)
class Pattern:
    """A rule's expression in hyperscan's PCRE subset, and others that mean the same. id appears in errors and evidence.

    Many short expressions compile faster than one alternation of them, which the compiler refuses beyond 16,000 characters.
    shard: patterns of one shard are compiled together for the exact pass, and only when the loose pass found one of them: the time to
    compile thousands of expressions with assertions grows faster than their number. Those of the shard "" are compiled at once, and
    looked for in the whole text; those of others are phrases, looked for within NEAR bytes of a literal.
    """

    id: str
    expression: str
    caseless: bool = True
    others: tuple[str, ...] = ()
    shard: str = ""

    @property
    def expressions(self) -> tuple[str, ...]:
        return (self.expression, *self.others)


@dataclass(frozen=True)
class Match:
    """pattern: index into the set. start/end: bytes from the segment's start."""

    pattern: int
    segment: int
    start: int
    end: int


class PatternSet:
    r"""Compiled once a worker. Expressions see bytes: classes, ``\w``, ``\b`` and case are those of ASCII.

    In UTF-8 mode, or when asked for the start of a match, hyperscan refuses expressions with gaps as too large; so it is
    asked for ends only, and starts are found by scanning the few bytes before them again.
    """

    def __init__(self, patterns: Sequence[Pattern], *, loose: bool = True) -> None:
        """loose: whether there is a loose pass; without one every text is scanned for the patterns of every shard."""
        self.patterns = tuple(patterns)
        self._loose = _compile(self.patterns, loose=True) if loose else None
        self._told = (
            [sorted({self.patterns[i].shard for i in found}) for _, found in _gate(self.patterns)] if loose else []
        )
        self._shards: dict[str, tuple[tuple[Pattern, ...], np.ndarray]] = {}
        for shard in {p.shard for p in patterns}:
            numbers = np.flatnonzero([p.shard == shard for p in patterns])
            self._shards[shard] = (tuple(self.patterns[i] for i in numbers), numbers)
        self._exact: dict[str, hyperscan.Database] = {}
        if "" in self._shards:
            self._database("")

    def candidates(self, segments: Segments, which: np.ndarray) -> np.ndarray:
        """Indices, out of ``which``, of every segment that can hold a match (and some that do not)."""
        return np.array(sorted(self._near(segments, which)), np.int64)

    def matches(self, segments: Segments, which: np.ndarray) -> Iterator[Match]:
        """Every match in the named segments, by segment, then pattern, then start."""
        for segment, near in sorted(self._near(segments, which).items()):
            text = segments.bytes(segment)
            yield from self._matches(text, segment, list(self._places(text, near)))

    def matches_in(self, text: bytes, segment: int = -1) -> list[Match]:
        """Matches in one text, MOST_ENDS of a pattern at most. Of matches of one pattern that overlap, the last is given, and
        as short as it can be."""
        return self._matches(text, segment, self._all_places(text))

    def _matches(self, text: bytes, segment: int, places: list[tuple[str, int, int]]) -> list[Match]:
        out: list[Match] = []
        for pattern, ends in sorted(self._ends(text, places).items()):
            spans: list[Match] = []
            low = len(text) + 1
            for end in reversed(sorted(ends)[:MOST_ENDS]):
                if end <= low:
                    low = self._start(text, pattern, end)
                    spans.append(Match(pattern, segment, low, end))
            out += reversed(spans)
        return out

    def _near(self, segments: Segments, which: np.ndarray) -> dict[int, dict[int, list[int]]]:
        """Segment -> what the loose pass found in it -> ends, in bytes from the segment's start."""
        assert self._loose is not None
        out: dict[int, dict[int, list[int]]] = {}
        for number in np.unique(segments.buffer[which]):
            mine = which[segments.buffer[which] == number]
            mine = mine[np.argsort(segments.start[mine], kind="stable")]
            ids, ends = _loose_ends(self._loose, segments, mine)
            # A match that ends at byte e lies in the segment with start < e <= end, if it lies in one of ours at all.
            at = np.searchsorted(segments.start[mine], ends, side="left") - 1
            inside = (at >= 0) & (ends <= segments.end[mine[at]])
            for segment, literal, end in zip(mine[at[inside]], ids[inside], ends[inside], strict=True):
                found = out.setdefault(int(segment), {}).setdefault(int(literal), [])
                found.append(int(end - segments.start[segment]))
        return out

    def found_in(self, text: bytes) -> set[int]:
        """Indices of the patterns that match somewhere in a text."""
        return set(self._ends(text, self._all_places(text)))

    def _ends(self, text: bytes, places: list[tuple[str, int, int]]) -> dict[int, set[int]]:
        ends: dict[int, set[int]] = {}
        for shard, low, high in places:
            numbers = self._shards[shard][1]
            for number, found in _all_ends(self._database(shard), text[low:high]).items():
                ends.setdefault(int(numbers[number]), set()).update(low + end for end in found)
        return ends

    def _all_places(self, text: bytes) -> list[tuple[str, int, int]]:
        if self._loose is None:
            return [(shard, 0, len(text)) for shard in self._shards]
        return list(self._places(text, _all_ends(self._loose, text)))

    def _places(self, text: bytes, near: Mapping[int, Iterable[int]]) -> Iterator[tuple[str, int, int]]:
        """Where in a text a shard can have a match: the whole text, or the surroundings of its literals."""
        by_shard: dict[str, list[int]] = {}
        for literal, ends in near.items():
            for shard in self._told[literal]:
                by_shard.setdefault(shard, []).extend(ends)
        for shard, ends in sorted(by_shard.items()):
            if shard:
                yield from ((shard, *stretch) for stretch in _stretches(sorted(ends), text))
            else:
                yield shard, 0, len(text)

    def _database(self, shard: str) -> hyperscan.Database:
        if shard not in self._exact:
            self._exact[shard] = _compile(self._shards[shard][0], loose=False)
        return self._exact[shard]

    def _start(self, text: bytes, pattern: int, end: int) -> int:
        """The latest word boundary from which the pattern still matches up to ``end``: by bisection, as more text before
        a match does not undo it."""
        shard = self.patterns[pattern].shard
        database, number = self._database(shard), int(np.searchsorted(self._shards[shard][1], pattern))
        low, high = _boundary_before(text, end - REACH), end
        while True:
            middle = _boundary_before(text, (low + high) // 2)
            if middle <= low:
                middle = _boundary_after(text, low + 1)
            if middle >= high:
                return low
            if end - middle in _all_ends(database, text[middle:end]).get(number, ()):
                low = middle
            else:
                high = middle


def _stretches(ends: list[int], text: bytes) -> Iterator[tuple[int, int]]:
    """The text within NEAR bytes of the places, cut at word boundaries, places that are near one another together."""
    low = high = -1
    for end in ends:
        if low < 0 or end - NEAR > high:
            if low >= 0:
                yield low, high
            low = _boundary_before(text, end - NEAR)
        high = _boundary_after(text, end + NEAR)
    if low >= 0:
        yield low, high


def _boundary_before(text: bytes, at: int) -> int:
    while at > 0 and not _is_boundary(text[at - 1], text[at]):
        at -= 1
    return max(at, 0)


def _boundary_after(text: bytes, at: int) -> int:
    while at < len(text) and not _is_boundary(text[at - 1], text[at]):
        at += 1
    return min(at, len(text))


def _all_ends(database: hyperscan.Database, text: bytes) -> dict[int, set[int]]:
    """Pattern -> the offsets at which it matches in one text."""
    ends: dict[int, set[int]] = {}

    def on_match(pattern: int, _from: int, end: int, _flags: int, _context: object) -> None:
        ends.setdefault(pattern, set()).add(end)

    database.scan(text, match_event_handler=on_match)
    return ends


def _is_boundary(before: int, here: int) -> bool:
    """Whether a text may be cut between two bytes: not inside an ASCII word, nor inside a character."""
    return here & 0xC0 != 0x80 and not (_is_word(before) and _is_word(here))


def _is_word(c: int) -> bool:
    return 48 <= c <= 57 or 97 <= (c | 32) <= 122 or c == 95


def _loose_ends(database: hyperscan.Database, segments: Segments, ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What matches, and the buffer offsets where it ends, over stretches that cover the segments (one buffer, by start)."""
    ids: list[int] = []
    ends: list[int] = []
    starts, stops = segments.start[ordered], segments.end[ordered]
    cuts = np.flatnonzero(starts[1:] > np.maximum.accumulate(stops)[:-1] + GAP) + 1
    buffer = segments.buffers[segments.buffer[ordered[0]]]
    for run in np.split(np.arange(len(ordered)), cuts):
        low, high = int(starts[run[0]]), int(stops[run].max())

        def on_match(found: int, _from: int, end: int, _flags: int, low: Any) -> None:
            ids.append(found)
            ends.append(low + end)

        # A view, not a copy: the library takes any buffer, its type stub knows only str and bytes.
        view: Any = memoryview(buffer[low:high])
        database.scan(view, match_event_handler=on_match, context=low)
    return np.array(ids, np.int64), np.array(ends, np.int64)


def _compile(patterns: tuple[Pattern, ...], *, loose: bool) -> hyperscan.Database:
    """A database of its own for each set, since its scratch space serves one scan at a time."""
    database = hyperscan.loadb(_compiled(patterns, loose), mode=hyperscan.HS_MODE_BLOCK)
    database.scratch = hyperscan.Scratch(database)
    return database


@lru_cache(maxsize=512)
def _compiled(patterns: tuple[Pattern, ...], loose: bool) -> bytes:
    """Compiling takes seconds for a hundred patterns with gaps; the result is kept, in this process and from run to run."""
    key = repr(_gate(patterns) if loose else [(p.expressions, p.caseless) for p in patterns]).encode()
    return compiled.load(key, _is_usable, lambda: _made(patterns, loose))


def _is_usable(data: bytes) -> bool:
    try:
        hyperscan.loadb(data, mode=hyperscan.HS_MODE_BLOCK)
        return True
    except hyperscan.error:
        return False


@lru_cache(maxsize=32)
def _gate(patterns: tuple[Pattern, ...]) -> list[tuple[str, list[int]]]:
    """What the loose pass looks for, and the patterns that each of it stands for: literals or, where there are none, expressions."""
    literals: dict[str, set[int]] = {}
    others: dict[str, set[int]] = {}
    for number, pattern in enumerate(patterns):
        for expression in pattern.expressions:
            texts = required(expression)
            for text in texts or (_without_assertions(expression),):
                (literals if texts else others).setdefault(text, set()).add(number)
    merged: dict[str, set[int]] = {}
    for text in sorted(literals, key=lambda t: (len(t), t)):
        # Where "our nation" is looked for, "our nation's" need not be.
        shorter = next(
            (text[i:j] for i in range(len(text)) for j in range(i + 1, len(text) + 1) if text[i:j] in merged), text
        )
        merged.setdefault(shorter, set()).update(literals[text])
    escaped = {re.escape(text).replace(r"\ ", r"\s"): numbers for text, numbers in merged.items()}
    return sorted((text, sorted(numbers)) for text, numbers in {**others, **escaped}.items())


def _made(patterns: tuple[Pattern, ...], loose: bool) -> bytes:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    if loose:
        every = [
            (i, text, hyperscan.HS_FLAG_PREFILTER | hyperscan.HS_FLAG_CASELESS)
            for i, (text, _) in enumerate(_gate(patterns))
        ]
    else:
        every = [(i, e, _flags(p)) for i, p in enumerate(patterns) for e in dict.fromkeys(p.expressions)]
    ids, expressions, flags = map(list, zip(*every, strict=True))
    try:
        database.compile(expressions=[e.encode() for e in expressions], ids=ids, elements=len(ids), flags=flags)
    except hyperscan.error as error:
        raise ConfigError(_blame(patterns, error)) from None
    return hyperscan.dumpb(database)


def _flags(pattern: Pattern) -> int:
    return hyperscan.HS_FLAG_CASELESS if pattern.caseless else 0


def _blame(patterns: Sequence[Pattern], error: Exception) -> str:
    """Which pattern the compiler refused: it names none itself, so each is tried alone."""
    for pattern, expression in ((p, e) for p in patterns for e in p.expressions):
        try:
            hyperscan.Database().compile(
                expressions=[expression.encode()], ids=[0], elements=1, flags=[_flags(pattern)]
            )
        except hyperscan.error as own:
            return f"pattern {pattern.id}: {own}"
    return f"the patterns do not compile together: {error}"


def _without_assertions(expression: str) -> str:
    r"""The expression without ``\b``, ``\B``, ``\A``, ``\z``, ``^`` and ``$`` outside classes: it matches no less."""
    out, i, in_class = [], 0, False
    while i < len(expression):
        two = expression[i : i + 2]
        if two[0] == "\\":
            if in_class or two not in (r"\b", r"\B", r"\A", r"\z", r"\Z"):
                out.append(two)
            i += 2
            continue
        if two[0] == "[" and not in_class:
            in_class = True
            # A bracket or caret right after the opening one is a member, not an end.
            skip = 2 if two == "[^" else 1
            skip += expression[i + skip : i + skip + 1] == "]"
            out.append(expression[i : i + skip])
            i += skip
            continue
        if two[0] == "]":
            in_class = False
        if in_class or two[0] not in "^$":
            out.append(two[0])
        i += 1
    return "".join(out)
