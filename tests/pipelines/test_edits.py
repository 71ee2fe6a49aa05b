"""Edits are written back into whatever column the text came from, and nothing else changes."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.batch import TOOL_DEFINITION
from filters.contract import Edits
from pipelines import edits
from pipelines.schemas.read import Read, read
from pipelines.schemas.recognise import recognise

WORD = "secret"


def laid(table: pa.Table) -> Read:
    batch = table.combine_chunks().to_batches()[0]
    return read(batch, recognise(batch.schema), max_record_bytes=1 << 30)


def replacing(found: Read, word: str = WORD, new: str = "<X>") -> Edits:
    """An edit for every place of the word in every segment."""
    wanted = Edits()
    for i in range(len(found.batch.segments)):
        raw, at = found.batch.segments.bytes(i), 0
        while (at := raw.find(word.encode(), at)) >= 0:
            wanted.add(i, at, at + len(word.encode()), new, "X")
            at += len(word.encode())
    return wanted


def changed(table: pa.Table, records: np.ndarray | None = None) -> pa.RecordBatch:
    found = laid(table)
    everyone = np.ones(table.num_rows, bool) if records is None else records
    return edits.apply(found, [replacing(found)], everyone)


def substituted(value):
    """What the rows should be: the word replaced in every string."""
    if isinstance(value, str):
        return value.replace(WORD, "<X>")
    if isinstance(value, list):
        return [substituted(v) for v in value]
    return {k: substituted(v) for k, v in value.items()} if isinstance(value, dict) else value


MESSAGES = [
    {"role": "user", "content": "é secret and secret", "reasoning_content": None, "tool_calls": None},
    {
        "role": "assistant",
        "content": "the secret is 😀 out",
        "reasoning_content": "a secret",
        "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": '{"a": "secret"}'}}],
    },
]
TABLES = {
    "structs": pa.Table.from_pylist([{"messages": MESSAGES, "tools": '["secret"]', "n": 1}, {"messages": None, "n": 2}]),
    "json strings": pa.table({"messages": [json.dumps(MESSAGES, ensure_ascii=False)], "k": [1.5]}),
    "prompt/response": pa.table({"prompt": ["secret", None, ""], "response": ["<think>secret</think>a secret", "no", None]}),
    "large strings": pa.table({"text": pa.array(["secret 1", None, "ok"], pa.large_string())}),
    "dictionary": pa.table({"text": pa.array(["secret 1", None, "secret 1", "ok"]).dictionary_encode()}),
    "string view": pa.table({"text": pa.array(["secret 1", None, "ok"], pa.string_view())}),
    "arguments as structs": pa.Table.from_pylist(
        [{"messages": [{"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": a}}]}]}
         for a in ({"x": "secret"}, {"y": 1})]
    ),
    "multi-part": pa.Table.from_pylist([{"messages": [{"role": "user", "content": [{"type": "text", "text": "secret"}]}]}]),
    "other columns": pa.table({"text": ["a"], "notes": [[{"who": "secret"}]]}),
    "sharegpt calls": pa.table(
        {"conversations": [[{"from": "function_call", "value": '{"name": "f", "arguments": {"a": "secret"}}'}]]}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_every_home_of_text_takes_edits(name):
    table = TABLES[name]
    result = changed(table)
    assert result.schema.equals(table.schema, check_metadata=True)
    result.validate(full=True)
    expected = substituted(table.to_pylist())
    if name == "json strings":
        assert json.loads(result.column("messages")[0].as_py()) == json.loads(expected[0]["messages"])
    else:
        assert result.to_pylist() == expected


def test_only_the_chosen_records_and_the_touched_column_change():
    table = pa.table({"text": ["secret a", "secret b"], "n": [1, 2]})
    found = laid(table)
    result = edits.apply(found, [replacing(found)], np.array([False, True]))
    assert result.column("text").to_pylist() == ["secret a", "<X> b"]
    assert result.column("n").buffers()[1].address == found.batch.source.column("n").buffers()[1].address


def test_tools_as_structs_are_still_tools_after_an_edit():
    tool = {"name": "f", "description": "a secret", "parameters": {"type": "object"}}
    table = pa.Table.from_pylist(
        [{"messages": MESSAGES, "tools": [tool]}, {"messages": MESSAGES, "tools": [tool, tool]}]
    )
    found = laid(table)
    assert (found.batch.segments.channel == TOOL_DEFINITION).sum() == 2
    result = edits.apply(found, [replacing(found)], np.ones(2, bool))
    assert result.schema == table.schema
    assert result.to_pylist() == substituted(table.to_pylist())


def test_a_number_in_a_struct_that_becomes_a_placeholder_is_null_rather_than_a_failure():
    calls = [{"function": {"name": "f", "arguments": {"n": 5551234, "s": "x"}}}]
    table = pa.Table.from_pylist([{"messages": [{"role": "assistant", "content": None, "tool_calls": calls}]}])
    found = laid(table)
    wanted = replacing(found, "5551234", '"<X>"')
    [row] = edits.apply(found, [wanted], np.ones(1, bool)).to_pylist()
    assert row["messages"][0]["tool_calls"][0]["function"]["arguments"] == {"n": None, "s": "x"}


texts = st.one_of(
    st.none(), st.lists(st.sampled_from(["secret", "é", "😀", "漢", " ", "x", "\n"]), max_size=12).map("".join)
)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=8), st.sampled_from([pa.string(), pa.large_string()]))
@settings(max_examples=150, deadline=None)
def test_any_edits_of_any_strings_equal_replacing_in_python(pairs, kind):
    table = pa.table(
        {"prompt": pa.array([p for p, _ in pairs], kind), "response": pa.array([r for _, r in pairs], kind)}
    )
    assert changed(table).to_pylist() == substituted(table.to_pylist())


def test_overlapping_edits_of_two_scrubbers_are_made_once():
    table = pa.table({"text": ["0123456789"]})
    found = laid(table)
    one, two = Edits(), Edits()
    one.add(0, 2, 6, "<A>", "A")
    two.add(0, 4, 8, "<B>", "B")
    two.add(0, 9, 10, "<C>", "C")
    result = edits.apply(found, [one, two], np.ones(1, bool))
    assert result.column("text").to_pylist() == ["01<A>678<C>"]
