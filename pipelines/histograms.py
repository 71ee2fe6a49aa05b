"""How a filter's scores are spread: counts in fixed bins, so that those of units add up to those of the dataset.

One scale for every score, whatever the data: steps of 0.02 up to 1, whole numbers up to 10, then 10, 20, 50, 100, … A share
lies in the first part and a count in the others, so nobody has to say which a score is, and small counts are exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np
import pyarrow as pa

STEPS = 50
"""Bins between 0 and 1. The tightest threshold that ships is a share of 0.058; twenty bins would not show it."""

Histogram = dict[str, dict[str, int]]
"""``kept`` and ``rejected`` (by the filter itself): lower edge of a bin, as text -> records."""


@cache
def edges() -> tuple[str, ...]:
    """Lower edges of the bins in order, as they are named. Below 0 there is one bin, ``-inf``."""
    shares = [f"{i / STEPS:g}" for i in range(STEPS)]
    powers = [f"{m}{'0' * e}" for e in range(1, 16) for m in (1, 2, 5)]
    return ("-inf", *shares, *map(str, range(1, 10)), *powers)


@cache
def _bounds() -> np.ndarray:
    """The edges as numbers; as float32 has them, so that a float32 score on an edge lies in the bin that it names."""
    return np.array(edges(), np.float32).astype(np.float64)


def of(column: pa.StructArray) -> dict[str, Histogram]:
    """Of every numeric score in a filter's column of annotations. A record without the score (null, NaN) is not counted."""
    keep = column.field("keep").to_numpy(zero_copy_only=False)
    scores = column.field("scores")
    found = {}
    for field in scores.type:
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type):
            values = scores.field(field.name).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
            found[field.name] = {"kept": _count(values[keep]), "rejected": _count(values[~keep])}
    return found


def _count(values: np.ndarray) -> dict[str, int]:
    bins = np.searchsorted(_bounds(), values[~np.isnan(values)], side="right") - 1
    counts = np.bincount(np.maximum(bins, 0), minlength=len(edges()))
    return {edges()[i]: int(counts[i]) for i in np.flatnonzero(counts)}


def total(each: Iterable[Mapping[str, Histogram]]) -> dict[str, Histogram]:
    """The sum, score by score, bins in order."""
    sums: dict[str, dict[str, Counter[str]]] = {}
    for scores in each:
        for name, told in scores.items():
            mine = sums.setdefault(name, {"kept": Counter(), "rejected": Counter()})
            for side, counts in told.items():
                mine[side].update(counts)
    return {name: {side: _ordered(counts) for side, counts in told.items()} for name, told in sums.items()}


def minus(whole: Mapping[str, Histogram], gone: Mapping[str, Histogram]) -> dict[str, Histogram]:
    """The histograms without those records. Scores that the whole does not have stay out."""
    left = {}
    for name, told in whole.items():
        sides = gone.get(name, {})
        left[name] = {
            side: _ordered({b: n - sides.get(side, {}).get(b, 0) for b, n in counts.items()})
            for side, counts in told.items()
        }
    return left


def _ordered(counts: Mapping[str, int]) -> dict[str, int]:
    return {edge: counts[edge] for edge in edges() if counts.get(edge, 0) > 0}
