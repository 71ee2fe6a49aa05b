"""Counterfactual copies of records: he for she, sister for brother, Mary for John, the whole record through.

Records and segments in, edits out, as of a filter that scrubs; but it judges nothing, so it is none. What it does not swap, and which
records it leaves alone, is in docs/augment.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from filters.batch import CONTENT, METADATA, REASONING, TOOL_CALL, TOOL_DEFINITION, TOOL_RESULT, Batch
from filters.contract import Edits
from filters.counterfactual import lexicon
from filters.counterfactual.finder import Finder, Hits
from filters.counterfactual.record import CODE, LANGUAGE, TITLE, UNSURE, VALUE, LeftAlone, Record, hit_of

NOT_READ = (TOOL_DEFINITION, METADATA)

_OTHER_SCRIPT = re.compile(rb"[\xe3-\xed][\x80-\xbf]{2}|[\xd0-\xdf][\x80-\xbf]|\xe0[\xa4-\xbf][\x80-\xbf]")
"""A character of Cyrillic, Arabic, Hebrew, an Indian script or CJK."""
MOST_OTHER = 3
"""Of these a record may have as many: more speak a language in which somebody may be he or she."""

REASONS: Mapping[str, str] = {
    lexicon.SEX_SPECIFIC: "it speaks of what holds for one sex, or of the sexes themselves",
    lexicon.GAME: "its king and queen are pieces or cards",
    lexicon.FIGURE: "it names somebody whom books know",
    LANGUAGE: "it speaks of him or her in another language than English",
    TITLE: "a title, a rank or a name has a gendered word in it",
    CODE: "a word or name to be swapped stands in code or a formula, too",
    VALUE: "a word to be swapped is a key, or a value by itself, of a call or a result",
    UNSURE: "a word may be a name or not",
}
"""Why a record that has gendered words is left alone."""


@dataclass(frozen=True)
class Swaps:
    """edits: of all records that are swapped. swapped: bool[n]. left: record -> reason, of those that would have been."""

    edits: Edits
    swapped: np.ndarray
    left: Mapping[int, str]


class Counterfactual:
    """Loaded once a worker."""

    def __init__(self) -> None:
        self._swaps = lexicon.load()
        self._finder = Finder(self._swaps)
        self._kind = np.array([s.kind for s in self._swaps], np.int8)

    def swaps(self, batch: Batch) -> Swaps:
        """What to change for each record's copy. Unreadable records are left out."""
        segments = batch.segments
        which = segments.where(channels=(CONTENT, REASONING, TOOL_CALL, TOOL_RESULT))
        readable = np.ones(len(batch), bool)
        readable[[record for record, _ in batch.unreadable]] = False
        which = which[readable[segments.record[which]]]
        hits = self._finder.find(segments, which, which[_opens(batch, which)])
        edits, swapped, left = Edits(), np.zeros(len(batch), bool), {}
        for record, low, high in _records(
            segments.record[hits.segment], np.isin(self._kind[hits.swap], lexicon.SWAPPED)
        ):
            try:
                changes = self._of_record(batch, record, hits, low, high)
            except LeftAlone as why:
                left[record] = str(why)
                continue
            for change in changes:
                edits.add(*change)
            swapped[record] = bool(changes)
        return Swaps(edits, swapped, left)

    def _of_record(self, batch: Batch, record: int, hits: Hits, low: int, high: int) -> list:
        kinds = self._kind[hits.swap[low:high]]
        against = np.flatnonzero((kinds == lexicon.LEAVE) & hits.prose[low:high])
        if len(against):
            raise LeftAlone(self._swaps[hits.swap[low + against[0]]].target)
        mine = low + np.flatnonzero(np.isin(kinds, lexicon.SWAPPED))
        segments = batch.segments
        first, last = (int(i) for i in batch.record_start[record : record + 2])
        texts = {i: segments.bytes(i) for i in range(first, last) if segments.channel[i] not in NOT_READ}
        if sum(len(_OTHER_SCRIPT.findall(text)) for text in texts.values()) > MOST_OTHER:
            raise LeftAlone(LANGUAGE)
        found = []
        for i in mine:
            segment = int(hits.segment[i])
            start, end = int(hits.start[i]), int(hits.end[i])
            told = {"prose": bool(hits.prose[i]), "english": bool(hits.english[i])}
            found.append(hit_of(texts[segment], segment, start, end, self._swaps[hits.swap[i]], **told))
        calls = frozenset(s for s in texts if segments.channel[s] == TOOL_CALL)
        return Record(texts.__getitem__, calls, lambda: _definitions(batch, record)).changes(found)


def _opens(batch: Batch, which: np.ndarray) -> np.ndarray:
    """bool: the segment may be JSON, since that is what it begins like."""
    segments = batch.segments
    out = np.zeros(len(which), bool)
    for number, buffer in enumerate(segments.buffers):
        mine = segments.buffer[which] == number
        out[mine] = np.isin(buffer[segments.start[which[mine]]], np.frombuffer(b'{[" \n', np.uint8))
    return out


def _records(record: np.ndarray, swapped: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """(record, its hits from, up to) of each record with something to swap."""
    for number in np.unique(record[swapped]):
        yield int(number), int(np.searchsorted(record, number)), int(np.searchsorted(record, number, side="right"))


def _definitions(batch: Batch, record: int) -> list[bytes]:
    low, high = batch.record_start[record : record + 2]
    channel = batch.segments.channel
    return [batch.segments.bytes(i) for i in range(int(low), int(high)) if channel[i] == TOOL_DEFINITION]
