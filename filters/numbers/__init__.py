"""Numbers: the final answer against a reference, and the arithmetic on the way to it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from filters import paths
from filters.batch import ASSISTANT, CONTENT, OTHER, REASONING, Batch
from filters.contract import EVIDENCE_LIMIT, KEPT, ConfigError, Evidence, Filter, Judgement
from filters.numbers.options import NumbersOptions

if TYPE_CHECKING:
    from filters.numbers.answers import Answer

RECOGNISED = (
    "expected_answer", "reference_answer", "ground_truth", "gold_answer", "final_answer", "reward_model.ground_truth",
    "metadata.expected_answer", "metadata.ground_truth", "extra_info.answer",
)  # fmt: skip
"""Columns that hold a right answer by their name. ``answer`` and ``solution`` are not among them: they are mostly the response."""

VERDICTS = ("verified", "refuted", "unverifiable")


class NumbersFilter(Filter):
    """Judges what a record says, never what it is: without a reference every answer is unverifiable."""

    name = "numbers"
    summary = "Compares final answers with a reference column, and checks the arithmetic in answers and reasoning."
    reasons: ClassVar = {
        "answer_refuted": "The final answer is not the reference's.",
        "answer_unverifiable": "The final answer cannot be compared: there is no reference, no answer, or one is not understood.",
        "answer_verified": "The final answer is right, and the recipe drops those.",
        "wrong_equations": "As many equations as the recipe says are wrong and not taken back.",
    }
    scores: ClassVar = {
        "verdict": pa.string(), "how": pa.string(), "form": pa.string(), "equations": pa.int32(), "wrong": pa.int32(),
        "corrected": pa.int32(),
    }  # fmt: skip
    tables: ClassVar = {"answer_verdicts": "verdict", "answer_forms": "form"}
    thresholds: ClassVar = {"wrong": "drop_at"}
    summed: ClassVar = ("equations", "wrong", "corrected")
    checks: ClassVar = "answer"
    packages: ClassVar = ("math-verify", "latex2sympy2_extended", "sympy")
    measured_with: ClassVar = ("reference", "last_number", "tolerance", "symbolic", "seconds")
    Options = NumbersOptions
    options: NumbersOptions

    def __init__(self, options: NumbersOptions | None = None) -> None:
        super().__init__(options)
        from filters.numbers.symbolic import Algebra

        self._algebra = Algebra(self.options.seconds) if self.options.symbolic else None

    @classmethod
    def not_scanned(cls, options: Any) -> tuple[str, ...]:
        return () if options.symbolic else ("answers that are formulas (symbolic is false)",)

    def judge(self, batch: Batch) -> Judgement:
        """verdict, how it came about (or why there is none), the answer's form; equations understood, wrong ones not taken back, and
        wrong ones that the text takes back. Evidence: the answer (``answer:FORM``), wrong equations, corrected ones."""
        evidence = Evidence()
        scores = {**self._answers(batch, evidence), **self._equations(batch, evidence)}
        return Judgement(self.decide(scores, self.options), scores, evidence)

    @classmethod
    def decide(cls, scores: Mapping[str, Any], options: Any) -> np.ndarray:
        codes = {code: i for i, code in enumerate(cls.reasons)}
        reason = np.full(len(scores["verdict"]), KEPT, np.int16)
        if options.drop_at:
            reason[np.asarray(scores["wrong"]) >= options.drop_at] = codes["wrong_equations"]
        for verdict in reversed(VERDICTS):
            if getattr(options.on, verdict) == "drop":
                reason[np.asarray(scores["verdict"], object) == verdict] = codes[f"answer_{verdict}"]
        return reason

    @classmethod
    def checked(cls, scores: Mapping[str, Any]) -> np.ndarray:
        verdict = np.asarray(scores["verdict"], object)
        return (verdict == "verified").astype(np.int8) - (verdict == "refuted").astype(np.int8)

    def _answers(self, batch: Batch, evidence: Evidence) -> dict[str, np.ndarray]:
        from filters.numbers.answers import in_batch
        from filters.numbers.compare import UNVERIFIABLE, whole

        references = self._references(batch)
        verdict = np.full(len(batch), UNVERIFIABLE, object)
        how = np.full(len(batch), "no_reference", object)
        form = np.full(len(batch), None, object)
        there = [r for r, told in enumerate(references) if told]
        how[there] = "no_answer"
        found = in_batch(batch, there, last_number=self.options.last_number)
        records = sorted(found)
        lone = pa.array([references[r][0] if len(references[r]) == 1 else None for r in records], pa.string())
        fast = whole(pa.array([found[r][1].text for r in records], pa.string()), lone)
        for record, same in zip(records, fast.tolist(), strict=True):
            segment, answer, skipped, text = found[record]
            form[record] = answer.form
            verdict[record], how[record] = self._verdict(answer, references[record], same)
            start = skipped + len(text[: answer.start].encode())
            end = start + len(text[answer.start : answer.end].encode())
            evidence.add_span(batch, segment, start, end, f"answer:{answer.form}")
        return {"verdict": verdict, "how": how, "form": form}

    def _verdict(self, answer: Answer, references: list[str], same: int) -> tuple[str, str]:
        from filters.numbers.compare import REFUTED, UNVERIFIABLE, VERIFIED, Verdict, against

        told = Verdict(VERIFIED if same else REFUTED, "number")
        if same < 0:
            told = against(answer.text, references, self._algebra, self.options.tolerance)
        elif not same and self.options.tolerance:
            told = against(answer.text, references, None, self.options.tolerance)
        if told.verdict == REFUTED and answer.form == "last_number":
            return UNVERIFIABLE, "no_answer"
        return told.verdict, told.how

    def _references(self, batch: Batch) -> list[list[str]]:
        """What is right, by record: none, one, or several ways to say it."""
        column = self._column(batch)
        if column is None:
            return [[] for _ in range(len(batch))]
        kind = column.type
        if _is_mapping(kind):
            raise ConfigError(f"numbers: the column {self.options.reference!r:.60} is a struct; name a field of it")
        listed = pa.types.is_list(kind) or pa.types.is_large_list(kind)
        values = column.to_pylist()
        return [_told(v if listed and v is not None else [v]) for v in values]

    def _column(self, batch: Batch) -> pa.Array | None:
        if not self.options.reference:
            columns = (paths.at(batch.source, name) for name in RECOGNISED)
            return next((c for c in columns if c is not None and not _is_mapping(c.type)), None)
        column = paths.at(batch.source, self.options.reference)
        if column is None:
            names = batch.source.schema.names
            close = difflib.get_close_matches(self.options.reference.partition(".")[0], names, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise ConfigError(
                f"numbers: no column {self.options.reference!r:.60}{hint}; there are {', '.join(names)[:200]}"
            )
        return column

    def _equations(self, batch: Batch, evidence: Evidence) -> dict[str, np.ndarray]:
        # Imported here: numba, which `plan` has no use for.
        from filters.numbers.arithmetic import found

        counts = {name: np.zeros(len(batch), np.int32) for name in ("equations", "wrong", "corrected")}
        for each in found(batch, (CONTENT, REASONING), (ASSISTANT, OTHER)):
            counts["equations"][each.record] += 1
            if each.wrong:
                name = "corrected" if each.corrected else "wrong"
                counts[name][each.record] += 1
                if counts["wrong"][each.record] + counts["corrected"][each.record] < EVIDENCE_LIMIT:
                    rule = f"{name}_equation"
                    evidence.add_span(batch, each.segment, each.start, each.end, rule)
        return counts


def _is_mapping(kind: pa.DataType) -> bool:
    return pa.types.is_struct(kind) or pa.types.is_map(kind)


def _told(values: list[Any]) -> list[str]:
    """References as text: numbers as people write them; a solution that marks its answer is cut to it."""
    from filters.numbers.answers import find

    out = []
    for given in values:
        if given is None or isinstance(given, (dict, list, bytes)):
            continue
        text = str(int(given)) if isinstance(given, float) and given.is_integer() else str(given)
        marked = find(text, last_number=False) if "\\boxed" in text or "####" in text else None
        text = marked.text if marked else text.strip()
        if text:
            out.append(text)
    return out
