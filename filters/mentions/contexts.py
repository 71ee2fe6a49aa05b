"""The words around a hit, for terms that are mentions in some contexts only, and ages by their number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from filters.mentions.lexicon import Entry

NEARBY = 160
"""Bytes before and after a hit that contexts are matched against."""
NUMBER_REACH = 20
"""Characters before a hit that its number stands in."""

GROUP_FROM = ((0, "child"), (13, "teen"), (20, "adult"), (65, "older"))
"""Age in years from which a group begins: 13 and 20 by the words for the teens, 65 as the UN's World Population Ageing counts."""
OLDEST = 120

_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_WORDS = {w: i for i, w in enumerate(_ONES)} | {w: 10 * i for i, w in enumerate(_TENS, 2)}
_NUMBER = rf"(\d{{1,3}}|(?:(?:{'|'.join(_TENS)})[- ])?(?:{'|'.join(sorted(_WORDS, key=len, reverse=True))}))"
_BEFORE = re.compile(rf"(?<![\w.,$€£%]){_NUMBER}\s*[-‐–]?\s*$", re.IGNORECASE)
_AFTER = re.compile(rf"\s*[:-]?\s*{_NUMBER}(?![\w%]|[.,]\d)", re.IGNORECASE)
_WIDE_BEFORE = re.compile(r"(?<![\d.,])(\d{1,3})\s*$")


class Judge:
    """Contexts of all entries; most have none, and their hits are never looked at."""

    groups = tuple(group for _, group in GROUP_FROM)

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._asks = np.array([bool(e.only or e.unless or e.number) for e in entries], np.bool_)
        names = sorted({*(e.group for e in entries), *self.groups})
        self._group = {name: i for i, name in enumerate(names)}

    def judge(
        self,
        data: np.ndarray,
        low: np.ndarray,
        high: np.ndarray,
        start: np.ndarray,
        end: np.ndarray,
        entry: np.ndarray,
        group: np.ndarray,
    ) -> np.ndarray:
        """bool a hit: its contexts allow it. low/high: the text it lies in. group: codes, set anew for ages by number."""
        keep = np.ones(len(start), np.bool_)
        asked = np.flatnonzero(self._asks[entry])
        # A view, not a copy: there are few hits in megabytes of text.
        raw: Any = memoryview(data)  # type: ignore[arg-type]
        rows = zip(asked, *(column[asked].tolist() for column in (low, high, start, end, entry)), strict=True)
        for i, a, b, here, there, number in rows:
            before = str(raw[max(a, here - NEARBY) : here], "utf-8", "ignore")
            after = str(raw[there : min(b, there + NEARBY)], "utf-8", "ignore")
            found = self._group_of(self._entries[number], before, after)
            if found is None:
                keep[i] = False
            else:
                group[i] = self._group[found]
        return keep

    def _group_of(self, term: Entry, before: str, after: str) -> str | None:
        """The group mentioned, or None where the contexts say that it is no mention."""
        group = _group_by_number(term, before, after) if term.number else term.group
        if group is None:
            return None
        sides = (before, after, before.lower(), after.lower())
        if any(c.holds(*sides) for c in term.unless):
            return None
        return group if not term.only or any(c.holds(*sides) for c in term.only) else None


def _group_by_number(term: Entry, before: str, after: str) -> str | None:
    if term.number == "after":
        match = _AFTER.match(after)
    else:
        match = (_WIDE_BEFORE if term.language in ("zh", "ja") else _BEFORE).search(before[-NUMBER_REACH:])
    return _age_group(match[1]) if match else None


def _age_group(written: str) -> str | None:
    years = int(written) if written.isdecimal() else sum(_WORDS[w] for w in re.split(r"[- ]", written.lower()))
    if years > OLDEST:
        return None
    return next(group for least, group in reversed(GROUP_FROM) if years >= least)
