"""Where code stands: fenced blocks of answers, and arguments of calls that hold code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from filters.batch import ASSISTANT, CONTENT, TOOL_CALL, Batch
from filters.code import languages

_TICKS, _TILDES = re.compile(rb"```"), re.compile(rb"~~~")
_FENCE = re.compile(
    rb"^(?P<lead>[ \t]*(?:(?:[-*+]|\d{1,3}[.)]|>)[ \t]+)*>?[ \t]*)(?P<mark>`{3,}|~{3,})(?P<info>[^\n]*)$", re.MULTILINE
)

ARGUMENTS = {
    "code": "", "source_code": "", "script": "", "python_code": "python", "python": "python", "sql": "sql", "sql_query": "sql",
    "bash_command": "bash", "shell_command": "bash", "javascript": "javascript", "js_code": "javascript", "html": "html",
}  # fmt: skip
"""Arguments of calls that hold code -> its language; "" where another argument or the tool's name says it."""

TOOLS = {
    "python": "python",
    "code_interpreter": "python",
    "ipython": "python",
    "jupyter": "python",
    "bash": "bash",
    "shell": "bash",
}
"""Tools whose code is in one language; the name is looked for at the start or end of the tool's."""

_LANGUAGE_KEYS = ("language", "lang", "programming_language")


@dataclass(frozen=True)
class Block:
    """A block as it is parsed. start/end: its bytes in the segment. name: as declared, in lower case, None if not.

    code: its text without the indentation or quote marks of the fence. exact: whether byte n of it is byte start + n.
    closed: whether the fence that opened it was closed.
    """

    segment: int
    start: int
    end: int
    name: str | None
    code: bytes
    exact: bool = True
    closed: bool = True

    @property
    def language(self) -> str | None:
        """The language, "" for one that nothing here parses, None where there is no telling."""
        if self.name is None:
            return languages.detected(self.code)
        return languages.ALIASES.get(self.name, "")

    def line(self, at: int) -> tuple[int, int]:
        """Where the line of byte ``at`` of the code stands in the segment; the whole block where that is not known."""
        if not self.exact:
            return self.start, self.end
        low = self.code.rfind(b"\n", 0, min(at, len(self.code))) + 1
        high = self.code.find(b"\n", low)
        return self.start + low, self.start + (high if high >= 0 else len(self.code))


def blocks(batch: Batch, channels: tuple[int, ...]) -> Iterator[Block]:
    """Every block of code of the assistant, in the order of the segments."""
    calls = TOOL_CALL in channels
    fenced = set(_with_fences(batch).tolist()) if CONTENT in channels else set()
    wanted = batch.segments.where(channels=(TOOL_CALL,), roles=(ASSISTANT,)).tolist() if calls else []
    for segment in sorted({*fenced, *wanted}):
        yield from (_fences if segment in fenced else _arguments)(batch, segment)


def _with_fences(batch: Batch) -> np.ndarray:
    """Assistant segments that hold a fence: looked for in whole buffers, which is some ten times as fast as text by text."""
    segments = batch.segments
    chosen = segments.where(channels=(CONTENT,), roles=(ASSISTANT,))
    found = np.zeros(len(segments), bool)
    for number, buffer in enumerate(segments.buffers):
        here = chosen[segments.buffer[chosen] == number]
        if not len(here):
            continue
        here = here[np.argsort(segments.start[here], kind="stable")]
        low = int(segments.start[here[0]])
        text: Any = buffer[low : int(segments.end[here].max())].data
        places = np.array([low + m.start() for mark in (_TICKS, _TILDES) for m in mark.finditer(text)], np.int64)
        at = np.searchsorted(segments.start[here], places, side="right") - 1
        inside = (at >= 0) & (places < segments.end[here[np.maximum(at, 0)]])
        found[here[at[inside]]] = True
    return np.flatnonzero(found)


def _fences(batch: Batch, segment: int) -> Iterator[Block]:
    raw = batch.segments.bytes(segment)
    opened: re.Match[bytes] | None = None
    for match in _FENCE.finditer(raw):
        if opened is None:
            # Backticks after backticks are code in a line of text, not a fence.
            if not (match["mark"].startswith(b"`") and b"`" in match["info"]):
                opened = match
        elif (
            match["mark"][:1] == opened["mark"][:1]
            and len(match["mark"]) >= len(opened["mark"])
            and not match["info"].strip()
        ):
            yield _block(segment, raw, opened, match.start(), closed=True)
            opened = None
    if opened is not None:
        yield _block(segment, raw, opened, len(raw), closed=False)


def _block(segment: int, raw: bytes, opened: re.Match[bytes], end: int, *, closed: bool) -> Block:
    start = min(opened.end() + 1, end)
    code, lead = raw[start:end], opened["lead"]
    name = languages.declared(opened["info"].decode("utf-8", "replace"))
    if b"\r" in code:
        code = code.replace(b"\r\n", b"\n")
    if lead:
        code = _outdented(code, lead)
    return Block(segment, start, end, name, code, exact=len(code) == end - start, closed=closed)


def _outdented(code: bytes, lead: bytes) -> bytes:
    """Lines without the indentation of their fence (or without its quote mark), as CommonMark takes them."""
    if b">" in lead:
        return re.sub(rb"(?m)^[ \t]*>[ \t]?", b"", code)
    return re.sub(rb"(?m)^[ \t]{1,%d}" % len(lead), b"", code)


def _arguments(batch: Batch, segment: int) -> Iterator[Block]:
    """Code in the arguments of a call. Its places are not kept through JSON's escapes: evidence shows the whole call."""
    raw = batch.segments.bytes(segment)
    if raw[:1] != b"{" or len(raw) > 1 << 26:
        return
    try:
        given = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return
    tool = (batch.segments.names[segment].as_py() or "").lower()
    for key, value in given.items():
        name = _argument_language(key, given, tool)
        if name is not None and isinstance(value, str) and value.strip():
            yield Block(segment, 0, len(raw), name or None, value.encode("utf-8", "surrogatepass"), exact=False)


def _argument_language(key: str, given: dict[str, Any], tool: str) -> str | None:
    """The language of one argument; "" if it is code of no known one; None if it is no code."""
    known = ARGUMENTS.get(key.lower())
    if known:
        return known
    own = next(
        (
            language
            for name, language in TOOLS.items()
            if tool == name or re.search(rf"^{name}_|_{name}$|\.{name}$", tool)
        ),
        "",
    )
    if key.lower() == "command" and own == "bash":
        return own
    if known is None:
        return None
    said = next((given[k] for k in _LANGUAGE_KEYS if isinstance(given.get(k), str)), "")
    return languages.declared(said) or own
