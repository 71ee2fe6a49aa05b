"""Croissant and in-toto: made from the manifest, read by the tools they are made for."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from datetime import datetime

import mlcroissant
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import forget, provenance
from pipelines.provenance import croissant
from pipelines.verify import verify
from tests.pipelines.conftest import contents
from tests.pipelines.provenance import DECLARED, bread, curate, write

MESSAGES = pa.list_(
    pa.struct(
        [
            ("role", pa.string()),
            ("content", pa.string()),
            ("tags", pa.list_(pa.string())),
            ("tool_calls", pa.list_(pa.struct([("name", pa.string())]))),
        ]
    )
)


def wide(rows: int = 4) -> pa.Table:
    """Every kind of column that a chat dataset may have."""
    turn = {"role": "user", "content": "Why does bread rise?", "tags": ["a"], "tool_calls": None}
    answer = {"role": "assistant", "content": "Because of yeast.", "tags": None, "tool_calls": [{"name": "f"}]}
    columns = {
        "messages": (MESSAGES, [turn, answer]),
        "deep": (pa.struct([("one", pa.struct([("two", pa.int8())])), ("odd name", pa.float32())]), {"one": {"two": 3}, "odd name": 0.5}),
        "texts": (pa.list_(pa.string()), ["x", "y"]),
        "grid": (pa.list_(pa.list_(pa.int16())), [[1, 2], [3]]),
        "pairs": (pa.map_(pa.string(), pa.int64()), [("k", 1)]),
        "when": (pa.timestamp("us"), datetime(2024, 5, 1)),
        "kind": (pa.dictionary(pa.int8(), pa.string()), "a"),
        "raw": (pa.binary(), b"\x00\xff"),
        "yes": (pa.bool_(), True),
        "big": (pa.uint64(), 2**63),
        "void": (pa.null(), None),
    }  # fmt: skip
    return pa.table(
        {
            n: pa.array([v] * (rows - 1) + [None if n != "messages" else [turn, answer]], t)
            for n, (t, v) in columns.items()
        }
    )


def loaded(out, record_set):
    """Validated and read by mlcroissant, files' digests checked."""
    dataset = mlcroissant.Dataset(jsonld=str(out / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    return list(dataset.records(record_set))


def test_mlcroissant_validates_it_and_reads_the_kept_records(tmp_path):
    done = curate(tmp_path, about=DECLARED)
    rows = loaded(tmp_path / "out", "default")
    kept = [r for p in ("a", "more/b") for r in pq.read_table(tmp_path / "out" / "data" / f"{p}.parquet").to_pylist()]
    assert len(kept) == done.manifest["records"]["kept"] == 8
    assert sorted(r["default/response"].decode() for r in rows) == sorted(r["response"] for r in kept)


def test_what_is_declared_stands_in_the_vocabularies_of_croissant_and_rai(tmp_path):
    curate(tmp_path, about={**DECLARED, "limitations": "Bread only.", "citation": "@misc{bread}"})
    metadata = mlcroissant.Dataset(jsonld=str(tmp_path / "out" / "croissant.json")).metadata
    assert metadata.conforms_to == croissant.CONFORMS
    assert (metadata.version, metadata.license, metadata.cite_as) == ("1.10", ["CC-BY-4.0"], "@misc{bread}")
    assert metadata.data_limitations == ["Bread only."]
    assert metadata.data_collection_type == ["Secondary Data analysis"]
    assert [d.year for d in metadata.data_collection_timeframe] == [2023, 2024]
    assert "not scanned" in metadata.personal_sensitive_information[0]


def test_nested_and_repeated_columns_are_fields_and_what_is_too_deep_is_named(tmp_path):
    write(tmp_path / "in", "a.parquet", wide())
    curate(tmp_path)
    row = loaded(tmp_path / "out", "default")[0]
    assert [m["default/messages/role"] for m in row["default/messages"]] == [b"user", b"assistant"]
    assert row["default/texts"] == [b"x", b"y"]
    assert row["default/grid"] == [[1, 2], [3]]
    assert row["default/deep"]["default/deep/odd~20name"] == 0.5
    assert row["default/deep/one"] == {"default/deep/one/two": 3}
    assert (row["default/raw"], row["default/kind"], row["default/big"]) == (b"\x00\xff", b"a", 2**63)
    told = json.loads((tmp_path / "out" / "croissant.json").read_text("utf-8"))
    assert "messages/tool_calls, pairs" in told["recordSet"][0]["description"]


def test_two_schemas_are_two_record_sets_and_empty_shards_are_no_trouble(tmp_path):
    write(tmp_path / "in", "a[1].parquet", bread())
    write(tmp_path / "in", "b.parquet", pa.table({"text": ["Bread rises because of yeast and gas."]}))
    write(tmp_path / "in", "void.parquet", bread().slice(0, 0))
    curate(tmp_path)
    assert len(loaded(tmp_path / "out", "prompt_response")) == 5
    assert len(loaded(tmp_path / "out", "plain_text")) == 1


def test_a_flipped_byte_is_found_by_mlcroissant_too(tmp_path):
    curate(tmp_path)
    told = json.loads((tmp_path / "out" / "croissant.json").read_text("utf-8"))
    files = {f["name"]: f["sha256"] for f in told["distribution"] if f["@type"] == "cr:FileObject"}
    for name, sha256 in files.items():
        assert hashlib.sha256((tmp_path / "out" / name).read_bytes()).hexdigest() == sha256
    assert set(files) == {"manifest.json", "data/a.parquet", "data/more/b.parquet"}


def test_thousands_of_shards_do_not_make_it_large(tmp_path):
    told = dict(curate(tmp_path).manifest)
    one = next(o for o in told["outputs"] if o["path"].startswith("data/"))
    told["outputs"] = [{**one, "path": f"data/s{i:05d}.parquet"} for i in range(5000)]
    assert len(croissant.render(told)) < 20_000


def test_the_statement_has_every_file_as_a_subject_and_every_source_as_a_dependency(tmp_path):
    told = curate(tmp_path, about=DECLARED).manifest
    out = tmp_path / "out"
    statement = json.loads((out / "provenance.intoto.json").read_text("utf-8"))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    subjects = {s["name"]: s["digest"]["sha256"] for s in statement["subject"]}
    assert len(subjects) == len(statement["subject"])
    files = set(contents(out)) - {"provenance.intoto.json", "report.html"}
    assert set(subjects) == files
    for name, sha256 in subjects.items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == sha256
    build = statement["predicate"]["buildDefinition"]
    assert all("digest" in d or "uri" in d for d in build["resolvedDependencies"])
    digests = {d["digest"]["sha256"] for d in build["resolvedDependencies"] if "digest" in d}
    assert {i["sha256"] for i in told["inputs"]} <= digests
    assert set(told["filters"][1]["assets"].values()) <= digests
    assert build["externalParameters"]["recipe"] == json.loads(json.dumps(told["recipe"]["effective"]))


def test_a_childs_statement_names_its_parent_by_digest(tmp_path):
    parent = curate(tmp_path).manifest
    curate(tmp_path, out="child", input=tmp_path / "out")
    statement = json.loads((tmp_path / "child" / "provenance.intoto.json").read_text("utf-8"))
    assert parent["data_digest"] in json.dumps(statement["predicate"]["buildDefinition"]["resolvedDependencies"])


def test_equal_datasets_have_equal_pages_wherever_they_are(tmp_path):
    curate(tmp_path / "a", about=DECLARED)
    shutil.copytree(tmp_path / "a" / "in", tmp_path / "b" / "in")
    shutil.copy(tmp_path / "a" / "tokenizer.json", tmp_path / "b")
    wanted = {"tokens": {"tokenizer": str(tmp_path / "a" / "tokenizer.json")}}
    curate(tmp_path / "b", about=DECLARED, **wanted)
    one, other = contents(tmp_path / "a" / "out"), contents(tmp_path / "b" / "out")
    for name in provenance.PAGES:
        assert one[name] == other[name], name


@pytest.mark.parametrize("name", provenance.PAGES)
def test_verify_notices_a_page_that_was_edited_or_is_gone_and_a_run_mends_it(tmp_path, name):
    curate(tmp_path)
    path = tmp_path / "out" / name
    whole = path.read_bytes()
    at = random.Random(name).randrange(len(whole))
    for damaged in (whole + b"\n", whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], b""):
        path.write_bytes(damaged)
        [said] = verify(tmp_path / "out")
        assert said.startswith(f"{name}: ")
    path.unlink()
    assert "missing" in verify(tmp_path / "out")[0]
    assert curate(tmp_path).did == 0
    assert path.read_bytes() == whole
    assert verify(tmp_path / "out") == []


def test_a_page_of_another_version_is_held_against_the_digest_of_when_it_was_written(tmp_path, monkeypatch):
    curate(tmp_path)
    monkeypatch.setattr("pipelines.publish.software", lambda: {"code_sha256": "of a later version"})
    monkeypatch.setattr("pipelines.provenance.pages", lambda told: pytest.fail("made anew by another version"))
    assert verify(tmp_path / "out") == []
    (tmp_path / "out" / "README.md").write_text("mine now", "utf-8")
    assert [p.partition(":")[0] for p in verify(tmp_path / "out")] == ["README.md"]


def test_forgetting_writes_them_anew_and_takes_the_records_tokens_away(tmp_path):
    before = curate(tmp_path, about=DECLARED).manifest
    asked = forget.List("gone.txt", "id", "0" * 64)
    forget.forget(tmp_path / "out", lambda batch: [i.startswith("1-") for i in batch.ids.to_pylist()], asked)
    told = json.loads((tmp_path / "out" / "manifest.json").read_text("utf-8"))
    assert told["about"] == before["about"]
    write(tmp_path / "alone", "a.parquet", bread(6, 0))
    alone = curate(tmp_path, out="fresh", input=tmp_path / "alone").manifest
    assert told["tokens"] == alone["tokens"]
    assert told["filters"][1]["sums"] == alone["filters"][1]["sums"]
    assert len(loaded(tmp_path / "out", "default")) == 5
    assert verify(tmp_path / "out") == []
