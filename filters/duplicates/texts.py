"""What of a record is compared: byte ranges of its segments, in order. System prompts and tool definitions never are."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from filters.batch import ASSISTANT, CONTENT, METADATA, SYSTEM, TOOL_CALL, TOOL_DEFINITION, USER, Batch
from filters.structure.answers import boxes

_AFTER_HASHES = re.compile(rb"####[ \t]*([^\r\n]+)")


@dataclass(frozen=True)
class Ranges:
    """segment: int64[m], ascending, so sorted by record. start/end: int64[m], bytes into the segment's buffer."""

    segment: np.ndarray
    start: np.ndarray
    end: np.ndarray


def compared(batch: Batch, what: str) -> Ranges:
    """The texts of every record that count. A record without any is compared with nothing."""
    segments = batch.segments
    said = (segments.role == USER) & (segments.channel == CONTENT)
    if what == "conversation":
        chosen = (segments.role != SYSTEM) & ~np.isin(segments.channel, (TOOL_DEFINITION, METADATA))
    elif what == "prompt":
        chosen = said
    elif what == "answer":
        chosen = (segments.role == ASSISTANT) & np.isin(segments.channel, (CONTENT, TOOL_CALL))
    else:
        return _with_final_answers(batch, said)
    return _ranges(batch, np.flatnonzero(chosen & (segments.length > 0)))


def _ranges(batch: Batch, which: np.ndarray) -> Ranges:
    segments = batch.segments
    return Ranges(which, segments.start[which].astype(np.int64), segments.end[which].astype(np.int64))


def _with_final_answers(batch: Batch, said: np.ndarray) -> Ranges:
    """Prompts, and of the last answer what it comes to. A record that lacks either is compared with nothing."""
    segments = batch.segments
    answers = np.flatnonzero((segments.role == ASSISTANT) & (segments.channel == CONTENT) & (segments.length > 0))
    last = np.full(len(batch), -1)
    last[segments.record[answers]] = answers
    asked = np.zeros(len(batch), bool)
    asked[segments.record[said & (segments.length > 0)]] = True
    last[~asked] = -1
    mine = said & (segments.length > 0) & (last[segments.record] >= 0)
    mine[last[last >= 0]] = True
    found = _ranges(batch, np.flatnonzero(mine))
    final = np.flatnonzero(segments.role[found.segment] == ASSISTANT)
    for i in final.tolist():
        low, high = _final(segments.bytes(int(found.segment[i])))
        found.end[i] = found.start[i] + high
        found.start[i] += low
    return found


def _final(answer: bytes) -> tuple[int, int]:
    """Where the final answer stands in an answer: in its last box, after its last ``####``, else all of it."""
    if b"box" in answer and (found := list(boxes(answer))):
        _, end, content = found[-1]
        return end - 1 - len(content), end - 1
    if b"####" in answer and (lines := list(_AFTER_HASHES.finditer(answer))):
        return lines[-1].span(1)
    return 0, len(answer)
