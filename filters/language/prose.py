"""Collecting prose: what is left of a text without code, markup, formulae, URLs, JSON, tables and numbers.

A text is cut into a few zones of equal size and up to a window of prose is taken from the start of each, so that a long
text costs little and one that changes its language half-way is still seen. Letters are counted by script everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from filters.language import kernels, lines, scripts

CODE_ZONES = 2
"""Zones of code for each window of prose that make a text code."""


@dataclass(frozen=True)
class Plan:
    """How a text is cut. windows: at most so many. zone: bytes of text there should at least be for each. enough: letters
    below which a window grows into the next zone, since a guess on so little is worth little. clauses: a colon ends a line."""

    windows: int
    zone: int = 300
    enough: int = 40
    clauses: bool = False


@dataclass(frozen=True)
class Windows:
    """Stretches of collected prose; all arrays but ``text`` have one value a window, and windows are sorted by group.

    text[start:end] is UTF-8 on one line, words separated by spaces; the windows of a group follow each other. letters: an
    ideograph, kana or Hangul syllable counts as three. segment, first, last: where in the source it lies (index into the
    segments given, bytes in their buffer).
    """

    text: np.ndarray
    group: np.ndarray
    start: np.ndarray
    end: np.ndarray
    letters: np.ndarray
    segment: np.ndarray
    first: np.ndarray
    last: np.ndarray

    def __len__(self) -> int:
        return len(self.group)

    def by_script(self) -> np.ndarray:
        """int64[n, scripts]: the letters of each window by script."""
        out = np.zeros((len(self), len(scripts.SCRIPTS)), np.int64)
        kernels.census(self.text, self.start, self.end, scripts.table(), out)
        return out


def collect(
    data: np.ndarray, start: np.ndarray, end: np.ndarray, group: np.ndarray, plan: np.ndarray
) -> tuple[Windows, np.ndarray]:
    """Windows of prose from segments of one buffer, and int64[groups, scripts]: letters outside fences, formulae and JSON.

    A text of which most zones are code has no windows: what stands between is comments and messages.

    group: which text each segment is a part of, sorted; the segments of a group are read as if they stood in a row.
    plan: for each group, the fields of a Plan.
    """
    most, zone, enough, clauses = plan.T
    size = np.bincount(group, weights=end - start, minlength=len(plan)).astype(np.int64)
    zones = np.clip(size // zone, 1, most)
    # Copying adds at most one space a token, and a token has a byte at least: markup splits words, too.
    whole = 2 * size + 2 * np.bincount(group, minlength=len(plan))
    room = int(np.minimum(whole, zones * (kernels.WINDOW_BYTES + 2 * lines.PIECE)).sum()) + 2 * lines.PIECE
    text = np.empty(room, np.uint8)
    table = np.zeros((int(zones.sum()), kernels.COLUMNS), np.int64)
    letters = np.zeros((len(plan), len(scripts.SCRIPTS)), np.int64)
    code = np.zeros(len(plan), np.int64)
    count = kernels.collect(
        data, start.astype(np.int64), end.astype(np.int64), group.astype(np.int64),
        np.column_stack([np.maximum(size // zones, 1), zones, enough, clauses]), scripts.table(), text, table, letters,
        code,
    )  # fmt: skip
    found = np.bincount(table[:count, 0], minlength=len(plan))
    prose = (code < CODE_ZONES * np.maximum(found, 1))[table[:count, 0]]
    return Windows(text, *np.ascontiguousarray(table[:count][prose].T)), letters
