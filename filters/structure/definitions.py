"""A record's tool definitions, in any of the shapes they are written in, parsed once and kept by content."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from filters.structure import plain, safety, schemas
from filters.structure.tools import NO_TOOLS, ContentCache, PlainTool, Tool, ToolSet, canonical

CACHE_BYTES = 64 << 20
"""Definition text whose parsed form is kept, a worker. Agentic sets repeat a few hundred tool sets."""

SHALLOW = 250
"""Brackets that a text may open and still be too shallow (254 levels) for orjson to refuse to write it again."""

_LISTS = ("tools", "functions", "function_declarations", "available_tools", "api_list")
_PARAMETERS = ("parameters", "input_schema", "inputSchema", "arguments", "args", "params")


class Reader:
    """Parses definitions under a record's limits."""

    def __init__(self, *, strict: bool, max_tools: int, max_bytes: int) -> None:
        self.strict, self.max_tools, self.max_bytes = strict, max_tools, max_bytes
        self._parsed: ContentCache[ToolSet] = ContentCache(CACHE_BYTES)
        self._tool: ContentCache[Tool] = ContentCache(CACHE_BYTES // 4)
        self._whole = self._again

    def read(self, raw: bytes) -> ToolSet:
        """Definitions as JSON, in any of the shapes they are written in."""
        if len(raw) <= 4 and raw.strip() in (b"", b"[]", b"{}", b"null"):
            return NO_TOOLS
        return self._parsed.get(raw, lambda: self._parse(raw))

    def _parse(self, raw: bytes) -> ToolSet:
        if len(raw) > self.max_bytes:
            return ToolSet(problems=["tools_too_large"])
        try:
            value = _parsed(raw)
        except orjson.JSONDecodeError as error:
            return ToolSet(problems=["schema_unsafe" if "depth" in str(error) else "tools_not_json"])
        return self.from_values(value, raw)

    def from_values(self, value: Any, raw: bytes | None = None) -> ToolSet:
        """The tools that a JSON value defines. raw: the text it was parsed from, if there is one."""
        definitions = list(_definitions(value, self.max_tools + 1))
        if len(definitions) > self.max_tools:
            return ToolSet(problems=["tools_too_large"], count=len(definitions))
        raw = raw or b""
        shallow = raw and raw.count(b"{") + raw.count(b"[") <= SHALLOW
        out = ToolSet(count=len(definitions))
        for number, definition in enumerate(definitions):
            tool = self._plain(definition, raw, number) if shallow and type(definition) is dict else None
            if tool is None:
                self._add(out, definition)
            elif out.tools.setdefault(key := canonical(tool.name), tool) is not tool:
                self._declare(out, key, tool)
        return out

    def _plain(self, definition: dict[str, Any], raw: bytes, number: int) -> PlainTool | None:
        """The tool, if its schema is of the ordinary kind: nothing is compiled for it yet."""
        inner = definition.get("function")
        if type(inner) is not dict:
            inner = definition
        name = inner.get("name")
        if type(name) is not str or not name or name.isspace():
            return None
        table = plain.table(_parameters(inner), strict=self.strict)
        return None if table is None else PlainTool(name, table, self._whole, raw, number)

    def _again(self, raw: bytes, number: int) -> Tool:
        """The tool with its validator, from the text, for arguments that its table does not accept."""
        definition = list(_definitions(_parsed(raw), self.max_tools + 1))[number]
        return self._one(definition, orjson.dumps(definition))

    def _add(self, out: ToolSet, definition: Any) -> None:
        if isinstance(definition, str):
            if definition.lstrip().startswith("{"):
                inner = self.read(definition.encode("utf-8", "replace"))
                out.problems += inner.problems
                for name, tool in inner.tools.items():
                    self._declare(out, name, tool)
            elif definition.strip():
                self._declare(out, canonical(definition.strip()), Tool(definition.strip()))
            return
        try:
            key = orjson.dumps(definition)
        except (orjson.JSONEncodeError, RecursionError):
            out.problems.append("schema_unsafe")
            return
        tool = self._tool.get(key, lambda: self._one(definition, key))
        if tool.problem:
            out.problems.append(tool.problem)
        if tool.padded:
            out.problems.append("null_padding")
        if tool.name:
            self._declare(out, canonical(tool.name), tool)

    def _declare(self, out: ToolSet, key: str, tool: Tool | PlainTool) -> None:
        known = out.tools.setdefault(key, tool)
        if known is not tool and known.name == tool.name and self._differ(known.whole(), tool.whole()):
            out.problems.append("duplicate_tool")

    def _differ(self, a: Tool, b: Tool) -> bool:
        """Two of one name: in their parameters; strictly, in anything."""
        return a.raw is None or a.raw != b.raw if self.strict else a.schema != b.schema

    def _one(self, definition: Any, raw: bytes) -> Tool:
        inner = definition.get("function") if isinstance(definition, dict) else None
        inner = inner if isinstance(inner, dict) else definition
        name = inner.get("name") if isinstance(inner, dict) else None
        if not isinstance(name, str) or not name.strip():
            kind = definition.get("type") if isinstance(definition, dict) else None
            if isinstance(kind, str) and kind not in ("function", "object") and inner is definition:
                return Tool(kind, raw)  # A provider's own tool, such as web_search.
            return Tool("", raw, problem="tool_definition_invalid")
        parameters = _parameters(inner)
        if isinstance(parameters, str):
            try:
                parameters = orjson.loads(parameters)
            except orjson.JSONDecodeError:
                return Tool(name, raw, problem="tool_definition_invalid")
        padded = b"null" in raw and _padded(parameters)
        try:
            schema, fanout = schemas.prepare(parameters, raw, strict=self.strict)
            validator = None if parameters is None else schemas.compile_schema(schema)
        except safety.Unsafe:
            return Tool(name, raw, problem="schema_unsafe", padded=padded)
        except schemas.Invalid:
            return Tool(name, raw, problem="tool_definition_invalid", padded=padded)
        return Tool(name, raw, orjson.dumps(parameters), validator, fanout, padded=padded)


def _parsed(raw: bytes) -> Any:
    value = orjson.loads(raw)
    return orjson.loads(value) if isinstance(value, str) else value


def _parameters(function: dict[str, Any]) -> Any:
    for key in _PARAMETERS:
        if key in function:
            return function[key]
    return None


def _definitions(value: Any, limit: int) -> Iterator[Any]:
    """Single definitions out of whatever they are wrapped in; at most ``limit``."""
    stack, given = [value], 0
    while stack and given < limit:
        node = stack.pop()
        if isinstance(node, list):
            stack.extend(reversed(node))
            continue
        if isinstance(node, dict) and "name" not in node and not isinstance(node.get("function"), dict):
            inner = next((v for v in (_list_of(node.get(k)) for k in _LISTS) if v is not None), None)
            if inner is not None:
                stack.append(inner)
                continue
            named = _by_name(node)
            if named is not None:
                stack.extend(reversed(named))
                continue
        if node is not None and node != {}:
            given += 1
            yield node


def _list_of(value: Any) -> list[Any] | None:
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
    return value if isinstance(value, list) else None


def _by_name(node: dict[str, Any]) -> list[dict[str, Any]] | None:
    """``{"get_weather": {"description": ..., "parameters": ...}}`` as a list of definitions."""
    if "type" in node or "function" in node or not node:
        return None
    if not all(isinstance(v, dict) and ("parameters" in v or "description" in v) for v in node.values()):
        return None
    return [{"name": key, **value} for key, value in node.items()]


def _padded(parameters: Any) -> bool:
    """A property whose whole schema is null: what is left of another row's properties in a struct column."""
    properties = parameters.get("properties") if isinstance(parameters, dict) else None
    return isinstance(properties, dict) and any(v is None for v in properties.values())
