"""verify finds what is not as the manifest says."""

from __future__ import annotations

import json

import jsonschema
import pyarrow.parquet as pq
import pytest

from pipelines.manifest import digest, dump, json_schema
from tests.pipelines.conftest import manifest


@pytest.fixture
def out(corpusmill, shards, tmp_path):
    corpusmill.run(shards, tmp_path / "out")
    return tmp_path / "out"


def rewritten(out, change) -> None:
    """The manifest changed, and its digest made to fit, as somebody who knows how would."""
    told = manifest(out)
    change(told)
    told["digest"] = digest(told)
    (out / "manifest.json").write_bytes(dump(told))


def test_a_manifest_is_as_its_published_schema_says(out):
    jsonschema.validate(manifest(out), json_schema())


def test_a_flipped_byte(corpusmill, out):
    path = out / "data" / "s1.parquet"
    raw = bytearray(path.read_bytes())
    raw[100] ^= 1
    path.write_bytes(raw)
    assert "data/s1.parquet: its bytes are not those that were written" in corpusmill("verify", out, code=3)


def test_a_missing_and_an_extra_file(corpusmill, out):
    (out / "rejected" / "s2.parquet").rename(out / "data" / "s9.parquet")
    (out / "notes.txt").write_text("mine")
    said = corpusmill("verify", out, code=3)
    assert "rejected/s2.parquet: missing" in said
    assert "data/s9.parquet: not in the manifest" in said
    assert "notes.txt: not part of the dataset" in said


def test_a_row_count_that_differs(corpusmill, out):
    path = out / "data" / "s0.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)
    assert "rows, not" in corpusmill("verify", out, code=3)


def test_an_edited_manifest(corpusmill, out):
    raw = (out / "manifest.json").read_text("utf-8").replace('"light"', '"heavy"')
    (out / "manifest.json").write_text(raw, "utf-8")
    assert "edited after it was written" in corpusmill("verify", out, code=3)


def test_a_manifest_whose_digest_was_made_to_fit(corpusmill, out):
    def more(told):
        told["records"]["kept"] += 1

    rewritten(out, more)
    assert "kept + rejected is not what was read" in corpusmill("verify", out, code=3)
    rewritten(out, lambda told: told.update(surprise=1))
    assert "not as its schema says" in corpusmill("verify", out, code=3)


def test_no_dataset(corpusmill, tmp_path):
    assert "no dataset at" in corpusmill("verify", tmp_path / "nowhere", code=2)
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "manifest.json").write_text(json.dumps({})[:1])
    assert "not JSON" in corpusmill("verify", tmp_path / "torn", code=3)
