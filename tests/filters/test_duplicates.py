"""Duplicates: what counts as the same, how alike two sketches say two texts are, and which record of a cluster stays."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.contract import ConfigError, Part
from filters.duplicates import DuplicatesFilter, DuplicatesOptions, kernels
from filters.duplicates.groups import PAIRS
from filters.duplicates.sketches import rows_a_band, similarity
from tests.support import batch_of, real, real_batch

WORDS = ["".join(letters) for letters in itertools.product("bcdfghklmnprstvw", "aeiou", "bdfgklmnprst", "aei")]
"""2,880 words of four letters; digits would be words of their own."""


def signed(rows: list[dict], **options) -> pa.RecordBatch:
    return DuplicatesFilter(DuplicatesOptions(**options)).sign(batch_of(rows))


def part(rows: list[dict], name: str = "a.parquet", dataset: str = "", world: str = "", **options) -> Part:
    batch = batch_of(rows)
    table = pa.Table.from_batches([DuplicatesFilter(DuplicatesOptions(**options)).sign(batch)])
    table = table.append_column("row", pa.array(np.arange(len(batch)))).append_column("id", batch.ids)
    return Part(name, table.filter(table["digest"].is_valid()), world, dataset)


def rejected(parts: list[Part], **options) -> list[dict]:
    return DuplicatesFilter.resolve(parts, DuplicatesOptions(**options)).to_pylist()


def survivors(rows: list[dict], **options) -> set[str]:
    """Ids of the rows that are left."""
    gone = {r["row"] for r in rejected([part(rows, **options)], **options)}
    return {r["id"] for i, r in enumerate(rows) if i not in gone}


def turns(*said: tuple[str, str], **more) -> dict:
    return {"messages": [{"role": r, "content": c} for r, c in said], **more}


def same(a: dict, b: dict, **options) -> bool:
    """Whether two records have one digest."""
    first, second = signed([a, b], **options)["digest"].to_pylist()
    return first is not None and first == second


ASKED, SAID = ("user", "Why does bread rise?"), ("assistant", "Yeast gives off gas.")


def test_system_prompts_and_tool_definitions_do_not_make_records_different():
    a = turns(("system", "Be brief."), ASKED, SAID, tools='[{"name": "oven"}]')
    b = turns(("system", "You are a baker."), ASKED, SAID, tools='[{"name": "mixer"}]')
    assert same(a, b)


def test_system_prompts_and_tool_definitions_do_not_make_records_alike():
    prompt = " ".join(WORDS[:500])
    rows = [
        turns(("system", prompt), ("user", f"ask {w} now"), ("assistant", f"{w} it is"), tools="[]") for w in "abcdefgh"
    ]
    assert rejected([part(rows, method="near")], method="near") == []


@pytest.mark.parametrize(
    "other",
    [
        turns(("user", "Why does bread rise? Yeast gives off gas.")),
        turns(ASKED, ("user", "Yeast gives off gas.")),
        turns(("user", "Why does bread"), ("user", "rise?"), SAID),
        turns(ASKED, SAID, ("user", "")),
        turns(ASKED, ("assistant", "Yeast gives off gas")),
    ],
)
def test_the_same_words_in_other_turns_or_by_others_are_another_record(other):
    assert same(turns(ASKED, SAID), other) == (other["messages"][-1]["content"] == "")


def test_calls_of_two_tools_with_the_same_arguments_differ():
    def called(tool: str, call_id: str) -> dict:
        call = {"id": call_id, "type": "function", "function": {"name": tool, "arguments": '{"x": 1}'}}
        return {
            "messages": [{"role": "user", "content": "go"}, {"role": "assistant", "content": "", "tool_calls": [call]}]
        }

    assert not same(called("add", "1"), called("drop", "1"))
    assert same(called("add", "1"), called("add", "2"))


def test_normalise_says_when_texts_are_equal():
    a, spaced, worded = (turns(ASKED, ("assistant", t)) for t in ("Yeast: gas.", "Yeast:\n\n gas. ", 'yeast — "gas",'))
    told = {n: (same(a, spaced, normalise=n), same(a, worded, normalise=n)) for n in ("none", "spaces", "words")}
    assert told == {"none": (False, False), "spaces": (True, False), "words": (True, True)}


def test_what_says_which_turns_are_compared():
    base = {"prompt": "2 + 2?", "response": "<think>Easy.</think>Four."}
    thought = {"prompt": "2 + 2?", "response": "<think>Let me count.</think>Four."}
    asked = {"prompt": "What is 2 + 2?", "response": "<think>Easy.</think>Four."}
    told = {w: (same(base, thought, what=w), same(base, asked, what=w)) for w in ("conversation", "prompt", "answer")}
    assert told == {"conversation": (False, False), "prompt": (True, False), "answer": (True, True)}


@pytest.mark.parametrize(
    ("first", "second", "equal"),
    [
        (r"So \boxed{4}.", r"Adding up gives $\boxed{ 4 }$ apples.", True),
        (r"First \boxed{3}, no, \boxed{4}.", r"\boxed{4}", True),
        (r"\boxed{4}", r"\boxed{5}", False),
        ("2 and 2 make 4.\n#### 4", "Count them.\n####  4\n", True),
        ("Four.", " Four.\n", True),
        ("Four.", "It is four.", False),
    ],
)
def test_prompt_and_final_answer_compares_what_the_answer_comes_to(first, second, equal):
    a, b = ({"prompt": "2 + 2?", "response": r} for r in (first, second))
    assert same(a, b, what="prompt_and_final_answer") == equal
    assert not same(a, {**b, "prompt": "2 + 2 = ?"}, what="prompt_and_final_answer")


def test_records_without_text_to_compare_are_never_duplicates():
    rows = [turns(("system", "Be brief.")), turns(("system", "Be brief.")), turns(ASKED), turns(ASKED)]
    assert signed(rows, what="answer")["digest"].null_count == 4
    assert survivors([{**r, "id": str(i)} for i, r in enumerate(rows)]) == {"0", "1", "2"}


@pytest.mark.parametrize(
    "text", ["", "\0", "?!…", "\0" * 5000, "a", "的" * 50, "\U0001f600" * 9, "x" * 200_000, "\n" * 9999]
)
def test_odd_texts_are_signed_and_equal_to_themselves(text):
    rows = [{"id": str(i), "prompt": "go", "response": text} for i in range(2)]
    for options in ({}, {"normalise": "words"}, {"method": "near"}):
        assert survivors(rows, **options) == {"0"}


def jaccard(a: str, b: str, n: int = 5) -> float:
    """By brute force, for texts of lower-case words."""
    x, y = ({tuple(w[i : i + n]) for i in range(max(1, len(w) - n + 1))} for w in (a.split(), b.split()))
    return len(x & y) / len(x | y)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 3000), st.floats(0, 0.1), st.integers(0, 2**32))
def test_a_sketch_tells_similarity_within_its_error(words, changed, seed):
    rng = random.Random(seed)
    first = [rng.choice(WORDS) for _ in range(words)]
    second = [rng.choice(WORDS) if rng.random() < changed else w for w in first]
    a, b = " ".join(first), " ".join(second)
    sketch = signed([{"text": a}, {"text": b}], method="near")["sketch"]
    told = similarity(*(np.frombuffer(v.as_py(), np.uint64) for v in sketch))
    truth = jaccard(a, b)
    # Five standard deviations of 1,024 draws, and a bin or two for what is shorter than that.
    assert abs(told - truth) <= 5 * math.sqrt(truth * (1 - truth) / 1024) + 0.02


def test_short_texts_are_told_almost_exactly():
    a, b = "one two three four five six seven eight nine ten", "one two three four five six seven eight nine eleven"
    first, second = (
        np.frombuffer(v.as_py(), np.uint64) for v in signed([{"text": a}, {"text": b}], method="near")["sketch"]
    )
    assert sum(int(word) >> shift & 15 > 0 for word in first for shift in range(0, 64, 4)) == 6
    assert similarity(first, second) == pytest.approx(jaccard(a, b))


def test_no_n_gram_is_lost_or_made_where_a_long_text_is_cut(monkeypatch):
    text = [{"text": " ".join(random.Random(1).choices(WORDS, k=500))}]
    whole = signed(text, method="near"), signed(text, normalise="words")
    monkeypatch.setattr(kernels, "CHUNK", 16)
    assert (signed(text, method="near"), signed(text, normalise="words")) == whole


def test_bands_are_as_long_as_finding_99_percent_of_pairs_allows():
    for threshold in (0.3, 0.5, 0.7, 0.8, 0.9, 1.0):
        bands, rows = rows_a_band(256, 0, threshold)
        assert bands * rows <= 256
        assert 1 - (1 - threshold**rows) ** bands >= 0.99
        assert rows == 256 or 1 - (1 - threshold ** (rows + 1)) ** (256 // (rows + 1)) < 0.99
    assert rows_a_band(256, 32, 0.8) == (32, 8)


def edited(words: list[str], count: int, seed: int) -> str:
    """The words with so many of them, far apart, replaced: each costs five n-grams."""
    out, rng = list(words), random.Random(seed)
    for i in range(count):
        out[len(words) * (2 * i + 1) // (2 * count)] = "".join(rng.choices("qxyz", k=12))
    return " ".join(out)


def test_near_duplicates_are_found_and_others_are_not():
    words = random.Random(2).choices(WORDS, k=1000)
    # 1,000 words, 996 n-grams; k edits leave (996 - 5k) / (996 + 5k) of them: 10 edits 0.90, 60 edits 0.54.
    rows = [
        {"id": "a", "text": " ".join(words)},
        {"id": "b", "text": edited(words, 10, 3)},
        {"id": "c", "text": edited(words, 60, 4)},
    ]
    [gone] = rejected([part(rows, method="near")], method="near")
    assert (gone["row"], gone["duplicate_of"], gone["at"], gone["cluster_size"]) == (1, "a", "a.parquet:0", 2)
    assert gone["reason"] == 1
    assert gone["similarity"] == pytest.approx(jaccard(rows[0]["text"], rows[1]["text"]), abs=0.08)


def test_short_near_duplicates_are_found_although_most_bins_are_empty():
    rng, rows = random.Random(9), []
    for i in range(150):
        words = rng.choices(WORDS, k=30)
        # 26 n-grams, one of which differs: 25 of 27 are shared.
        rows += [{"id": f"{i}a", "text": " ".join(words)}, {"id": f"{i}b", "text": " ".join([*words[:-1], "other"])}]
    gone = rejected([part(rows, method="near")], method="near")
    assert len(gone) >= 148
    assert all(g["row"] == int(g["at"].partition(":")[2]) + 1 for g in gone)


def test_a_chain_does_not_take_along_what_is_not_like_the_record_that_stays():
    words = random.Random(5).choices(WORDS, k=1000)
    first = " ".join(words)
    second = edited(words, 14, 6)
    third = edited(second.split(), 30, 7)
    assert jaccard(first, second) > 0.85 < jaccard(second, third) + 0.15
    assert jaccard(first, third) < 0.7
    rows = [{"id": "a", "text": first}, {"id": "b", "text": second}, {"id": "c", "text": third}]
    assert survivors(rows, method="near", threshold=0.72) == {"a", "c"}


def test_a_bucket_with_more_records_than_are_compared_each_with_each_is_one_cluster():
    words = random.Random(8).choices(WORDS, k=400)
    rows = [{"id": f"{i:03}", "text": edited(words, 1, i)} for i in range(PAIRS * 4)]
    gone = rejected([part(rows, method="near")], method="near")
    assert {r["duplicate_of"] for r in gone} == {"000"}
    assert len(gone) == len(rows) - 1


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 2**32),
    st.sampled_from(["longest", "verified"]),
    st.sampled_from(["exact", "near"]),
    st.integers(1, 5),
)
def test_who_stays_does_not_depend_on_the_order_or_on_how_records_are_cut_into_parts(seed, keep, method, pieces):
    rng = random.Random(seed)
    roots = [rng.choices(WORDS, k=rng.choice([3, 30, 300])) for _ in range(4)]
    rows = [
        {
            "id": f"r{i}",
            "ok": rng.random() < 0.5,
            "text": edited(rng.choice(roots), rng.choice([0, 0, 1, 4]), rng.randrange(3)),
        }
        for i in range(40)
    ]
    options = {"keep": keep, "method": method, **({"verified": "ok"} if keep == "verified" else {})}
    expected = survivors(rows, **options)
    rng.shuffle(rows)
    cuts = sorted(rng.sample(range(1, 40), pieces - 1))
    runs = [rows[a:b] for a, b in itertools.pairwise([0, *cuts, 40])]
    gone = {
        (r["part"], r["row"])
        for r in rejected([part(run, f"{i}.parquet", **options) for i, run in enumerate(runs)], **options)
    }
    assert {r["id"] for p, run in enumerate(runs) for i, r in enumerate(run) if (p, i) not in gone} == expected


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32))
def test_what_is_dropped_is_like_what_is_kept_and_that_is_kept(seed):
    rng = random.Random(seed)
    roots = [rng.choices(WORDS, k=rng.choice([20, 200])) for _ in range(3)]
    rows = [{"id": f"r{i}", "text": edited(rng.choice(roots), rng.randrange(6), rng.randrange(4))} for i in range(30)]
    gone = {r["row"]: r for r in rejected([part(rows, method="near")], method="near")}
    for row, told in gone.items():
        stands = int(told["at"].partition(":")[2])
        assert stands not in gone
        assert told["similarity"] >= 0.8
        assert told["cluster_size"] == 1 + sum(r["at"] == told["at"] for r in gone.values())
        assert abs(told["similarity"] - jaccard(rows[row]["text"], rows[stands]["text"])) < 0.15


def test_the_recipe_says_which_is_kept():
    rows = [
        {"id": "c", "text": "a b", "license": "MIT", "checked": "refuted"},
        {"id": "b", "text": "a  b", "license": "CC0", "checked": "Verified"},
        {"id": "a", "text": "a b ", "license": "CC-BY-SA-4.0", "checked": "verified"},
    ]
    assert survivors(rows) == {"c"}
    assert survivors(rows, keep="longest") == {"a"}  # three bytes with "b" and "a": then the smaller id
    assert survivors(rows, keep="verified", verified="checked") == {"a"}
    assert survivors(rows, keep="licence", licences=("CC0-1.0", "MIT")) == {"b"}
    assert survivors(rows, keep="licence", licences=("CC-BY-*",)) == {"a"}


@pytest.mark.parametrize(
    ("column", "kept"),
    [
        ([None, True, False], "1"),
        ([0, 2, 1], "1"),
        ([None, 0.0, 1.5], "2"),
        (["no", "x", " PASS "], "2"),
        ([[1], [2], [3]], "0"),
    ],
)
def test_verified_is_read_from_columns_of_any_kind(column, kept):
    rows = [{"id": str(i), "text": "same", "v": v} for i, v in enumerate(column)]
    assert survivors(rows, keep="verified", verified="v") == {kept}
    assert survivors(rows, keep="verified", verified="not.there") == {"0"}


def test_records_of_another_dataset_stand_for_ours_and_are_never_rejected():
    ours = [{"id": "a", "text": "one two"}, {"id": "b", "text": "three four"}]
    theirs = [{"id": "x", "text": "three four"}, {"id": "y", "text": "three four"}]
    [gone] = rejected([part(ours), part(theirs, "s.parquet", dataset="published")])
    assert (gone["part"], gone["row"], gone["duplicate_of"], gone["dataset"], gone["at"]) == (
        0,
        1,
        "x",
        "published",
        "s.parquet:0",
    )
    assert gone["cluster_size"] == 2


def test_without_a_column_what_other_filters_found_says_which_is_right():
    """The answer counts before the code, and what nobody could tell before what is wrong."""
    rows = [{"id": i, "prompt": "1 + 1?", "response": "2"} for i in "abcd"]
    one = part(rows, keep="verified")
    for answer, code, stays in (
        ((0, -1, 1, 0), (1, 1, 1, 1), "c"),
        ((-1, 0, -1, 0), (1, 0, 1, 1), "d"),
        ((0,) * 4, (-1, 0, 0, 0), "b"),
    ):
        table = one.signatures
        for name, values in (("answer", answer), ("code", code)):
            table = table.append_column(f"checked.{name}", pa.array(values, pa.int8()))
        gone = {r["row"] for r in rejected([Part("a", table)], keep="verified")}
        assert {r["id"] for i, r in enumerate(rows) if i not in gone} == {stays}


def test_records_of_two_worlds_are_not_compared():
    rows = [{"id": "a", "text": "one two three four five six"}]
    for method in ("exact", "near"):
        assert (
            rejected([part(rows, method=method), part(rows, "b", world="counterfactual", method=method)], method=method)
            == []
        )


def test_nothing_at_all_is_compared_too():
    assert rejected([]) == []
    assert rejected([part([turns(("system", "x"))], method="near")], method="near") == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"permutations": 100}, "permutations"),
        ({"method": "near", "what": "prompt_and_final_answer"}, "exactly"),
        ({"verified": "ok"}, "keep: verified"),
        ({"licences": ("MIT",)}, "licence"),
        ({"permutations": 64, "bands": 65}, "bands"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, told):
    with pytest.raises(ConfigError, match=told):
        DuplicatesFilter(DuplicatesOptions(**options))


def test_a_recipe_may_change_the_threshold_without_signing_again():
    for name in DuplicatesFilter.resolved_with:
        assert name in DuplicatesOptions.__struct_fields__
    a, b = (DuplicatesFilter.signature(DuplicatesOptions(method="near", threshold=t)) for t in (0.5, 0.9))
    assert a.equals(b, check_metadata=True)
    assert not a.equals(DuplicatesFilter.signature(DuplicatesOptions(method="near", ngram=7)), check_metadata=True)


def test_real_traces_with_planted_copies_give_exactly_the_copies():
    rows = real_batch(real("gsm8k")[0]).source.slice(0, 400).to_pylist()
    for i, row in enumerate(rows):
        row["id"] = f"r{i:04}"
    copies = [{**rows[i], "id": f"z{i:04}"} for i in range(0, 400, 40)]
    assert survivors(rows + copies, method="near", threshold=0.9) >= {r["id"] for r in rows[::41]}
    assert not survivors(rows + copies, method="near", threshold=0.9) & {c["id"] for c in copies}
