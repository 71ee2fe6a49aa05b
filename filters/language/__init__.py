"""The language of prompt, reasoning and answer, and what a recipe asks of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import numpy as np
import pyarrow as pa

from filters.batch import Batch
from filters.contract import KEPT, Evidence, Filter, Judgement, Options
from filters.language.guess import Guess, Verdict, best, by_script
from filters.language.model import UNDETERMINED, Model, digest, family, locate

if TYPE_CHECKING:
    from filters.language.prose import Windows
    from filters.language.survey import Survey

Part = Literal["prompt", "reasoning", "answer"]
_SCORED = ("prompt", "reasoning", "answer")
_PROMPT, _REASONING, _ANSWER, _OTHER = range(4)
_FALL_BACK = (_ANSWER, _REASONING, _PROMPT, _OTHER)


class LanguageOptions(Options, frozen=True, kw_only=True):
    allow: Annotated[
        tuple[str, ...], msgspec.Meta(description="Languages to keep, as the model's codes (ISO 639); empty keeps all.")
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
            description="Least share of the answer that must be in one language; 0 turns the check off.", ge=0, le=1
        ),
    ] = 0.0
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
    ] = 20
    min_probability: Annotated[
        float,
        msgspec.Meta(
            description="Probability a guess on 40 letters or more must reach; shorter text needs more.", ge=0, le=1
        ),
    ] = 0.5
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
        "language_mixed": "Too small a share of the answer is in its main language.",
        "language_unknown": "There is too little prose, or no guess is certain enough, to tell the language.",
    }
    scores = {
        "language": pa.string(),
        **{f"{part}_language": pa.string() for part in _SCORED},
        **{f"{part}_probability": pa.float32() for part in _SCORED},
        **{f"{part}_share": pa.float32() for part in _SCORED},
    }
    tables = {"languages": "language"}
    Options = LanguageOptions
    options: LanguageOptions

    def __init__(self, options: LanguageOptions | None = None) -> None:
        super().__init__(options)
        self._model = Model(locate(self.options.model), self.options.labels)
        self._model.check(self.options.allow)
        self._allowed = {family(code) for code in self.options.allow}

    @classmethod
    def assets(cls, options: Any) -> Mapping[str, str]:
        path = locate(options.model)
        return {path.name: digest(path)}

    def judge(self, batch: Batch) -> Judgement:
        """scores: ``language`` decided; the parts' own are null where a record has no such part, ``und`` where unsure."""
        # Imported here: numba takes a second, which `plan` has no use for.
        from filters.language.survey import Survey

        survey = Survey(batch, self._guess, self.options.min_letters)
        reason = np.full(len(batch), KEPT, np.int16)
        language: list[str] = []
        evidence = Evidence()
        for record in range(len(batch)):
            parts = survey.of(record)
            decided = self._deciding(parts)
            language.append(_language(parts[decided[0]]) if decided else UNDETERMINED)
            code = self._fault(parts, decided)
            if code is not None:
                reason[record] = self.reason_index(code)
                self._point_at(survey, record, code, parts, decided, evidence)
        return Judgement(reason, {"language": pa.array(language, pa.string()), **survey.columns()}, evidence)

    def _guess(self, windows: Windows, i: int) -> Guess:
        letters = int(windows.letters[i])
        candidates = by_script(
            self._model.predict(windows.string(i)), letters, int(windows.han[i]), int(windows.kana[i])
        )
        return best(candidates, letters, self.options.min_probability, self.options.min_margin)

    def _deciding(self, parts: list[Verdict | None]) -> list[int]:
        """The parts that ``allow`` is asked of: those named, as far as their language can be told, or the first fall-back."""
        named = [_SCORED.index(p) for p in self.options.parts if _language(parts[_SCORED.index(p)]) != UNDETERMINED]
        return named or [p for p in _FALL_BACK if _language(parts[p]) != UNDETERMINED][:1]

    def _fault(self, parts: list[Verdict | None], decided: list[int]) -> str | None:
        if self._allowed and any(family(_language(parts[p])) not in self._allowed for p in decided):
            return "language_not_allowed"
        prompt, answer = family(_language(parts[_PROMPT])), family(_language(parts[_ANSWER]))
        if self.options.same_as_prompt and UNDETERMINED not in (prompt, answer) and prompt != answer:
            return "language_mismatch"
        share = parts[_ANSWER].share if answer != UNDETERMINED else 1.0  # type: ignore[union-attr]
        if share < self.options.min_share:
            return "language_mixed"
        return "language_unknown" if not decided and self.options.undetermined == "drop" else None

    def _point_at(
        self,
        survey: Survey,
        record: int,
        code: str,
        parts: list[Verdict | None],
        decided: list[int],
        evidence: Evidence,
    ) -> None:
        if code == "language_not_allowed":
            for part in decided:
                survey.point_at(record, part, evidence, lambda c: c != UNDETERMINED and c not in self._allowed)
        elif code in ("language_mismatch", "language_mixed"):
            main = family(_language(parts[_ANSWER]))
            wrong = code == "language_mismatch"
            survey.point_at(record, _ANSWER, evidence, lambda c: c != UNDETERMINED and (c == main) == wrong)


def _language(verdict: Verdict | None) -> str:
    return verdict.language if verdict else UNDETERMINED
