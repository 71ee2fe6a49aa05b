"""Calls against the tools they name: is there such a tool, and do the arguments fit its schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from filters.structure import safety
from filters.structure.tools import Tool, ToolSet, loads

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


@dataclass(frozen=True)
class Call:
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


def problems(call: Call, tools: ToolSet, *, strict: bool) -> list[str]:
    """Codes of everything wrong with one call by itself."""
    if not call.parsed:
        return []
    if call.name is None or not call.name.strip():
        return ["call_malformed"]
    found: list[str] = []
    tool = tools.find(call.name) if tools.count else None
    if tools.tools and tool is None:
        found.append("undeclared_tool")
    raw = call.arguments
    if not raw.strip():
        arguments: Any = None
    else:
        try:
            arguments = loads(raw)
        except (ValueError, RecursionError):
            return [*found, "arguments_not_json"]
    if arguments is None:
        # No arguments at all is how some providers call a tool that needs none.
        arguments = {}
    if not isinstance(arguments, dict):
        return [*found, "arguments_not_object"]
    if tool is not None:
        found += violations(tool, arguments, padded=b"null" in raw, strict=strict)
    return found


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
