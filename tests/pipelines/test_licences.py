"""Licences from the recipe to the manifest, the report and the card, and what is left of them when records are forgotten."""

from __future__ import annotations

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import forget
from pipelines.forget import List
from pipelines.manifest import json_schema
from pipelines.verify import verify
from tests.pipelines.conftest import Command, manifest

RECIPE = "name: licensed\nfilters:\n  - licence: {policy: share-alike, declared: CC0-1.0}\n"
LICENCES = (
    "mit",
    "MIT License",
    "cc-by-sa-4.0",
    "gpl-2.0",
    None,
    "cc-by-nc-4.0",
    "pending legal review",
    "Alice's own words, ask her",
)


def rows(numbers: range) -> pa.Table:
    return pa.table(
        {
            "id": [f"r{i}" for i in numbers],
            "metadata": pa.array(
                [{"license": LICENCES[i % 8]} for i in numbers], pa.struct([("license", pa.string())])
            ),
            "source_url": [f"https://example.org/{i}" for i in numbers],
            "prompt": ["Why?" for _ in numbers],
            "response": ["// SPDX-License-Identifier: Apache-2.0" if i % 16 == 0 else "Because." for i in numbers],
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def corpusmill(tmp_path_factory) -> Command:
    command = Command(tmp_path_factory.mktemp("licences"))
    command.recipe.write_text(RECIPE, "utf-8")
    return command


@pytest.fixture(scope="module")
def out(corpusmill):
    (corpusmill.home / "in").mkdir()
    for name, numbers in (("a", range(32)), ("b", range(32, 64))):
        pq.write_table(rows(numbers), corpusmill.home / "in" / f"{name}.parquet")
    corpusmill.run(corpusmill.home / "in", corpusmill.home / "out")
    return corpusmill.home / "out"


def test_the_manifest_says_what_the_licences_ask_for_and_which_do_not_fit(out):
    told = manifest(out)
    jsonschema.validate(told, json_schema())
    assert told["tables"]["spdx"] == {"CC-BY-SA-4.0": 8, "CC0-1.0": 8, "GPL-2.0-only": 8, "MIT": 16}
    assert told["tables"]["licenses"]["MIT License"] == 8
    assert told["tables"]["licence_sources"] == {"declared": 8, "record, against declared": 32}
    summary = told["summaries"]["licence"]
    pairs = [set(c["licences"]) for c in summary["conflicts"]]
    assert {"CC-BY-SA-4.0", "GPL-2.0-only"} in pairs and {"Apache-2.0", "GPL-2.0-only"} in pairs
    asked = {o["obligation"]: o["licences"] for o in summary["obligations"]}
    assert asked["attribution"] == {"CC-BY-SA-4.0": 8}
    assert asked["notice"] == {"Apache-2.0": 4, "GPL-2.0-only": 8, "MIT": 16}
    assert told["filters"][1]["reasons"]["licence_unknown"]["records"] == 8


def test_nothing_that_was_not_understood_is_repeated(out):
    for path in [out / "manifest.json", out / "report.html", out / "README.md"]:
        assert "Alice" not in path.read_text("utf-8")
    assert "Alice" not in str([pq.read_table(p).to_pylist() for p in (out / "annotations").glob("*.parquet")])


def test_report_and_card_show_them(out):
    page, card = (out / "report.html").read_text("utf-8"), (out / "README.md").read_text("utf-8")
    assert ">Licences</h2>" in page and "Licences that do not go together" in page
    assert "Whom to credit: columns <code><bdi>source_url</bdi></code>" in page
    assert "`CC-BY-SA-4.0` and `GPL-2.0-only`" in card


def test_another_policy_is_tried_from_annotations_alone(corpusmill, out):
    told = corpusmill("retune", out, "--set", "licence.policy=permissive")
    assert "licence_share_alike                          0 -> 16" in told
    told = corpusmill("retune", out, "--set", "licence.list_means=or", code=2)
    assert "licence.list_means went into the scores" in told


def test_forgetting_leaves_what_a_run_without_the_records_would_say(corpusmill, out, tmp_path):
    forgotten = tmp_path / "out"
    corpusmill.run(corpusmill.home / "in", forgotten)
    gone = [f"r{i}" for i in range(64) if i % 8 == 3] + ["r0", "r5"]
    match = lambda batch: np.asarray(pa.compute.is_in(batch.ids, pa.array(gone)))  # noqa: E731
    forget.forget(forgotten, match, List("gone.txt", "id", "0" * 64))
    (tmp_path / "less").mkdir()
    for path in (corpusmill.home / "in").glob("*.parquet"):
        table = pq.read_table(path)
        pq.write_table(
            table.filter(pa.compute.invert(pa.compute.is_in(table["id"], pa.array(gone)))),
            tmp_path / "less" / path.name,
        )
    corpusmill.run(tmp_path / "less", tmp_path / "fresh")
    after, fresh = manifest(forgotten), manifest(tmp_path / "fresh")
    assert verify(forgotten) == []
    assert (after["tables"], after["summaries"]) == (fresh["tables"], fresh["summaries"])
    assert "GPL-2.0-only" not in str(after["summaries"])


def test_a_recipe_that_is_wrong_is_told_by_plan(corpusmill, out):
    told = corpusmill(
        "plan", corpusmill.recipe, "--input", corpusmill.home / "in", "--set", "licence.policy=permissve", code=2
    )
    assert "no policy 'permissve' (did you mean 'permissive'?)" in told
    told = corpusmill(
        "explain", corpusmill.recipe, corpusmill.home / "in" / "a.parquet:3", "--set", "licence.policy=attribution"
    )
    assert "licence_share_alike" in told and "GPL-2.0-only" in told


def test_a_column_that_is_not_there_fails_its_shard_in_one_line(corpusmill, out, tmp_path):
    told = corpusmill.run(corpusmill.home / "in", tmp_path / "out", "--set", "licence.column=metdata.license", code=3)
    assert "no column 'metdata.license' (did you mean 'metadata'?)" in told


def test_licence_columns_need_not_be_text(corpusmill, tmp_path):
    (tmp_path / "in").mkdir()
    broken = pa.array([b"mit", b"\xff\xfe"]).view(pa.string())
    pq.write_table(pa.table({"text": ["a", "b"], "license": broken}), tmp_path / "in" / "a.parquet")
    corpusmill.run(tmp_path / "in", tmp_path / "out")
    assert manifest(tmp_path / "out")["tables"]["spdx"] == {"MIT": 1}
