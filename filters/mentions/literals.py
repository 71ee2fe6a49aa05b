"""All forms of all terms as one hyperscan database, and its hits as arrays."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import hyperscan
import numpy as np

from filters.mentions.lexicon import Entry
from filters.scan import Pattern, compile_patterns

MOST_HITS = 2_000_000
"""Hits looked at in one scan (of 4 MB, or of one larger text): a text of nothing but mentions is known by then."""
_SPACE = r"[ \n\-]"


class Literals:
    """Forms are of fixed length, so that a hit's start follows from its end. A form that several terms share is one pattern."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        """Raises ConfigError naming the form that does not compile."""
        owners: dict[tuple[str, bool], list[int]] = {}
        for number, entry in enumerate(entries):
            for form in entry.forms:
                for spelling in _spellings(form, entry.exact):
                    mine = owners.setdefault((spelling, entry.exact), [])
                    if number not in mine:
                        mine.append(number)
        forms = list(owners)
        self._length = np.array([len(form.encode()) for form, _ in forms], np.int64)
        self._wide = np.array([any(c >= "\u2e80" for c in form) for form, _ in forms], np.bool_)
        self._first = np.cumsum([0, *(len(o) for o in owners.values())])
        self._owner = np.array([n for o in owners.values() for n in o], np.int64)
        patterns = [Pattern(form, _expression(form), not exact) for form, exact in forms]
        self._database = compile_patterns(patterns) if patterns else None

    def scan(self, data: np.ndarray) -> tuple[np.ndarray, ...]:
        """start, end (bytes), entry, wide (needs no word boundary) of every hit, sorted by start, longer ones first."""
        found: list[int] = []

        def on_match(pattern: int, _from: int, end: int, _flags: int, _context: object) -> bool | None:
            found.append(pattern)
            found.append(end)
            return len(found) >= 2 * MOST_HITS or None

        if self._database is not None and len(data):
            # A view, not a copy: the library takes any buffer, its type stub knows only str and bytes.
            view: Any = memoryview(data)
            try:
                self._database.scan(view, match_event_handler=on_match)
            except hyperscan.ScanTerminated:
                pass
        pattern, end = np.array(found, np.int64).reshape(-1, 2).T
        count = (self._first[1:] - self._first[:-1])[pattern]
        owner = np.repeat(self._first[pattern], count) + _counted(count)
        pattern, end = np.repeat(pattern, count), np.repeat(end, count)
        start = end - self._length[pattern]
        entry = self._owner[owner]
        order = np.lexsort((entry, -end, start))
        return start[order], end[order], entry[order], self._wide[pattern][order]


def _counted(count: np.ndarray) -> np.ndarray:
    """0, 1, …, count[0]-1, 0, 1, …, count[1]-1, …"""
    return np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)


def _spellings(form: str, exact: bool) -> Iterator[str]:
    """The form, with either apostrophe; and, as the scanner knows the case of ASCII only, with other letters as capitals."""
    cases = {form}
    if not exact and not form.isascii():
        cases |= {form[0].upper() + form[1:], form.upper(), form.title()}
    for case in sorted(cases):
        yield case
        if "'" in case:
            yield case.replace("'", "’")


def _expression(form: str) -> str:
    r"""With ``\b`` where the edge is an ASCII letter; beyond ASCII, boundaries are looked at afterwards."""
    inner = _SPACE.join(re.escape(word) for word in form.split(" "))
    left = r"\b" if _is_ascii_word(form[0]) else ""
    right = r"\b" if _is_ascii_word(form[-1]) else ""
    return left + inner + right


def _is_ascii_word(c: str) -> bool:
    return c.isascii() and (c.isalnum() or c == "_")
