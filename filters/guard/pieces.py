"""Which texts are judged, and in which pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from filters.batch import (
    ASSISTANT,
    CONTENT,
    OTHER,
    REASONING,
    ROLES,
    SYSTEM,
    TOOL_CALL,
    TOOL_RESULT,
    USER,
    Batch,
    Segments,
)

ANY = tuple(range(len(ROLES)))
TEXTS = {
    "system": ((SYSTEM,), CONTENT),
    "prompt": ((USER,), CONTENT),
    # A role that nobody knows has most likely said something for the model to learn.
    "response": ((ASSISTANT, OTHER), CONTENT),
    "reasoning": (ANY, REASONING),
    "tool_call": (ANY, TOOL_CALL),
    "tool_result": (ANY, TOOL_RESULT),
}
"""Name -> roles and channel."""

_SPACES = b" \n\t"


@dataclass(frozen=True)
class Pieces:
    """segment, start, end: int64, in order; bytes from the segment's start. too_long: segments of too many pieces."""

    segment: np.ndarray
    start: np.ndarray
    end: np.ndarray
    too_long: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.segment)


def chosen(batch: Batch, texts: Iterable[str]) -> np.ndarray:
    """Segments of these texts that have any text, in order."""
    each = [batch.segments.where(channels=(TEXTS[t][1],), roles=TEXTS[t][0]) for t in texts]
    return np.unique(np.concatenate(each)).astype(np.int64)


def cut(segments: Segments, which: np.ndarray, size: int, most: int) -> Pieces:
    """Texts in pieces of at most ``size`` bytes, cut at white space where the second half of a piece has some, else between
    characters. A Python loop only over texts that are longer than a piece."""
    length = segments.length[which]
    short, too_long = which[length <= size], []
    rows = [np.stack([short, np.zeros_like(short), segments.length[short]], 1)]
    for i in which[length > size].tolist():
        # A piece holds at least half of its size, so this bounds what is looked at as well.
        if segments.length[i] > size * most or (found := list(_cuts(segments.bytes(i), size)))[most:]:
            too_long.append(i)
        else:
            rows.append(np.array([(i, a, b) for a, b in found], np.int64))
    table = np.concatenate(rows).astype(np.int64)
    table = table[np.lexsort((table[:, 1], table[:, 0]))]
    return Pieces(table[:, 0], table[:, 1], table[:, 2], tuple(too_long))


def _cuts(text: bytes, size: int) -> Iterator[tuple[int, int]]:
    start = 0
    while len(text) - start > size:
        end = 1 + max(text.rfind(bytes([space]), start + size // 2, start + size) for space in _SPACES)
        if not end:
            end = start + size
            while text[end] & 0xC0 == 0x80:
                end -= 1
        yield start, end
        start = end
    yield start, len(text)


def prompt_before(batch: Batch, which: np.ndarray) -> np.ndarray:
    """Of each segment the user's last text before it in its record; -1: there is none."""
    prompts = batch.segments.where(channels=(CONTENT,), roles=(USER,))
    if not len(prompts):
        return np.full(len(which), -1, np.int64)
    at = np.searchsorted(prompts, which) - 1
    before = prompts[np.maximum(at, 0)]
    same = (at >= 0) & (batch.segments.record[before] == batch.segments.record[which])
    return np.where(same, before, -1)
