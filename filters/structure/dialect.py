"""Calls and results written as text, where the record's own prompt sets that dialect (Hermes, Glaive, Qwen, XML)."""

from __future__ import annotations

import re

import orjson

from filters.structure.calls import Call

TOOL_CALL = re.compile(rb"<(tool_call|functioncall|function_call|TOOLCALL|tool_use)>(.*?)(?:</\1>|\Z)", re.DOTALL)
RESPONSE = re.compile(
    rb"<(?:tool_response|function_response|tool_result|function_results|TOOL_RESPONSE)>", re.IGNORECASE
)
OPENED = re.compile(
    rb"<(tool_call|functioncall|function_call|toolcall|tool_use|function_calls|tool_code)>", re.IGNORECASE
)
CLOSED = re.compile(
    rb"</(tool_call|functioncall|function_call|toolcall|tool_use|function_calls|tool_code)>", re.IGNORECASE
)


def calls(raw: bytes, turn: int, segment: int) -> list[Call]:
    """Every call in one assistant text. What is not JSON (XML parameters, say) counts as a call and is not checked."""
    out = []
    for match in TOOL_CALL.finditer(raw):
        body = match.group(2).strip()
        name, arguments, parsed = _json_call(body)
        out.append(Call(turn, segment, match.start(), match.end(), name, None, arguments, parsed))
    return out


def _json_call(body: bytes) -> tuple[str | None, bytes, bool]:
    if not body.startswith((b"{", b"[")):
        return None, b"", False
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        # Glaive quotes its arguments: {"name": "f", "arguments": '{"a": 1}'}.
        quoted = re.match(rb"""\{\s*"name"\s*:\s*"([^"]+)"\s*,\s*"arguments"\s*:\s*'(.*)'\s*\}\s*\Z""", body, re.DOTALL)
        if quoted:
            return quoted.group(1).decode("utf-8", "replace"), quoted.group(2), True
        return "?", body, True
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None, body, isinstance(value, dict)
    arguments = value.get("arguments", value.get("parameters"))
    if isinstance(arguments, str):
        return value["name"], arguments.encode("utf-8", "replace"), True
    return value["name"], orjson.dumps(arguments), True


def unbalanced(raw: bytes) -> bool:
    """An opened call that is not closed, or the other way round. Glaive's ``<functioncall>`` is never closed."""
    opened = [m.group(1).lower() for m in OPENED.finditer(raw)]
    closed = [m.group(1).lower() for m in CLOSED.finditer(raw)]
    if b"functioncall" in opened and b"functioncall" not in closed:
        opened = [o for o in opened if o != b"functioncall"]
    return sorted(opened) != sorted(closed)
