"""Mentions in texts: one scan for all terms of all lexicons, then boundaries, prose and language by compiled passes, and a
look at the words around only for the terms that ask for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from filters.batch import Segments
from filters.mentions import kernels, tongues
from filters.mentions.contexts import Judge
from filters.mentions.forms import Forms
from filters.mentions.lexicon import Entry, Lexicon, entries

CHUNK = 4 << 20
"""Bytes of text joined for one scan."""

ORIGIN = ("ethnicity", "nationality")

SCHEMA = pa.schema(
    [
        ("record", pa.int32()),
        ("segment", pa.int32()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("axis", pa.dictionary(pa.int32(), pa.string())),
        ("group", pa.dictionary(pa.int32(), pa.string())),
        ("identifier", pa.dictionary(pa.int32(), pa.string())),
    ]
)


@dataclass(frozen=True)
class Joined:
    """Texts side by side with a newline between, so that none runs into the next. low/high: where each lies in data."""

    segment: np.ndarray
    data: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Finder:
    """Lexicons compiled once a worker. Raises ConfigError naming the term that does not compile."""

    def __init__(self, lexicons: Sequence[Lexicon]) -> None:
        self.entries: tuple[Entry, ...] = tuple(e for lexicon in lexicons for e in entries(lexicon))
        self._forms = Forms(self.entries)
        self._judge = Judge(self.entries)
        self._keys, self._masks = tongues.table()
        self._bits = np.array([tongues.BITS[e.language] for e in self.entries], np.int64)
        axes, self._axes = _codes(e.axis for e in self.entries)
        groups, self._groups = _codes([*(e.group for e in self.entries), *self._judge.groups])
        names, self._names = _codes(e.identifier for e in self.entries)
        self._columns = (axes, groups, names)
        # Of origin there are two axes: an African American is no mention of Americans.
        self._kin = np.array([-1 if name in ORIGIN else i for i, name in enumerate(self._axes)], np.int64)

    def find(self, segments: Segments, which: np.ndarray) -> pa.Table:
        """Every mention in the named segments (indices), as SCHEMA says; by segment, start, axis. start/end: bytes from the
        segment's start. identifier: the lexicon's term, never text of the record."""
        parts = [self._find(part) for part in joined(segments, np.sort(which))]
        segment, start, end, entry, group = (
            (np.concatenate(column) for column in zip(*parts, strict=True)) if parts else np.zeros((5, 0), np.int64)
        )
        axes, _, names = self._columns
        arrays = [
            pa.array(segments.record[segment].astype(np.int32)),
            pa.array(segment.astype(np.int32)),
            pa.array(start),
            pa.array(end),
            _dictionary(axes[entry], self._axes),
            _dictionary(group, self._groups),
            _dictionary(names[entry], self._names),
        ]
        return pa.Table.from_arrays(arrays, schema=SCHEMA)

    def _find(self, part: Joined) -> tuple[np.ndarray, ...]:
        """segment, start, end, entry, group of the mentions in one chunk."""
        start, end, entry = self._forms.scan(part.data)
        at = np.searchsorted(part.low, start, side="right") - 1
        low, high = part.low[at], part.high[at]
        keep = end <= high
        start, end, entry, at = start[keep], end[keep], entry[keep], at[keep]
        low, high = part.low[at], part.high[at]
        keep = kernels.prose(part.data, low, high, start, end, kernels.SPECIAL)
        can = kernels.languages(part.data, start, low, high, self._keys, self._masks, tongues.JAPANESE)
        keep &= self._readable(can, entry)
        start, end, entry, at = start[keep], end[keep], entry[keep], at[keep]
        low, high = part.low[at], part.high[at]
        group = self._columns[1][entry].copy()
        keep = self._judge.judge(part.data, low, high, start, end, entry, group)
        keep[keep] = kernels.longest(
            start[keep], end[keep], self._columns[0][entry[keep]], self._unmentioned, self._kin
        )
        start, end, entry, at, group = start[keep], end[keep], entry[keep], at[keep], group[keep]
        return part.segment[at], start - part.low[at], end - part.low[at], entry, group

    def _readable(self, can: np.ndarray, entry: np.ndarray) -> np.ndarray:
        """Whether the hit's language is one that its surroundings may be in. Without kana it is Chinese, not Japanese."""
        kana = can & tongues.BITS["ja"] > 0
        can = np.where(kana, can, can | tongues.BITS["zh"])
        return can & self._bits[entry] > 0

    @property
    def _unmentioned(self) -> int:
        """The axis code of phrases that are no mention; -1 if there are none."""
        return self._axes.index("") if "" in self._axes else -1


def joined(segments: Segments, which: np.ndarray) -> Iterator[Joined]:
    """The named segments, joined to chunks; one that is a chunk by itself is not copied."""
    length = segments.length[which] + 1
    full = np.diff(np.cumsum(length) // CHUNK) > 0
    # A text larger than a chunk stands alone, so that its bound on hits is its own.
    large = length > CHUNK
    for places in (
        np.split(np.arange(len(which)), np.flatnonzero(full | large[1:] | large[:-1]) + 1) if len(which) else []
    ):
        part = which[places]
        low = np.cumsum(length[places]) - length[places]
        high = low + segments.length[part]
        pieces = [segments.buffers[segments.buffer[i]][segments.start[i] : segments.end[i]] for i in part]
        if len(pieces) == 1:
            yield Joined(part, pieces[0], low, high)
            continue
        data = np.empty(int(high[-1]), np.uint8)
        data[high[:-1]] = ord("\n")
        for piece, at in zip(pieces, low, strict=True):
            data[at : at + len(piece)] = piece
        yield Joined(part, data, low, high)


def _codes(values: Iterator[str] | Sequence[str]) -> tuple[np.ndarray, list[str]]:
    given = list(values)
    names = sorted(set(given))
    index = {name: i for i, name in enumerate(names)}
    return np.array([index[v] for v in given], np.int64), names


def _dictionary(codes: np.ndarray, names: list[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(names, pa.string()))
