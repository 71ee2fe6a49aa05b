"""Where a hit in JSON stands: in a string value of natural text, in a value by itself, or in a key."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

import orjson

_STRING = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_KEY = re.compile(rb"\s*:")


@dataclass(frozen=True)
class Value:
    """A string value. alone: it is one word, or one token. Made once a string, since a long one may have a hit in every line."""

    text: str
    alone: bool

    @classmethod
    def of(cls, raw: bytes) -> Value:
        text = raw.decode("utf-8", "replace")
        return cls(text, " " not in text.strip())


class Strings:
    """The strings of one JSON text."""

    def __init__(self, raw: bytes) -> None:
        found = [(m.start(1), m.end(1), _KEY.match(raw, m.end()) is not None) for m in _STRING.finditer(raw)]
        self._raw, self._found = raw, found
        self._starts = [start for start, _, _ in found]
        self._values: dict[int, Value] = {}

    def value(self, at: int) -> Value | None:
        """The string value around a byte; None in a key, or outside any string."""
        i = bisect_right(self._starts, at) - 1
        if i < 0 or at >= self._found[i][1] or self._found[i][2]:
            return None
        if i not in self._values:
            start, end, _ = self._found[i]
            self._values[i] = Value.of(self._raw[start:end])
        return self._values[i]


def is_json(raw: bytes) -> bool:
    ends = raw.strip()
    return len(ends) > 1 and ends[:1] + ends[-1:] in (b"{}", b"[]")


def fixed(definitions: list[bytes]) -> frozenset[str]:
    """Values that the declared tools name one by one (enum, const): no call may have another in their place."""
    found: set[str] = set()
    for raw in definitions:
        try:
            waiting: list[Any] = [orjson.loads(raw)]
        except orjson.JSONDecodeError:
            continue
        while waiting:
            value = waiting.pop()
            if isinstance(value, list):
                waiting += value
            elif isinstance(value, dict):
                told = value.get("enum")
                found.update(
                    v for v in (*(told if isinstance(told, list) else ()), value.get("const")) if isinstance(v, str)
                )
                waiting += value.values()
    return frozenset(found)
