"""Where the repetition stands, for the few segments that were hit: they are measured once more, keeping the rows.

Rules: the reason's code marks a whole repeated span; with ``:copy`` one of its copies, or the place a phrase was copied
from.
"""

from __future__ import annotations

import numpy as np

from filters.batch import Batch
from filters.contract import EVIDENCE_LIMIT, Evidence
from filters.repetition import measure, phrases
from filters.repetition.options import REASONS, RULES, Options, hits

SPANS = 12
"""Spans shown for one reason and segment, the largest first."""

ROOM = 1 << 15
"""Rows of one segment to choose from."""

KINDS = {
    "loop_copies": phrases.LOOP,
    "loop_words": phrases.LONG_LOOP,
    "counter_copies": phrases.COUNTER,
    "burst_words": phrases.BURST,
    "restated_share": phrases.RESTATED,
    "recopied_share": phrases.RESTATED | phrases.COPIED,
}


def collect(
    evidence: Evidence, batch: Batch, which: np.ndarray, scores: dict[str, np.ndarray], options: Options
) -> None:
    """Add the spans behind every rule that a segment broke: most severe reason first, largest spans first."""
    broken: dict[int, list[tuple[str, str]]] = {}
    for code, score in RULES:
        for i in np.flatnonzero(hits(scores, options, score)).tolist():
            broken.setdefault(i, []).append((code, score))
    room = dict.fromkeys(batch.segments.record[which[list(broken)]].tolist(), EVIDENCE_LIMIT)
    for i in sorted(broken):
        segment = int(which[i])
        record = int(batch.segments.record[segment])
        rows = measure.repeats(batch.segments, segment, options.window, ROOM)
        for start, end, rule in _spans(rows, broken[i], options)[: room[record]]:
            evidence.add_span(batch, segment, start, end, rule)
            room[record] -= 1


def _spans(rows: np.ndarray, broken: list[tuple[str, str]], options: Options) -> list[tuple[int, int, str]]:
    """(start, end, rule) in bytes of the segment, each once."""
    spans: dict[tuple[int, int, str], None] = {}
    for code in sorted({code for code, _ in broken}, key=list(REASONS).index):
        mine = np.zeros(len(rows), bool)
        for score in (score for c, score in broken if c == code):
            mine |= _behind(rows, score, getattr(options, f"max_{score}"))
        chosen = np.flatnonzero(mine)
        chosen = chosen[np.argsort(-rows[chosen, phrases.ROW_WEIGHT], kind="stable")][:SPANS]
        for row in rows[chosen].tolist():
            spans[row[phrases.ROW_START], row[phrases.ROW_END], code] = None
            for k in range(row[phrases.ROW_UNITS]):
                start, end = row[phrases.ROW_FIRST + 2 * k : phrases.ROW_FIRST + 2 * k + 2]
                spans[start, end, f"{code}:copy"] = None
    return list(spans)


def _behind(rows: np.ndarray, score: str, limit: float) -> np.ndarray:
    """bool: the rows that a score is made of; of a maximum, those that reach the limit themselves."""
    name = score.removeprefix("code_")
    mine = (rows[:, phrases.ROW_KIND] & KINDS[name]) != 0
    if name in ("loop_copies", "counter_copies"):
        mine &= rows[:, phrases.ROW_MILLICOPIES] >= np.floor(1000 * limit)
    elif name == "loop_words":
        mine &= rows[:, phrases.ROW_WEIGHT] >= limit
    return mine
