"""Both directions: our filters in a plain datatrove pipeline, and datatrove's in a recipe."""

from __future__ import annotations

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter

from pipelines.datatrove_steps import RecordFilter

ENGLISH = "Bread rises because yeast gives off gas, and the dough is stretchy enough to hold it in. "
LOOP = "I should check that once more. " * 300


def lines(folder) -> list[dict]:
    return [
        json.loads(line) for path in sorted(folder.rglob("*.gz")) for line in gzip.open(path, "rt", encoding="utf-8")
    ]


def test_two_of_our_filters_between_datatroves_reader_and_writer(tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    texts = [ENGLISH * 3, ENGLISH + LOOP, "Write to ann.lee@northwind-mills.org. " + ENGLISH]
    (source / "a.jsonl").write_text("".join(json.dumps({"text": t, "id": str(i)}) + "\n" for i, t in enumerate(texts)))
    dropped = JsonlWriter(str(tmp_path / "dropped"))
    pipeline = [
        JsonlReader(str(source)),
        RecordFilter("repetition", exclusion_writer=dropped),
        RecordFilter("pii", action="replace"),
        JsonlWriter(str(tmp_path / "out")),
    ]
    LocalPipelineExecutor(pipeline, tasks=1, logging_dir=str(tmp_path / "logs")).run()
    kept = {d["id"]: d["text"] for d in lines(tmp_path / "out")}
    assert kept.keys() == {"0", "2"}
    assert kept["0"] == texts[0]
    assert "northwind" not in kept["2"]
    assert kept["2"].endswith(ENGLISH)
    [gone] = lines(tmp_path / "dropped")
    assert gone["id"] == "1"
    assert gone["metadata"]["filter_reason"]


def test_messages_in_the_metadata_are_judged_as_messages(tmp_path):
    from datatrove.data import Document

    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": None, "tool_calls": [call]}]
    document = Document(text="Hi", id="1", metadata={"messages": messages})
    assert RecordFilter("structure", messages="messages").filter(document) == (False, "missing_tools")


def test_a_recipe_with_datatroves_gopher_filter_as_a_stage(corpusmill, tmp_path):
    (tmp_path / "in").mkdir()
    rows = {"prompt": ["Why?"] * 3, "response": [ENGLISH * 4, "Too short.", "# # # # # # # # # # " * 20]}
    pq.write_table(pa.table(rows), tmp_path / "in" / "a.parquet")
    corpusmill.recipe.write_text("name: g\nfilters:\n  - datatrove.GopherQualityFilter: {min_doc_words: 20}\n")
    corpusmill.run(tmp_path / "in", tmp_path / "out")
    notes = pq.read_table(tmp_path / "out" / "annotations" / "a.parquet").to_pylist()
    name = "datatrove.GopherQualityFilter"
    assert [n["reason"] for n in notes] == [None, "datatrove_rejected", "datatrove_rejected"]
    assert [[e["rule"] for e in n[name]["evidence"]] for n in notes][1] == ["gopher_short_doc"]
    said = corpusmill.run(tmp_path / "in", tmp_path / "out", "--set", f"{name}.min_doc_word=2", code=2)
    assert "did you mean 'min_doc_words'" in said


@pytest.mark.parametrize("name", ["GopherRepetitionFilter", "C4QualityFilter", "LambdaFilter"])
def test_names_of_datatroves_filters(corpusmill, name):
    # LambdaFilter takes a function, which no recipe can hold.
    said = corpusmill("filters", f"datatrove.{name}", code=2 if name == "LambdaFilter" else 0)
    assert name in said
