"""A batch's mentions as numbers, and which of them stand in a sentence with an occupation or a word of sentiment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from filters.batch import Batch
from filters.mentions.lexicon import AXES
from pipelines.audit.nearby import sentences
from pipelines.audit.tally import Batched, Key, distinct

OCCUPATION, SENTIMENT = "occupation", "sentiment"


class Found:
    """A finder's table as codes. groups and words: what the codes stand for. axes: those that are mentioned."""

    def __init__(self, batch: Batch, table: pa.Table) -> None:
        self.record, self.segment, self.start, self.end = (
            table[name].to_numpy().astype(np.int64) for name in ("record", "segment", "start", "end")
        )
        self._axis, self.axis_names = _codes(table["axis"])
        self.group, self.groups = _codes(table["group"])
        self.word, self.words = _codes(table["identifier"])
        self.axes = [a for a in AXES if self.is_axis(a).any()]
        self.buffer = batch.segments.buffer[self.segment]
        self.base = batch.segments.start[self.segment]

    def is_axis(self, *axes: str) -> np.ndarray:
        return np.isin(self._axis, [i for i, name in enumerate(self.axis_names) if name in axes])

    def of(self, axis: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(record, group, word) of an axis's mentions."""
        here = self.is_axis(axis)
        return self.record[here], self.group[here], self.word[here]


def _codes(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    encoded = column.combine_chunks()
    if not pa.types.is_dictionary(encoded.type):
        encoded = encoded.dictionary_encode()
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), encoded.dictionary.to_pylist()


def near(batch: Batch, found: Found, into: Batched) -> None:
    """Records in which a group and a word stand in one sentence: ("near", axis, group, kind, word); any group of the axis:
    ("near_axis", …); and no other group: ("near_only", …). A word that is itself the mention (policewoman) is no company."""
    helper = found.is_axis(OCCUPATION, SENTIMENT)
    if not helper.any() or not found.axes:
        return
    at = np.lexsort((found.start, found.segment))
    number = np.empty(len(at), np.int64)
    number[at] = sentences(
        batch.segments.buffers, found.buffer[at], found.base[at], found.segment[at], found.start[at], found.end[at]
    )
    helper &= ~_inside(found, ~helper, helper)
    # Of sentiment the side counts (the group), of occupations the word.
    sided = found.is_axis(SENTIMENT)
    word = np.where(sided, found.group, found.word + len(found.groups))
    for axis in found.axes:
        mine = found.is_axis(axis)
        record, group, beside = _joined(number, found.record, mine, found.group, helper, word)
        _hold(record, group, beside, axis, found, into)


def _inside(found: Found, mention: np.ndarray, helper: np.ndarray) -> np.ndarray:
    """Whether a helper's hit overlaps a mention's."""
    wide = int(found.end.max()) + 1
    start, end = found.segment * wide + found.start, found.segment * wide + found.end
    order = np.argsort(start[mention], kind="stable")
    starts, ends = start[mention][order], np.maximum.accumulate(end[mention][order])
    before = np.searchsorted(starts, end) - 1
    return helper & (before >= 0) & (ends[np.maximum(before, 0)] > start)


def _joined(
    sentence: np.ndarray, record: np.ndarray, left: np.ndarray, group: np.ndarray, right: np.ndarray, word: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(record, group, word) of everything in one sentence, each once."""
    at, groups, records, _ = distinct(sentence[left], group[left], record[left])
    word_at, words, _ = distinct(sentence[right], word[right])
    low = np.searchsorted(at, word_at, side="left")
    many = np.searchsorted(at, word_at, side="right") - low
    which = np.repeat(low, many) + np.arange(int(many.sum())) - np.repeat(np.cumsum(many) - many, many)
    found = distinct(records[which], groups[which], np.repeat(words, many))
    return found[0], found[1], found[2]


def _hold(record: np.ndarray, group: np.ndarray, word: np.ndarray, axis: str, found: Found, into: Batched) -> None:
    if not len(record):
        return
    used, code = np.unique(word, return_inverse=True)
    named: Sequence[Key] = [
        (SENTIMENT, found.groups[w]) if w < len(found.groups) else (OCCUPATION, found.words[w - len(found.groups)])
        for w in used
    ]
    into.hold(record, code, [("near_axis", axis, *w) for w in named])
    pairs, pair = np.unique(group * len(named) + code, return_inverse=True)
    keys = [(axis, found.groups[p // len(named)], *named[p % len(named)]) for p in pairs]
    into.hold(record, pair, [("near", *key) for key in keys])
    place = record * len(named) + code
    alone = np.bincount(place)[place] == 1
    into.hold(record[alone], pair[alone], [("near_only", *key) for key in keys])
