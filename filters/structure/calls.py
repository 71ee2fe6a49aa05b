"""Calls against the tools they name: is there such a tool, and do the arguments fit its schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import orjson

from filters.structure import safety
from filters.structure.tools import PlainTool, Tool, loads

ERRORS = 20
"""Schema errors looked at for one call."""

_CODES = {
    "required": "argument_missing",
    "dependentRequired": "argument_missing",
    "additionalProperties": "argument_unknown",
    "unevaluatedProperties": "argument_unknown",
    "propertyNames": "argument_unknown",
    "type": "argument_type",
    "backtrackLimitExceeded": "schema_unsafe",
}


class Call(msgspec.Struct, frozen=True, gc=False):
    """segment: where it stands; start/end: its bytes there. name None: it is no call at all. id: may be None.

    parsed: False for a call in a text dialect whose arguments are not JSON; only its place in the order counts.
    """

    turn: int
    segment: int
    start: int
    end: int
    name: str | None
    id: str | None
    arguments: bytes
    parsed: bool = True


def problems(call: Call, tool: Tool | PlainTool | None, *, declared: bool, strict: bool) -> Sequence[str]:
    """Codes of everything wrong with one call by itself. tool: what it calls; declared: the record has tools at all."""
    if not call.parsed:
        return ()
    if call.name is None or not call.name.strip():
        return ("call_malformed",)
    raw = call.arguments
    if tool is None:
        return [*(["undeclared_tool"] if declared else []), *_checked(None, raw, strict=strict)]
    try:
        arguments = orjson.loads(raw)
    except orjson.JSONDecodeError:
        arguments = None
    # What the table takes from the fast parser is right, and that is nearly all there is.
    if type(arguments) is dict and tool.accepts(arguments):
        return ()
    return _checked(tool, raw, strict=strict)


def _checked(tool: Tool | PlainTool | None, raw: bytes, *, strict: bool) -> list[str]:
    """Codes of what is wrong with the arguments."""
    try:
        # No arguments at all is how some providers call a tool that needs none.
        arguments = loads(raw) if raw.strip() else {}
    except (ValueError, RecursionError):
        return ["arguments_not_json"]
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        return ["arguments_not_object"]
    return [] if tool is None else violations(tool.whole(), arguments, padded=b"null" in raw, strict=strict)


def violations(tool: Tool, arguments: dict[str, Any], *, padded: bool, strict: bool) -> list[str]:
    """Codes of what the arguments break in the tool's schema."""
    validator = tool.validator
    if validator is None:
        return []
    if tool.fanout and safety.too_costly(tool.fanout, arguments):
        return ["schema_unsafe"]
    if validator.is_valid(arguments):
        return []
    codes = _error_codes(validator, arguments)
    if not padded:
        return codes
    # A null where nothing is needed is how some models leave an optional argument out.
    rest = _without_nulls(arguments)
    left = [] if validator.is_valid(rest) else _error_codes(validator, rest)
    if "argument_unknown" in codes and "argument_unknown" not in left:
        left.append("null_padding")
    return left or (codes if strict else [])


def _error_codes(validator: Any, arguments: dict[str, Any]) -> list[str]:
    codes: dict[str, None] = {}
    for number, error in enumerate(validator.iter_errors(arguments)):
        codes[_code(error.kind)] = None
        if number >= ERRORS:
            break
    return list(codes)


def _code(kind: Any) -> str:
    if kind.name in ("anyOf", "oneOfNotValid", "oneOf"):
        branches = getattr(kind, "context", None)
        inner = [e for branch in branches for e in branch] if branches else []
        if inner and all(e.kind.name == "type" for e in inner):
            return "argument_type"
    return _CODES.get(kind.name, "argument_value")


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    return [_without_nulls(v) for v in value] if isinstance(value, list) else value
