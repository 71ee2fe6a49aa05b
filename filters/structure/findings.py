"""What the checks found, and how it becomes a judgement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from filters.batch import CONTENT, Batch
from filters.contract import EVIDENCE_LIMIT, KEPT, Evidence
from filters.structure.rules import REASONS

SEVERITY = {code: i for i, code in enumerate(REASONS)}


@dataclass
class Findings:
    """Violations in the order they were found. recorded: codes that are looked for; counting: those that make a verdict."""

    recorded: frozenset[str]
    counting: frozenset[str]
    rows: list[tuple[int, int, int, int, int, int, int]] = field(default_factory=list)
    """(record, severity, turn, channel, segment, start, end); segment -1: the turn as a whole."""

    def wants(self, *codes: str) -> bool:
        return not self.recorded.isdisjoint(codes)

    def turn(self, code: str, record: int, turn: int, channel: int = CONTENT) -> None:
        if code in self.recorded:
            self.rows.append((record, SEVERITY[code], turn, channel, -1, 0, 0))

    def span(self, code: str, batch: Batch, segment: int, start: int = 0, end: int | None = None) -> None:
        """A stretch of a segment, in bytes; all of it unless told."""
        if code in self.recorded:
            s = batch.segments
            stop = int(s.length[segment]) if end is None else end
            self.rows.append(
                (
                    int(s.record[segment]), SEVERITY[code], int(s.turn[segment]), int(s.channel[segment]),
                    int(segment), start, stop,
                )
            )  # fmt: skip

    def turns(self, code: str, records: np.ndarray, turns: np.ndarray, channel: int = CONTENT) -> None:
        for record, turn in zip(records.tolist(), turns.tolist(), strict=True):
            self.turn(code, record, turn, channel)

    def judge(self, batch: Batch, skip: Sequence[int]) -> Judged:
        """What counts, by record. skip: records that reading itself refused."""
        out = Judged(np.full(len(batch), KEPT, np.int16), np.zeros(len(batch), np.int32), {}, Evidence())
        codes = list(REASONS)
        counting = {SEVERITY[code] for code in self.counting}
        refused = set(skip)
        for row in sorted(set(self.rows)):
            record, severity, turn, channel, segment, start, end = row
            if record in refused:
                continue
            broken = out.rules.setdefault(record, [])
            if not broken or broken[-1] != codes[severity]:
                broken.append(codes[severity])
            if severity not in counting:
                continue
            if out.reason[record] == KEPT:
                out.reason[record] = severity
            out.violations[record] += 1
            if out.violations[record] > EVIDENCE_LIMIT:
                continue
            if segment >= 0:
                out.evidence.add_span(batch, segment, start, end, codes[severity])
            else:
                out.evidence.add_turn(record, turn, channel, codes[severity])
        return out


@dataclass
class Judged:
    """reason: int16[n]. violations: int32[n]. rules: record -> codes broken, whether they count or not, most severe first."""

    reason: np.ndarray
    violations: np.ndarray
    rules: dict[int, list[str]]
    evidence: Evidence
