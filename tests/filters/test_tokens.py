"""Tokens by a tokenizer that is trained here."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filters.contract import ConfigError
from filters.tokens import TokensFilter, TokensOptions
from pipelines.provenance.tokens import total
from tests.support import batch_of, tokenizer


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tokenizer(tmp_path_factory.mktemp("tokens") / "tokenizer.json")


def judged(path, rows, **options):
    return TokensFilter(TokensOptions(tokenizer=str(path), **options)).judge(batch_of(rows))


def sums(scores):
    return TokensFilter.totals({k: pa.array(v) for k, v in scores.items()})


def manifest_entry(path, scores):
    return {"name": "tokens", "assets": {"tokenizer.json": "0" * 64}, "sums": sums(scores)}


CHAT = [
    {"role": "system", "content": "Bake."},
    {"role": "user", "content": "Why does bread rise? 为什么"},
    {"role": "assistant", "content": "Yeast.", "reasoning_content": "Think of gas."},
]


def test_every_channel_counts_and_nothing_else(path):
    from tokenizers import Tokenizer

    plain = Tokenizer.from_file(str(path))
    want = sum(
        len(plain.encode(m.get(k) or "", add_special_tokens=False))
        for m in CHAT
        for k in ("content", "reasoning_content")
    )
    scores = judged(path, [{"messages": CHAT, "uuid_note": "a column that nobody is trained on"}]).scores
    assert scores["tokens"].to_pylist() == [want]
    only = judged(path, [{"messages": CHAT}], channels=("reasoning",)).scores
    assert only["bytes"].tolist() == [len("Think of gas.")]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), min_size=1, max_size=8))
def test_a_batch_counts_as_its_records_do_alone(path, texts):
    """What else is in the batch changes nothing, and NUL bytes and any script are text."""
    rows = [{"prompt": t, "response": t} for t in texts]
    together = judged(path, rows).scores["tokens"].to_pylist()
    alone = [judged(path, [row]).scores["tokens"].to_pylist()[0] for row in rows]
    assert together == alone


def test_a_tokenizer_that_would_cut_does_not(path, tmp_path):
    told = json.loads(path.read_text("utf-8"))
    told["truncation"] = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    told["padding"] = {"strategy": {"Fixed": 512}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                       "pad_type_id": 0, "pad_token": "!"}  # fmt: skip
    cutting = tmp_path / "cutting.json"
    cutting.write_text(json.dumps(told), "utf-8")
    rows = [{"prompt": "Why?", "response": "Bread rises because of gas. " * 200}]
    assert judged(cutting, rows).scores["tokens"].to_pylist() == judged(path, rows).scores["tokens"].to_pylist()


def test_bounds_below_at_and_above(path):
    rows = [{"text": "x" * n} for n in (4, 5, 6)]  # bytes of one letter each: no merge was learnt of x
    assert judged(path, rows).scores["tokens"].to_pylist() == [4, 5, 6]
    assert judged(path, rows, most=5).reason.tolist() == [-1, -1, 0]
    assert judged(path, rows, least=5).reason.tolist() == [1, -1, -1]


def test_the_sample_is_of_ids_and_its_estimate_is_near(path):
    rng = np.random.default_rng(1)
    rows = [{"id": f"r{i}", "text": "Bread rises. " * int(n)} for i, n in enumerate(rng.integers(1, 60, 2000))]
    exact = sums(judged(path, rows).scores)["tokens"]
    sampled = judged(path, rows, sample=10).scores
    assert sampled["tokens"].null_count == pytest.approx(1800, abs=60)
    again = judged(path, rows[::-1], sample=10).scores["tokens"].to_pylist()[::-1]
    assert again == sampled["tokens"].to_pylist()
    assert judged(path, rows, sample=10, seed=1).scores["tokens"].to_pylist() != again
    told = total([manifest_entry(path, sampled)], len(rows))
    assert not told["exact"]
    assert told["low"] <= exact <= told["high"]
    assert told["total"] == pytest.approx(exact, rel=0.02)


def test_the_interval_holds_what_it_says():
    """1,000 samples of a skewed population: the true total lies in 95 % of their intervals, give or take 3 %."""
    rng = np.random.default_rng(7)
    size = np.maximum(20, rng.lognormal(7, 1, 4000)).astype(np.int64)
    tokens = np.maximum(1, size / rng.normal(4, 0.6, 4000).clip(2, 8)).astype(np.int64)
    inside = 0
    for _ in range(1000):
        seen = rng.random(4000) < 0.1
        told = total([manifest_entry(None, {"tokens": pa.array(tokens, mask=~seen), "bytes": size})], 4000)
        inside += told["low"] <= tokens.sum() <= told["high"]
    assert 0.92 <= inside / 1000 <= 0.98


def test_totals_are_exact_beyond_64_bits_and_can_be_taken_away():
    size = np.array([2**40, 2**33 + 1, 7])
    whole = sums({"tokens": pa.array(size), "bytes": size})
    part = sums({"tokens": pa.array(size[1:]), "bytes": size[1:]})
    assert whole["bytes_squared"] == sum(int(s) ** 2 for s in size) > 2**64
    first = sums({"tokens": pa.array(size[:1]), "bytes": size[:1]})
    assert {k: whole[k] - part[k] for k in whole} == first


def test_all_records_seen_is_exact_and_a_sample_of_one_has_no_interval():
    every = {"tokens": pa.array([3, 4]), "bytes": np.array([9, 12])}
    assert total([manifest_entry(None, every)], 2) | {"tokenizer": 0} == {
        "total": 7, "low": 7, "high": 7, "exact": True, "tokenizer": 0, "bytes": 21, "sampled_records": 2, "of_records": 2,
    }  # fmt: skip
    one = {"tokens": pa.array([3, None], pa.int64()), "bytes": np.array([9, 12])}
    assert total([manifest_entry(None, one)], 2)["total"] is None
    assert total([{"name": "pii", "sums": {}}], 2) is None
    nothing = {"tokens": pa.array([], pa.int64()), "bytes": np.array([], np.int64)}
    assert total([manifest_entry(None, nothing)], 0)["total"] == 0


def test_what_is_wrong_with_a_tokenizer_is_said_in_one_line(path, tmp_path, monkeypatch):
    (tmp_path / "spm.model").write_bytes(b"\x0a\x07")
    (tmp_path / "broken.json").write_text('{"version": "1.0"}', "utf-8")
    for given_, said in (("", "is not set"), ("nowhere.json", "no file"), (tmp_path / "spm.model", "SentencePiece"),
                         (tmp_path / "broken.json", "is no tokenizer.json")):  # fmt: skip
        with pytest.raises(ConfigError, match=said) as error:
            judged(given_, [{"text": "x"}])
        assert "\n" not in str(error.value)
    for options in ({"sample": 10, "most": 5}, {"most": 3, "least": 4}):
        with pytest.raises(ConfigError):
            TokensFilter(TokensOptions(tokenizer=str(path), **options))
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ConfigError, match=r"corpusmill\[tokens\]"):
        judged(path, [{"text": "x"}])


def test_another_version_of_the_package_is_other_work(path, monkeypatch):
    from pipelines import recipe

    told = {"name": "t", "filters": [{"tokens": {"tokenizer": str(path)}}]}
    before = recipe.from_document(told)
    assert "tokenizers" in before.software()["packages"]
    fingerprint = before.fingerprint()
    monkeypatch.setattr(recipe, "_version", lambda package: "0.0.1")
    assert recipe.from_document(told).fingerprint() != fingerprint
    assert "tokenizers" not in recipe.from_document({"name": "t", "filters": ["optout"]}).software()["packages"]


def test_an_empty_batch_and_empty_records_have_no_tokens(path):
    rows = pa.table({"prompt": pa.array([None, ""], pa.string()), "response": pa.array(["", None], pa.string())})
    scores = judged(path, rows).scores
    assert scores["tokens"].to_pylist() == [0, 0]
    assert not math.isnan(scores["bytes"].sum())
