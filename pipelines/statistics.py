"""Shares with intervals, from samples of a finite population."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Z95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True)
class Share:
    """A share with its 95 % interval. n: items looked at; of: items there are."""

    share: float
    low: float
    high: float
    n: int
    of: int


@dataclass(frozen=True)
class Stratum:
    """hits of n items looked at, of a stratum that holds ``of`` items."""

    hits: int
    n: int
    of: int


def wilson(share: float, n: float) -> tuple[float, float]:
    """Wilson's score interval (1927) at 95 % for a share seen in n independent items; n need not be whole."""
    if n <= 0:
        return 0.0, 1.0
    if math.isinf(n):
        return share, share
    z2 = Z95 * Z95
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    # At a share of 0 or 1 rounding leaves 1e-17 where the bound is exact.
    low = 0.0 if share == 0 else max(0.0, middle - half)
    high = 1.0 if share == 1 else min(1.0, middle + half)
    return low, high


def corrected(n: int, of: int) -> float:
    """The sample size that, drawn from an endless population, would tell as much as n of ``of`` do: the finite-population
    correction (Cochran, Sampling Techniques, 2.6) as an effective size. All of them tell everything."""
    return math.inf if n >= of else n * (of - 1) / (of - n)


def share(hits: int, n: int, of: int | None = None) -> Share:
    """The share of hits in a simple random sample of n out of ``of`` (endless when not given)."""
    if n == 0:
        return Share(0.0, 0.0, 1.0, 0, of or 0)
    low, high = wilson(hits / n, n if of is None else corrected(n, of))
    return Share(hits / n, low, high, n, n if of is None else of)


def stratified(strata: Sequence[Stratum]) -> Share:
    """The share over strata of known sizes, each weighted by its size; strata nobody looked into are left out.

    The interval is Wilson's with the effective sample size of the design: 1 / sum(w_h^2 / n_h) over the weights (Kish, Survey
    Sampling, 11.7, for equal variances), each n_h corrected for its finite stratum.
    """
    seen = [s for s in strata if s.n > 0]
    total = sum(s.of for s in seen)
    if not seen or not total:
        return Share(0.0, 0.0, 1.0, 0, 0)
    value = sum(s.of / total * s.hits / s.n for s in seen)
    spread = sum((s.of / total) ** 2 / corrected(s.n, s.of) for s in seen)
    low, high = wilson(value, math.inf if spread == 0 else 1 / spread)
    return Share(value, low, high, sum(s.n for s in seen), total)


def stability(before: Mapping[str, float], now: Mapping[str, float]) -> float | None:
    """Population stability index of two distributions over the same categories: sum of (q - p) ln(q / p), which is Jeffreys'
    divergence. Below 0.1 is commonly read as no change, above 0.25 as a large one (Siddiqi, Credit Risk Scorecards, 2006).

    Half a count is added to every category of both, or one that is new would make it infinite. None where one is empty.
    """
    names = sorted(before.keys() | now.keys())
    if not sum(before.values()) or not sum(now.values()):
        return None
    p, q = ([counts.get(n, 0) + 0.5 for n in names] for counts in (before, now))
    p, q = ([c / sum(counts) for c in counts] for counts in (p, q))
    return sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True))
