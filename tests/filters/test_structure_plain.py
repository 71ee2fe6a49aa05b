"""Schemas read as tables: what a table accepts, the validator accepts, and no definition is judged otherwise for it."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.structure import plain, safety, schemas
from filters.structure.definitions import SHALLOW, Reader
from filters.structure.tools import PlainTool
from tests.support import real

NAMES = st.sampled_from(["a", "b", "c"])
KINDS = st.sampled_from(
    ["string", "integer", "number", "boolean", "array", "object", "null", "dict", "float", "tuple", "any", "String", "HashMap",
     "List[str]", "", "blob", None, 3, ["string", "null"], ["integer", "number"], ["blob"], []]
)  # fmt: skip
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from(["x", "y", "", "5", 0, 1, 5, -3, 7.0, 0.5, 1e300, 2**53, 2**53 + 1, 10**18]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=5,
)
PROPERTY = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": KINDS,
            "description": st.just("text") | st.none(),
            "default": VALUES,
            "enum": st.lists(st.sampled_from(["x", "y", 1, 1.0, True, None]), max_size=3) | st.just("x"),
            "minimum": st.sampled_from([0, 1.5, -1, None, "0", True, 2**53]),
            "maximum": st.sampled_from([0, 6, 5.5, None, 2**54]),
            "required": st.sampled_from([True, False, None, "a"]),
            "format": st.sampled_from(["date", 3]),
            "nullable": st.booleans(),
            "minLength": st.integers(0, 2),
        },
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"type": KINDS, "items": inner | st.none() | st.booleans()}),
        st.fixed_dictionaries(
            {"properties": st.dictionaries(NAMES, inner | st.none(), max_size=2)},
            optional={
                "type": KINDS,
                "required": st.lists(NAMES, max_size=2),
                "additionalProperties": st.none() | st.booleans() | inner,
                "anyOf": st.lists(inner, max_size=2),
            },
        ),
    ),
    max_leaves=4,
)
PARAMETERS = st.none() | st.fixed_dictionaries(
    {
        "type": st.sampled_from(["object", "dict", "object", "array", None]),
        "properties": st.dictionaries(NAMES, PROPERTY),
    },
    optional={
        "required": st.lists(NAMES, max_size=2) | st.just(True),
        "additionalProperties": st.booleans() | st.none() | st.just({}),
        "title": st.just("T"),
        "$schema": st.sampled_from(
            ["http://json-schema.org/draft-07/schema#", "http://json-schema.org/draft-04/schema#"]
        ),
    },
)
OTHERS = st.fixed_dictionaries({}, optional={"response": PROPERTY, "strict": st.booleans()})


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@given(PARAMETERS, OTHERS, st.dictionaries(NAMES, VALUES), st.booleans())
def test_what_a_table_accepts_is_valid(parameters: Any, others: dict, arguments: dict, strict: bool) -> None:
    table = plain.table(parameters, strict=strict)
    if table is None:
        return
    raw = orjson.dumps({"name": "f", "parameters": parameters, **others})
    schema, fanout = schemas.prepare(parameters, raw, strict=strict)
    validator = schemas.compile_schema(schema)
    assert fanout == 0
    given_ = orjson.loads(orjson.dumps(arguments))
    if table.accepts(given_):
        assert validator.is_valid(given_), (schema, given_)


def verdict(reader: Reader, raw: bytes) -> tuple[Any, ...]:
    """All that a text of definitions comes to: problems, and each tool as the slow way makes it."""
    tools = reader.read(raw)
    whole = {name: tool.whole() for name, tool in tools.tools.items()}
    told = {k: (t.name, t.raw, t.schema, t.fanout, t.problem, t.padded, t.validator is None) for k, t in whole.items()}
    return set(tools.problems), tools.count, told


def slow_reader(strict: bool, monkeypatch: pytest.MonkeyPatch) -> Reader:
    reader = Reader(strict=strict, max_tools=50, max_bytes=1 << 20)
    monkeypatch.setattr(reader, "_plain", lambda *_: None)
    return reader


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.builds(
            lambda name, parameters, others, wrapped: (
                {"type": "function", "function": {"name": name, "parameters": parameters, **others}}
                if wrapped
                else {"name": name, "parameters": parameters, **others}
            ),
            st.sampled_from(["f", "g.h", "g_h", "", " "]),
            PARAMETERS,
            OTHERS,
            st.booleans(),
        )
        | st.sampled_from(["f", None, 3, {"type": "web_search"}, '{"name": "f", "parameters": {"properties": {}}}']),
        max_size=4,
    ),
    st.booleans(),
)
def test_definitions_come_to_the_same_with_and_without_tables(definitions: list, strict: bool) -> None:
    raw = json.dumps(definitions).encode()
    with pytest.MonkeyPatch.context() as monkeypatch:
        fast = Reader(strict=strict, max_tools=50, max_bytes=1 << 20)
        assert verdict(fast, raw) == verdict(slow_reader(strict, monkeypatch), raw)


@pytest.mark.parametrize("name", ["bfcl_v4", "sealtools", "glaive_sharegpt", "nemo_gym_rollouts"])
def test_published_definitions_come_to_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fast, slow = Reader(strict=False, max_tools=512, max_bytes=1 << 22), slow_reader(False, monkeypatch)
    slow.max_tools, slow.max_bytes = fast.max_tools, fast.max_bytes
    tables = tools = 0
    for path in real(name):
        for text in set(pq.read_table(path, columns=["tools"])["tools"].to_pylist()) - {None}:
            found = fast.read(text.encode())
            tables += sum(isinstance(t, PlainTool) for t in found.tools.values())
            tools += len(found.tools)
            assert verdict(fast, text.encode()) == verdict(slow, text.encode())
    # Otherwise the fast way is none.
    assert tables > 0.7 * tools


def test_nothing_deep_hides_where_tables_do_not_look() -> None:
    """254 levels are the most that orjson writes, so a definition of more is refused wherever they stand."""
    reader = Reader(strict=False, max_tools=50, max_bytes=1 << 22)
    deep = "[" * 300 + "]" * 300
    raw = '[{"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "array", "default": DEEP}}}}]'
    raw = raw.replace("DEEP", deep)
    assert reader.read(raw.encode()).problems == ["schema_unsafe"]
    few = raw.replace(deep, "[" * 200 + "]" * 200)
    assert few.count("[") + few.count("{") <= SHALLOW
    assert reader.read(few.encode()).problems == []


def test_a_table_is_not_deeper_than_it_says() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(1 + plain.DEPTH):
        schema = {"type": "object", "properties": {"a": schema}}
    assert plain.table(schema, strict=False) is not None
    assert plain.table({"type": "object", "properties": {"a": schema}}, strict=False) is None
    assert plain.DEPTH < safety.MAX_DEPTH
