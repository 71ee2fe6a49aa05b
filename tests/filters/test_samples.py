"""Samples: which answers are the same, what a vote comes to, what a reference says over it, and which samples are kept."""

from __future__ import annotations

import itertools
import random
import time

import numpy as np
import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.contract import ConfigError, Part
from filters.numbers.compare import against
from filters.numbers.meaning import meaning
from filters.numbers.options import On
from filters.numbers.symbolic import Algebra
from filters.samples import SamplesFilter, SamplesOptions
from filters.samples.vote import REFERENCE
from tests.support import ROOT, batch_of

ALGEBRA = Algebra(5)
SILENT = "Let me think about this for a while before I say anything at all."
POOL = [
    "1/2",
    "0.5",
    r"50\%",
    "50",
    "0.33",
    "0.333",
    r"\frac{1}{3}",
    "0.34",
    "5 km",
    "5",
    "5 m",
    "(C) 5",
    "C",
    "yes",
    "Paris",
    "London",
]
"""Answers that mean one another, several, or nothing in common."""


def rows_of(answers: list[str | None], prompt: str = "How much?", **more: list) -> list[dict]:
    """A record for each answer; None: it gives none."""
    return [
        {"id": f"{prompt} {i}", "prompt": prompt, "response": SILENT if a is None else rf"I think \boxed{{{a}}}",
         **{name: values[i] for name, values in more.items()}}
        for i, a in enumerate(answers)
    ]  # fmt: skip


def part(rows: list[dict], name: str = "a.parquet", world: str = "", checked=None, code=None, **options) -> Part:
    """The signatures of a shard, with what other filters found of its records."""
    batch = batch_of(rows)
    made = SamplesFilter(SamplesOptions(symbolic=options.pop("symbolic", False), **options))
    table = pa.Table.from_batches([made.judge(batch).signatures])
    table = table.append_column("row", pa.array(np.arange(len(batch)))).append_column("id", batch.ids)
    for column, values in (("checked.answer", checked), ("checked.code", code)):
        table = table.append_column(column, pa.array(values or [0] * len(batch), pa.int8()))
    return Part(name, table, world)


def told(parts: list[Part], **options) -> list[dict]:
    return SamplesFilter.resolve(parts, SamplesOptions(**options)).to_pylist()


def verdicts(answers: list[str | None], checked=None, **options) -> list[str]:
    """The verdict on each answer, v, r or u."""
    found = told([part(rows_of(answers), checked=checked)], **options)
    return [r["verdict"][0] for r in found]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (["1/2", "0.5", r"\frac{2}{4}", "0.6"], "vvvr"),
        ([r"50\%", "0.5", "0.5", "7"], "vvvr"),
        ([r"50\%", "50", "50", "7"], "vvvr"),
        ([r"50\%", "50", "0.5", "0.5", "0.5"], "urvvv"),
        (["5 km", "5", "5", "6"], "vvvr"),
        (["5 km", "5 m", "5 m", "5 m"], "uvvv"),
        (["(C) 5", "C", "5", "(B) 6"], "vvvr"),
        (["0.33", "1/3", "0.333", "0.34"], "vvvr"),
        (["1,000", "1000", "1000.0", "1001"], "vvvr"),
        (["yes", "True", "yes", "no"], "vvvr"),
        (["Paris", "paris", "Paris.", "London"], "vvvu"),
        (["7", "7", "7", None], "vvvu"),
    ],
)
def test_answers_of_one_value_vote_together_and_others_are_refuted_where_they_can_be_compared(answers, expected):
    assert "".join(verdicts(answers)) == expected


@pytest.mark.parametrize(
    ("answers", "options", "how"),
    [
        (["7", "7"], {}, "few_samples"),
        (["7", "7", "8", "8"], {}, "tie"),
        (["7", "7", "8", "9", "10"], {}, "no_majority"),
        (["7", "7", "8", "9", "10"], {"least_share": 0.4}, "majority"),
        (["7", "7", "7", "8", "8"], {"least_lead": 0.2}, "majority"),
        (["7", "7", "7", "8", "8"], {"least_lead": 0.21}, "no_majority"),
        ([None, None, None], {}, "no_answer"),
        (["7", None, None, None], {}, "no_majority"),
    ],
)
def test_what_a_vote_needs(answers, options, how):
    assert told([part(rows_of(answers))], **options)[0]["how"] == how


def test_the_last_number_of_a_text_agrees_but_has_no_vote_and_is_never_refuted():
    rows = [*rows_of(["7", "7", "7"]), {"prompt": "How much?", "response": "Let me see. I have 4 of these and add 3, so 7 is it"},
            {"prompt": "How much?", "response": "Let me see. I have 4 of these and add 4, so 8 is it"}]  # fmt: skip
    rows = [{"id": str(i), **{k: r[k] for k in ("prompt", "response")}} for i, r in enumerate(rows)]
    found = told([part(rows)])
    assert [r["verdict"] for r in found] == ["verified"] * 4 + ["unverifiable"]
    assert {r["answers"] for r in found} == {3}
    assert told([part(rows[3:] * 2)])[0]["how"] == "no_answer"


@pytest.mark.parametrize(
    ("checked", "expected"),
    [
        ([0, 0, 0, 0, 1], "rrrvv"),  # the reference finds the minority right, for both samples that give it
        ([-1, 0, 0, 0, 0], "rrruu"),  # and the majority wrong: then nobody leads
        ([-1, 0, 0, 1, 0], "rrrvv"),
        ([0, 0, 0, 0, -1], "vvvrr"),
        ([1, -1, 0, 0, 0], "vrvrr"),  # contradicts itself: each word counts for its own record
    ],
)
def test_a_reference_wins_over_the_vote(checked, expected):
    found = told([part(rows_of(["7", "7", "7", "8", "8"]), checked=checked)])
    assert "".join(r["verdict"][0] for r in found) == expected
    assert all(r["by"] == REFERENCE for r, c in zip(found, checked, strict=True) if c)


def test_problems_are_told_apart_by_prompt_or_by_a_column():
    rows = [*rows_of(["7", "7", "7"], "How many?"), *rows_of(["8", "8", "8"], "How  many?\n")]
    assert [r["verdict"][0] for r in told([part(rows)])] == ["u"] * 6
    assert [r["samples"] for r in told([part(rows, normalise="none")])] == [3] * 6
    named = rows_of(["7"] * 3 + ["8"] * 3, ids=[{"n": i // 3} for i in range(6)])
    assert [r["samples"] for r in told([part(named, problem="ids.n")], problem="ids.n")] == [3] * 6
    with pytest.raises(ConfigError, match="did you mean 'response'"):
        part(named, problem="respons")


def test_a_record_without_a_problem_is_unverifiable_and_takes_part_in_nothing():
    rows = rows_of(["7"] * 5, pid=["a", "a", "a", None, ""])
    found = told([part(rows, problem="pid")], problem="pid", on=On(unverifiable="drop"), best=1)
    assert [r["how"] for r in found] == ["majority"] * 3 + ["no_problem"] * 2
    assert [r["reason"] for r in found] == [-1, 3, 3, 1, 1]


def test_copies_made_by_augmenting_vote_among_themselves():
    parts = [part(rows_of(["7", "7"])), part(rows_of(["7"]), world="counterfactual")]
    assert [r["samples"] for r in told(parts)] == [2, 2, 1]


@pytest.mark.parametrize(
    ("order", "best"),
    [
        (("verified", "reward"), "c"),
        (("verified", "-reward"), "a"),
        (("reward",), "d"),
        (("verified", "shortest"), "a"),
        (("verified", "longest"), "c"),
        (("first",), "d"),
        (("verified",), "a"),
    ],
)
def test_the_best_sample_is_chosen_as_the_recipe_orders_them(order, best):
    rows = [
        {"id": i, "prompt": "?", "response": rf"{'so ' * n}\boxed{{{a}}}", "reward": r}
        for i, n, a, r in (("d", 9, "8", 9.0), ("a", 1, "7", None), ("b", 2, "7", 1.0), ("c", 3, "7", 2.0))
    ]
    if order == ("verified", "-reward"):
        rows[1]["reward"] = 0.5
    options = {"order": order, "best": 1, "on": On(refuted="keep")}
    found = told([part(rows, **options)], **options)
    assert [rows[r["row"]]["id"] for r in found if r["reason"] < 0] == [best]
    assert {r["reason"] for r in found} == {-1, 3}
    assert sorted(r["place"] for r in found) == [1, 2, 3, 4]


def test_code_that_parses_is_better_among_samples_of_one_verdict():
    found = told([part(rows_of(["7", "7", "7"]), code=[-1, 0, 1])], best=1)
    assert [r["reason"] for r in found] == [3, 3, -1]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["p", "q"]), st.sampled_from(POOL)), min_size=1, max_size=12), st.randoms())
def test_neither_the_order_of_records_nor_their_shards_show(given_, chance):
    rows = [{"id": str(i), "prompt": p, "response": rf"\boxed{{{a}}}"} for i, (p, a) in enumerate(given_)]
    shuffled = chance.sample(rows, len(rows))
    cut = chance.randrange(len(rows) + 1)
    parts = [part(s, f"{i}.parquet") for i, s in enumerate((shuffled[:cut], shuffled[cut:])) if s]
    options = {"best": 2, "order": ("verified", "shortest")}

    def by_id(parts: list[Part]) -> dict:
        every = told(parts, **options)
        ids = [p.signatures["id"].to_pylist() for p in parts]
        return {ids[r.pop("part")][r.pop("row")]: r for r in every}

    assert by_id(parts) == by_id([part(rows)])


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(POOL), min_size=3, max_size=9), st.data())
def test_one_more_sample_of_the_majority_refutes_nobody(answers, data):
    before = told([part(rows_of(answers))])
    right = [i for i, r in enumerate(before) if r["verdict"] == "verified"]
    if right:
        again = data.draw(st.sampled_from(right))
        after = told([part(rows_of([*answers, answers[again]]))])
        assert [r["verdict"] for r in after[:-1]] == [r["verdict"] for r in before]
        assert after[-1]["verdict"] == "verified"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(POOL), min_size=1, max_size=9))
def test_records_of_one_cluster_have_one_verdict_and_thresholds_alone_give_it_again(answers):
    options = SamplesOptions(on=On(unverifiable="drop"), least_share=0.3)
    table = SamplesFilter.resolve([part(rows_of(answers))], options)
    found = table.to_pylist()
    for a, b in itertools.combinations(found, 2):
        assert a["cluster"] != b["cluster"] or a["verdict"] == b["verdict"]
    scores = {n: table[n].to_numpy() for n in SamplesFilter.scores}
    assert SamplesFilter.decide(scores, options).tolist() == table["reason"].to_pylist()


def test_retuning_with_best_is_refused_in_one_line():
    with pytest.raises(ConfigError, match="run the recipe again"):
        SamplesFilter.decide({}, SamplesOptions(best=1))


def test_formulas_have_one_key_exactly_where_they_are_equal():
    """Of the pairs that ``numbers`` is held to: those that are equal meet in a vote, and those that are not do not."""
    pairs = yaml.safe_load((ROOT / "benchmarks" / "numbers_pairs.yaml").read_text("utf-8"))
    pairs = [
        p
        for p in pairs
        if p["a"] and "boxed" not in p["a"] + p["r"] and against(p["a"], [p["r"]], None).how != "too_large"
    ]
    rows = [
        {"prompt": f"{i}?", "response": rf"\boxed{{{a}}}"}
        for i, pair in enumerate(pairs)
        for a in (pair["a"], pair["r"], pair["r"])
    ]
    cluster = [r["cluster"] for r in told([part(rows, symbolic=True)])]
    odd = [
        (pair["a"], pair["r"])
        for i, pair in enumerate(pairs)
        if (cluster[3 * i] == cluster[3 * i + 1]) != (pair["is"] == "v")
    ]
    assert odd == NOT_ALIKE
    assert len(pairs) > 100


NOT_ALIKE = [("x=1, x=2", "1,2")]
"""``1,2`` alone is 1.2."""


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (r"\sqrt{8}", r"2\sqrt{2}", True),
        (r"\frac{\log 8}{\log 2}", "3", True),
        ("(x+1)^2", "x^2+2x+1", True),
        ("x+y=3", "2x+2y=6", True),
        ("x+y=3", "x+y=4", False),
        ("x>5", r"(5,\infty)", True),
        ("3+4i", "4i+3", True),
        (r"e^{i\pi}", "-1", True),
        ("(1,2]", "[1,2)", False),
        ("(5,3)", "(7,2)", False),
        ("10^{30}+1", "10^{30}", False),
        ("f(x)", "f(x)", True),
    ],
)
def test_a_key_is_the_value_whatever_it_looks_like(a, b, same):
    assert (meaning(a, ALGEBRA).key == meaning(b, ALGEBRA).key) == same


def test_what_hangs_is_taken_as_it_is_written():
    assert meaning("9^{9^{9}}", ALGEBRA).key == meaning("9^{9^{9}}", ALGEBRA).key
    assert meaning("", ALGEBRA) is None


def test_signatures_hold_no_text():
    made = part(rows_of(["Paris 12345", r"\sqrt{98765}"]), symbolic=True).signatures
    raw = b"".join(b.to_pybytes() for c in made.columns for k in c.chunks for b in k.buffers() if b)
    assert not [t for t in (b"aris", b"12345", b"98765", b"sqrt") if t in raw]


def test_a_problem_with_thousands_of_different_answers_takes_no_longer_than_many_problems():
    chance = random.Random(1)
    rows = rows_of([f"0.{chance.randrange(10**6):06}" if i % 2 else f"0.{i % 100:02}" for i in range(6000)])
    signed = part(rows)
    began = time.process_time()
    told([signed])
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    "options", [{"order": ("verified", "verified")}, {"order": ("-",)}, {"order": ("reward",)}, {"problem": "nowhere"}]
)
def test_options_that_make_no_sense_are_one_line(options):
    with pytest.raises(ConfigError, match=r"^samples: "):
        part(rows_of(["7"]), **options)


def test_nothing_is_nothing():
    assert told([]) == []
