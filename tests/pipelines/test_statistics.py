"""Intervals: known values, exact ends, and coverage by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.statistics import (
    LEAST,
    Moments,
    Stratum,
    corrected,
    discoveries,
    log_odds,
    p_value,
    proportional,
    quantile_among,
    ratio,
    share,
    size_for,
    stratified,
    wilson,
)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_intervals(hits, n, low, high):
    assert wilson(hits / n, n) == pytest.approx((low, high), abs=5e-5)


def test_looking_at_everything_leaves_no_doubt():
    found = share(3, 10, 10)
    assert (found.low, found.share, found.high) == (0.3, 0.3, 0.3)
    assert corrected(10, 10) == math.inf


def test_nothing_found_is_an_upper_bound_and_not_none():
    found = share(0, 3000, 10**9)
    assert found.low == 0
    assert 0.001 < found.high < 0.0014


def test_no_sample_says_nothing():
    assert (share(0, 0, 5).low, share(0, 0, 5).high) == (0.0, 1.0)
    assert (stratified([]).low, stratified([]).high) == (0.0, 1.0)


def test_one_stratum_is_a_simple_sample():
    assert stratified([Stratum(7, 20, 50)]) == share(7, 20, 50)


def test_strata_weigh_by_their_size():
    """99 % of a stratum of 900 and 10 % of one of 100: (0.99 * 900 + 0.1 * 100) / 1000 = 0.901."""
    assert stratified([Stratum(99, 100, 900), Stratum(2, 20, 100)]).share == pytest.approx(0.901)
    assert stratified([Stratum(1, 2, 4), Stratum(0, 0, 96)]).of == 4


@pytest.mark.parametrize("true", [0.005, 0.05, 0.3, 0.9])
@pytest.mark.parametrize("of", [400, 100_000])
def test_the_interval_covers_the_truth_nineteen_times_in_twenty(true, of):
    """20,000 samples of 300 without replacement; Wilson's coverage swings a little around the nominal 95 %."""
    hits_there = round(true * of)
    drawn = np.random.default_rng(1).hypergeometric(hits_there, of - hits_there, 300, 20_000)
    intervals = {int(h): share(int(h), 300, of) for h in np.unique(drawn)}
    covered = np.mean([intervals[int(h)].low <= hits_there / of <= intervals[int(h)].high for h in drawn])
    assert covered > 0.92


def test_the_stratified_interval_covers_too():
    """Three strata of different size, precision and sampling rate, as a review draws them."""
    strata = [(2000, 0.98), (300, 0.7), (60, 0.4)]
    random = np.random.default_rng(2)
    truth = sum(round(n * p) for n, p in strata) / sum(n for n, _ in strata)
    covered = 0
    for _ in range(5000):
        drawn = [Stratum(int(random.hypergeometric(round(n * p), n - round(n * p), 50)), 50, n) for n, p in strata]
        found = stratified(drawn)
        covered += found.low <= truth <= found.high
    assert covered / 5000 > 0.92


def test_a_ratio_over_all_records_is_a_share():
    found, plain = ratio([Moments.of_records(7, 20, 20, 50)]), share(7, 20, 50)
    assert (found.share, found.low, found.high) == pytest.approx((plain.share, plain.low, plain.high))


def test_a_ratio_of_nothing_and_of_everything():
    assert (ratio([]).low, ratio([]).high) == (0.0, 1.0)
    assert ratio([Moments.of_records(0, 0, 10, 50)]).n == 0
    nothing = ratio([Moments.of_records(0, 30, 100, 10**6)])
    assert nothing.low == 0
    assert nothing.high == pytest.approx(wilson(0, 30)[1], rel=1e-3)
    counted = ratio([Moments.of_records(3, 12, 50, 50)])
    assert counted.low == counted.share == counted.high == 0.25


def test_a_conditional_share_covers_the_truth_in_strata_drawn_at_different_rates():
    """Records of a kind are 60 %, 20 % and 5 % of three strata; of them 30 %, 50 % and 80 % are hits; 150 are drawn of each."""
    random = np.random.default_rng(3)
    population = [(3000, 0.6, 0.3), (800, 0.2, 0.5), (400, 0.05, 0.8)]
    kinds = []
    for of, kind, hit in population:
        x = np.arange(of) < round(of * kind)
        kinds.append((x, np.arange(of) < round(of * kind * hit)))
    truth = sum(y.sum() for _, y in kinds) / sum(x.sum() for x, _ in kinds)
    covered = 0
    for _ in range(2000):
        strata = []
        for x, y in kinds:
            at = random.choice(len(x), 150, replace=False)
            strata.append(Moments.of_records(int(y[at].sum()), int(x[at].sum()), 150, len(x)))
        found = ratio(strata)
        covered += found.low <= truth <= found.high
    assert covered / 2000 > 0.92


def test_a_share_of_mentions_covers_although_mentions_stand_in_heaps():
    """Records hold 0 to 40 mentions, nearly all of one group each; an interval as if each mention were drawn alone covers half."""
    random = np.random.default_rng(4)
    x = random.geometric(0.15, 6000) - 1
    y = random.binomial(x, np.where(random.random(6000) < 0.3, 0.95, 0.05))
    truth = y.sum() / x.sum()
    covered = naive = 0
    for _ in range(2000):
        at = random.choice(6000, 300, replace=False)
        a, b = x[at], y[at]
        sums = (int(s) for s in (a.sum(), b.sum(), (a * a).sum(), (a * b).sum(), (b * b).sum()))
        found = ratio([Moments(300, 6000, *sums)])
        covered += found.low <= truth <= found.high
        alone = share(int(b.sum()), int(a.sum()))
        naive += alone.low <= truth <= alone.high
    assert covered / 2000 > 0.92
    assert naive / 2000 < 0.8


@pytest.mark.parametrize(("margin", "of"), [(0.01, 10**9), (0.01, 5000), (0.05, 300), (0.2, 3)])
def test_a_margin_finds_the_smallest_sample_that_keeps_it(margin, of):
    def reach(n: int) -> float:
        found = ratio([Moments.of_records(n // 2, n, n, of)])
        return (found.high - found.low) / 2

    n = size_for(margin, of)
    assert reach(n) <= margin * 1.001
    assert n <= 2 or reach(n - 2) > margin * 0.999
    assert size_for(0.01, 10**9) == 9600


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 500), min_size=1, max_size=6), st.integers(12, 400))
def test_proportional_strata_have_their_part_and_at_least_two(population, size):
    drawn = proportional(population, size)
    total = sum(population.values())
    assert sum(drawn.values()) == min(size, total)
    for name, n in population.items():
        assert min(n, LEAST) <= drawn[name] <= n
        assert drawn[name] <= size * n / total + LEAST + 1


def test_log_odds_are_woolfs_in_one_table_and_mantel_and_haenszels_in_several():
    """In one table: log (10.5 * 40.5 / (20.5 * 5.5)), variance 1/10.5 + 1/20.5 + 1/5.5 + 1/40.5."""
    log, error = log_odds([(10, 20, 5, 40)])
    assert log == pytest.approx(math.log(10.5 * 40.5 / (20.5 * 5.5)))
    assert error**2 == pytest.approx(1 / 10.5 + 1 / 20.5 + 1 / 5.5 + 1 / 40.5)
    # The same odds, 3, in two tables of different base rates: pooled they would give 1.6.
    log, _ = log_odds([(300, 100, 1000, 1000), (30, 1000, 10, 1000)])
    assert math.exp(log) == pytest.approx(3, rel=0.02)


def test_discoveries_are_rarely_false():
    """900 tests of nothing and 100 of something, by counts as an audit has them: at most 5 % of those believed are false."""
    random = np.random.default_rng(5)
    shares, power = [], []
    for _ in range(60):
        a = random.binomial(200, np.where(np.arange(1000) < 100, 0.3, 0.1))
        c = random.binomial(300, 0.1, 1000)
        tests = [log_odds([(int(x), 200 - int(x), int(y), 300 - int(y))]) for x, y in zip(a, c, strict=True)]
        believed = np.array(discoveries([p_value(log / error) for log, error in tests]))
        shares.append(believed[100:].sum() / max(1, believed.sum()))
        power.append(believed[:100].mean())
    assert np.mean(shares) <= 0.05
    assert np.mean(power) > 0.9


def test_no_discovery_is_made_of_nothing_nineteen_times_in_twenty():
    random = np.random.default_rng(6)
    assert np.mean([any(discoveries(list(random.random(300)))) for _ in range(2000)]) < 0.07
    assert discoveries([]) == []


def test_intervals_of_the_chosen_few_still_cover():
    """Of 500 effects, most of them nothing, those believed are shown: 5 % of their intervals miss on average; of plain ones more."""
    random = np.random.default_rng(7)
    truth = np.where(np.arange(500) < 60, 2.0, 0.0)
    wide, plain = [], []
    for _ in range(300):
        z = random.normal(truth, 1)
        believed = np.array(discoveries([p_value(v) for v in z]))
        off = np.abs(z - truth)[believed]
        wide.append((off > quantile_among(len(off), 500)).sum() / max(1, len(off)))
        plain.append((off > 1.96).sum() / max(1, len(off)))
    assert np.mean(wide) < 0.06
    assert np.mean(plain) > 0.3
