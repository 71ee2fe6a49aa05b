"""The language of prompt, reasoning and answer, and what a recipe asks of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import pyarrow as pa

from filters.batch import Batch
from filters.contract import KEPT, Evidence, Filter, Judgement, Options
from filters.language.decide import SCORED, decide, split
from filters.language.model import Model, digest, locate

Part = Literal["prompt", "reasoning", "answer"]


class LanguageOptions(Options, frozen=True, kw_only=True):
    allow: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Languages to keep, as the model's codes (ISO 639); `zh-Hant` or `sr-Cyrl` asks for the script, too. "
            "Empty keeps all."
        ),
    ] = ()
    parts: Annotated[
        tuple[Part, ...],
        msgspec.Meta(
            description="Which parts must be in `allow`. If none of them has enough prose, the first of answer, reasoning, "
            "prompt and any other text that has some decides."
        ),
    ] = ("answer",)
    same_as_prompt: Annotated[
        bool, msgspec.Meta(description="Drop records whose answer is in another language than the prompt.")
    ] = False
    min_share: Annotated[
        float,
        msgspec.Meta(
            description="Least share of each of `parts` that must be in one language; 0 turns the check off.",
            ge=0,
            le=1,
        ),
    ] = 0.0
    max_foreign: Annotated[
        float,
        msgspec.Meta(
            description="Greatest share of the answer's or the reasoning's letters that may be in a script which is neither its "
            "own, nor Latin or Greek, nor in the prompt; 1 turns the check off.",
            ge=0,
            le=1,
        ),
    ] = 1.0
    asked_for: Annotated[
        Literal["keep", "drop"],
        msgspec.Meta(
            description="What `same_as_prompt` and `max_foreign` do with a record whose prompt asks for a translation or names "
            "the language."
        ),
    ] = "keep"
    undetermined: Annotated[
        Literal["keep", "drop"],
        msgspec.Meta(
            description="What to do with a record whose language cannot be told (`und`): code only, too short, unsure."
        ),
    ] = "keep"
    min_letters: Annotated[
        int,
        msgspec.Meta(
            description="Letters of prose below which the language is `und`; an ideograph or syllable counts as three.",
            ge=1,
        ),
    ] = 10
    min_probability: Annotated[
        float,
        msgspec.Meta(
            description="Probability a guess on 40 letters or more must reach; shorter text needs more.", ge=0, le=1
        ),
    ] = 0.6
    min_margin: Annotated[
        float, msgspec.Meta(description="How far a guess must be ahead of the next language.", ge=0, le=1)
    ] = 0.2
    model: Annotated[
        str,
        msgspec.Meta(
            description="Path of another fastText model (GlotLID, OpenLID); empty: lid.176.ftz, which is installed."
        ),
    ] = ""
    labels: Annotated[
        dict[str, str],
        msgspec.Meta(description="The model's labels to rename: label without `__label__` -> code to report."),
    ] = {}


class LanguageFilter(Filter):
    """Looks at prose only, in windows; what each part is written in is a vote of its windows, by letters."""

    name = "language"
    summary = "Languages of prompt, reasoning and answer, on prose alone; keeps the ones a recipe allows."
    reasons = {
        "language_not_allowed": "A part that must be in one of the allowed languages is in another.",
        "language_mismatch": "The answer is not in the language of the prompt.",
        "language_switched": "Too much of the answer or the reasoning is in a script that neither its language nor the prompt explains.",
        "language_mixed": "Too small a share of the answer (or another part asked for) is in its main language.",
        "language_unknown": "There is too little prose, or no guess is certain enough, to tell the language.",
    }
    scores = {
        "language": pa.string(),
        **{f"{part}_language": pa.string() for part in SCORED},
        **{f"{part}_probability": pa.float32() for part in SCORED},
        **{f"{part}_share": pa.float32() for part in SCORED},
        **{f"{part}_script": pa.string() for part in SCORED},
        "reasoning_foreign": pa.float32(),
        "answer_foreign": pa.float32(),
        "pair": pa.string(),
        "asked": pa.bool_(),
    }
    tables = {"languages": "language", "pairs": "pair"}
    thresholds = {"answer_share": "min_share", "answer_foreign": "max_foreign", "reasoning_foreign": "max_foreign"}
    Options = LanguageOptions
    options: LanguageOptions
    measured_with = ("parts", "min_letters", "min_probability", "min_margin", "model", "labels")

    def __init__(self, options: LanguageOptions | None = None) -> None:
        super().__init__(options)
        self._model = Model(locate(self.options.model), self.options.labels)
        self._model.check([split(entry)[0] for entry in self.options.allow])

    @classmethod
    def assets(cls, options: Any) -> Mapping[str, str]:
        path = locate(options.model)
        return {path.name: digest(path)}

    def judge(self, batch: Batch) -> Judgement:
        """scores: ``language`` decided; the parts' own are null where a record has no such part, ``und`` where unsure."""
        # Imported here: numba takes a second, which `plan` has no use for.
        from filters.language.measure import measure
        from filters.language.places import point_at
        from filters.language.survey import Certainty, Survey

        o = self.options
        survey = Survey(batch, self._model, Certainty(o.min_letters, o.min_probability, o.min_margin))
        measured = measure(survey, o.parts)
        reason = self.decide(measured, o)
        evidence = Evidence()
        for record in np.flatnonzero(reason != KEPT):
            point_at(survey, int(record), list(self.reasons)[reason[record]], o, evidence)
        scores = {name: pa.array(measured[name], kind, from_pandas=True) for name, kind in self.scores.items()}
        return Judgement(reason, scores, evidence)

    @classmethod
    def decide(cls, scores: Mapping[str, Any], options: LanguageOptions) -> np.ndarray:
        return decide(scores, options, list(cls.reasons).index)
