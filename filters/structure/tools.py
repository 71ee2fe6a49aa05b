"""A record's tool definitions, parsed once and kept by content."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import orjson

from filters.structure import safety, schemas

CACHE_BYTES = 64 << 20
"""Definition text whose parsed form is kept, a worker. Agentic sets repeat a few hundred tool sets."""

NAME_LIMIT = 64
"""Providers cut function names to 64 characters."""

_PUNCTUATION = re.compile(r"\W")
_LISTS = ("tools", "functions", "function_declarations", "available_tools", "api_list")
_PARAMETERS = ("parameters", "input_schema", "inputSchema", "arguments", "args", "params")

T = TypeVar("T")


class ContentCache(Generic[T]):
    """Values by the bytes they were made from, dropping the oldest when their text passes a limit.

    What is cached depends on the content alone, so a hit and a miss give the same verdict.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._size = limit, 0
        self._values: dict[bytes, T] = {}

    def get(self, key: bytes, make: Callable[[], T]) -> T:
        value = self._values.get(key)
        if value is None:
            value = make()
            if len(key) * 8 <= self._limit:
                self._values[key] = value
                self._size += len(key) + 200
                while self._size > self._limit:
                    oldest = next(iter(self._values))
                    del self._values[oldest]
                    self._size -= len(oldest) + 200
        return value

    def __len__(self) -> int:
        return len(self._values)


def canonical(name: str) -> str:
    """The name with every mark that is not a letter, digit or underscore as ``_``: providers turn ``a.b`` into ``a_b``."""
    return _PUNCTUATION.sub("_", name)[:NAME_LIMIT]


@dataclass(frozen=True)
class Tool:
    """validator: None when only the name is known, or the schema unusable; problem is then its code.

    schema: its parameters as JSON text, kept to tell two tools of one name apart. (As an object it would be kept from
    tool to tool for the garbage collector to walk.)
    """

    name: str
    schema: bytes | None = None
    validator: Any = None
    fanout: int = 0
    problem: str | None = None
    padded: bool = False


@dataclass
class ToolSet:
    """Tools of one text, by canonical name. problems: codes of what is wrong with the definitions themselves."""

    tools: dict[str, Tool] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    count: int = 0

    def find(self, name: str) -> Tool | None:
        found = self.tools.get(canonical(name))
        if found is None and "." in name:
            # Harmony calls its tools functions.NAME.
            space, _, bare = name.partition(".")
            found = self.tools.get(canonical(bare)) if space in ("functions", "tools") else None
        return found

    def merged(self, other: ToolSet) -> ToolSet:
        return ToolSet({**other.tools, **self.tools}, self.problems + other.problems, self.count + other.count)


NO_TOOLS = ToolSet()


class Reader:
    """Parses definitions under a record's limits."""

    def __init__(self, *, strict: bool, max_tools: int, max_bytes: int) -> None:
        self.strict, self.max_tools, self.max_bytes = strict, max_tools, max_bytes
        self._parsed: ContentCache[ToolSet] = ContentCache(CACHE_BYTES)
        self._tool: ContentCache[Tool] = ContentCache(CACHE_BYTES // 4)

    def read(self, raw: bytes) -> ToolSet:
        """Definitions as JSON, in any of the shapes they are written in."""
        if len(raw) <= 4 and raw.strip() in (b"", b"[]", b"{}", b"null"):
            return NO_TOOLS
        return self._parsed.get(raw, lambda: self._parse(raw))

    def _parse(self, raw: bytes) -> ToolSet:
        if len(raw) > self.max_bytes:
            return ToolSet(problems=["tools_too_large"])
        try:
            value = orjson.loads(raw)
            if isinstance(value, str):
                value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            return ToolSet(problems=["schema_unsafe" if "depth" in str(error) else "tools_not_json"])
        return self.from_values(value)

    def from_values(self, value: Any) -> ToolSet:
        definitions = list(_definitions(value, self.max_tools + 1))
        if len(definitions) > self.max_tools:
            return ToolSet(problems=["tools_too_large"], count=len(definitions))
        out = ToolSet(count=len(definitions))
        for definition in definitions:
            self._add(out, definition)
        return out

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

    def _declare(self, out: ToolSet, key: str, tool: Tool) -> None:
        known = out.tools.setdefault(key, tool)
        if known is not tool and (self.strict or known.schema != tool.schema) and known.name == tool.name:
            out.problems.append("duplicate_tool")

    def _one(self, definition: Any, raw: bytes) -> Tool:
        inner = definition.get("function") if isinstance(definition, dict) else None
        inner = inner if isinstance(inner, dict) else definition
        name = inner.get("name") if isinstance(inner, dict) else None
        if not isinstance(name, str) or not name.strip():
            kind = definition.get("type") if isinstance(definition, dict) else None
            if isinstance(kind, str) and kind not in ("function", "object") and inner is definition:
                return Tool(kind)  # A provider's own tool, such as web_search.
            return Tool("", problem="tool_definition_invalid")
        parameters = next((inner[k] for k in _PARAMETERS if k in inner), None)
        if isinstance(parameters, str):
            try:
                parameters = orjson.loads(parameters)
            except orjson.JSONDecodeError:
                return Tool(name, problem="tool_definition_invalid")
        padded = b"null" in raw and _padded(parameters)
        try:
            schema, fanout = schemas.prepare(parameters, raw, strict=self.strict)
            validator = None if parameters is None else schemas.compile_schema(schema)
        except safety.Unsafe:
            return Tool(name, problem="schema_unsafe", padded=padded)
        except schemas.Invalid:
            return Tool(name, problem="tool_definition_invalid", padded=padded)
        return Tool(name, orjson.dumps(parameters), validator, fanout, padded=padded)


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


def loads(raw: bytes | memoryview) -> Any:
    """JSON as in RFC 8259, but half a surrogate pair in a string is let through. Raises ValueError."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return json.loads(bytes(raw), parse_constant=_no_constant)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def names_only(names: Iterable[str]) -> ToolSet:
    tools = {canonical(n): Tool(n) for n in names}
    return ToolSet(tools, count=len(tools))
