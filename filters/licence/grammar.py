"""Names joined by AND, OR, commas, slashes and parentheses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from filters.licence.names import tidy

MARK = re.compile(r"\s*([()]|[,;|&/]|\band/or\b|\bAND\b|\bOR\b)\s*", re.IGNORECASE)
MOST_DEEP = 10
"""Parentheses in parentheses."""


def marks(text: str) -> Iterator[str]:
    """Names, and between them ``(``, ``)``, ``AND``, ``OR`` and ``,`` for everything that only lists."""
    at = 0
    text = tidy(text)
    for found in MARK.finditer(text):
        if found.group(1) == "/" and "://" in text[found.start() : found.end() + 2]:
            continue
        if name := text[at : found.start()].strip():
            yield name
        mark = found.group(1).upper()
        yield {"&": "AND", ";": ",", "|": ",", "/": ",", "AND/OR": ","}.get(mark, mark)
        at = found.end()
    if name := text[at:].strip():
        yield name


class Parser:
    """Commas bind least, then OR, then AND, as in SPDX and in Debian's copyright files. None wherever it is no expression."""

    def __init__(self, marks: list[str], joint: str, atom: Callable[[str], str | None]) -> None:
        self.marks, self.joint, self.atom, self.at = marks, joint, atom, 0

    def parsed(self) -> str | None:
        made = self._listed(0)
        return made if self.at == len(self.marks) else None

    def _peek(self) -> str:
        return self.marks[self.at] if self.at < len(self.marks) else ""

    def _listed(self, depth: int) -> str | None:
        made = self._level("OR", depth)
        while made is not None and self._peek() == ",":
            self.at += 1
            joint = self.joint
            if self._peek() in ("AND", "OR"):
                joint = self._peek()
                self.at += 1
            other = self._level("OR", depth)
            made = None if other is None else f"({made}) {joint} ({other})"
        return made

    def _level(self, operator: str, depth: int) -> str | None:
        below = self._one if operator == "AND" else self._both
        parts = [below(depth)]
        while parts[-1] is not None and self._peek() == operator:
            self.at += 1
            parts.append(below(depth))
        return None if None in parts else f" {operator} ".join(f"({p})" for p in parts)

    def _both(self, depth: int) -> str | None:
        return self._level("AND", depth)

    def _one(self, depth: int) -> str | None:
        mark = self._peek()
        self.at += 1
        if mark == "(" and depth < MOST_DEEP:
            made = self._listed(depth + 1)
            closed = self._peek() == ")"
            self.at += 1
            return made if closed else None
        return None if not mark or mark in ("AND", "OR", ",", "(", ")") else self.atom(mark)
