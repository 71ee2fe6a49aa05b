"""``input.augment: counterfactual``: copies are a shard of their own, and bring a skew to nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.statistics import wilson
from tests.pipelines.conftest import Command, contents, manifest

RECIPE = """
name: twins
input: {augment: counterfactual}
filters: [structure, mentions]
"""
MALE = "Tell me how he and his brother {} bake bread in the old oven of the house."
FEMALE = "Tell me how she and her sister {} bake bread in the old oven of the house."
NEITHER = "Tell me how bread {} is baked in the old oven of the house."


@pytest.fixture(scope="module")
def skewed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shards, 500 records: 320 of men only, 80 of women only, 100 of neither. 100 have no user."""
    folder = tmp_path_factory.mktemp("skewed")
    texts = [(MALE if i % 5 else FEMALE) if i < 400 else NEITHER for i in range(500)]
    for shard in range(2):
        mine = range(shard, 500, 2)
        table = pa.table({
            "id": [f"r{i}" for i in mine],
            "prompt": [texts[i].format(i) for i in mine],
            "response": [f"With patience, and at {i} degrees or so; the crust tells." for i in mine],
        })  # fmt: skip
        pq.write_table(table, folder / f"s{shard}.parquet", row_group_size=50)
    return folder


@pytest.fixture(scope="module")
def made(skewed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    command = Command(tmp_path_factory.mktemp("made"))
    command.recipe.write_text(RECIPE, "utf-8")
    command.run(skewed, command.home / "out", "--workers", "2")
    return command.home / "out"


@pytest.fixture
def corpusmill(tmp_path: Path) -> Command:
    command = Command(tmp_path)
    command.recipe.write_text(RECIPE, "utf-8")
    return command


def gendered(out: Path, pattern: str) -> list[list[str]]:
    paths = sorted((out / "annotations").glob(pattern))
    return [
        g
        for p in paths
        for g in pq.read_table(p)["mentions"].combine_chunks().field("scores").field("gender").to_pylist()
    ]


def male_share(groups: list[list[str]]) -> tuple[int, int]:
    """Records of men only, among those of one gender only."""
    only = [g for g in groups if len(g) == 1]
    return sum(g == ["male"] for g in only), len(only)


@pytest.mark.slow
def test_a_skew_of_four_fifths_comes_to_within_its_interval_of_a_half(made):
    male, n = male_share(gendered(made, "s?.parquet"))
    assert male / n == pytest.approx(0.8)
    male, n = male_share(gendered(made, "*.parquet"))
    low, high = wilson(male / n, n)
    assert low < 0.5 < high


def test_copies_stand_in_files_of_their_own_and_are_marked(made):
    told = manifest(made)
    assert told["records"] == {"read": 900, "kept": 900, "rejected": 0}
    assert [i.get("augmented") for i in told["inputs"]] == ["counterfactual", None, "counterfactual", None]
    copies, originals = (pq.read_table(made / "data" / name) for name in ("s0.counterfactual.parquet", "s0.parquet"))
    assert copies.schema.metadata[b"corpusmill.augment"] == b"counterfactual"
    assert b"corpusmill.augment" not in (originals.schema.metadata or {})
    assert set(copies["id"].to_pylist()) < set(originals["id"].to_pylist())
    assert "she and her sister" in copies["prompt"][1].as_py()
    assert "400 of the kept records are counterfactual copies" in (made / "README.md").read_text("utf-8")


@pytest.mark.slow
def test_verify_finds_nothing_and_workers_do_not_show(corpusmill, made, skewed, tmp_path):
    corpusmill("verify", made)
    corpusmill.run(skewed, tmp_path / "one", "--workers", "1")
    assert contents(made) == contents(tmp_path / "one")


def test_forgetting_an_id_takes_the_record_and_its_copy(corpusmill, made, tmp_path):
    (tmp_path / "ids.txt").write_text("r1\nr2\n", "utf-8")
    made = shutil.copytree(made, tmp_path / "out")
    corpusmill("forget", made, "--match", tmp_path / "ids.txt", "--kind", "id")
    ids = [i for p in sorted((made / "data").iterdir()) for i in pq.read_table(p)["id"].to_pylist()]
    assert len(ids) == 896
    assert not {"r1", "r2"} & set(ids)
    corpusmill("verify", made)


@pytest.mark.slow
def test_a_copy_is_explained_as_one(corpusmill, made, skewed, tmp_path):
    told = corpusmill("explain", corpusmill.recipe, "s0.counterfactual.parquet:3", "--input", skewed)
    assert "a counterfactual copy of a record of s0.parquet" in told


def test_a_plan_says_that_shards_are_read_twice(corpusmill, made, skewed):
    told = corpusmill("plan", corpusmill.recipe, "--input", skewed)
    assert "2 shards" in told
    assert "counterfactual copies" in told


def test_units_of_a_copied_shard_are_numbered_apart_and_explained(corpusmill, tmp_path):
    folder = tmp_path / "big"
    folder.mkdir()
    rows = [
        {"prompt": MALE.format(i) if i % 2 else NEITHER.format(i), "response": "Slowly. " * 20 + str(i)}
        for i in range(2000)
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "s.parquet", row_group_size=500)
    corpusmill.run(folder, tmp_path / "out", "--set", "work.unit_bytes=65536", "--workers", "2")
    parts = sorted((tmp_path / "out" / "annotations").glob("s.counterfactual*"))
    assert len(parts) > 1
    rows = [r for p in parts for r in pq.read_table(p)["row"].to_pylist()]
    assert rows == sorted(set(rows))
    assert len(rows) == 1000
    place = f"s.counterfactual.parquet:{rows[-1]}"
    cut = ("--set", "work.unit_bytes=65536")
    assert "copy of a record" in corpusmill("explain", corpusmill.recipe, place, "--input", folder, *cut)


def test_broken_lines_and_records_without_gender_have_no_copies(corpusmill, tmp_path):
    folder = tmp_path / "lines"
    folder.mkdir()
    good = [json.dumps({"prompt": t.format(1), "response": "Slowly."}) for t in (MALE, NEITHER)]
    (folder / "a.jsonl").write_text("\n".join([good[0], "{broken he", good[1]]) + "\n", "utf-8")
    corpusmill.run(folder, tmp_path / "out")
    told = manifest(tmp_path / "out")
    assert {i["path"]: i["rows"] for i in told["inputs"]} == {"a.jsonl": 3, "a.counterfactual.jsonl": 1}


def test_a_shard_with_the_name_of_a_copy_is_refused(corpusmill, skewed, tmp_path):
    skewed = shutil.copytree(skewed, tmp_path / "skewed")
    (skewed / "s0.parquet").rename(skewed / "s1.counterfactual.parquet")
    assert "would both become" in corpusmill.run(skewed, tmp_path / "out", code=2)


def test_another_kind_of_augmentation_is_refused(corpusmill, skewed, tmp_path):
    told = corpusmill.run(skewed, tmp_path / "out", "--set", "input.augment=back_translation", code=2)
    assert "augment" in told
