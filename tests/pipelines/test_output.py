"""What a run leaves behind: the contract of docs/output.md."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.pipelines.conftest import manifest

ENGLISH = "Bread rises because yeast gives off gas, and the dough is stretchy enough to hold it in."
POLISH = "Chleb rośnie, ponieważ drożdże wydzielają gaz, a ciasto jest na tyle elastyczne, że go zatrzymuje."


def odd_table(rows: int = 50) -> pa.Table:
    """Field metadata, nulls, dictionaries, large and nested types, columns that nobody reads."""
    schema = pa.schema(
        [
            pa.field("prompt", pa.large_string(), metadata={b"who": b"asked"}),
            pa.field("response", pa.string(), nullable=True),
            pa.field("source", pa.dictionary(pa.int8(), pa.string())),
            pa.field("scores", pa.large_list(pa.float32())),
            pa.field("seen", pa.timestamp("us", "UTC")),
            pa.field(
                "extra", pa.struct([pa.field("k", pa.int16(), nullable=False), ("m", pa.map_(pa.string(), pa.int64()))])
            ),
            pa.field("raw", pa.binary(4)),
            pa.field("nothing", pa.null()),
        ],
        metadata={b"origin": b"a test"},
    )
    columns = [
        [f"Why? {i}" for i in range(rows)],
        [POLISH if i % 5 == 2 else None if i % 11 == 10 else ENGLISH for i in range(rows)],
        [("a", "b", None)[i % 3] for i in range(rows)],
        [None if i % 4 == 0 else [i / 3, None] for i in range(rows)],
        [None if i % 6 == 0 else i * 10**12 for i in range(rows)],
        [None if i % 9 == 0 else {"k": i, "m": [("x", i)]} for i in range(rows)],
        [b"%04d" % i for i in range(rows)],
        [None] * rows,
    ]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)


def test_data_has_exactly_the_inputs_schema_order_and_values(corpusmill, tmp_path):
    table = odd_table()
    (tmp_path / "in").mkdir()
    pq.write_table(table, tmp_path / "in" / "odd.parquet", row_group_size=7)
    out = tmp_path / "out"
    corpusmill.run(tmp_path / "in", out)
    notes = pq.read_table(out / "annotations" / "odd.parquet")
    kept = np.array(notes["kept"])
    data = pq.read_table(out / "data" / "odd.parquet")
    source = pq.read_table(tmp_path / "in" / "odd.parquet")
    assert data.schema.equals(source.schema, check_metadata=True)
    assert data.equals(source.filter(pa.array(kept)))
    rejected = pq.read_table(out / "rejected" / "odd.parquet")
    assert rejected.select(table.column_names).equals(
        source.filter(pa.array(~kept)).cast(rejected.select(table.column_names).schema)
    )
    assert rejected.column_names[len(table.column_names):] == ["rejected_by", "reason", "reasons"]  # fmt: skip
    assert set(rejected["rejected_by"].to_pylist()) == {"language"}
    assert notes["row"].to_pylist() == list(range(50))
    assert kept.sum() == 40


def test_a_shard_without_survivors_and_one_without_rows_still_have_their_files(corpusmill, tmp_path):
    (tmp_path / "in").mkdir()
    table = pa.table({"text": [POLISH] * 3})
    pq.write_table(table, tmp_path / "in" / "polish.parquet")
    pq.write_table(table.slice(0, 0), tmp_path / "in" / "void.parquet")
    corpusmill.run(tmp_path / "in", tmp_path / "out")
    for name, rows in (("polish", 3), ("void", 0)):
        data = pq.read_table(tmp_path / "out" / "data" / f"{name}.parquet")
        assert (data.num_rows, data.schema) == (0, table.schema)
        assert pq.read_metadata(tmp_path / "out" / "rejected" / f"{name}.parquet").num_rows == rows
        assert pq.read_metadata(tmp_path / "out" / "annotations" / f"{name}.parquet").num_rows == rows


def test_row_groups_are_bounded_in_bytes(corpusmill, tmp_path):
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"text": [ENGLISH * 100] * 400}), tmp_path / "in" / "a.parquet")
    corpusmill.run(
        tmp_path / "in", tmp_path / "out", "--set", "output.row_group_bytes=262144", "--set", "work.batch_bytes=65536"
    )
    meta = pq.read_metadata(tmp_path / "out" / "data" / "a.parquet")
    rows = [meta.row_group(g).num_rows for g in range(meta.num_row_groups)]
    # 400 records of 8.8 kB are 3.5 MB; a group is closed at the first batch that takes it past 256 KiB.
    assert max(rows) * len(ENGLISH) * 100 <= 2 * 262144
    assert sum(rows) == 400


def test_load_dataset_gives_the_kept_records_and_nothing_else(corpusmill, shards, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    import datasets

    corpusmill.run(shards, tmp_path / "out")
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == ["train"]
    assert loaded["train"].num_rows == manifest(tmp_path / "out")["records"]["kept"]
    assert loaded["train"].column_names == ["id", "prompt", "response"]


def test_shards_of_two_schemas_become_two_configurations(corpusmill, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"text": [ENGLISH]}), tmp_path / "in" / "a.parquet")
    pq.write_table(pa.table({"prompt": ["Why?"], "response": [ENGLISH]}), tmp_path / "in" / "b.parquet")
    corpusmill.run(tmp_path / "in", tmp_path / "out")
    names = datasets.get_dataset_config_names(str(tmp_path / "out"))
    assert sorted(names) == ["plain_text", "prompt_response"]
    loaded = datasets.load_dataset(str(tmp_path / "out"), "prompt_response", cache_dir=str(tmp_path / "cache"))
    assert loaded["train"].column_names == ["prompt", "response"]


def test_columns_called_like_ours_keep_their_names(corpusmill, tmp_path):
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"text": [POLISH], "reason": ["theirs"]}), tmp_path / "in" / "a.parquet")
    corpusmill.run(tmp_path / "in", tmp_path / "out")
    [row] = pq.read_table(tmp_path / "out" / "rejected" / "a.parquet").to_pylist()
    assert row["reason"] == "theirs"
    assert row["corpusmill_reason"] == row["reasons"][0]


def test_evidence_counts_code_points_and_never_holds_text(corpusmill, tmp_path):
    (tmp_path / "in").mkdir()
    text = "😀é mail ann.lee@northwind-mills.org or 4539 1488 0343 6467"
    pq.write_table(pa.table({"text": [text]}), tmp_path / "in" / "a.parquet")
    recipe = tmp_path / "pii.yaml"
    recipe.write_text("name: p\nfilters: [pii]\n")
    out = tmp_path / "out"
    corpusmill.run(tmp_path / "in", out, recipe=recipe)
    [note] = pq.read_table(out / "annotations" / "a.parquet").to_pylist()
    spans = {text[e["start"] : e["end"]] for e in note["pii"]["evidence"]}
    assert spans == {"ann.lee@northwind-mills.org", "4539 1488 0343 6467"}
    for path in out.rglob("*"):
        if path.is_file():
            raw = (
                path.read_bytes()
                if path.suffix != ".parquet"
                else json.dumps(pq.read_table(path).to_pylist(), default=repr).encode()
            )
            assert b"northwind" not in raw, path
            assert b"4539 1488" not in raw, path


def test_edited_counts_and_tables_stand_in_the_manifest(corpusmill, tmp_path):
    (tmp_path / "in").mkdir()
    rows = {
        "prompt": ["Why?", "Why?", POLISH],
        "response": [ENGLISH, POLISH, ENGLISH],
        "license": ["cc-by-4.0", "mit", "a\nlong text"],
    }
    pq.write_table(pa.table(rows), tmp_path / "in" / "a.parquet")
    corpusmill.run(tmp_path / "in", tmp_path / "out")
    told = manifest(tmp_path / "out")
    assert told["records"] == {"read": 3, "kept": 2, "rejected": 1}
    assert told["tables"]["licenses"] == {"(other)": 1, "cc-by-4.0": 1}
    assert told["tables"]["languages"] == {"en": 2}
    assert told["tables"]["pairs"] == {"(none)": 1, "pl-en": 1}
    assert told["inputs"][0]["schema"] == "prompt/response"


def test_the_report_says_what_was_not_scanned(corpusmill, shards, tmp_path):
    corpusmill.run(shards, tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "Personal data was <strong>not scanned</strong> for" in page
    assert "<script" not in page
    assert "http:" not in page
    assert "https:" not in page
