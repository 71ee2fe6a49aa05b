"""What a guard said of a batch, before it becomes verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from filters.batch import Batch
from filters.guard import categories


@dataclass
class Findings:
    """rows: segment, start and end in bytes, category and its probability. unjudged: segment, start, end of what has no answer.

    questions, prompt_tokens, completion_tokens: int64[records].
    """

    questions: np.ndarray
    prompt_tokens: np.ndarray
    completion_tokens: np.ndarray
    rows: list[tuple[int, int, int, str, float]] = field(default_factory=list)
    unjudged: list[tuple[int, int, int]] = field(default_factory=list)
    prices: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def none(cls, records: int) -> Findings:
        return cls(np.zeros(records, np.int64), np.zeros(records, np.int64), np.zeros(records, np.int64))

    def add(self, segment: int, start: int, end: int, category: str, p: float) -> None:
        """Rounded as it is recorded, so that what evidence shows and what the scores say agree."""
        if (p := round(min(p, 1.0), 4)) >= categories.LEAST:
            self.rows.append((segment, start, end, category, p))

    def scores(self, batch: Batch) -> dict[str, np.ndarray | pa.Array]:
        n, record = len(batch), batch.segments.record
        best: dict[int, dict[str, float]] = {}
        for segment, _, _, category, p in self.rows:
            mine = best.setdefault(int(record[segment]), {})
            mine[category] = max(mine.get(category, 0.0), p)
        told, worst, unjudged = np.full(n, "", object), np.zeros(n, np.float32), np.zeros(n, np.int32)
        for r, mine in best.items():
            told[r], worst[r] = categories.written(mine), max(mine.values())
        for segment, _, _ in self.unjudged:
            unjudged[record[segment]] += 1
        # A price is for a million tokens, so the product counts millionths.
        cost = np.rint(self.prompt_tokens * self.prices[0] + self.completion_tokens * self.prices[1]).astype(np.int64)
        return {
            "p": worst, "categories": told, "unjudged": unjudged, "questions": self.questions.astype(np.int32),
            "prompt_tokens": self.prompt_tokens, "completion_tokens": self.completion_tokens, "cost_millionths": cost,
        }  # fmt: skip
