"""Datasets made from datasets: who the parents are, and when that is no longer true."""

from __future__ import annotations

import json
import shutil

from tests.pipelines.conftest import manifest, write_shard


def test_a_child_names_its_parents_by_what_they_kept(corpusmill, shards, tmp_path):
    corpusmill.run(shards, tmp_path / "parent")
    corpusmill.run(tmp_path / "parent", tmp_path / "child")
    [named] = manifest(tmp_path / "child")["parents"]
    assert named == {"name": "light", "data_digest": manifest(tmp_path / "parent")["data_digest"]}
    assert manifest(tmp_path / "parent")["parents"] == []
    tree = json.loads(corpusmill("lineage", tmp_path / "child", "--json"))
    assert [p["path"] for p in tree["parents"]] == [str(tmp_path / "parent")]
    assert tree["parents"][0]["state"] == "current"
    corpusmill("verify", tmp_path / "child")


def test_whatever_changes_the_parent_makes_the_grandchild_stale(corpusmill, shards, tmp_path):
    corpusmill.run(shards, tmp_path / "a")
    corpusmill.run(tmp_path / "a", tmp_path / "b")
    corpusmill.run(tmp_path / "b", tmp_path / "c")
    write_shard(shards / "s9.parquet", 9)
    corpusmill.run(shards, tmp_path / "a")
    for child in "bc":
        said = corpusmill("lineage", tmp_path / child, code=3)
        assert "stale: changed since it was read" in said
        assert str(tmp_path / "a") in corpusmill("verify", tmp_path / child, code=3)
    corpusmill.run(tmp_path / "a", tmp_path / "b")
    corpusmill("verify", tmp_path / "b")
    assert str(tmp_path / "b") in corpusmill("verify", tmp_path / "c", code=3)


def test_what_is_only_said_about_a_parent_leaves_its_children_alone(corpusmill, shards, tmp_path):
    """Its manifest's digest changes with the recipe's name, its data does not."""
    corpusmill.run(shards, tmp_path / "parent")
    corpusmill.run(tmp_path / "parent", tmp_path / "child")
    before = manifest(tmp_path / "parent")["digest"]
    corpusmill.recipe.write_text(corpusmill.recipe.read_text("utf-8").replace("light", "lighter"), "utf-8")
    corpusmill.run(shards, tmp_path / "parent")
    assert manifest(tmp_path / "parent")["digest"] != before
    corpusmill("lineage", tmp_path / "child")


def test_a_parent_that_is_gone_or_edited_is_told(corpusmill, shards, tmp_path):
    corpusmill.run(shards, tmp_path / "parent")
    corpusmill.run(tmp_path / "parent", tmp_path / "child")
    path = tmp_path / "parent" / "manifest.json"
    path.write_text(path.read_text("utf-8").replace('"light"', '"heavy"'), "utf-8")
    assert "edited after it was written" in corpusmill("lineage", tmp_path / "child", code=3)
    shutil.rmtree(tmp_path / "parent")
    assert "missing: not there any more" in corpusmill("lineage", tmp_path / "child", code=3)
    assert "no dataset" in corpusmill("lineage", tmp_path / "parent", code=2)
