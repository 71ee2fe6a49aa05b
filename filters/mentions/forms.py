"""All forms of all terms in a table by their first word (or first character, where there are no words), and their hits as arrays.

Not a regular expression's scan: hyperscan compiles seven thousand words that need boundaries for 42 s, scans several times
slower, and each hit costs a call (docs/decisions/0003).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from filters.mentions import kernels
from filters.mentions.lexicon import Entry

MOST_HITS = 2_000_000
"""Hits looked at in one scan (of 4 MB, or of one larger text): a text of nothing but mentions is known by then."""
ROOM = 1 << 16
"""Hits that one call of the kernel has room for."""


class Forms:
    """A form that several terms share is one form with several owners."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        owners: dict[tuple[str, bool, bool], list[int]] = {}
        for number, entry in enumerate(entries):
            for form in entry.forms:
                owners.setdefault((form, entry.exact, bool(entry.number)), []).append(number)
        texts = [np.frombuffer(form.encode(), np.uint8) for form, _, _ in owners]
        self._text = np.concatenate(texts) if texts else np.zeros(0, np.uint8)
        self._low = np.cumsum([0, *(len(t) for t in texts)])
        self._exact = np.array([exact for _, exact, _ in owners], np.bool_)
        self._number = np.array([number for _, _, number in owners], np.bool_)
        self._first_owner = np.cumsum([0, *(len(o) for o in owners.values())])
        self._owner = np.array([n for o in owners.values() for n in o], np.int64)
        by_key: dict[int, list[int]] = {}
        for f, text in enumerate(texts):
            by_key.setdefault(int(kernels.first_key(text, 0, len(text))), []).append(f)
        self._lengths = np.zeros(1 << 15, np.uint32)
        for text in texts:
            if (size := int(kernels.word_end(text, 0, len(text)))) > 1:
                self._lengths[kernels.shape(text, 0, size)] |= np.uint32(1 << min(size, 31))
        self._keys, self._values = open_table({key: i for i, key in enumerate(by_key)})
        self._first = np.cumsum([0, *(len(f) for f in by_key.values())])
        self._forms = np.array([f for mine in by_key.values() for f in mine], np.int64)

    def scan(self, data: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """start, end (bytes) and entry of every hit, by start, longer ones first."""
        parts: list[np.ndarray] = []
        at = 0
        while at < len(data) and len(parts) * ROOM < MOST_HITS:
            out = np.empty((ROOM, 3), np.int64)
            count, at = kernels.scan(
                data, at, len(data), self._lengths, self._keys, self._values, self._first, self._forms, self._text, self._low,
                self._exact, self._number, out,
            )  # fmt: skip
            parts.append(out[:count])
        start, end, form = np.concatenate(parts).T if parts else np.zeros((3, 0), np.int64)
        count = (self._first_owner[1:] - self._first_owner[:-1])[form]
        entry = self._owner[np.repeat(self._first_owner[form], count) + _counted(count)]
        start, end = np.repeat(start, count), np.repeat(end, count)
        order = np.lexsort((entry, -end, start))
        return start[order], end[order], entry[order]


def open_table(values: Mapping[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """uint64 keys and int64 values of an open hash table, a quarter full at most, as ``kernels`` looks things up in."""
    size = 1 << max(4, (4 * len(values)).bit_length())
    keys, found = np.zeros(size, np.uint64), np.full(size, -1, np.int64)
    for key, value in values.items():
        at = (key ^ (key >> 32)) & (size - 1)
        while keys[at]:
            at = (at + 1) & (size - 1)
        keys[at], found[at] = key, value
    return keys, found


def _counted(count: np.ndarray) -> np.ndarray:
    """0, 1, …, count[0]-1, 0, 1, …, count[1]-1, …"""
    return np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
