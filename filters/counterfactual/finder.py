"""Where gendered words, names and what stands against a swap are: one compiled scan over many texts, as arrays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from filters.batch import Segments
from filters.counterfactual.lexicon import LEAVE, Swap
from filters.mentions import kernels, tongues
from filters.mentions.finder import Joined, joined
from filters.mentions.forms import Forms

_ESCAPES = re.compile(rb"\\+[nrtbf\"/]")


@dataclass(frozen=True)
class Hits:
    """By segment, then start; none overlaps another. start/end: bytes from the segment's start. swap: index into the lexicon.
    prose: it stands in prose, not in code, a formula, an address or a key. english: it can be read as English."""

    segment: np.ndarray
    start: np.ndarray
    end: np.ndarray
    swap: np.ndarray
    prose: np.ndarray
    english: np.ndarray

    def __len__(self) -> int:
        return len(self.segment)


class Finder:
    """A lexicon compiled once a worker."""

    def __init__(self, swaps: Sequence[Swap]) -> None:
        self._forms = Forms([s.entry for s in swaps])
        self._keys, self._masks = tongues.table()
        self._bits = np.array([tongues.BITS[s.entry.language] for s in swaps], np.int64)
        self._leave = np.array([s.kind == LEAVE for s in swaps], bool)

    def find(self, segments: Segments, which: np.ndarray, json: np.ndarray) -> Hits:
        """Hits in the named segments (indices, sorted). json: those of them whose escapes are no text."""
        segments = _unescaped(segments, json)
        parts = [self._find(part) for part in joined(segments, which)]
        kinds = (np.int64, np.int64, np.int64, np.int64, np.bool_, np.bool_)
        columns = zip(*parts, strict=True) if parts else ([np.zeros(0, kind)] for kind in kinds)
        return Hits(*(np.concatenate(list(column)) for column in columns))

    def _find(self, part: Joined) -> tuple[np.ndarray, ...]:
        start, end, swap = self._forms.scan(part.data)
        at = np.searchsorted(part.low, start, side="right") - 1
        can = kernels.languages(
            part.data, start, part.low[at], part.high[at], self._keys, self._masks, tongues.JAPANESE
        )
        can = np.where(can & tongues.BITS["ja"] > 0, can, can | tongues.BITS["zh"])
        right = can & self._bits[swap] > 0
        # A word of another language, where none is spoken, is no hit.
        keep = (end <= part.high[at]) & (right | ~self._leave[swap])
        start, end, swap, at, right = start[keep], end[keep], swap[keep], at[keep], right[keep]
        # By start, the longest first: what begins inside a longer hit is part of that phrase.
        reached = np.maximum.accumulate(np.append(0, end))[:-1]
        keep = start >= reached
        start, end, swap, at, right = start[keep], end[keep], swap[keep], at[keep], right[keep]
        low, high = part.low[at], part.high[at]
        prose = kernels.prose(part.data, low, high, start, end, kernels.SPECIAL)
        return part.segment[at], start - low, end - low, swap, prose, right


def _unescaped(segments: Segments, json: np.ndarray) -> Segments:
    r"""With the escapes of these segments blanked in a copy, byte for byte, so that ``\nHe`` is not read as nHe."""
    escaped = [(int(i), raw) for i in json if b"\\" in (raw := segments.bytes(int(i)))]
    if not escaped:
        return segments
    blanked = [_ESCAPES.sub(lambda m: b" " * len(m[0]), raw) for _, raw in escaped]
    which = np.array([i for i, _ in escaped])
    ends = np.cumsum([len(b) for b in blanked])
    buffer, start, end = segments.buffer.copy(), segments.start.copy(), segments.end.copy()
    buffer[which] = len(segments.buffers)
    start[which], end[which] = ends - [len(b) for b in blanked], ends
    data = np.frombuffer(b"".join(blanked), np.uint8)
    return replace(segments, buffers=(*segments.buffers, data), buffer=buffer, start=start, end=end)
