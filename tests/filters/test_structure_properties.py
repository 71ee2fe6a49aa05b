"""Generated records of every schema: never a crash, and a verdict that depends on the record alone."""

from __future__ import annotations

import json
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import mutations
from filters.structure import StructureFilter
from pipelines.schemas.read import read
from pipelines.schemas.recognise import recognise
from tests.support import batch_of, real

PIECES = st.sampled_from(
    ["Rome", " is fine. ", "<think>", "</think>", "\n```\n", "\x00", "\x92", "\ufffd\ufffd\ufffd", "â€™", "\\boxed{", "}", "",
     '{"name": "f", "arguments": {}}', "<tool_call>", "</tool_call>", "[TOOL_CALLS]", "<|im_end|>", "`", '"', "◁think▷", "永"]
)  # fmt: skip
TEXT = st.lists(PIECES, max_size=6).map("".join)
MAYBE = st.none() | TEXT
ROLE = st.sampled_from(["system", "user", "assistant", "tool", "function", "developer", "critic", None])
ARGUMENTS = st.none() | st.sampled_from(["{}", '{"a": 1}', '{"a": null}', '{"a": "1"}', "[1]", "{", "NaN", '"{}"', ""])
CALL = st.fixed_dictionaries(
    {
        "id": st.none() | st.sampled_from(["1", "2"]),
        "function": st.none()
        | st.fixed_dictionaries({"name": st.none() | st.sampled_from(["f", "g.h", ""]), "arguments": ARGUMENTS}),
    }
)
MESSAGE = st.fixed_dictionaries(
    {
        "role": ROLE,
        "content": MAYBE,
        "reasoning_content": MAYBE,
        "tool_calls": st.none() | st.lists(st.none() | CALL, max_size=3),
        "tool_call_id": st.none() | st.sampled_from(["1", "2"]),
    }
)
SCHEMAS = st.recursive(
    st.sampled_from([{"type": "integer"}, {"type": "dict"}, {"enum": [1]}, {"$ref": "#"}, True, None, 3, {"type": []}]),
    lambda inner: st.fixed_dictionaries(
        {}, optional={k: st.dictionaries(st.sampled_from("ab"), inner, max_size=2) for k in ("properties", "$defs")}
        | dict.fromkeys(("items", "not", "additionalProperties"), inner)
        | {k: st.lists(inner, max_size=2) for k in ("anyOf", "allOf")}
        | {"required": st.sampled_from([["a"], True, [1], None]), "pattern": st.sampled_from(["(a+)+", "[", "a"])},
    ),
    max_leaves=6,
)  # fmt: skip
TOOLS = (
    st.none()
    | st.sampled_from(["", "[]", "null", "{", "[1]", '"x"', '["f"]', "[[]]", '{"f": {"description": ""}}'])
    | st.lists(
        st.fixed_dictionaries({"name": st.sampled_from(["f", "g_h", ""]), "parameters": SCHEMAS}), max_size=3
    ).map(json.dumps)
)
CALL_TYPE = pa.struct({"id": pa.string(), "function": pa.struct({"name": pa.string(), "arguments": pa.string()})})
MESSAGE_TYPE = pa.struct(
    {"role": pa.string(), "content": pa.string(), "reasoning_content": pa.string(), "tool_calls": pa.list_(CALL_TYPE),
     "tool_call_id": pa.string()}
)  # fmt: skip
CHAT = pa.schema({"messages": pa.list_(MESSAGE_TYPE), "tools": pa.string()})
TURN_TYPE = pa.struct({"from": pa.string(), "value": pa.string()})
SHAREGPT = pa.schema({"conversations": pa.list_(TURN_TYPE), "tools": pa.string()})
PAIRS = pa.schema(
    {"prompt": pa.string(), "reasoning": pa.string(), "response": pa.string(), "finish_reason": pa.string()}
)
FILTERS = [
    StructureFilter(StructureFilter.Options(profile=profile, strict=strict))
    for profile in ("sft", "rl_prompt", "agentic")
    for strict in (False, True)
]


def check(table: pa.Table) -> None:
    """Every filter judges the table, and each record alone, the same way; evidence lies inside its segment."""
    whole = batch_of(table)
    for structure in FILTERS:
        together = structure.judge(whole)
        alone = [structure.judge(batch_of(table.slice(i, 1))) for i in range(len(table))]
        assert together.reason.tolist() == [int(j.reason[0]) for j in alone]
        for score in structure.scores:
            assert _values(together, score) == [value for j in alone for value in _values(j, score)]
        assert together.evidence.rule == [rule for j in alone for rule in j.evidence.rule]
        assert np.array_equal(together.reason >= 0, together.scores["violations"] > 0)
        evidence = together.evidence
        for segment, start, end in zip(evidence.segment, evidence.start, evidence.end, strict=True):
            assert segment == -1 or 0 <= start <= end <= whole.segments.length[segment]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({"messages": st.none() | st.lists(MESSAGE, max_size=5), "tools": TOOLS}),
        min_size=1,
        max_size=4,
    )
)
def test_messages(rows: list[dict]) -> None:
    check(pa.Table.from_pylist(rows, CHAT))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.fixed_dictionaries({"messages": st.lists(MESSAGE, max_size=4), "tools": TOOLS}), min_size=1, max_size=3)
)
def test_messages_as_json_strings(rows: list[dict]) -> None:
    texts = [{"messages": json.dumps(r["messages"]), "tools": r["tools"]} for r in rows]
    check(pa.Table.from_pylist(texts, pa.schema({"messages": pa.string(), "tools": pa.string()})))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "conversations": st.lists(
                    st.fixed_dictionaries(
                        {
                            "from": st.sampled_from(["human", "gpt", "function_call", "observation", "system"]),
                            "value": MAYBE,
                        }
                    ),
                    max_size=5,
                ),
                "tools": TOOLS,
            }
        ),
        min_size=1,
        max_size=3,
    )
)
def test_sharegpt(rows: list[dict]) -> None:
    check(pa.Table.from_pylist(rows, SHAREGPT))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.fixed_dictionaries({"prompt": MAYBE, "reasoning": MAYBE, "response": MAYBE}), min_size=1, max_size=3)
)
def test_prompt_and_response(rows: list[dict]) -> None:
    check(pa.Table.from_pylist(rows, PAIRS))


@settings(max_examples=15, deadline=None)
@given(st.lists(MAYBE, min_size=1, max_size=4))
def test_plain_text(texts: list[str | None]) -> None:
    check(pa.table({"text": pa.array(texts, pa.string())}))


def test_nothing_to_judge() -> None:
    rows = pa.RecordBatch.from_pylist([], CHAT)
    batch = read(rows, recognise(rows.schema), max_record_bytes=1 << 20).batch
    judged = StructureFilter().judge(batch)
    assert len(judged.reason) == 0 and len(judged.evidence) == 0


def clean() -> list[mutations.Record]:
    """Made-up records without a defect: a call with its result, an open call, a proof, a chat."""
    weather = {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"type": "string", "enum": ["C", "F"]}
                },
                "required": ["city"],
            },
        },
    }  # fmt: skip
    arguments = '{"city": "Rome", "days": 2, "unit": "C"}'
    calls = [
        {"id": f"c{i}", "type": "function", "function": {"name": "get_weather", "arguments": arguments}} for i in (1, 2)
    ]
    answer = (
        "Both days look good for a walk through the old town. The morning starts clear and the wind stays light until noon. "
        "Clouds gather over the hills in the afternoon but they bring no rain at all. You will only need a light jacket then. "
        "The evening is mild enough to sit outside with friends for a long dinner."
    )
    system = {"role": "system", "content": "You answer questions about the weather with your tools."}
    ask = {"role": "user", "content": "What will the weather be like in Rome on the next two days?"}
    done = [{"role": "tool", "content": '{"sky": "clear"}', "tool_call_id": f"c{i}"} for i in (1, 2)]
    end = {"role": "assistant", "content": answer}
    thanks = {"role": "user", "content": "Thanks, that helps a lot."}
    tools = json.dumps([weather])
    return [
        {"messages": [system, ask, {"role": "assistant", "content": None, "tool_calls": calls}, *done, end], "tools": tools},
        {"messages": [ask, {"role": "assistant", "content": None, "tool_calls": calls}], "tools": tools},
        {"messages": [ask, end], "tools": None, "finish_reason": "stop"},
        {"messages": [ask, end, thanks, {**end, "reasoning_content": "Ok."}], "tools": None},
    ]  # fmt: skip


def caught(records: list[mutations.Record]) -> tuple[int, list[tuple[str, str]]]:
    structure = StructureFilter()
    codes, rng = list(structure.reasons), random.Random(0)
    made = [m for record in records for m in mutations.mutants(record, rng)]
    judged = structure.judge(batch_of(mutations.table([r for _, _, r in made])))
    given_ = [codes[r] if r >= 0 else "kept" for r in judged.reason.tolist()]
    return len(made), [
        (name, code) for (name, expected, _), code in zip(made, given_, strict=True) if code not in expected
    ]


def test_every_operator_is_caught_with_its_reason() -> None:
    records = clean()
    assert StructureFilter().judge(batch_of(mutations.table(records))).keep.all()
    used = {name for record in records for name, _, _ in mutations.mutants(record, random.Random(0))}
    assert used == set(mutations.OPERATORS) and len(used) >= 30
    made, missed = caught(records)
    assert missed == [] and made > 100


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bfcl_v4", "sealtools", "nemo_gym_rollouts"])
def test_operators_on_real_records(name: str) -> None:
    table = pq.read_table(real(name)[0])
    keep = StructureFilter().judge(batch_of(table)).keep
    # A record that reasons in tags of its own and has another tag put before it breaks a different rule.
    records = [r for r, k in zip(table.to_pylist(), keep, strict=True) if k and "think_start" not in str(r)][:60]
    made, missed = caught(records)
    assert len(missed) <= 0.005 * made, missed


LIMITS = {
    # What a person reading every rejected record would reject too; see the page for the defects found in each set.
    "bfcl_v4": 17, "sealtools": 67, "glaive_sharegpt": 12, "alpaca": 6, "gsm8k": 0, "mgsm": 0, "tatqa": 0, "pii_synth": 0,
}  # fmt: skip


@pytest.mark.parametrize("name", LIMITS)
def test_real_sets_lose_only_what_is_broken(name: str) -> None:
    structure = StructureFilter()
    rejected = sum(int((~structure.judge(batch_of(pq.read_table(path))).keep).sum()) for path in real(name))
    assert rejected == LIMITS[name]


def _values(judgement, score: str) -> list:
    values = judgement.scores[score]
    return values.to_pylist() if isinstance(values, pa.Array) else values.tolist()
