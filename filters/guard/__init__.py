"""Unsafe content, by a classifier: a fastText model of yours, or a guard model behind an endpoint that the recipe names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from filters.batch import Batch
from filters.contract import KEPT, ConfigError, Evidence, Filter, Judgement
from filters.guard import categories, classifier, pieces, templates
from filters.guard.findings import Findings
from filters.guard.options import GuardOptions

UNSAFE, UNJUDGED = 0, 1


class GuardFilter(Filter):
    """Each text is judged by itself, an answer together with the prompt before it; the worst word on any of them counts."""

    name = "guard"
    summary = "Drops unsafe content by a fastText model, or by a guard model behind an OpenAI-compatible endpoint."
    reasons: ClassVar[Mapping[str, str]] = {
        "unsafe_content": "The guard calls a text of the record unsafe, in a category that the recipe drops.",
        "guard_unjudged": "The guard gave no usable answer about a text of the record, however often it was asked.",
    }
    scores: ClassVar[Mapping[str, pa.DataType]] = {
        "p": pa.float32(),
        "categories": pa.string(),
        "unjudged": pa.int32(),
        "questions": pa.int32(),
        "prompt_tokens": pa.int64(),
        "completion_tokens": pa.int64(),
        "cost_millionths": pa.int64(),
    }
    thresholds: ClassVar[Mapping[str, str]] = {"p": "threshold"}
    summed: ClassVar = ("questions", "prompt_tokens", "completion_tokens", "cost_millionths")
    spent: ClassVar = summed
    measured_with: ClassVar = ("model", "labels", "endpoint", "texts", "piece", "most_pieces", "on_failure")
    Options = GuardOptions
    options: GuardOptions

    def __init__(self, options: GuardOptions | None = None) -> None:
        super().__init__(options)
        o = self.options
        if bool(o.model) == (o.endpoint is not None):
            raise ConfigError(
                "guard: give either a fastText model, guard: {model: toxic.bin, labels: {toxic: toxicity}}, or an endpoint"
            )
        self._judge: Any
        if o.endpoint is None:
            self._judge = classifier.Classifier(o.model, o.labels)
        else:
            # Imported here: a recipe with a model of its own needs no HTTP.
            from filters.guard.asking import Asking

            self._judge = Asking(o.endpoint, stop=o.on_failure == "stop")
        categories.check(o.drop, self._judge.categories)

    @classmethod
    def asks_elsewhere(cls, options: Any) -> bool:
        return options.endpoint is not None

    @classmethod
    def check(cls, options: Any) -> None:
        if options.endpoint is None:
            categories.check(options.drop, frozenset(options.labels.values()))
        else:
            categories.check(options.drop, templates.load(templates.locate(options.endpoint.template)).codes)

    @classmethod
    def assets(cls, options: Any) -> Mapping[str, str]:
        if options.endpoint is not None:
            path = templates.locate(options.endpoint.template)
            return {path.name: templates.digest(path)}
        return classifier.asset(options.model) if options.model else {}

    @classmethod
    def not_scanned(cls, options: Any) -> tuple[str, ...]:
        return tuple(f"unsafe content in {name}" for name in pieces.TEXTS if name not in options.texts)

    @classmethod
    def summarise(cls, tables: Mapping[str, Mapping[str, int]], options: Any) -> dict[str, Any]:
        """Which texts left the machine, and for where."""
        if options.endpoint is None:
            return {"sent": []}
        told = {"texts": list(options.texts), "to": options.endpoint.url, "model": options.endpoint.model,
                "scrubbed": options.endpoint.scrub}  # fmt: skip
        return {"sent": [told]}

    def judge(self, batch: Batch) -> Judgement:
        """p: the largest probability of a category (1 where the guard gives none); categories: all of at least 0.01, as
        ``name=p``; unjudged: pieces without an answer; the rest is what was asked and what that took, cached or not."""
        o = self.options
        chosen = pieces.chosen(batch, o.texts)
        cut = pieces.cut(batch.segments, chosen, o.piece, o.most_pieces)
        found = self._judge.judge(batch, cut)
        found.unjudged += [(segment, 0, int(batch.segments.length[segment])) for segment in cut.too_long]
        scores = found.scores(batch)
        reason = self.decide({"categories": scores["categories"], "unjudged": scores["unjudged"]}, o)
        return Judgement(reason, scores, self._evidence(batch, found))

    def _evidence(self, batch: Batch, found: Findings) -> Evidence:
        evidence = Evidence()
        for segment, start, end, category, p in found.rows:
            if p >= self.options.threshold and categories.drops(category, self.options.drop):
                evidence.add_span(batch, segment, start, end, category)
        for segment, start, end in found.unjudged:
            evidence.add_span(batch, segment, start, end, "guard_unjudged")
        return evidence

    @classmethod
    def decide(cls, scores: Mapping[str, Any], options: GuardOptions) -> np.ndarray:
        unjudged = np.asarray(scores["unjudged"], np.int64)
        reason = np.where(unjudged > 0, UNJUDGED, KEPT).astype(np.int16)
        for record, told in enumerate(scores["categories"]):
            # Most records have none.
            if told and any(
                p >= options.threshold and categories.drops(c, options.drop) for c, p in categories.read(told)
            ):
                reason[record] = UNSAFE
        return reason
