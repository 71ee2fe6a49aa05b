"""Political alignment, nationalism and other voices a teacher model should not hand on: rule packs over one scan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
import pyarrow as pa

from filters.batch import ASSISTANT, CONTENT, REASONING, USER, Batch
from filters.contract import EVIDENCE_LIMIT, KEPT, Evidence, Filter, Judgement, Options
from filters.narrative.packs import REASONS, Loaded, digest, locate, read, rules_of

if TYPE_CHECKING:
    from filters.narrative.voice import Hit

DEFAULT_PACKS = ("stance", "nationalism", "alignment", "political_refusal")


class NarrativeOptions(Options, frozen=True, kw_only=True):
    packs: Annotated[
        tuple[str, ...],
        msgspec.Meta(description="Rule packs: names of built-in ones, or paths of .yaml files.", min_length=1),
    ] = DEFAULT_PACKS
    min_weight: Annotated[
        int,
        msgspec.Meta(
            description="Sum of the weights of the different rules that hit, from which a record is dropped.", ge=1
        ),
    ] = 2


class NarrativeFilter(Filter):
    """Scans what the assistant wrote, reasoning and answers; a hit counts if the assistant speaks in its own voice."""

    name = "narrative"
    summary = "Drops records in which the assistant speaks for a nation or a party, by rule packs; voice, not topic."
    reasons = REASONS
    scores = {"weight": pa.int32(), "hits": pa.int32(), "excused": pa.int32(), "strongest": pa.string()}
    Options = NarrativeOptions
    measured_with = ("packs",)
    options: NarrativeOptions

    def __init__(self, options: NarrativeOptions | None = None) -> None:
        super().__init__(options)
        # Imported here: compiling patterns is for workers; `plan` needs only names and hashes.
        from filters.narrative.voice import Voice

        self._rules: list[Loaded] = []
        for pack in self.options.packs:
            self._rules += rules_of(read(locate(pack)))
        self._voice = Voice(self._rules)

    @classmethod
    def assets(cls, options: Any) -> Mapping[str, str]:
        return {f"pack {pack}": digest(locate(pack)) for pack in options.packs}

    def judge(self, batch: Batch) -> Judgement:
        """scores: weight of the different rules that count, hits that count, hits excused by their context, and the most severe
        reason of the rules that count, whether their weight is enough or not."""
        n = len(batch)
        scores: dict[str, np.ndarray] = {name: np.zeros(n, np.int32) for name in ("weight", "hits", "excused")}
        scores["strongest"] = np.full(n, None, object)
        evidence = Evidence()
        which = batch.segments.where(channels=(CONTENT, REASONING), roles=(ASSISTANT,))
        by_record: dict[int, list[Hit]] = {}
        for hit in self._voice.hits(batch.segments, which, lambda segment: prompt_of(batch, segment)):
            by_record.setdefault(int(batch.segments.record[hit.segment]), []).append(hit)
        for record, hits in sorted(by_record.items()):
            counted = [h for h in hits if h.excuse is None]
            rules = {h.rule for h in counted}
            scores["hits"][record] = len(counted)
            scores["excused"][record] = len(hits) - len(counted)
            scores["weight"][record] = weight = sum(self._rules[r].rule.weight for r in rules)
            if rules:
                index = min(self.reason_index(self._rules[r].reason) for r in rules)
                scores["strongest"][record] = list(self.reasons)[index]
            if weight < self.options.min_weight:
                continue
            for h in counted[:EVIDENCE_LIMIT]:
                evidence.add_span(batch, h.segment, h.start, h.end, self._rules[h.rule].name)
        return Judgement(self.decide(scores, self.options), scores, evidence)

    @classmethod
    def decide(cls, scores: Mapping[str, Any], options: Any) -> np.ndarray:
        codes = {code: i for i, code in enumerate(cls.reasons)}
        strongest = np.fromiter((codes.get(c, KEPT) for c in scores["strongest"]), np.int16, len(scores["strongest"]))
        return np.where(np.asarray(scores["weight"]) >= options.min_weight, strongest, KEPT).astype(np.int16)


def prompt_of(batch: Batch, segment: int) -> str:
    """What the user last said before the turn that a segment belongs to."""
    segments = batch.segments
    record, turn = int(segments.record[segment]), int(segments.turn[segment])
    low, high = batch.record_start[record], batch.record_start[record + 1]
    here = np.arange(low, high)
    said = here[
        (segments.role[low:high] == USER) & (segments.channel[low:high] == CONTENT) & (segments.turn[low:high] < turn)
    ]
    if not len(said):
        return ""
    return "\n".join(segments.text(int(i)) for i in said if segments.turn[i] == segments.turn[said[-1]])
