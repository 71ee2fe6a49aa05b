"""Samples: several answers to one problem. They are put to a vote where no reference says which is right, and the best are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.batch import Batch
from filters.contract import KEPT, ConfigError, Filter, Judgement, Part
from filters.samples import options as opts
from filters.samples.options import SamplesOptions


class SamplesFilter(Filter):
    """Signs every record's problem and answer when it is judged, and decides when all are there."""

    name = "samples"
    summary = "Puts the final answers of several samples of one problem to a vote, and keeps the best samples."
    reasons: ClassVar = {
        "sample_refuted": "The final answer is not the one that most samples of the problem give, or a reference says.",
        "sample_unverifiable": "The samples of the problem do not settle whether the final answer is right.",
        "sample_verified": "The final answer is the one that most samples give, and the recipe drops those.",
        "not_best": "As many samples of the problem as the recipe wants are better.",
    }
    scores: ClassVar = {
        "verdict": pa.string(), "how": pa.string(), "samples": pa.int32(), "answers": pa.int32(), "share": pa.float64(),
        "lead": pa.float64(), "cluster": pa.int32(), "agrees": pa.string(), "by": pa.string(), "place": pa.int32(),
    }  # fmt: skip
    tables: ClassVar = {"sample_verdicts": "verdict"}
    thresholds: ClassVar = {"samples": "least_samples", "share": "least_share", "lead": "least_lead"}
    packages: ClassVar = ("math-verify", "latex2sympy2_extended", "sympy")
    checks: ClassVar = "answer"
    compares: ClassVar = True
    measured_with: ClassVar = ("problem", "normalise", "best", "order", "last_number", "symbolic", "seconds")
    resolved_with: ClassVar = ("least_samples", "least_share", "least_lead", "on", "best")
    Options = SamplesOptions
    options: SamplesOptions

    def __init__(self, options: SamplesOptions | None = None) -> None:
        super().__init__(options)
        from filters.numbers.symbolic import Algebra

        self.check(self.options)
        self._algebra = Algebra(self.options.seconds) if self.options.symbolic else None

    @classmethod
    def check(cls, options: Any) -> None:
        opts.check(options)

    @classmethod
    def not_scanned(cls, options: Any) -> tuple[str, ...]:
        return (
            () if options.symbolic else ("answers that are formulas, beyond how they are written (symbolic is false)",)
        )

    def judge(self, batch: Batch) -> Judgement:
        """Keeps everything; the scores are null until ``resolve``. signatures: see ``sign``."""
        from filters.samples.sign import sign

        nothing = {name: pa.nulls(len(batch), kind) for name, kind in self.scores.items()}
        return Judgement(
            np.full(len(batch), KEPT, np.int16), nothing, signatures=sign(batch, self.options, self._algebra)
        )

    @classmethod
    def signature(cls, options: Any) -> pa.Schema:
        from filters.samples.sign import schema

        return schema(options)

    @classmethod
    def resolve(cls, parts: Sequence[Part], options: Any) -> pa.Table:
        from filters.samples.resolve import Samples

        return Samples(parts, options, cls.signature(options)).told()

    @classmethod
    def decide(cls, scores: Mapping[str, Any], options: Any) -> np.ndarray:
        from filters.samples.resolve import by_verdict
        from filters.samples.vote import verdicts

        if options.best:
            raise ConfigError(
                "samples: with best, which samples stay depends on all of a problem: run the recipe again"
            )
        return by_verdict(verdicts(scores, options)[0], options)

    @classmethod
    def checked(cls, scores: Mapping[str, Any]) -> np.ndarray:
        verdict = np.asarray(scores["verdict"], object)
        return (verdict == "verified").astype(np.int8) - (verdict == "refuted").astype(np.int8)

    @classmethod
    def overview(cls, told: pa.Table, options: Any) -> dict[str, Any]:
        """Records by verdict and by how it came about; problems by samples (a problem of n samples is told of n times)."""
        sizes = Counter(told.filter(pc.not_equal(told["how"], "no_problem"))["samples"].to_pylist())
        problems = {size: count // size for size, count in sorted(sizes.items())}
        return {
            "problems": sum(problems.values()),
            "records": len(told),
            "verdicts": _counts(told["verdict"]),
            "how": _counts(told["how"]),
            "problems_by_samples": _binned(problems),
            "not_best": pc.sum(pc.equal(told["reason"], "not_best")).as_py() or 0,
        }


def _counts(values: pa.ChunkedArray) -> dict[str, int]:
    return dict(sorted(Counter(values.to_pylist()).items()))


def _binned(problems: Mapping[int, int]) -> dict[str, int]:
    """Sizes above 10 by the power of two that they do not pass."""
    out: dict[str, int] = {}
    for size, count in problems.items():
        top = 1 << (size - 1).bit_length()
        name = str(size) if size <= 10 else f"{max(11, top // 2 + 1)}-{top}"
        out[name] = out.get(name, 0) + count
    return out
