"""Time and memory of the repetition filter: linear and bounded, whatever the text is made of."""

from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest

from filters.repetition import RepetitionFilter, measure, phrases
from filters.repetition.options import SCORES
from filters.repetition.tokens import CLASSES, tokenize
from tests.support import batch_of

FILTER = RepetitionFilter()
MILLION = 1_000_000


def one_token(tokens: int) -> str:
    return "again " * tokens


def all_different(tokens: int) -> str:
    return " ".join(f"w{i:x}q" for i in range(tokens))


def two_tokens_at_random(tokens: int) -> str:
    """Every n-gram has been seen, no copy goes on for long: a lookup at nearly every token."""
    return "".join(np.where(np.random.default_rng(3).integers(0, 2, tokens) == 1, "a ", "b "))


def nested_periods(tokens: int) -> str:
    """Thue's sequence: squares everywhere, no cube, so that runs break off all the time."""
    n = np.arange(tokens)
    parity = np.zeros(tokens, np.int64)
    while n.any():
        parity ^= n & 1
        n >>= 1
    return "".join(np.where(parity == 1, "yes ", "no "))


def shuffled(tokens: int) -> str:
    """The same 40 words in ever new orders: hashes looked up again and again, and hardly a match."""
    words = [f"k{i}z" for i in range(40)]
    rng = np.random.default_rng(11)
    return " ".join(" ".join(words[i] for i in rng.permutation(40)) for _ in range(tokens // 40))


SHAPES = [one_token, all_different, two_tokens_at_random, nested_periods, shuffled]


def seconds(text: str) -> float:
    batch = batch_of([{"text": text}])
    best = np.inf
    for _ in range(3):
        start = time.perf_counter()
        FILTER.judge(batch)
        best = min(best, time.perf_counter() - start)
    return best


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.__name__)
def test_time_is_linear_in_tokens(shape) -> None:
    # Four times the tokens in at most eight times the time: a quadratic method would take sixteen.
    seconds(shape(1000))
    assert seconds(shape(MILLION)) <= 8 * seconds(shape(MILLION // 4)) + 0.05


def test_colliding_n_grams_cost_a_comparison_each(monkeypatch: pytest.MonkeyPatch) -> None:
    # Tokens whose codes differ in six bits only, all at the top: 100,000 of them go by in the usual time, and each lookup
    # costs at most one comparison of GRAM tokens, since a slot holds one place and there is no chain to walk.
    text = np.frombuffer(all_different(100_000).encode(), np.uint8)
    n = len(text)
    codes, starts, sizes = np.empty(n, np.uint64), np.empty(n, np.int64), np.empty(n, np.uint8)
    words, fence = np.empty(n + 1, np.int32), np.empty(n, np.int32)
    count, *_ = tokenize(text, 0, n, 0, CLASSES, codes, starts, sizes, words, fence)
    codes[:count] = np.arange(count, dtype=np.uint64) << np.uint64(58)  # all but the six low bits gone
    measures, rows = np.zeros((2, phrases.MEASURES)), np.empty((0, phrases.ROW), np.int64)
    depth, near, marks = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.uint8)
    table = np.empty(4 * n, np.int32)
    start = time.perf_counter()
    phrases.follow(
        codes, count, 0, starts, sizes, words, fence, 512, table, depth, near, marks, measures, rows, 0,
    )  # fmt: skip
    first = time.perf_counter() - start
    assert first < 20  # compiled here, for the first time at worst
    start = time.perf_counter()
    phrases.follow(
        codes, count, 0, starts, sizes, words, fence, 512, table, depth, near, marks, measures, rows, 0,
    )  # fmt: skip
    assert time.perf_counter() - start < 0.5


def test_memory_does_not_grow_with_the_text() -> None:
    batch = batch_of([{"text": all_different(3 * measure.CHUNK)}])
    FILTER.judge(batch)
    tracemalloc.start()
    FILTER.judge(batch)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # 8 + 8 + 1 + 5 x 4 + 1 + 16 bytes for each of 2^19 tokens are 28 MB; the text alone has 12.
    assert peak < 40e6


@pytest.mark.slow
def test_a_segment_of_200_megabytes() -> None:
    text = "the line is used already. " * 8_000_000
    batch = batch_of([{"text": text}])
    start = time.perf_counter()
    judgement = FILTER.judge(batch)
    assert judgement.reason[0] == FILTER.reason_index("loop")
    assert time.perf_counter() - start < 60
    assert all(np.isfinite(judgement.scores[name]).all() for name in SCORES)


def test_a_loop_across_chunks_is_one_reason_with_spans_in_order() -> None:
    text = "we try the same thing. " * (measure.CHUNK // 3)
    judgement = FILTER.judge(batch_of([{"text": text}]))
    assert judgement.reason[0] == FILTER.reason_index("loop")
    assert max(judgement.evidence.end) > len(text) - 64


def test_naming_the_filter_does_not_import_numba() -> None:
    code = "import sys; from filters.registry import load; load('repetition'); assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
