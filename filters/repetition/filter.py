"""The filter: which text is judged, how measures become scores, and where the evidence comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from filters.batch import ASSISTANT, CONTENT, REASONING, Batch
from filters.contract import KEPT, Filter, Judgement
from filters.repetition.options import MEASURED_WITH, REASONS, SCORES, Options, decide

MIN_TOKENS = 1500
"""Shares are shares of at least this many tokens: a song may have a refrain."""

MIN_BYTES = 64
"""Segments shorter than this cannot reach any threshold."""


class RepetitionFilter(Filter):
    """Rejects records whose reasoning or answers repeat themselves; each turn and channel is judged by itself."""

    name = "repetition"
    summary = "loops, counters, bursts and going in circles in reasoning and answers"
    reasons = REASONS
    scores = SCORES
    Options = Options
    measured_with = MEASURED_WITH
    thresholds = {score: f"max_{score}" for score in SCORES}

    options: Any

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        # numba takes a fifth of a second to import, so it is left to those who judge.
        from filters.repetition import evidence, measure, phrases

        self._measure = measure
        self._phrases = phrases
        self._evidence = evidence

    @classmethod
    def decide(cls, scores: Mapping[str, Any], options: Any) -> np.ndarray:
        return decide(scores, options)

    def judge(self, batch: Batch) -> Judgement:
        segments = batch.segments
        which = segments.where(channels=(CONTENT, REASONING), roles=(ASSISTANT,))
        which = which[segments.length[which] >= MIN_BYTES]
        measures = self._measure.measure(segments, which, self.options.window)
        each = self._scores(measures)
        scores = {name: np.zeros(len(batch), np.float32) for name in SCORES}
        for name, values in each.items():
            np.maximum.at(scores[name], segments.record[which], values)
        judgement = Judgement(decide(scores, self.options), scores)
        if (judgement.reason != KEPT).any():
            self._evidence.collect(judgement.evidence, batch, which, each, self.options)
        return judgement

    def _scores(self, measures: np.ndarray) -> dict[str, np.ndarray]:
        """The scores of each segment, float32."""
        m = self._phrases
        scores = {}
        for prefix, row in (("", m.PROSE), ("code_", m.CODE)):
            found = measures[:, row]
            tokens = np.maximum(found[:, m.TOKENS], MIN_TOKENS)
            scores[f"{prefix}loop_copies"] = found[:, m.LOOP_COPIES]
            scores[f"{prefix}loop_words"] = found[:, m.LOOP_WORDS]
            scores[f"{prefix}counter_copies"] = found[:, self._measure.COUNTER_COPIES]
            scores[f"{prefix}burst_words"] = found[:, m.BURST_WORDS]
            scores[f"{prefix}restated_share"] = found[:, m.RESTATED_WORDS] / tokens
            scores[f"{prefix}recopied_share"] = found[:, m.COPIED_TOKENS] / tokens
        return {name: scores[name].astype(np.float32) for name in SCORES}
