"""Political alignment, nationalism and other voices a teacher model should not hand on: rule packs over one scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
import pyarrow as pa

from filters.batch import ASSISTANT, CONTENT, REASONING, SYSTEM, USER, Batch
from filters.contract import EVIDENCE_LIMIT, KEPT, Evidence, Filter, Judgement, Options
from filters.narrative.context import Asked
from filters.narrative.packs import REASONS, Loaded, digest, locate, read, rules_of

if TYPE_CHECKING:
    from filters.narrative.voice import Hit

DEFAULT_PACKS = ("nationalism", "alignment", "political_refusal")


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
    window: Annotated[
        int,
        msgspec.Meta(
            description="Bytes of one text within which the weights of different rules add up; apart, one more is needed.",
            ge=1,
        ),
    ] = 2000


class NarrativeFilter(Filter):
    """Scans what the assistant wrote, reasoning and answers; a hit counts if the assistant speaks in its own voice."""

    name = "narrative"
    summary = "Drops records in which the assistant speaks for a nation or a party, by rule packs; voice, not topic."
    reasons = REASONS
    scores = {"weight": pa.int32(), "hits": pa.int32(), "excused": pa.int32(), "strongest": pa.string()}
    Options = NarrativeOptions
    measured_with = ("packs", "window")
    thresholds = {"weight": "min_weight"}
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
        """scores: weight of the different rules that count (see ``weight_of``), hits that count, hits excused by their
        context, and the most severe reason of the rules that count, whether their weight is enough or not."""
        n = len(batch)
        scores: dict[str, np.ndarray] = {name: np.zeros(n, np.int32) for name in ("weight", "hits", "excused")}
        scores["strongest"] = np.full(n, None, object)
        evidence = Evidence()
        which = batch.segments.where(channels=(CONTENT, REASONING), roles=(ASSISTANT,))
        by_record: dict[int, list[Hit]] = {}
        for hit in self._voice.hits(batch.segments, which, lambda segment: asked_before(batch, segment)):
            by_record.setdefault(int(batch.segments.record[hit.segment]), []).append(hit)
        for record, hits in sorted(by_record.items()):
            counted = [h for h in hits if h.excuse is None]
            rules = {h.rule for h in counted}
            scores["hits"][record] = len(counted)
            scores["excused"][record] = len(hits) - len(counted)
            scores["weight"][record] = weight = weight_of(counted, self._rules, self.options.window)
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


def weight_of(hits: Sequence[Hit], rules: Sequence[Loaded], window: int) -> int:
    """The greatest sum of weights of different rules that hit within ``window`` bytes of one text; or what they weigh in the whole
    record, less one: signs far apart have to be one more. Signs that share their words are one."""
    ordered = sorted(hits, key=lambda h: (h.segment, h.start))
    near = max((_sum(_within(ordered, i, window), rules) for i in range(len(ordered))), default=0)
    return max(near, _sum(ordered, rules) - 1)


def _within(ordered: Sequence[Hit], first: int, window: int) -> list[Hit]:
    here = ordered[first]
    ends = (
        i for i, h in enumerate(ordered[first:], first) if h.segment != here.segment or h.start > here.start + window
    )
    return list(ordered[first : next(ends, len(ordered))])


def _sum(hits: Sequence[Hit], rules: Sequence[Loaded]) -> int:
    weights: dict[str, int] = {}
    taken: list[tuple[int, int, int]] = []
    for hit in sorted(hits, key=lambda h: -rules[h.rule].rule.weight):
        key = rules[hit.rule].key
        shared = any(s == hit.segment and hit.start < e and b < hit.end for s, b, e in taken)
        if key not in weights and not shared:
            weights[key] = rules[hit.rule].rule.weight
            taken.append((hit.segment, hit.start, hit.end))
    return sum(weights.values())


def asked_before(batch: Batch, segment: int) -> Asked:
    """What the user last said before the turn that a segment belongs to, and what the system and the user said earlier."""
    segments = batch.segments
    record, turn = int(segments.record[segment]), int(segments.turn[segment])
    here = np.arange(batch.record_start[record], batch.record_start[record + 1])
    here = here[(segments.channel[here] == CONTENT) & (segments.turn[here] < turn)]
    users = here[segments.role[here] == USER]
    last = segments.turn[users[-1]] if len(users) else -1
    prompt = [segments.text(int(i)) for i in users if segments.turn[i] == last]
    before = [int(i) for i in here if segments.role[i] in (SYSTEM, USER) and segments.turn[i] != last]
    # Of what came earlier, the beginnings are enough: a role is given at the start of a message.
    return Asked("\n".join(prompt), "\n".join(segments.text(i)[:1000] for i in before[:1] + before[-7:]))
