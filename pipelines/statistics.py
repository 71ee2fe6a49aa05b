"""Shares with intervals, from samples of a finite population."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

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


@dataclass(frozen=True)
class Moments:
    """One stratum's sums over the n records looked at, of ``of`` there are. Each record has two counts: x, what the share is
    of, and y, what is counted of it: 1 and whether it holds, say, or mentions and those of one word."""

    n: int
    of: int
    x: int
    y: int
    xx: int
    xy: int
    yy: int

    @classmethod
    def of_records(cls, hits: int, among: int, n: int, of: int) -> Moments:
        """Where both counts are 0 or 1, and y is only where x is."""
        return cls(n, of, among, hits, among, hits, hits)


def ratio(strata: Sequence[Moments]) -> Share:
    """The share of the y among the x over all records, when records are drawn and the x come with them: a conditional share
    (records of a kind), or one of things that stand in heaps (mentions). n: the x seen; of: the x there are, estimated.

    The ratio estimator's linearised variance with finite strata (Cochran, Sampling Techniques, 6.13 and 5A), as the effective
    size of Wilson's interval. It is never taken to tell more than x independent ones would; where nothing varies (a share
    of 0 or 1) the x of a record count as one. On one stratum with x = 1 it is ``share``.
    """
    seen = [(s, s.of / s.n) for s in strata if s.n > 0]
    x, y = sum(w * s.x for s, w in seen), sum(w * s.y for s, w in seen)
    if not x:
        return Share(0.0, 0.0, 1.0, 0, 0)
    value = min(1.0, y / x)
    spread = heaps = single = 0.0
    for s, w in seen:
        weight = w * w * (s.of - s.n) / max(1, s.of - 1)
        weight *= s.n / max(1, s.n - 1) if len(seen) > 1 else 1
        spread += weight * (s.yy - 2 * value * s.xy + value * value * s.xx - (s.y - value * s.x) ** 2 / s.n)
        heaps += weight * s.xx
        single += weight * s.x
    if single <= 0:
        size = math.inf
    elif value in (0.0, 1.0) or spread <= 0:
        size = x * x / heaps
    else:
        size = min(value * (1 - value) * x * x / spread, x * x / single)
    low, high = wilson(value, size)
    return Share(value, low, high, sum(s.x for s, _ in seen), round(x))


def size_for(margin: float, of: int) -> int:
    """Records to draw of ``of`` so that no share's interval reaches further than ``margin`` to either side of its middle.

    Wilson's interval is widest at one half, where it reaches z / (2 sqrt(n + z^2)); solved for n, then made finite.
    """
    z2 = Z95 * Z95
    endless = max(0.0, z2 / (4 * margin * margin) - z2)
    return min(of, max(1, math.ceil(endless * of / (of - 1 + endless)))) if of > 1 else of


LEAST = 2
"""Records drawn of every stratum that has them: of one alone nothing says how much its stratum varies."""


def proportional(population: Mapping[str, int], size: int) -> dict[str, int]:
    """How many to draw of each stratum: its part, but LEAST at least; whoever is furthest from its part gives and gets."""
    total = sum(population.values())
    if size >= total:
        return dict(population)
    least = {name: min(n, LEAST) for name, n in population.items()}
    drawn = {name: max(least[name], size * n // total) for name, n in population.items()}

    def over(name: str) -> tuple[float, str]:
        return drawn[name] - size * population[name] / total, name

    while (left := size - sum(drawn.values())) > 0:
        drawn[min((n for n in drawn if drawn[n] < population[n]), key=over)] += 1
    while left < 0 and (giving := [n for n in drawn if drawn[n] > least[n]]):
        drawn[max(giving, key=over)] -= 1
        left += 1
    return drawn


Table = tuple[float, float, float, float]
"""(a, b, c, d): with and without in one group, with and without in the other."""


def log_odds(tables: Sequence[Table]) -> tuple[float, float]:
    """(log odds ratio, its standard error) over strata: Mantel and Haenszel's estimate with the variance of Robins, Breslow
    and Greenland (1986). Half an observation is added to each cell (Haldane, Anscombe), spread over the strata by size."""
    total = sum(map(sum, tables))
    p = q = r = s = 0.0
    terms = []
    for table in tables:
        n = sum(table)
        if not n:
            continue
        extra = 0.5 * n / total
        a, b, c, d = (cell + extra for cell in table)
        n += 4 * extra
        r, s = r + a * d / n, s + b * c / n
        terms.append(((a + d) / n, (b + c) / n, a * d / n, b * c / n))
    if not terms:
        return 0.0, math.inf
    p = sum(P * R for P, _, R, _ in terms) / (2 * r * r)
    q = sum(P * S + Q * R for P, Q, R, S in terms) / (2 * r * s)
    return math.log(r / s), math.sqrt(p + q + sum(Q * S for _, Q, _, S in terms) / (2 * s * s))


def p_value(z: float) -> float:
    """Two-sided, of a standard normal."""
    return math.erfc(abs(z) / math.sqrt(2))


def discoveries(p: Sequence[float], rate: float = 0.05) -> list[bool]:
    """Which of many tests to believe so that at most ``rate`` of those believed are false, on average: Benjamini and
    Hochberg (1995). Holds for independent tests and for ones that lean the same way (Benjamini and Yekutieli 2001)."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    last = max((rank for rank, i in enumerate(order, 1) if p[i] <= rate * rank / len(p)), default=0)
    believed = set(order[:last])
    return [i in believed for i in range(len(p))]


def quantile_among(chosen: int, tests: int, rate: float = 0.05) -> float:
    """How many standard errors the intervals of the chosen of many must reach so that ``rate`` of them at most miss, on
    average, although they were chosen for being large (false coverage rate; Benjamini and Yekutieli 2005)."""
    return NormalDist().inv_cdf(1 - rate * chosen / (2 * tests)) if chosen else Z95


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
