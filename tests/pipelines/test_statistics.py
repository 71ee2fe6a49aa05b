"""Intervals: known values, exact ends, and coverage by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipelines.statistics import Stratum, corrected, share, stratified, wilson


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
