"""Score histograms: the same bins everywhere, so that parts add up to the whole and can be taken from it again."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import histograms

FLOAT32 = pa.float32()
VALUES = st.one_of(
    st.none(), st.floats(allow_nan=True, allow_infinity=True, width=32), st.integers(-5, 2_000_000).map(float)
)
RECORDS = st.lists(st.tuples(VALUES, st.booleans()), max_size=60)


def column(records: list[tuple[float | None, bool]], kind: pa.DataType = FLOAT32) -> pa.StructArray:
    """A filter's column of annotations with one score, and a text that is no score to count."""
    scores = pa.StructArray.from_arrays(
        [pa.array([v for v, _ in records], kind), pa.array(["x"] * len(records), pa.string())], names=["score", "word"]
    )
    return pa.StructArray.from_arrays([pa.array([k for _, k in records], pa.bool_()), scores], names=["keep", "scores"])


def bins(value: float, kind: pa.DataType = FLOAT32) -> list[str]:
    return list(histograms.of(column([(value, True)], kind))["score"]["kept"])


@pytest.mark.parametrize(
    ("value", "edge"),
    [(0, "0"), (0.019, "0"), (0.02, "0.02"), (0.06, "0.06"), (0.999, "0.98"), (1, "1"), (9, "9"), (10, "10"), (19, "10"), (20, "20"),
     (49, "20"), (50, "50"), (100, "100"), (-1, "-inf"), (math.inf, "5" + "0" * 15)],
)  # fmt: skip
def test_a_value_lies_in_the_bin_whose_edge_it_reaches(value, edge):
    assert bins(value) == [edge]
    if math.isfinite(value):
        assert bins(value, pa.float64()) == [edge]


def test_whole_numbers_below_ten_are_exact():
    assert [bins(i, pa.int32()) for i in range(10)] == [[str(i)] for i in range(10)]


@given(RECORDS, RECORDS)
def test_parts_add_up_to_the_whole_and_come_off_it_again(first, second):
    a, b, whole = (histograms.of(column(r)) for r in (first, second, first + second))
    assert histograms.total([a, b]) == histograms.total([whole]) == histograms.total([b, a])
    left = histograms.minus(histograms.total([whole]), b)
    assert left == histograms.total([{"score": {"kept": {}, "rejected": {}}}, a])


@given(RECORDS)
def test_every_record_with_a_score_is_counted_once_on_its_side(records):
    found = histograms.of(column(records))
    assert list(found) == ["score"]
    for side, keep in (("kept", True), ("rejected", False)):
        there = [v for v, k in records if k is keep and v is not None and not math.isnan(v)]
        assert sum(found["score"][side].values()) == len(there)


def test_edges_rise_and_are_named_as_they_are():
    edges = [float(e) for e in histograms.edges()]
    assert edges == sorted(set(edges))
    assert np.all(np.diff(edges[1:52]) - 0.02 < 1e-9)
