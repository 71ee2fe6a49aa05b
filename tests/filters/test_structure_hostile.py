"""Records made to break the structure filter: they are rejected with a reason, in bounded time, and nothing is fetched."""

from __future__ import annotations

import json
import time

import pyarrow as pa
import pytest

from filters.structure import StructureFilter
from filters.structure.tools import ContentCache
from tests.support import batch_of

SECONDS = 5.0
"""Far above what each case takes (tens of milliseconds); a quadratic scan of a megabyte takes minutes."""


def reason_of(rows: pa.Table | list[dict]) -> str | None:
    structure = StructureFilter()
    structure.judge(batch_of([{"prompt": "Hi.", "response": "Hello."}]))  # compiled before the clock starts
    batch = batch_of(rows)
    start = time.perf_counter()
    reason = int(structure.judge(batch).reason[0])
    assert time.perf_counter() - start < SECONDS
    return list(structure.reasons)[reason] if reason >= 0 else None


def with_tools(parameters: object, arguments: str = "{}", raw: str | None = None) -> list[dict]:
    function = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    messages = [
        {"role": "user", "content": "Do it.", "tool_calls": None},
        {"role": "assistant", "content": None, "tool_calls": [function]},
    ]
    tools = raw if raw is not None else json.dumps([{"name": "f", "parameters": parameters}])
    row = {"messages": messages, "tools": tools}
    return [row]


def nested(levels: int) -> str:
    inner = '{"type": "object", "properties": {"a": ' * levels + "{}" + "}}" * levels
    return '[{"name": "f", "parameters": ' + inner + "}]"


@pytest.mark.parametrize(
    "parameters",
    [
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"properties": {"a": {"$ref": "file:///etc/passwd"}}},
        {"properties": {"a": {"$ref": "#/$defs/none"}}},
        {"$ref": "#"},
        {"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}},
        {"properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}},
        {"properties": {"a": {"type": "string", "pattern": "(\\w+\\s?)*$"}}},
        {"properties": {"a": {"type": "string", "pattern": "([a-z]*|x)+$"}}},
        {"patternProperties": {"^(.*)*$": {}}},
    ],
)
def test_unsafe_schemas_are_refused(parameters: dict) -> None:
    assert reason_of(with_tools(parameters)) == "schema_unsafe"


@pytest.mark.parametrize(
    "pattern",
    [
        "^[a-z0-9]+(-[a-z0-9]+)*$",
        r"^\d{4}-\d{2}-\d{2}$",
        r"^(?=.*[A-Z]).{8,}$",
        r"^\w+(\.\w+)*@\w+$",
        "^(a|b)+$",
        "(ab+c)*",
    ],
)
def test_ordinary_patterns_are_not(pattern: str) -> None:
    assert reason_of(with_tools({"properties": {"a": {"type": "string", "pattern": pattern}}})) is None


def test_a_tree_may_refer_to_itself() -> None:
    tree = {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}}}}
    assert reason_of(with_tools(tree, '{"children": [{"children": []}]}')) is None
    assert reason_of(with_tools(tree, '{"children": [{"children": 1}]}')) == "argument_type"


def test_references_that_double_at_every_level_of_the_arguments() -> None:
    twice = {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}
    deep = '{"a": ' * 40 + "{}" + "}" * 40
    assert reason_of(with_tools({"properties": {"a": twice}, "additionalProperties": True}, deep)) == "schema_unsafe"


@pytest.mark.parametrize(("levels", "reason"), [(64, None), (65, "schema_unsafe"), (500, "schema_unsafe")])
def test_depth(levels: int, reason: str | None) -> None:
    # 64 levels of properties: the innermost schema stands at depth 64, the last that is allowed.
    assert reason_of(with_tools(None, raw=nested(levels))) == reason


def test_depth_beyond_the_parser() -> None:
    assert reason_of(with_tools(None, raw=nested(50_000))) == "schema_unsafe"
    assert reason_of(with_tools({}, "[" * 100_000)) == "arguments_not_json"


def test_ten_thousand_tools() -> None:
    raw = json.dumps([{"name": f"t{i}", "parameters": {}} for i in range(10_000)])
    assert reason_of(with_tools(None, raw=raw)) == "tools_too_large"
    assert reason_of(with_tools(None, raw=" " * (5 << 20))) == "tools_too_large"


def test_a_pattern_with_look_around_runs_under_a_limit() -> None:
    parameters = {"properties": {"a": {"type": "string", "pattern": r"^(?=(a|aa)+$)(?!b)a*c"}}}
    assert reason_of(with_tools(parameters, json.dumps({"a": "a" * 5000 + "!"}))) in ("argument_value", "schema_unsafe")


def nuls(size: int) -> pa.Table:
    return pa.table({"prompt": ["Hi."], "response": pa.array([b"\0" * size]).view(pa.string())})


def test_a_line_of_nuls() -> None:
    assert reason_of(nuls(10_000_000)) == "nul_characters"


@pytest.mark.slow
def test_a_line_of_239_megabytes_of_nuls() -> None:
    assert reason_of(nuls(239_000_000)) == "nul_characters"


@pytest.mark.parametrize(
    "unit",
    ["<think>", "</think>", "<think></think>", "```", "`", "<tool_call>", "<tool_call>{", "\\boxed{", "{", "[{", "Ã©",
     "\x08", "\ufffd", "<|im_end|>", "a. B ", '"<think>"', "~~~\n", "<|channel|>analysis", '{"name":', "\\boxed{1}"],
)  # fmt: skip
def test_a_megabyte_of_one_marker(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    rows = [{"prompt": f"Use <tool_call>, <think> and \\boxed{{}}. {text}", "response": text}]
    reason_of(rows)
    rows = with_tools({})
    rows[0]["messages"].insert(0, {"role": "system", "content": "<tool_call>" + text, "tool_calls": None})
    rows[0]["tools"] = None
    reason_of(rows)


def test_many_calls_and_results() -> None:
    made = [{"id": f"c{i}", "type": "function", "function": {"name": "f", "arguments": "{}"}} for i in range(20_000)]
    messages = [
        {"role": "user", "content": "Do it.", "tool_calls": None, "tool_call_id": None},
        {"role": "assistant", "content": None, "tool_calls": made, "tool_call_id": None},
        *(
            {"role": "tool", "content": "1", "tool_calls": None, "tool_call_id": f"c{i}"}
            for i in reversed(range(20_000))
        ),
    ]
    assert reason_of([{"messages": messages, "tools": '[{"name": "f"}]'}]) is None


def test_the_cache_is_bounded_and_changes_no_verdict() -> None:
    cache: ContentCache[int] = ContentCache(limit=10_000)
    for i in range(1000):
        assert cache.get(b"%d" % i, lambda i=i: i) == i
    assert len(cache) <= 10_000 // 200
    structure = StructureFilter()
    batch = batch_of(with_tools({"properties": {"a": {"type": "integer"}}}, '{"a": "1"}'))
    assert structure.judge(batch).reason.tolist() == structure.judge(batch).reason.tolist()
