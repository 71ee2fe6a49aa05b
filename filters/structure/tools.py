"""Tools as calls see them: by name, with a way to check arguments."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
import orjson

from filters.structure.plain import Object

NAME_LIMIT = 64
"""Providers cut function names to 64 characters."""

_PUNCTUATION = re.compile(r"\W")

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
    if name.isascii() and name.isidentifier():
        return name[:NAME_LIMIT]
    return _PUNCTUATION.sub("_", name)[:NAME_LIMIT]


@dataclass(slots=True)
class Tool:
    """One tool. problem: the code of what is wrong with its definition. padded: it has properties that are null.

    raw, schema: the definition and its parameters as JSON text, kept to tell two tools of one name apart. (As objects they
    would be kept from tool to tool for the garbage collector to walk.) validator: the compiled schema; None when only the
    name is known, or the schema unusable. fanout: references it follows for one value.
    """

    name: str
    raw: bytes | None = None
    schema: bytes | None = None
    validator: Any = None
    fanout: int = 0
    problem: str | None = None
    padded: bool = False

    @staticmethod
    def accepts(_arguments: dict[str, Any]) -> bool:
        """Whether arguments are known to be valid without asking the validator. False says nothing."""
        return False

    def whole(self) -> Tool:
        """Itself, with everything about it."""
        return self


class PlainTool(msgspec.Struct):
    """A tool whose schema is a table; all else about it is made only when it is asked for, out of the text it stands in.

    make: the tool of this number in a text of definitions.
    """

    name: str
    table: Object
    make: Callable[[bytes, int], Tool]
    text: bytes
    number: int
    made: Tool | None = None
    problem: ClassVar[None] = None
    padded: ClassVar[bool] = False

    def accepts(self, arguments: dict[str, Any]) -> bool:
        return self.table.accepts(arguments)

    def whole(self) -> Tool:
        if self.made is None:
            self.made = self.make(self.text, self.number)
        return self.made


@dataclass
class ToolSet:
    """Tools of one text, by canonical name. problems: codes of what is wrong with the definitions themselves."""

    tools: dict[str, Tool | PlainTool] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    count: int = 0

    def find(self, name: str) -> Tool | PlainTool | None:
        # A name that is a key is canonical, so it would be found under itself.
        found = self.tools.get(name) or self.tools.get(canonical(name))
        if found is None and "." in name:
            # Harmony calls its tools functions.NAME.
            space, _, bare = name.partition(".")
            found = self.tools.get(canonical(bare)) if space in ("functions", "tools") else None
        return found

    def merged(self, other: ToolSet) -> ToolSet:
        return ToolSet({**other.tools, **self.tools}, self.problems + other.problems, self.count + other.count)


NO_TOOLS = ToolSet()


def loads(raw: bytes | memoryview) -> Any:
    """JSON as in RFC 8259, but half a surrogate pair in a string is let through. Raises ValueError."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return json.loads(bytes(raw), parse_constant=_no_constant)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def names_only(names: Iterable[str]) -> ToolSet:
    tools: dict[str, Tool | PlainTool] = {canonical(n): Tool(n) for n in names}
    return ToolSet(tools, count=len(tools))
