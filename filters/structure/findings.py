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
    """Violations in the order they were found; those of rules that are off are not kept."""

    active: frozenset[str]
    rows: list[tuple[int, int, int, int, int, int, int]] = field(default_factory=list)
    """(record, severity, turn, channel, segment, start, end); segment -1: the turn as a whole."""

    def wants(self, *codes: str) -> bool:
        return not self.active.isdisjoint(codes)

    def turn(self, code: str, record: int, turn: int, channel: int = CONTENT) -> None:
        if code in self.active:
            self.rows.append((record, SEVERITY[code], turn, channel, -1, 0, 0))

    def span(self, code: str, batch: Batch, segment: int, start: int = 0, end: int | None = None) -> None:
        """A stretch of a segment, in bytes; all of it unless told."""
        if code in self.active:
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

    def judge(self, batch: Batch, skip: Sequence[int]) -> tuple[np.ndarray, np.ndarray, Evidence]:
        """(reason int16[n], violations int32[n], evidence). skip: records that reading itself refused."""
        reason = np.full(len(batch), KEPT, np.int16)
        count = np.zeros(len(batch), np.int32)
        evidence = Evidence()
        codes = list(REASONS)
        refused = set(skip)
        for row in sorted(set(self.rows)):
            record, severity, turn, channel, segment, start, end = row
            if record in refused:
                continue
            if reason[record] == KEPT:
                reason[record] = severity
            count[record] += 1
            if count[record] > EVIDENCE_LIMIT:
                continue
            if segment >= 0:
                evidence.add_span(batch, segment, start, end, codes[severity])
            else:
                evidence.add_turn(record, turn, channel, codes[severity])
        return reason, count, evidence
