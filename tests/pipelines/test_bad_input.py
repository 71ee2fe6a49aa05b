"""Bad input ends in one clear line, or in a rejected record with a reason, and loses nothing."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.cli import show
from pipelines.formats import elements
from pipelines.recipe import load
from tests.pipelines.conftest import contents, manifest, write_shard

ENGLISH = "Bread rises because yeast gives off gas, and the dough is stretchy enough to hold it in."


def verdicts(out: Path, shard: str) -> list[tuple[bool, str | None, str | None]]:
    notes = pq.read_table(out / "annotations" / shard).to_pylist()
    return [(n["kept"], n["rejected_by"], n["reason"]) for n in notes]


def test_a_truncated_shard_is_named_and_the_rest_is_published(corpusmill, shards, tmp_path):
    path = shards / "s1.parquet"
    path.write_bytes(path.read_bytes()[:-200])
    said = corpusmill.run(shards, tmp_path / "out", code=3)
    assert "s1.parquet is not in the dataset: not readable as Parquet" in said
    told = manifest(tmp_path / "out")
    assert told["complete"] is False
    assert told["records"]["read"] == 120
    assert [i["status"] for i in told["inputs"]] == ["read", "failed", "read", "read"]
    corpusmill("verify", tmp_path / "out")


def test_a_shard_torn_in_the_middle_fails_alone_and_is_done_once_it_is_mended(corpusmill, shards, tmp_path):
    path = shards / "s2.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:60] + bytes(400) + whole[460:])
    said = corpusmill.run(shards, tmp_path / "out", code=3)
    assert "s2.parquet is not in the dataset" in said
    assert manifest(tmp_path / "out")["records"]["read"] == 120
    path.write_bytes(whole)
    assert '"to_do": 1' in corpusmill.run(shards, tmp_path / "out")
    assert manifest(tmp_path / "out")["complete"] is True


def test_a_shard_with_another_schema_is_read_by_its_own(corpusmill, shards, tmp_path):
    pq.write_table(pa.table({"text": [ENGLISH]}), shards / "t.parquet")
    corpusmill.run(shards, tmp_path / "out")
    assert pq.read_schema(tmp_path / "out" / "data" / "t.parquet").names == ["text"]
    assert "shards differ in schema" in corpusmill("plan", corpusmill.recipe, "--input", shards)
    said = corpusmill.run(shards, tmp_path / "strict", "--set", "input.strict_schema=true", code=3)
    assert "t.parquet is not in the dataset: its schema is not that of s0.parquet" in said


def test_a_shard_of_unknown_columns_lists_them_and_the_others_go_on(corpusmill, shards, tmp_path):
    pq.write_table(pa.table({"payload": ["x"]}), shards / "t.parquet")
    said = corpusmill.run(shards, tmp_path / "out", code=3)
    assert "t.parquet is not in the dataset: no known schema. Columns: payload (string)" in said
    assert "input: {columns: {prompt: COLUMN" in said
    assert manifest(tmp_path / "out")["records"]["read"] == 160


def test_a_column_missing_in_one_shard_is_carried_where_it_is(corpusmill, tmp_path):
    (tmp_path / "in").mkdir()
    message = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": ENGLISH}]
    pq.write_table(pa.Table.from_pylist([{"messages": message, "tools": "[]"}]), tmp_path / "in" / "a.parquet")
    pq.write_table(pa.Table.from_pylist([{"messages": message}]), tmp_path / "in" / "b.parquet")
    corpusmill.run(tmp_path / "in", tmp_path / "out")
    assert pq.read_schema(tmp_path / "out" / "data" / "b.parquet").names == ["messages"]


def test_null_messages_and_messages_that_do_not_parse_are_rejected_with_a_reason(corpusmill, tmp_path):
    (tmp_path / "in").mkdir()
    good = json.dumps([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": ENGLISH}])
    rows = [good, None, good[:-5], "[]", '{"role": "user"}', json.dumps([{"role": "user", "content": "\ud800"}])]
    pq.write_table(pa.table({"messages": rows}), tmp_path / "in" / "a.parquet")
    (tmp_path / "all.yaml").write_text("name: a\nfilters: [structure]\n")
    corpusmill.run(tmp_path / "in", tmp_path / "out", recipe=tmp_path / "all.yaml")
    found = verdicts(tmp_path / "out", "a.parquet")
    assert found[0] == (True, None, None)
    assert found[1][1] == "structure"
    assert found[2] == (False, "read", "messages_not_json")
    assert found[3][1] == "structure"
    assert found[4] == (False, "read", "messages_not_json")


def test_a_record_of_200_mb_is_rejected_and_its_neighbours_are_not(corpusmill, tmp_path):
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"text": [ENGLISH, "\x00" * 200_000_000, ENGLISH]}), tmp_path / "in" / "a.parquet")
    corpusmill.run(tmp_path / "in", tmp_path / "out")
    assert verdicts(tmp_path / "out", "a.parquet") == [
        (True, None, None),
        (False, "read", "record_too_large"),
        (True, None, None),
    ]
    assert (
        pq.read_table(tmp_path / "out" / "rejected" / "a.parquet", columns=["text"])["text"][0].as_buffer().size
        == 200_000_000
    )


def test_bytes_that_are_not_text_are_rejected_and_kept_as_they_are(corpusmill, tmp_path):
    (tmp_path / "in").mkdir()
    raw = pa.array([ENGLISH.encode(), b"caf\xe9 " + ENGLISH.encode()], pa.binary())
    table = pa.table({"text": pa.Array.from_buffers(pa.string(), 2, raw.buffers())})
    pq.write_table(table, tmp_path / "in" / "a.parquet")
    corpusmill.run(tmp_path / "in", tmp_path / "out")
    assert verdicts(tmp_path / "out", "a.parquet")[1] == (False, "read", "invalid_utf8")
    left = pq.read_table(tmp_path / "out" / "rejected" / "a.parquet")["text"].cast(pa.binary()).to_pylist()
    assert left == [raw[1].as_py()]


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_jsonl_of_every_kind_never_fails_on_inference(corpusmill, tmp_path, suffix):
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": {"x": 1}}}
    lines = [
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": ENGLISH}], "n": 1},
        {
            "messages": [{"role": "assistant", "tool_calls": [call], "content": None}],
            "tools": [{"name": "f"}],
            "n": 1.5,
        },
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}], "tools": [], "n": "three"},
        {"messages": [{"role": "assistant", "content": ENGLISH, "weight": 0}], "metadata": {"deep": [1, {"a": None}]}},
    ]
    raw = (
        "\n".join(json.dumps(line) for line in lines).encode()
        + b'\n{"messages": [\n\n\x00\x00\x00\n[1]\n{"messages": null}\n'
    )
    packed = {".jsonl": raw, ".jsonl.gz": gzip.compress(raw), ".jsonl.zst": zstandard.compress(raw)}[suffix]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / f"a{suffix}").write_bytes(packed)
    corpusmill.run(tmp_path / "in", tmp_path / "out")
    found = verdicts(tmp_path / "out", "a.parquet")
    assert [f[2] for f in found if f[1] == "read"] == ["json_invalid"] * 3
    assert len(found) == 8
    rows = pq.read_table(tmp_path / "out" / "data" / "a.parquet").to_pylist()
    called = next(r for r in rows if r["tools"] == '[{"name": "f"}]')
    assert called["messages"][0]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"x": 1}'}
    assert called["n"] == "1.5"


TEXT = st.text(st.characters(codec="utf-8"))


@given(
    st.lists(st.dictionaries(TEXT, TEXT | st.integers() | st.lists(TEXT)), max_size=8),
    st.sampled_from([None, 2]),
    st.integers(1, 40),
)
@settings(max_examples=200, deadline=None)
def test_an_array_is_read_record_by_record_wherever_the_chunks_end(records, indent, chunk):
    raw = b"\xef\xbb\xbf \n" + json.dumps(records, indent=indent, ensure_ascii=False).encode()
    with patch.object(elements, "CHUNK", chunk + 5):
        assert [json.loads(r) for r in elements.records(io.BytesIO(raw))] == json.loads(raw)


def test_a_set_published_as_one_json_array_is_read_and_a_torn_one_loses_its_last_record_alone(corpusmill, tmp_path):
    (tmp_path / "in").mkdir()
    rows = [{"instruction": f"Tell me of {i}, [now]", "input": "", "output": ENGLISH + ' "}],[{'} for i in range(4)]
    (tmp_path / "in" / "whole.json").write_text(json.dumps(rows, indent=1))
    (tmp_path / "in" / "torn.json").write_text(json.dumps(rows)[:-20])
    (tmp_path / "in" / "lines.json").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (tmp_path / "in" / "settings.json").write_text('{"model": {"layers": 2}}')
    corpusmill.run(tmp_path / "in", tmp_path / "out")
    assert [v[0] for v in verdicts(tmp_path / "out", "whole.parquet")] == [True] * 4
    assert [v[0] for v in verdicts(tmp_path / "out", "lines.parquet")] == [True] * 4
    assert [v[2] for v in verdicts(tmp_path / "out", "torn.parquet")] == [None, None, None, "json_invalid"]
    assert pq.read_table(tmp_path / "out" / "data" / "whole.parquet").to_pylist() == rows
    assert not (tmp_path / "out" / "data" / "settings.parquet").exists()


def test_json_that_holds_no_records_is_told_of_and_not_taken_for_a_shard(corpusmill, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "settings.json").write_text('{"model": {"layers": 2}}')
    said = corpusmill.run(tmp_path / "in", tmp_path / "out", code=2)
    assert "settings.json holds no records: a .json file has to be an array of objects" in said
    (tmp_path / "in" / "a.json").write_text('[{"text": "a"}]')
    assert "passed over: settings.json holds no records" in show.plan(
        load("default", [f"input.path={tmp_path / 'in'}"])
    )


def test_content_in_parts_is_read_from_json_lines_also_beside_content_that_is_a_text(corpusmill, tmp_path):
    (tmp_path / "in").mkdir()
    answer = {"role": "assistant", "content": ENGLISH}
    parts = [{"role": "user", "content": [{"type": "text", "text": "Why, anna.weiss@posteo.de?"}]}, answer]
    valued = [
        {"role": m, "content": [{"type": "text", "value": t}]} for m, t in (("user", "Hi"), ("assistant", ENGLISH))
    ]
    mixed = [{"messages": parts}, {"messages": [{"role": "user", "content": "Hi"}, answer]}]
    (tmp_path / "in" / "mixed.jsonl").write_text("".join(json.dumps(r) + "\n" for r in mixed))
    (tmp_path / "in" / "valued.jsonl").write_text(json.dumps({"messages": valued}))
    corpusmill.recipe.write_text("name: parts\nfilters: [language, pii]\n", "utf-8")
    corpusmill.run(tmp_path / "in", tmp_path / "out")
    assert verdicts(tmp_path / "out", "mixed.parquet") == [(True, None, None)] * 2
    assert verdicts(tmp_path / "out", "valued.parquet") == [(True, None, None)]
    kept = pq.read_table(tmp_path / "out" / "data" / "mixed.parquet").to_pylist()
    assert kept[0]["messages"][0]["content"] == [{"type": "text", "text": "Why, <EMAIL_1>?"}]
    assert kept[1]["messages"][0]["content"] == [{"type": "text", "text": "Hi"}]


def test_a_torn_gzip_is_named(corpusmill, tmp_path):
    (tmp_path / "in").mkdir()
    packed = gzip.compress(b'{"text": "a"}\n' * 1000)
    (tmp_path / "in" / "a.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    assert "nothing to publish: a.jsonl.gz: not readable" in corpusmill.run(tmp_path / "in", tmp_path / "out", code=3)


def test_an_empty_folder_and_a_missing_one(corpusmill, tmp_path):
    (tmp_path / "in").mkdir()
    assert "no shards at" in corpusmill.run(tmp_path / "in", tmp_path / "out", code=2)
    assert "no input at" in corpusmill.run(tmp_path / "nowhere", tmp_path / "out", code=2)
    assert not (tmp_path / "out").exists()


def test_an_output_that_holds_something_else_is_left_alone(corpusmill, shards, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    assert "already holds something else (thesis.txt)" in corpusmill.run(shards, tmp_path / "out", code=2)
    assert contents(tmp_path / "out") == {"thesis.txt": b"years of work"}
    assert "is a file" in corpusmill.run(shards, tmp_path / "out" / "thesis.txt", code=2)
    assert "lies inside the input" in corpusmill.run(shards, shards / "out", code=2)
    (tmp_path / "link").symlink_to(shards)
    assert "lies inside the input" in corpusmill.run(tmp_path / "link", shards / "out", code=2)


def test_two_inputs_of_one_name_are_refused(corpusmill, shards, tmp_path):
    (shards / "s0.jsonl").write_text('{"text": "a"}\n')
    assert "would both become s0.parquet" in corpusmill.run(shards, tmp_path / "out", code=2)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own with 2 MB, where this machine lets us make one."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("this test mounts a tmpfs, which needs root")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_is_one_line_and_with_room_the_same_command_goes_on(corpusmill, tmp_path, small_disk):
    folder = tmp_path / "in"
    folder.mkdir()
    write_shard(folder / "a.parquet", rows=20)
    noise = [ENGLISH + os.urandom(40_000).hex() for _ in range(60)]
    pq.write_table(pa.table({"text": noise}), folder / "b.parquet")
    for workers in "12":
        said = corpusmill.run(folder, small_disk / "out", "--workers", workers, code=3)
        assert "No space left on device" in said
    subprocess.run(["mount", "-o", "remount,size=200m", small_disk], check=True)
    corpusmill.run(folder, small_disk / "out")
    corpusmill.run(folder, tmp_path / "elsewhere")
    assert contents(small_disk / "out") == contents(tmp_path / "elsewhere")


def test_a_read_only_target_is_one_line(corpusmill, shards, small_disk):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert "cannot be written: Read-only file system" in corpusmill.run(shards, small_disk / "out", code=2)


def test_a_folder_that_is_a_dataset_of_ours_is_read_by_its_data(corpusmill, shards, tmp_path):
    corpusmill.run(shards, tmp_path / "one")
    corpusmill.run(tmp_path / "one", tmp_path / "two")
    assert manifest(tmp_path / "two")["records"]["read"] == manifest(tmp_path / "one")["records"]["kept"]
