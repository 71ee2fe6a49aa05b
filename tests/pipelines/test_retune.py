"""Other thresholds from annotations alone: what retune says is what a run with them does."""

from __future__ import annotations

import json
import shutil
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.pipelines.conftest import Command, manifest

RECIPE = """
name: retuned
filters:
  - repetition: {max_restated_share: 0, max_burst_words: 0}
  - language: {allow: [en, de]}
"""
GOOD = (
    "Bread rises because yeast gives off gas, and the dough is stretchy enough to hold it in. ",
    "and then we knead the dough once more before it rests ",
)
POLISH = (
    "Chleb rośnie, ponieważ drożdże wydzielają gaz. ",
    "a potem jeszcze raz wyrabiamy ciasto, zanim odpocznie ",
)


@pytest.fixture(scope="module")
def corpusmill(tmp_path_factory) -> Command:
    command = Command(tmp_path_factory.mktemp("retune"))
    command.recipe.write_text(RECIPE, "utf-8")
    return command


@pytest.fixture(scope="module")
def loops(corpusmill):
    """Two shards of answers that repeat a sentence 0, 1, … 29 times; every fifth is in Polish."""
    folder = corpusmill.home / "loops"
    folder.mkdir()
    for shard in range(2):
        texts = [POLISH[0] + POLISH[1] * i if i % 5 == 4 else GOOD[0] + GOOD[1] * i for i in range(30)]
        rows = {"id": [f"{shard}-{i}" for i in range(30)], "prompt": ["Why does bread rise?"] * 30, "response": texts}
        pq.write_table(pa.table(rows), folder / f"s{shard}.parquet")
    return folder


@pytest.fixture(scope="module")
def dataset(corpusmill, loops):
    corpusmill.run(loops, corpusmill.home / "out")
    return corpusmill.home / "out"


@pytest.mark.parametrize(
    "changes",
    [
        ["repetition.max_loop_copies=4"],
        ["repetition.max_loop_copies=25"],
        ["repetition.max_loop_copies=0", "repetition.max_restated_share=0.2"],
        ["repetition.max_loop_copies=8", "repetition.max_burst_words=60"],
    ],
)
def test_what_it_says_is_what_a_run_with_these_options_does(corpusmill, loops, dataset, tmp_path, changes):
    sets = [word for change in changes for word in ("--set", change)]
    [after] = json.loads(corpusmill("retune", dataset, *sets, "--json"))["after"]
    corpusmill.run(loops, tmp_path / "again", *sets)
    told = manifest(tmp_path / "again")
    assert after["kept"] == told["records"]["kept"]
    first = {(f["name"], c): n["first"] for f in told["filters"] for c, n in f["reasons"].items() if n["first"]}
    assert {(f["filter"], f["reason"]): f["records"] for f in after["first"]} == first
    before, again = _kept(dataset), _kept(tmp_path / "again")
    assert after["newly_kept"] == len(again - before)
    assert after["newly_rejected"] == len(before - again)
    assert before != again


def test_examples_are_records_whose_verdict_changes(corpusmill, loops, dataset, tmp_path):
    corpusmill.run(loops, tmp_path / "again", "--set", "repetition.max_loop_copies=4")
    told = corpusmill("retune", dataset, "--set", "repetition.max_loop_copies=4", "--json", "--examples", "3")
    [after] = json.loads(told)["after"]
    lost = {i for i in _kept(dataset) if i not in _kept(tmp_path / "again")}
    shown = after["examples"]["rejected"]
    assert len(shown) == 3
    for example in shown:
        assert example["record_id"] in lost
        assert example["was"] == "kept"
        assert example["now"] == "repetition: loop"
        assert 4 <= example["scores"]["repetition"]["loop_copies"] < 12
        assert example["record_id"] == f"{example['shard'].removesuffix('.parquet')[1:]}-{example['row']}"


def test_a_sweep_has_one_line_a_setting_and_never_keeps_less_when_the_threshold_rises(corpusmill, dataset):
    after = json.loads(corpusmill("retune", dataset, "--sweep", "repetition.max_loop_copies=2:26:4", "--json"))["after"]
    assert [o["set"] for o in after] == [[f"repetition.max_loop_copies={v}"] for v in range(2, 27, 4)]
    kept = [o["kept"] for o in after]
    assert kept == sorted(kept)
    assert len(set(kept)) > 2
    text = corpusmill("retune", dataset, "--sweep", "repetition.max_loop_copies=2,6")
    assert sum("max_loop_copies=" in line for line in text.splitlines()) == 2


def test_sweeps_are_combined(corpusmill, dataset):
    sweeps = ["--sweep", "repetition.max_loop_copies=4,12", "--sweep", "repetition.max_burst_words=0,60,80"]
    after = json.loads(corpusmill("retune", dataset, *sweeps, "--json"))["after"]
    assert len({tuple(o["set"]) for o in after}) == 6


def test_the_order_of_the_stages_decides_who_was_first(corpusmill, dataset):
    """Polish loops: with repetition off they are the language filter's."""
    document = json.loads(corpusmill("retune", dataset, "--set", "repetition.max_loop_copies=0", "--json"))
    before, after = (Counter({f["filter"]: f["records"] for f in o["first"]}) for o in
                     (document["before"], document["after"][0]))  # fmt: skip
    assert after["repetition"] < before["repetition"]
    assert after["language"] > before["language"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "repetition.window=64"], "repetition.window went into the scores"),
        (["--set", "repetition.max_loop=1"], "no option 'max_loop'"),
        (["--set", "pii.action=drop"], "the recipe has no 'pii'"),
        (["--set", "input.path=x"], "only filters' options"),
        (["--sweep", "repetition.max_loop_copies=1:9:0"], "step not 0"),
        (["--sweep", "repetition.max_loop_copies=9:1:1"], "from 1 to 1,000"),
        (["--sweep", "repetition.max_loop_copies=0:1e9:1"], "from 1 to 1,000"),
        (["--sweep", "repetition.max_loop_copies"], "write it as"),
        ([], "nothing to change"),
    ],
)
def test_what_cannot_be_retuned_is_said_in_one_line(corpusmill, dataset, arguments, said):
    told = corpusmill("retune", dataset, *arguments, code=2)
    assert said in told
    assert len(told.strip().splitlines()) == 1


def test_annotations_of_other_verdicts_are_not_believed(corpusmill, dataset, tmp_path):
    """Scores that do not give the recorded verdicts: another version made them, or somebody edited them."""
    shutil.copytree(dataset, tmp_path / "forged")
    path = tmp_path / "forged" / "annotations" / "s0.parquet"
    table = pq.read_table(path)
    column = table["repetition"].combine_chunks()
    scores = column.field("scores")
    wrong = [pa.array([99.0] * len(scores), f.type) if f.name == "loop_copies" else scores.field(f.name)
             for f in scores.type]  # fmt: skip
    fields = [pa.StructArray.from_arrays(wrong, fields=list(scores.type)) if f.name == "scores" else column.field(f.name)
              for f in column.type]  # fmt: skip
    forged = pa.StructArray.from_arrays(fields, fields=list(column.type))
    pq.write_table(table.set_column(table.schema.get_field_index("repetition"), "repetition", forged), path)
    said = corpusmill("retune", tmp_path / "forged", "--set", "repetition.max_loop_copies=4", code=2)
    assert "made by another version" in said


def _kept(out) -> set[str]:
    return {i for p in (out / "data").glob("*.parquet") for i in pq.read_table(p)["id"].to_pylist()}
