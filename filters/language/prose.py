"""Collecting prose: what is left of a text without code, markup, formulae, URLs, JSON, tables and numbers.

A text is cut into a few zones of equal size and up to a window of prose is taken from the start of each, so that a long
text costs little and one that changes its language half-way is still seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from filters.language import kernels

ZONE = 300
"""Bytes of text there should at least be for each window."""


@dataclass(frozen=True)
class Windows:
    """Stretches of collected prose; all arrays but ``text`` have one value a window, and windows are sorted by group.

    text[start:end] is UTF-8 on one line, words separated by spaces. letters: an ideograph, kana or Hangul syllable counts
    as three. han/kana: characters of these scripts. segment, first, last: where in the source it lies (index into the
    segments given, bytes in their buffer).
    """

    text: np.ndarray
    group: np.ndarray
    start: np.ndarray
    end: np.ndarray
    letters: np.ndarray
    han: np.ndarray
    kana: np.ndarray
    segment: np.ndarray
    first: np.ndarray
    last: np.ndarray

    def __len__(self) -> int:
        return len(self.group)

    def string(self, i: int) -> str:
        return self.text[self.start[i] : self.end[i]].tobytes().decode("utf-8")


def collect(data: np.ndarray, start: np.ndarray, end: np.ndarray, group: np.ndarray, most: np.ndarray) -> Windows:
    """Windows of prose from segments of one buffer.

    group: which text each segment is a part of, sorted; the segments of a group are read as if they stood in a row.
    most: for each group, the greatest number of windows.
    """
    size = np.bincount(group, weights=end - start, minlength=len(most)).astype(np.int64)
    zones = np.clip(size // ZONE, 1, most).astype(np.int64)
    # Copying adds at most one space a token, that is, one a separator, a piece of a line, or a segment's end.
    whole = size + size // 128 + 2 * np.bincount(group, minlength=len(most))
    room = int(np.minimum(whole, zones * (kernels.WINDOW_BYTES + 2 * kernels.PIECE)).sum()) + 2 * kernels.PIECE
    text = np.empty(room, np.uint8)
    table = np.zeros((int(zones.sum()), kernels.COLUMNS), np.int64)
    count = kernels.collect(
        data, start.astype(np.int64), end.astype(np.int64), group.astype(np.int64), size, zones, text, table
    )
    return Windows(text, *np.ascontiguousarray(table[:count].T))
