"""Operators that break a clean record in one known way, and the reasons a structure check has to give for each.

A record is a dict: messages (OpenAI: role, content, reasoning_content, tool_calls, tool_call_id, name), tools (JSON string or
None) and finish_reason. An operator changes a copy, or returns None where it does not apply.
"""

from __future__ import annotations

import copy
import functools
import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

Record = dict[str, Any]
Operator = Callable[[Record, random.Random], Record | None]
OPERATORS: dict[str, tuple[Operator, tuple[str, ...]]] = {}

_CALL = pa.struct(
    {"id": pa.string(), "type": pa.string(), "function": pa.struct({"name": pa.string(), "arguments": pa.string()})}
)
_MESSAGE = pa.struct(
    {
        "role": pa.string(), "content": pa.string(), "reasoning_content": pa.string(), "tool_calls": pa.list_(_CALL),
        "tool_call_id": pa.string(), "name": pa.string(),
    }
)  # fmt: skip
SCHEMA = pa.schema({"messages": pa.list_(_MESSAGE), "tools": pa.string(), "finish_reason": pa.string()})


def table(records: list[Record]) -> pa.Table:
    return pa.Table.from_pylist(records, SCHEMA)


def operator(*expected: str) -> Callable[[Operator], Operator]:
    def register(function: Operator) -> Operator:
        OPERATORS[function.__name__] = (function, expected)
        return function

    return register


def mutants(record: Record, rng: random.Random) -> Iterator[tuple[str, tuple[str, ...], Record]]:
    """Every operator that applies, each on a copy of its own."""
    for name, (function, expected) in OPERATORS.items():
        changed = function(copy.deepcopy(record), rng)
        if changed is not None:
            yield name, expected, changed


def _turns(r: Record, role: str) -> list[Record]:
    return [m for m in r["messages"] if m["role"] == role]


def _callers(r: Record) -> list[Record]:
    return [m for m in r["messages"] if m.get("tool_calls")]


def _call(r: Record) -> Record | None:
    callers = _callers(r)
    return callers[0]["tool_calls"][0]["function"] if callers else None


def _tools(r: Record) -> list[Record]:
    try:
        found = json.loads(r.get("tools") or "[]")
    except ValueError:
        return []
    return found if isinstance(found, list) else []


def _function(tool: Record) -> Record:
    return tool.get("function", tool)


def _called(r: Record) -> tuple[Record, Record, list[Record]] | None:
    """(call, schema of its tool, all tools), where the schema is a plain object."""
    call, tools = _call(r), _tools(r)
    for tool in tools:
        inner = _function(tool)
        if call and inner.get("name") == call["name"] and isinstance(inner.get("parameters"), dict):
            return call, inner["parameters"], tools
    return None


def _arguments(call: Record) -> dict[str, Any]:
    try:
        value = json.loads(call["arguments"] or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _answer(r: Record) -> Record | None:
    """The last turn, where it is an assistant's text."""
    last = r["messages"][-1] if r["messages"] else None
    if last and last["role"] == "assistant" and (last.get("content") or "").strip() and not last.get("tool_calls"):
        return last
    return None


def _rewrite(key: str, make: Callable[[str], str]) -> Operator:
    def change(r: Record, _rng: random.Random) -> Record | None:
        answer = _answer(r)
        if answer is None:
            return None
        answer[key] = make(answer["content"])
        return r

    return change


# --- tools and calls


@operator("missing_tools")
def drop_tools(r: Record, _rng: random.Random) -> Record | None:
    if not _callers(r) or not _tools(r) or '"name"' in json.dumps([m["content"] for m in _turns(r, "system")]):
        return None
    return {**r, "tools": None}


@operator("missing_tools")
def empty_tools(r: Record, rng: random.Random) -> Record | None:
    changed = drop_tools(r, rng)
    return {**changed, "tools": "[]"} if changed else None


@operator("undeclared_tool")
def rename_tool(r: Record, _rng: random.Random) -> Record | None:
    found = _called(r)
    if found is None:
        return None
    for tool in found[2]:
        if _function(tool).get("name") == found[0]["name"]:
            _function(tool)["name"] += "_v2"
    return {**r, "tools": json.dumps(found[2])}


@operator("undeclared_tool")
def rename_call(r: Record, _rng: random.Random) -> Record | None:
    if _called(r) is None:
        return None
    _call(r)["name"] = "no_such_" + _call(r)["name"]
    return r


@operator("call_malformed")
def nameless_call(r: Record, _rng: random.Random) -> Record | None:
    if _call(r) is None:
        return None
    _call(r)["name"] = ""
    return r


@operator("misplaced_call")
def user_calls(r: Record, _rng: random.Random) -> Record | None:
    callers, users = _callers(r), _turns(r, "user")
    if not callers or not users or callers[0] is not r["messages"][-1]:
        return None
    users[-1]["tool_calls"], callers[0]["tool_calls"] = callers[0]["tool_calls"], None
    callers[0]["content"] = "Done."
    return r


def _edit_arguments(make: Callable[[str], str]) -> Operator:
    def change(r: Record, _rng: random.Random) -> Record | None:
        call = _call(r)
        if call is None or not _arguments(call):
            return None
        call["arguments"] = make(call["arguments"])
        return r

    return change


for _name, _make, _expected in (
    ("cut_arguments", lambda a: a.rstrip()[:-1], "arguments_not_json"),
    ("python_arguments", lambda a: str({"value'": None, **json.loads(a)}), "arguments_not_json"),
    ("trailing_comma", lambda a: a.rstrip()[:-1] + ",}", "arguments_not_json"),
    ("nan_argument", lambda a: '{"x": NaN, ' + a.strip()[1:], "arguments_not_json"),
    ("listed_arguments", lambda a: f"[{a}]", "arguments_not_object"),
    ("encoded_twice", json.dumps, "arguments_not_object"),
):
    OPERATORS[_name] = (_edit_arguments(_make), (_expected,))


@operator("argument_missing")
def drop_required(r: Record, rng: random.Random) -> Record | None:
    found = _called(r)
    required = (found[1].get("required") or []) if found else []
    arguments = _arguments(found[0]) if found else {}
    present = [k for k in required if k in arguments]
    if not present:
        return None
    del arguments[rng.choice(present)]
    found[0]["arguments"] = json.dumps(arguments)
    return r


@operator("argument_unknown")
def unknown_argument(r: Record, _rng: random.Random) -> Record | None:
    found = _called(r)
    if found is None or not found[1].get("properties") or found[1].get("additionalProperties"):
        return None
    found[0]["arguments"] = json.dumps({**_arguments(found[0]), "not_a_parameter": 1})
    return r


@operator("argument_type")
def wrong_type(r: Record, _rng: random.Random) -> Record | None:
    found = _called(r)
    # Tools of typed languages (BFCL's Java) take expressions as strings: not a wrong type there.
    if found is None or re.search(r'"type": *"[A-Z][a-z]', r["tools"]):
        return None
    arguments = _arguments(found[0])
    for key, schema in (found[1].get("properties") or {}).items():
        kind = schema.get("type") if isinstance(schema, dict) else None
        if key in arguments and kind in ("integer", "number", "string", "boolean") and "enum" not in schema:
            arguments[key] = {"unexpected": True} if kind == "string" else "not a " + kind
            found[0]["arguments"] = json.dumps(arguments)
            return r
    return None


@operator("argument_value")
def outside_enum(r: Record, _rng: random.Random) -> Record | None:
    found = _called(r)
    arguments = _arguments(found[0]) if found else {}
    for key, schema in ((found[1].get("properties") or {}) if found else {}).items():
        if key in arguments and schema.get("type") == "string" and isinstance(schema.get("enum"), list):
            arguments[key] = "none of these"
            found[0]["arguments"] = json.dumps(arguments)
            return r
    return None


@operator("null_padding")
def padded_arguments(r: Record, _rng: random.Random) -> Record | None:
    found = _called(r)
    if found is None or not found[1].get("properties") or found[1].get("additionalProperties"):
        return None
    found[0]["arguments"] = json.dumps({**_arguments(found[0]), "of_another_row": None, "and_another": None})
    return r


@operator("null_padding")
def padded_tools(r: Record, _rng: random.Random) -> Record | None:
    found = _called(r)
    if found is None or not found[1].get("properties"):
        return None
    found[1]["properties"]["of_another_row"] = None
    return {**r, "tools": json.dumps(found[2])}


def _edit_tools(make: Callable[[Record, list[Record]], Any]) -> Operator:
    def change(r: Record, _rng: random.Random) -> Record | None:
        found = _called(r)
        if found is None:
            return None
        made = make(found[1], found[2])
        return {**r, "tools": made if isinstance(made, str) else json.dumps(found[2])}

    return change


def _deep(schema: Record, tools: list[Record]) -> str:
    """500 levels, written as text: Python's own encoder gives up on them."""
    schema["properties"] = {**(schema.get("properties") or {}), "deep": "@"}
    inner = '{"type": "object", "properties": {"a": ' * 500 + '{"type": "string"}' + "}}" * 500
    return json.dumps(tools).replace('"@"', inner)


def _loop(schema: Record) -> None:
    schema["$defs"] = {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}
    schema["properties"] = {**(schema.get("properties") or {}), "loop": {"$ref": "#/$defs/a"}}


def _again(tools: list[Record]) -> None:
    other = {"type": "object", "properties": {"q": {"type": "string"}}}
    tools.append({"name": _function(tools[0])["name"], "parameters": other})


def _many(count: int) -> Iterator[Record]:
    return ({"name": f"tool_{i}", "parameters": {}} for i in range(count))


def _property(value: Record) -> Callable[[Record, list[Record]], None]:
    def add(schema: Record, _tools: list[Record]) -> None:
        schema["properties"] = {**(schema.get("properties") or {}), "extra": value}

    return add


def _laughs(schema: Record) -> None:
    doubled = {f"l{i}": {"allOf": [{"$ref": f"#/$defs/l{i + 1}"}] * 2} for i in range(30)}
    schema["$defs"] = {**doubled, "l30": {"type": "string"}}
    schema["properties"] = {**(schema.get("properties") or {}), "laughs": {"$ref": "#/$defs/l0"}}


for _name, _change, _expected in (
    ("broken_tools", lambda s, t: json.dumps(t)[:-2], "tools_not_json"),
    ("nameless_tool", lambda s, t: _function(t[0]).__delitem__("name"), "tool_definition_invalid"),
    ("tool_without_schema", lambda s, t: _function(t[0]).update(parameters="see the manual"), "tool_definition_invalid"),
    ("same_name_twice", lambda s, t: _again(t), "duplicate_tool"),
    ("ten_thousand_tools", lambda s, t: t.extend(_many(10_000)), "tools_too_large"),
    ("remote_reference", _property({"$ref": "http://example.invalid/schema.json"}), "schema_unsafe"),
    ("lost_reference", _property({"$ref": "#/$defs/nowhere"}), "schema_unsafe"),
    ("explosive_pattern", _property({"type": "string", "pattern": "^(a+)+$"}), "schema_unsafe"),
    ("reference_loop", lambda s, t: _loop(s), "schema_unsafe"),
    ("doubling_references", lambda s, t: _laughs(s), "schema_unsafe"),
    ("deep_schema", _deep, "schema_unsafe"),
):  # fmt: skip
    OPERATORS[_name] = (_edit_tools(_change), (_expected,))


# --- calls and results


def _answered(r: Record) -> list[int]:
    """Positions of tool turns after which the conversation goes on."""
    messages = r["messages"]
    return [
        i for i, m in enumerate(messages[:-1]) if m["role"] == "tool" and any(n["role"] != "tool" for n in messages[i:])
    ]


@operator("call_without_result")
def drop_results(r: Record, _rng: random.Random) -> Record | None:
    messages = r["messages"]
    for i, message in enumerate(messages):
        end = i + 1
        while end < len(messages) and messages[end]["role"] == "tool":
            end += 1
        if message.get("tool_calls") and end > i + 1 and end < len(messages):
            del messages[i + 1 : end]
            return r
    return None


@operator("orphan_result")
def drop_call(r: Record, _rng: random.Random) -> Record | None:
    answered = [
        m for m, n in zip(r["messages"], r["messages"][1:], strict=False) if m.get("tool_calls") and n["role"] == "tool"
    ]
    if not answered:
        return None
    answered[0]["tool_calls"], answered[0]["content"] = None, "Let me see."
    return r


@operator("orphan_result")
def result_from_nowhere(r: Record, _rng: random.Random) -> Record | None:
    users = [i for i, m in enumerate(r["messages"]) if m["role"] == "user"]
    if not users:
        return None
    r["messages"].insert(users[0] + 1, {"role": "tool", "content": "42", "tool_call_id": "call_lost"})
    return r


@operator("orphan_result", "call_without_result")
def wrong_result_id(r: Record, _rng: random.Random) -> Record | None:
    results = [m for m in _turns(r, "tool") if m.get("tool_call_id")]
    if not results:
        return None
    results[0]["tool_call_id"] = "call_of_another_record"
    return r


@operator("duplicate_call_id")
def same_id_twice(r: Record, _rng: random.Random) -> Record | None:
    for caller in _callers(r):
        calls = caller["tool_calls"]
        if len(calls) > 1 and calls[0].get("id") and caller is r["messages"][-1]:
            calls[1]["id"] = calls[0]["id"]
            return r
    return None


# --- turns


@operator("role_order", "orphan_result", "call_without_result", "no_prompt")
def swap_turns(r: Record, rng: random.Random) -> Record | None:
    messages = r["messages"]
    pairs = [i for i in range(len(messages) - 1) if messages[i]["role"] != messages[i + 1]["role"]]
    if not pairs:
        return None
    i = rng.choice(pairs)
    messages[i], messages[i + 1] = messages[i + 1], messages[i]
    return r


@operator("role_order")
def late_system(r: Record, _rng: random.Random) -> Record | None:
    r["messages"].append({"role": "system", "content": "You are a helpful assistant."})
    return r


@operator("role_order")
def answer_twice(r: Record, _rng: random.Random) -> Record | None:
    if _answer(r) is None:
        return None
    r["messages"].append(copy.deepcopy(r["messages"][-1]))
    return r


@operator("unknown_role")
def strange_role(r: Record, rng: random.Random) -> Record | None:
    rng.choice(r["messages"])["role"] = "critic"
    return r


@operator("no_prompt", "orphan_result")
def drop_prompt(r: Record, _rng: random.Random) -> Record | None:
    kept = [m for m in r["messages"] if m["role"] not in ("user", "system", "developer")]
    return {**r, "messages": kept[:1]} if kept and kept[0]["role"] == "assistant" else None


def _silence(role: str, content: str | None) -> Operator:
    def change(r: Record, rng: random.Random) -> Record | None:
        turns = [m for m in _turns(r, role) if not m.get("tool_calls")]
        if not turns:
            return None
        turn = rng.choice(turns)
        turn["content"], turn["reasoning_content"] = content, None
        return r

    return change


OPERATORS["empty_answer"] = (_silence("assistant", ""), ("empty_turn",))
OPERATORS["null_answer"] = (_silence("assistant", None), ("empty_turn",))
OPERATORS["blank_question"] = (_silence("user", " \n\t"), ("empty_turn",))
OPERATORS["null_question"] = (_silence("user", None), ("empty_turn",))


@operator("no_turns")
def no_messages(r: Record, _rng: random.Random) -> Record | None:
    return {**r, "messages": []}


@operator("no_answer")
def only_reasoning(r: Record, _rng: random.Random) -> Record | None:
    answer = _answer(r)
    if answer is None:
        return None
    answer["reasoning_content"], answer["content"] = answer["content"], None
    return r


@operator("answer_cut")
def stopped_by_length(r: Record, _rng: random.Random) -> Record | None:
    return {**r, "finish_reason": "length"} if _answer(r) else None


@operator("answer_cut")
def cut_in_sentence(r: Record, rng: random.Random) -> Record | None:
    """In the middle of a sentence that follows another one in its paragraph: plain words only."""
    answer = _answer(r)
    if answer is None:
        return None
    places = [
        m.end(1)
        for m in re.finditer(r"(?<=[a-z]{2}[.!?] )([A-Z][a-z]+ [a-z]+ [a-z]+ [a-z]+) [a-z]+ [a-z]+", answer["content"])
        if m.end(1) > 250
    ]
    if not places:
        return None
    answer["content"] = answer["content"][: rng.choice(places)]
    return r


for _name, _make, _expected in (
    ("cut_in_code", lambda c: c.split("```")[0] + "\n```python\nfor i in range(10):\n    tot", "answer_cut"),
    ("cut_in_box", lambda c: c + "\n\nThe answer is \\boxed{\\frac{1}{2", "answer_cut"),
    ("unclosed_think", lambda c: "<think>\nFirst I look at it. " + c, "think_unclosed"),
    ("unclosed_kimi", lambda c: "◁think▷First I look at it. " + c, "think_unclosed"),
    ("unclosed_magistral", lambda c: "[THINK]First I look at it. " + c, "think_unclosed"),
    ("unclosed_harmony", lambda c: "<|channel|>analysis We need to answer. " + c, "think_unclosed"),
    ("stray_think", lambda c: "First I look at it.\n</think>\n\n" + c, "think_stray"),
    ("think_twice", lambda c: "<think>\nFirst.\n</think>\n<think>\nSecond.\n</think>\n" + c, "think_repeated"),
    ("think_later", lambda c: c + "\n<think>\nIs that right?\n</think>\nYes.", "reasoning_in_answer"),
    (
        "hermes_markup",
        lambda c: c + '\n<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>',
        "call_markup_in_text",
    ),
    ("mistral_markup", lambda c: c + '\n[TOOL_CALLS][{"name": "f", "arguments": {}}]', "call_markup_in_text"),
    ("deepseek_markup", lambda c: c + "\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function", "call_markup_in_text"),
    (
        "xml_markup",
        lambda c: c + "\n<function=search>\n<parameter=q>\nx\n</parameter>\n</function>",
        "call_markup_in_text",
    ),
    ("llama_markup", lambda c: '<|python_tag|>{"name": "f", "parameters": {}}', "call_markup_in_text"),
    ("chatml_token", lambda c: c + "<|im_end|>\n<|im_start|>user", "template_tokens"),
    ("llama_token", lambda c: c + "<|eot_id|>", "template_tokens"),
    ("content_parts", lambda c: json.dumps([{"type": "text", "text": c}]), "content_not_text"),
):
    OPERATORS[_name] = (_rewrite("content", _make), (_expected,))


_DIALECTS = {
    "thinking": ("<thinking>", "</thinking>"),
    "thought": ("<thought>", "</thought>"),
    "reasoning": ("<reasoning>", "</reasoning>"),
    "seed": ("<seed:think>", "</seed:think>"),
    "openthoughts": ("<|begin_of_thought|>", "<|end_of_thought|>"),
    "solar": ("<|think_start|>", "<|think_end|>"),
    "command": ("<|START_THINKING|>", "<|END_THINKING|>"),
    "kimi": ("◁think▷", "◁/think▷"),
    "magistral": ("[THINK]", "[/THINK]"),
}


def _reasons_in(opens: str, closes: str) -> Callable[[str], dict[str, tuple[str, str]]]:
    """Ways in which one dialect's tags go wrong: name -> (the text, the reason)."""
    first, second = "First I look at it. ", "Then I look again. "
    return lambda c: {
        "unclosed": (f"{opens}\n{first}{c}", "think_unclosed"),
        "stray": (f"{first}{closes}\n\n{c}", "think_stray"),
        "repeated": (f"{opens}{first}{closes}\n{opens}{second}{closes}\n{c}", "think_repeated"),
        "nested": (f"{opens}{first}{opens}{second}{closes}\n{c}", "think_nested"),
        "late": (f"{c}\n{opens}\n{first}\n{closes}\nYes.", "reasoning_in_answer"),
        "mismatched": (f"{opens}\n{first}</scratchpad>\n{c}", "think_unclosed"),
    }


for _name, (_opens, _closes) in _DIALECTS.items():
    _made = _reasons_in(_opens, _closes)
    for _fault, (_, _expected) in _made("").items():
        _make = functools.partial(lambda make, fault, c: make(c)[fault][0], _made, _fault)
        OPERATORS.setdefault(f"{_fault}_{_name}", (_rewrite("content", _make), (_expected,)))

for _name, _make in (
    ("solution_not_closed", lambda c: f"<|begin_of_thought|>Hm.<|end_of_thought|>\n<|begin_of_solution|>{c}"),
    ("response_not_closed", lambda c: f"<|START_THINKING|>Hm.<|END_THINKING|><|START_RESPONSE|>{c}"),
):
    OPERATORS[_name] = (_rewrite("content", _make), ("template_tokens",))


@operator("think_nested")
def nested_think(r: Record, _rng: random.Random) -> Record | None:
    answer = _answer(r)
    if answer is None:
        return None
    answer["reasoning_content"] = "<think>\nFirst I look at it.\n</think>"
    return r


@operator("reasoning_in_answer")
def reasoning_copied(r: Record, _rng: random.Random) -> Record | None:
    answer = _answer(r)
    reasoning = (answer or {}).get("reasoning_content") or "First I look at what is asked, then at what is given. " * 9
    if answer is None or len(reasoning.strip().encode()) < 250:
        return None
    answer["reasoning_content"], answer["content"] = reasoning, reasoning + "\n\n" + answer["content"]
    return r


@operator("call_markup_in_text")
def call_as_text(r: Record, _rng: random.Random) -> Record | None:
    callers = _callers(r)
    if _called(r) is None or callers[0] is not r["messages"][-1]:
        return None
    call = callers[0]["tool_calls"][0]["function"]
    callers[0]["content"] = json.dumps({"name": call["name"], "arguments": _arguments(call)})
    callers[0]["tool_calls"] = None
    return r


@operator("boxed_missing")
def box_forgotten(r: Record, _rng: random.Random) -> Record | None:
    if _answer(r) is None or "boxed" in json.dumps(r["messages"]) or not _turns(r, "user"):
        return None
    _turns(r, "user")[-1]["content"] += "\nPut your final answer in \\boxed{}."
    return r


@operator("boxed_conflict")
def two_boxes(r: Record, rng: random.Random) -> Record | None:
    changed = box_forgotten(r, rng)
    if changed:
        _answer(changed)["content"] += "\n\\boxed{17}\n\nOr rather \\boxed{18}."
    return changed


# --- characters


def _anywhere(make: Callable[[str], str | None]) -> Operator:
    def change(r: Record, rng: random.Random) -> Record | None:
        turns = [m for m in r["messages"] if m["role"] in ("user", "assistant") and len(m.get("content") or "") > 20]
        if not turns:
            return None
        turn = rng.choice(turns)
        at = rng.randrange(5, len(turn["content"]) - 5)
        made = make(turn["content"][at:])
        if made is None:
            return None
        turn["content"] = turn["content"][:at] + made
        return r

    return change


def _misread(text: str) -> str | None:
    return "It’s “fine” – café, naïve. ".encode().decode("cp1252", "replace").replace("\ufffd", "") + text


OPERATORS["nul"] = (_anywhere(lambda t: "\x00\x00" + t), ("nul_characters",))
OPERATORS["backspace"] = (_anywhere(lambda t: "\x08" + t), ("control_characters",))
OPERATORS["c1_controls"] = (_anywhere(lambda t: "don\x92t" + t), ("control_characters",))
OPERATORS["misread_utf8"] = (_anywhere(_misread), ("mojibake",))
OPERATORS["lost_characters"] = (_anywhere(lambda t: "\ufffd\ufffd caf\ufffd " + t), ("replacement_characters",))
