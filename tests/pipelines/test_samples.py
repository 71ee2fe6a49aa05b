"""Samples in runs: beside other filters that compare, across shards and runs, when a record is forgotten, and whoever does the work."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import forget, recipe
from pipelines.cli.explain import explain
from pipelines.errors import UsageError
from pipelines.retune import retune
from pipelines.verify import verify
from tests.pipelines.conftest import contents, manifest
from tests.pipelines.test_duplicates import ASKED, go, matching, notes

RECIPE = """
name: samples
filters:
  - structure
  - numbers: {reference: gold, symbolic: false, on: {refuted: keep}}
  - samples: {symbolic: false, best: 3, order: [verified, shortest]}
  - duplicates: {what: prompt_and_final_answer, keep: verified}
"""


def table(first: int, count: int) -> pa.Table:
    """Problem i % 6; the answers are i % 6 + 10, every fifth another one; of problem 5 a reference says that 99 is right. Every 13th has a
    NUL character, which ``structure`` rejects."""
    rows = []
    for i in range(first, first + count):
        problem = i % 6
        answer = 99 if problem == 5 and i % 4 == 1 else problem + 10 + (i % 5 == 0)
        text = f"{'I add them up. ' * (i % 7)}So it is \\boxed{{{answer}}}." + ("\0" if i % 13 == 6 else "")
        rows.append((f"r{i:03}", f"How many is {problem}, and ten more?", text, "99" if i == 5 else None))
    return pa.table(dict(zip(("id", "prompt", "response", "gold"), map(list, zip(*rows, strict=True)), strict=True)))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Two shards of two row groups, and what a run made of them."""
    home = tmp_path_factory.mktemp("samples")
    (home / "in").mkdir()
    for name, first, count in (("a", 0, 40), ("b", 40, 40)):
        pq.write_table(table(first, count), home / "in" / f"{name}.parquet", row_group_size=20)
    go(home / "in", home / "out", text=RECIPE)
    return home


@pytest.fixture
def home(made, tmp_path) -> Path:
    for name in ("in", "out"):
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path


def problem(record: str) -> int:
    return int(record[1:]) % 6


def test_each_filter_compares_what_those_before_it_keep(made):
    found, out = notes(made / "out"), made / "out"
    assert verify(out) == []
    left = {i: n for i, n in found.items() if n["structure"]["keep"]}
    assert all(n["samples"]["scores"]["verdict"] for n in left.values())
    assert not any(n["samples"]["scores"]["verdict"] for i, n in found.items() if i not in left)
    for p in range(6):
        mine = [n for i, n in left.items() if problem(i) == p]
        assert {n["samples"]["scores"]["samples"] for n in mine} == {len(mine)}
        after = [n for n in mine if n["samples"]["keep"]]
        # At most three are left by the vote, and of those that give the same answer the duplicates filter leaves one.
        assert len(after) == 3
        assert [n["kept"] for n in after].count(True) == 1
        assert all(n["rejected_by"] == "duplicates" for n in after if not n["kept"])
    by = {n["rejected_by"] for n in found.values()} - {None}
    assert by == {"structure", "samples", "duplicates"}
    assert {n["reason"] for n in found.values() if n["rejected_by"] == "samples"} == {"sample_refuted", "not_best"}


def test_a_reference_is_believed_for_all_samples_of_its_problem(made):
    found = notes(made / "out")
    mine = {i: n["samples"]["scores"] for i, n in found.items() if problem(i) == 5 and n["structure"]["keep"]}
    assert {s["how"] for s in mine.values()} == {"reference"}
    assert {i for i, s in mine.items() if s["verdict"] == "verified"} == {i for i in mine if int(i[1:]) % 4 == 1}


def test_the_manifest_and_the_report_count_verdicts(made):
    told, found = manifest(made / "out"), notes(made / "out")
    section = told["summaries"]["samples"]
    verdicts = [n["samples"]["scores"]["verdict"] for n in found.values()]
    assert section["verdicts"] == {v: verdicts.count(v) for v in ("refuted", "verified")}
    assert (section["problems"], section["records"]) == (6, len(found) - verdicts.count(None))
    kept = [n["samples"]["scores"]["verdict"] for n in found.values() if n["kept"]]
    assert told["tables"]["sample_verdicts"] == {"verified": len(kept)}
    [of] = [f for f in told["filters"] if f["name"] == "samples"]
    assert of["rejected"] == sum(n["rejected_by"] == "samples" for n in found.values())
    assert "majority" in (made / "out" / "report.html").read_text("utf-8")
    assert told["records"]["kept"] + told["records"]["rejected"] == told["records"]["read"] == 80


def test_the_bytes_are_the_same_for_any_number_of_workers_and_units(made, tmp_path):
    go(made / "in", tmp_path / "out", text=RECIPE, workers=2)
    assert contents(tmp_path / "out") == contents(made / "out")
    assert not go(made / "in", made / "out", text=RECIPE).changed


def test_a_new_shard_brings_more_samples_and_nothing_is_judged_again(home, tmp_path):
    pq.write_table(table(80, 20), home / "in" / "0.parquet")
    done = go(home / "in", home / "out", text=RECIPE)
    assert done.did == 1
    go(home / "in", tmp_path / "fresh", text=RECIPE)
    ours, fresh = contents(home / "out"), contents(tmp_path / "fresh")
    assert {k: v for k, v in ours.items() if k != "report.html"} == {
        k: v for k, v in fresh.items() if k != "report.html"
    }
    assert manifest(home / "out")["summaries"]["samples"]["problems_by_samples"] == {"11-16": 6}


def test_other_thresholds_judge_nothing_again(home):
    done = go(home / "in", home / "out", "samples.best=1", "samples.least_share=0.95", text=RECIPE)
    assert (done.did, done.changed) == (0, True)
    # Of a problem of which one answer in five differs nothing is verified any more; a reference still is believed.
    assert manifest(home / "out")["summaries"]["samples"]["how"].keys() == {"no_majority", "reference"}


def test_forgetting_a_sample_forgets_no_other_and_counts_the_votes_again(home):
    out = home / "out"
    before = notes(out)
    gone = next(i for i, n in before.items() if n["kept"] and problem(i) == 0)
    copies = {i for i, n in before.items() if n["duplicates"]["scores"]["duplicate_of"] == gone}
    forget.forget(out, matching(gone), ASKED)
    after = notes(out)
    assert after.keys() == before.keys() - {gone, *copies}
    assert verify(out) == []
    sizes = [
        next(n["samples"]["scores"]["samples"] for i, n in x.items() if problem(i) == 0 and n["structure"]["keep"])
        for x in (before, after)
    ]
    assert sizes[0] - sizes[1] == 1 + len(copies)


def test_thresholds_can_be_retuned_where_none_are_chosen_and_the_others_say_why_not(made, tmp_path):
    with pytest.raises(UsageError, match="run"):
        retune(made / "out", ["samples.least_share=0.9"])
    text = RECIPE.replace("best: 3, ", "").replace(
        "  - duplicates: {what: prompt_and_final_answer, keep: verified}\n", ""
    )
    go(made / "in", tmp_path / "all", text=text)
    told = retune(tmp_path / "all", ["samples.least_share=0.95", "samples.on={unverifiable: drop}"])
    go(made / "in", tmp_path / "again", "samples.least_share=0.95", "samples.on={unverifiable: drop}", text=text)
    assert told.after[0].kept == manifest(tmp_path / "again")["records"]["kept"]
    assert told.after[0].first["samples", "sample_unverifiable"] > 0


def test_explain_tells_the_vote(made):
    told = recipe.load(str(made / "recipe.yaml"), [f"input.path={made / 'in'}", f"output.path={made / 'out'}"])
    gone = next(i for i, n in notes(made / "out").items() if n["reason"] == "sample_refuted")
    shown = explain(told, gone)
    assert "rejected by samples: sample_refuted" in shown
    assert "how = " in shown


def test_choosing_by_what_was_verified_needs_a_filter_that_verifies():
    document = {"name": "x", "filters": ["structure", {"duplicates": {"keep": "verified"}}]}
    with pytest.raises(UsageError, match="no filter of the recipe verifies records"):
        recipe.from_document(document)
    document["filters"].insert(1, "samples")
    assert recipe.from_document(document)
    document["filters"].reverse()
    with pytest.raises(UsageError, match="nothing to choose by"):
        recipe.from_document(document)
