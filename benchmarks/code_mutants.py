"""Code broken on purpose: one slip of each kind a file, where it is code and no string or comment."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from filters.code.grammars import GRAMMARS, parse
from filters.code.languages import words

KEYWORDS = {
    "python": "def class return import from while elif else except with lambda yield",
    "c": "return while else for switch typedef struct static const break",
    "java": "return while else for switch public private static class import new throws extends",
    "javascript": "return function const while else for class new import export switch",
    "go": "return func for else package import struct switch range interface type",
    "rust": "return let match else for impl struct pub use while mut where",
    "ruby": "def end class module return while else unless elsif begin",
    "php": "return function foreach else class public new while private namespace use",
    "lua": "local function end return then while for do else elseif",
    "bash": "then done else elif esac case for while function",
    "sql": "SELECT FROM WHERE GROUP ORDER JOIN INSERT VALUES TABLE CREATE",
    "csharp": "return while else for switch public private static class using new namespace",
    "kotlin": "return while else for when fun class val import override",
    "scala": "while else for match def class val import object extends",
}  # fmt: skip
KEYWORDS["cpp"] = KEYWORDS["c"] + " class public template namespace"
KEYWORDS["typescript"] = KEYWORDS["javascript"] + " interface type extends"

OPERATORS = words("= + - * / % . , == != < > <= >= && || & | += -> => := :: ?")
INDENTED = ("python", "yaml")
UNBRACKETED = ("toml", "yaml")

_NO_CODE = re.compile(
    r"\"\"\".*?\"\"\"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|//[^\n]*|/\*.*?\*/|#[^\n]*|--[^\n]*|`[^`]*`|<!--.*?-->|%[^\n]*",
    re.DOTALL,
)
_TOKEN = re.compile(r"\w+|==|!=|<=|>=|&&|\|\||->|=>|:=|::|\S")


@dataclass(frozen=True)
class Text:
    """A file, and its leaves that are code: (type or text, first character, last)."""

    code: str
    leaves: list[tuple[str, int, int]]
    keywords: frozenset[str]

    def spans(self, wanted: Callable[[str], bool]) -> list[tuple[int, int]]:
        return [(a, b) for kind, a, b in self.leaves if wanted(kind)]

    def without(self, start: int, end: int, instead: str = "") -> str:
        return self.code[:start] + instead + self.code[end:]


def mutants(language: str, codes: list[str], rng: random.Random) -> dict[str, list[str]]:
    """Kind of slip -> the texts that have it; a file in which there is no place for it has none."""
    out: dict[str, list[str]] = {kind: [] for kind in SLIPS}
    keywords = frozenset(KEYWORDS.get(language, "").split())
    for code in codes:
        text = Text(code, list(_leaves(language, code)), keywords)
        for kind, slip in SLIPS.items():
            made = slip(language, text, rng)
            if made is not None and made != code:
                out[kind].append(made)
    return {kind: made for kind, made in out.items() if made}


def _leaves(language: str, code: str) -> Iterator[tuple[str, int, int]]:
    """By the grammar where there is one; else by what the rules of most languages say."""
    if language not in GRAMMARS:
        at = 0
        for outside in [*_NO_CODE.finditer(code), None]:
            end = outside.start() if outside else len(code)
            yield from ((m[0], m.start(), m.end()) for m in _TOKEN.finditer(code, at, end))
            if outside:
                at = outside.end()
                if outside[0][0] in "\"'`":
                    yield from ((outside[0][0], i, i + 1) for i in (outside.start(), at - 1))
        return
    raw = code.encode()
    tree = parse(language, raw)
    stack = [] if tree is None else [tree.root_node]
    ascii_only = len(raw) == len(code)
    while stack:
        node = stack.pop()
        stack += reversed(node.children)
        if not node.children and node.end_byte > node.start_byte:
            kind = node.type if not node.is_named else node.type + "?"
            if ascii_only:
                yield kind, node.start_byte, node.end_byte
            else:
                yield kind, len(raw[: node.start_byte].decode()), len(raw[: node.end_byte].decode())


def _bracket_less(language: str, text: Text, rng: random.Random) -> str | None:
    places = [] if language in UNBRACKETED else text.spans(_brackets(language).__contains__)
    return text.without(*rng.choice(places)) if places else None


def _bracket_more(language: str, text: Text, rng: random.Random) -> str | None:
    brackets = _brackets(language)
    places = text.spans(brackets.__contains__)
    if not places:
        return None
    _, at = rng.choice(places)
    return text.without(at, at, rng.choice(sorted(brackets)))


def _brackets(language: str) -> frozenset[str]:
    return frozenset("<>" if language in ("html", "xml") else "()[]{}")


def _quote_less(language: str, text: Text, rng: random.Random) -> str | None:
    places = text.spans(lambda kind: kind.strip("?") in ('"', "'", "`", "string_start", "string_end"))
    if not places:
        return None
    _, end = rng.choice(places)
    return text.without(end - 1, end)


def _words(text: Text) -> list[tuple[int, int]]:
    return [(a, b) for kind, a, b in text.leaves if text.code[a:b] in text.keywords and not kind.endswith("?")]


def _keyword_swapped(language: str, text: Text, rng: random.Random) -> str | None:
    places = [(a, b) for a, b in _words(text) if b - a > 2]
    if not places:
        return None
    start, end = rng.choice(places)
    i = start + rng.randrange(end - start - 1)
    return text.without(i, i + 2, text.code[i + 1] + text.code[i])


def _keyword_less(language: str, text: Text, rng: random.Random) -> str | None:
    places = _words(text)
    return text.without(*rng.choice(places)) if places else None


def _operator_doubled(language: str, text: Text, rng: random.Random) -> str | None:
    places = text.spans(OPERATORS.__contains__)
    if not places:
        return None
    start, end = rng.choice(places)
    return text.without(end, end, " " + text.code[start:end])


def _colon_less(language: str, text: Text, rng: random.Random) -> str | None:
    places = text.spans(lambda kind: kind == ":")
    return text.without(*rng.choice(places)) if places else None


def _indented(language: str, text: Text, rng: random.Random) -> str | None:
    lines = text.code.split("\n")
    inner = [n for n, line in enumerate(lines) if line[:1] == " " and line.strip()]
    if language not in INDENTED or not inner:
        return None
    n = rng.choice(inner)
    lines[n] = rng.choice([lines[n][1:], " " + lines[n], lines[n].lstrip()])
    return "\n".join(lines)


def _line_less(language: str, text: Text, rng: random.Random) -> str | None:
    return _line(text, rng, 0)


def _line_doubled(language: str, text: Text, rng: random.Random) -> str | None:
    return _line(text, rng, 2)


def _line(text: Text, rng: random.Random, times: int) -> str | None:
    lines = text.code.split("\n")
    told = [n for n, line in enumerate(lines) if line.strip()]
    n = rng.choice(told)
    return "\n".join([*lines[:n], *[lines[n]] * times, *lines[n + 1 :]])


CERTAIN = ("bracket_less", "bracket_more")
"""Slips that are errors nearly always, for languages without a tool that says so."""

SLIPS: dict[str, Callable[[str, Text, random.Random], str | None]] = {
    "bracket_less": _bracket_less, "bracket_more": _bracket_more, "quote_less": _quote_less, "keyword_swapped": _keyword_swapped,
    "keyword_less": _keyword_less, "operator_doubled": _operator_doubled, "colon_less": _colon_less, "indented": _indented,
    "line_less": _line_less, "line_doubled": _line_doubled,
}  # fmt: skip
