"""Records that somebody made to do harm: every schema, hostile text in every place, and values of the wrong kind where a schema
leaves room for them. Everything follows from the seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pyarrow as pa

PIECES = (
    "<think>", "</think>", "<think></think>", "<thinking>", "[THINK]", "◁think▷", "<|channel|>analysis<|message|>",
    "<|channel|>", "<|channel|>commentary to=functions.f<|message|>{}", "<|end|>", "<|start|>assistant", "<|im_end|>",
    "<tool_call>", "</tool_call>", '{"name": "f", "arguments": {', '{"name":', "[{", "}]", "```", "~~~\n", "\\boxed{",
    "$$", "####", "{{", "%s%n", "${jndi:ldap://x}", "<script>alert(1)</script>", "'; DROP TABLE x; --",
    "=cmd|' /C calc'!A0", "../../../../etc/passwd", "\x1b[31m\x1b]0;title\x07", "\0", "\0" * 40, "\ufffd", "\ufeff",
    "\u202e", "\u200b" * 30, "\u0301" * 50, "\U000e0041", "\U0010ffff", "\r\n", "\x85\u2028", "\t", "a" * 90,
    "A b " * 20, "wait, no. " * 9, "1, 2, 3, ", "的" * 40, "हिन्दी ", "Ünïcödé ", "🏳️‍🌈", "ß", "İ", "ǅ", "ﬃ",
    "4111 1111 1111 1111", "+1 212-736-5021", "a@b.co", "x@" * 60, "@" * 80, "DE89370400440532013000", "9" * 120,
    "1e999", "-0", "1.1.1.1.1.1", "::1", "http://" + "a." * 60, "AKIAQ3EGQ7YJ2NHW6PZD", "password = '",
    "As an AI language model, ", "our great nation ", "作为一个人工智能 ", "MIT", "SPDX-License-Identifier: (",
    "(" * 60, "GPL-2.0 WITH ", "Licensed under ", "The woman ", "die Frau ", "data:image/png;base64,AAAA",
    "Bread rises because yeast gives off gas, and the dough is stretchy enough to hold it in. ", " ", "", "\n\n",
)  # fmt: skip
ROLES = (
    "user", "assistant", "system", "tool", "human", "gpt", "function_call", "observation", "developer", "", "\0",
    "ASSISTANT ", "рол", "x" * 200,
)  # fmt: skip
BROKEN_JSON = (
    "", "{", "[", "nul", "NaN", "1e999", '{"a":' * 200, "[" * 5000, '"\\ud800"', '{"a": 1, "a": 2}', "9" * 5000,
    '"\\u0000"', "\ufeff{}", "[1, 2",
)  # fmt: skip


def text(rng: random.Random) -> str:
    """Hostile pieces in a row: mostly a few, now and then many of one."""
    if rng.random() < 0.01:
        return rng.choice(PIECES) * rng.choice((20, 100))
    return "".join(rng.choice(PIECES) for _ in range(rng.choice((0, 1, 1, 2, 4, 9))))


def value(rng: random.Random, depth: int = 0) -> Any:
    """Any JSON value."""
    kind = rng.randrange(7 if depth < 4 else 5)
    if kind == 5:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    if kind == 6:
        return {rng.choice((*KEYS, text(rng)[:40])): value(rng, depth + 1) for _ in range(rng.randrange(5))}
    return (
        None,
        rng.choice((True, False)),
        rng.choice((0, -1, 1 << 63, 1 << 70, -(1 << 63))),
        rng.choice((0.0, 1e308, -1.5)),
        text(rng),
    )[kind]


KEYS = (
    "role", "from", "content", "value", "text", "type", "name", "arguments", "parameters", "function", "tool_calls",
    "function_call", "id", "tool_call_id", "reasoning_content", "thinking", "$ref", "pattern", "properties",
    "required", "items", "allOf", "messages",
)  # fmt: skip


def schema(rng: random.Random, depth: int = 0) -> Any:
    """A JSON Schema as a tool would have it, or worse: references out, to itself and to nothing, patterns that never end, wrong types."""
    if depth > 3 or rng.random() < 0.1:
        return value(rng, 3)
    inner = [lambda: schema(rng, depth + 1)]
    told = {
        "type": rng.choice(("object", "string", "array", "integer", ["string", "null"], "wrong", 3, None, [])),
        "properties": {
            rng.choice(("a", "x", "$ref", "", "\0", text(rng)[:20])): inner[0]() for _ in range(rng.randrange(3))
        },
        "required": rng.choice((["a"], "a", [1], {}, None, ["a"] * 50)),
        "$ref": rng.choice(
            ("#", "#/$defs/a", "http://127.0.0.1:9/s.json", "file:///etc/passwd", "//x", "json-schema:///", 3, "\0")
        ),
        "$defs": {"a": inner[0]()},
        "$id": rng.choice(("http://127.0.0.1:9/", "file:///", "urn:x", 7)),
        "$schema": rng.choice(("http://json-schema.org/draft-07/schema#", "http://127.0.0.1:9/meta", 1)),
        "pattern": rng.choice(
            ("^(a+)+$", "(", "(?=a)*b", "\\p{L}+", "(a|a)*$", "[", "\\1", "x{1,99999}", "(?P<n>a)(?P=n)")
        ),
        "enum": rng.choice(([], [1, "a"], "x", [{}] * 30)),
        "items": inner[0](),
        "allOf": [inner[0](), {"$ref": "#"}],
        "minLength": rng.choice((0, -1, 1 << 70, "x", 1.5)),
        "multipleOf": rng.choice((0, -1, 1e-300, "x")),
        "format": rng.choice(("date", "regex", "uri", 3, text(rng)[:20])),
    }
    return {k: told[k] for k in rng.sample(sorted(told), rng.randrange(1, 6))}


def tools(rng: random.Random) -> str | None:
    """Tool definitions as JSON text."""
    if rng.random() < 0.3:
        return rng.choice((None, *BROKEN_JSON))
    made = [
        rng.choice(
            (
                {
                    "type": "function",
                    "function": {"name": rng.choice(("f", "a.b", "", text(rng)[:30])), "parameters": schema(rng)},
                },
                {"name": "f", "parameters": schema(rng)},
                value(rng),
            )
        )
        for _ in range(rng.choice((0, 1, 1, 3)))
    ]
    return json.dumps(made)


def arguments(rng: random.Random) -> str | None:
    return rng.choice((None, json.dumps(value(rng)), rng.choice(BROKEN_JSON), json.dumps({"a": value(rng)}), text(rng)))


def _call(rng: random.Random) -> dict[str, Any] | None:
    if rng.random() < 0.1:
        return None
    function = {"name": rng.choice((None, "f", "a.b", text(rng)[:40])), "arguments": arguments(rng)}
    return {
        "id": rng.choice((None, "c1", "", text(rng)[:20])),
        "type": rng.choice((None, "function", "x")),
        "function": rng.choice((function, None)),
    }


def _maybe(rng: random.Random, made: Callable[[], Any], share: float = 0.15) -> Any:
    return None if rng.random() < share else made()


def _messages(rng: random.Random, one: Callable[[], Any]) -> Any:
    return _maybe(rng, lambda: [_maybe(rng, one, 0.05) for _ in range(rng.choice((0, 1, 2, 3, 6)))], 0.03)


_FUNCTION = pa.struct([("name", pa.string()), ("arguments", pa.string())])
_CALL = pa.struct([("id", pa.string()), ("type", pa.string()), ("function", _FUNCTION)])
_PART = pa.struct([("type", pa.string()), ("text", pa.string()), ("image_url", pa.struct([("url", pa.string())]))])


def _message_type(content: pa.DataType) -> pa.DataType:
    named = ("role", "reasoning_content", "tool_call_id", "name")
    return pa.list_(
        pa.struct([(n, pa.string()) for n in named] + [("content", content), ("tool_calls", pa.list_(_CALL))])
    )


def openai(rng: random.Random, content: Callable[[], Any] | None = None) -> dict[str, Any]:
    content = content or (lambda: text(rng))

    def message() -> dict[str, Any]:
        told = {n: _maybe(rng, lambda: text(rng), 0.6) for n in ("reasoning_content", "tool_call_id", "name")}
        calls = _maybe(rng, lambda: [_call(rng) for _ in range(rng.randrange(3))], 0.6)
        return {
            "role": _maybe(rng, lambda: rng.choice(ROLES), 0.05),
            "content": _maybe(rng, content),
            "tool_calls": calls,
            **told,
        }

    return {
        "messages": _messages(rng, message),
        "tools": tools(rng),
        "license": _maybe(rng, lambda: text(rng)),
        "id": text(rng)[:60],
    }


def parts(rng: random.Random) -> dict[str, Any]:
    def part() -> dict[str, Any] | None:
        url = _maybe(rng, lambda: {"url": text(rng)})
        return _maybe(
            rng,
            lambda: {
                "type": rng.choice((None, "text", "image_url", "x")),
                "text": _maybe(rng, lambda: text(rng)),
                "image_url": url,
            },
        )

    return openai(rng, lambda: [part() for _ in range(rng.randrange(4))])


def sharegpt(rng: random.Random) -> dict[str, Any]:
    def turn() -> dict[str, Any]:
        said = rng.choice((text(rng), arguments(rng), json.dumps({"name": "f", "arguments": value(rng)})))
        return {"from": _maybe(rng, lambda: rng.choice(ROLES), 0.05), "value": said}

    return {"conversations": _messages(rng, turn), "tools": tools(rng), "system": _maybe(rng, lambda: text(rng))}


def as_json(rng: random.Random) -> dict[str, Any]:
    """Messages as JSON text, where anything can stand anywhere."""
    if rng.random() < 0.15:
        return {"messages": rng.choice((None, *BROKEN_JSON)), "tools": tools(rng)}

    def message() -> Any:
        return {k: value(rng) for k in ("role", "content", *rng.sample(KEYS, 3))} if rng.random() < 0.9 else value(rng)

    made = rng.choice((openai(rng)["messages"], _messages(rng, message), value(rng), {"messages": value(rng)}))
    return {"messages": json.dumps(made), "tools": tools(rng)}


def _flat(*names: str) -> Callable[[random.Random], dict[str, Any]]:
    return lambda rng: {n: _maybe(rng, lambda: text(rng)) for n in names}


def nemotron(rng: random.Random) -> dict[str, Any]:
    turns = _messages(rng, lambda: {"role": rng.choice(ROLES), "content": _maybe(rng, lambda: text(rng))})
    return {"input": turns, "output": _maybe(rng, lambda: text(rng)), "license": text(rng), "generator": text(rng)}


def structs(rng: random.Random) -> dict[str, Any]:
    """Tools and arguments as structs, which Arrow pads."""
    call = {
        "function": {
            "name": _maybe(rng, lambda: "f"),
            "arguments": _maybe(rng, lambda: {"a": _maybe(rng, lambda: text(rng)), "n": 1}),
        }
    }
    turns = _messages(rng, lambda: {"role": rng.choice(ROLES), "content": text(rng), "tool_calls": [call]})
    made = {"name": _maybe(rng, lambda: "f"), "parameters": {"type": text(rng)[:10], "required": [text(rng)[:10]]}}
    return {
        "messages": turns,
        "tools": _maybe(rng, lambda: [_maybe(rng, lambda: made)]),
        "metadata": {"license": text(rng), "deep": [{"x": text(rng)}]},
    }


def _columns(*texts: str, **others: pa.DataType) -> pa.Schema:
    return pa.schema([*others.items(), *((name, pa.string()) for name in texts)])


ALPACA = ("instruction", "input", "output")
PAIR = ("prompt", "response", "reasoning", "system", "uuid", "language", "finish_reason", "model")
TEXT = ("text", "url", "user", "licence")
SCHEMAS: dict[str, tuple[Callable[[random.Random], dict[str, Any]], pa.Schema | None]] = {
    "openai": (openai, _columns("tools", "license", "id", messages=_message_type(pa.string()))),
    "parts": (parts, _columns("tools", "license", "id", messages=_message_type(pa.list_(_PART)))),
    "sharegpt": (
        sharegpt,
        _columns("tools", "system", conversations=pa.list_(pa.struct(list(_columns("from", "value"))))),
    ),
    "json": (as_json, _columns("messages", "tools")),
    "nemotron": (nemotron, None),
    "structs": (structs, None),
    "alpaca": (_flat(*ALPACA), pa.schema([(n, pa.large_string()) for n in ALPACA])),
    "pairs": (_flat(*PAIR), _columns(*PAIR)),
    "text": (_flat(*TEXT), _columns(*TEXT)),
}
"""Name -> what makes one record, and its Arrow schema (None: inferred)."""


def table(name: str, seed: int, count: int) -> pa.Table:
    make, arrow = SCHEMAS[name]
    rng = random.Random(f"{name} {seed}")
    return pa.Table.from_pylist([make(rng) for _ in range(count)], schema=arrow)


def broken_utf8(rows: pa.Table, seed: int) -> pa.Table:
    """The same with bytes that are no UTF-8 in some of its text columns, which Parquet readers let pass."""
    rng = random.Random(seed)
    out = rows
    for i, field in enumerate(rows.schema):
        if pa.types.is_string(field.type):
            values = [
                v if v is None or rng.random() < 0.9 else v.encode() + rng.choice((b"\xff", b"\xed\xa0\x80", b"\xc3"))
                for v in rows[field.name].to_pylist()
            ]
            raw = pa.array([v.encode() if isinstance(v, str) else v for v in values], pa.binary())
            out = out.set_column(i, field.name, pa.Array.from_buffers(pa.string(), len(raw), raw.buffers()))
    return out


def lines(name: str, seed: int, count: int) -> bytes:
    """As JSONL: the records, some with values of any kind, some with their bytes changed, some no records at all."""
    make, _ = SCHEMAS[name]
    rng = random.Random(f"{name} {seed} lines")
    out = []
    for _ in range(count):
        record = make(rng)
        for key in list(record):
            if rng.random() < 0.05:
                record[key] = value(rng)
        line = json.dumps(record, ensure_ascii=rng.random() < 0.5, default=str).encode("utf-8", "surrogatepass")
        if rng.random() < 0.1:
            at = rng.randrange(len(line))
            line = rng.choice(
                (line[:at], line[at:], line[:at] + b"\xff\0" + line[at:], line + line, rng.choice(BROKEN_JSON).encode())
            )
        out.append(line.replace(b"\n", b" ").replace(b"\r", b" "))
    return b"\n".join(out)
