"""Reasoning and calls written inside a message's text: ``<think>``, harmony channels, ShareGPT's function calls.

Well-formed markup becomes segments of its own (the tags themselves belong to none). Malformed markup stays in the content,
where the structure filter finds it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from filters.batch import CONTENT, REASONING, TOOL_CALL
from pipelines.schemas.arrays import Text

REASONING_TAGS = {
    **{b"<%s>" % name: b"</%s>" % name for name in (b"think", b"thinking", b"thought", b"reasoning", b"seed:think", b"mm:think")},
    b"<|begin_of_thought|>": b"<|end_of_thought|>",
    b"<|begin_think|>": b"<|end_think|>",
    b"<|think_start|>": b"<|think_end|>",
    b"<|think|>": b"<|/think|>",
    b"<|START_THINKING|>": b"<|END_THINKING|>",
    b"[THINK]": b"[/THINK]",
    "◁think▷".encode(): "◁/think▷".encode(),
}  # fmt: skip
"""What opens reasoning at the start of a turn, and what closes it: DeepSeek, Qwen, Seed, MiniMax, OpenThoughts, Solar, Command,
Magistral, Kimi and others."""
ANSWER_TAGS = {b"<|begin_of_solution|>": b"<|end_of_solution|>", b"<|START_RESPONSE|>": b"<|END_RESPONSE|>"}
"""What some of them put around the answer as well."""

_REASONING = re.compile(rb"\s*(" + b"|".join(map(re.escape, REASONING_TAGS)) + rb")")
_ANSWER = re.compile(rb"\s*(" + b"|".join(map(re.escape, ANSWER_TAGS)) + rb")")
HARMONY = re.compile(
    rb"<\|channel\|>(analysis|commentary|final)([^<]{0,200}?)(?:<\|constrain\|>\w+)?<\|message\|>(.*?)"
    rb"(?=<\|(?:end|call|return|start)\|>|\Z)",
    re.DOTALL,
)
_CHANNEL = re.compile(rb"<\|channel\|>")
_FIRST_BYTES = np.zeros(256, bool)
_FIRST_BYTES[[*b" \t\n\r\f\v", *(tag[0] for tag in REASONING_TAGS)]] = True
"""Bytes that a text which opens with reasoning can begin with."""


@dataclass(frozen=True)
class Piece:
    """Ranges of elements of one string array; columns aligned. names: the tool called, where one is."""

    element: np.ndarray
    start: np.ndarray
    end: np.ndarray
    channel: np.ndarray
    order: np.ndarray
    names: pa.Array | None = None


def pieces(text: Text, assistant: np.ndarray, call: np.ndarray) -> Iterator[Piece]:
    """All non-null elements: untouched ones whole, an assistant's markup split, call turns reduced to their arguments."""
    whole = ~text.null & ~call
    marked = _with_markup(text, whole & assistant)
    rows: list[tuple[int, int, int, int, int, str | None]] = []
    for e in marked:
        split = _split(text.data[text.starts[e] : text.ends[e]].tobytes())
        if split:
            whole[e] = False
            base = int(text.starts[e])
            rows += [(int(e), base + s, base + t, channel, i, name) for i, (channel, s, t, name) in enumerate(split)]
    if rows:
        yield _piece(rows)
    elements = np.flatnonzero(whole)
    ones = np.ones(len(elements), np.int64)
    yield Piece(elements, text.starts[elements], text.ends[elements], ones * CONTENT, ones)
    yield from call_pieces(text, np.flatnonzero(call & ~text.null))


def call_pieces(text: Text, elements: np.ndarray) -> Iterator[Piece]:
    """Elements that are calls as JSON, ``{"name", "arguments"}`` or a list of them: the arguments of each.

    What does not parse is one segment, whole and nameless.
    """
    rows: list[tuple[int, int, int, int, int, str | None]] = []
    for e in elements:
        base = int(text.starts[e])
        raw = text.data[base : text.ends[e]].tobytes()
        calls = find_calls(raw.decode("utf-8"))
        if not calls:
            rows.append((int(e), base, int(text.ends[e]), TOOL_CALL, 2, None))
        for i, (name, start, end) in enumerate(calls):
            rows.append((int(e), base + start, base + end, TOOL_CALL, 2 + i, name))
    if rows:
        yield _piece(rows)


def find_calls(text: str) -> list[tuple[str, int, int]]:
    """(name, start, end) of each call's arguments, in bytes; empty when this is not calls as JSON."""
    try:
        at = _skip(text, 0)
        found, at = _calls_at(text, at)
    except (ValueError, IndexError, RecursionError):
        return []
    if _skip(text, at) != len(text):
        return []
    if text.isascii():
        return found
    return [(name, len(text[:s].encode()), len(text[:e].encode())) for name, s, e in found]


_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")


def _calls_at(text: str, at: int) -> tuple[list[tuple[str, int, int]], int]:
    if text[at] != "[":
        call, at = _call_at(text, at)
        return [call], at
    found = []
    at = _skip(text, at + 1)
    while text[at] != "]":
        call, at = _call_at(text, at)
        found.append(call)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found, at + 1


def _call_at(text: str, at: int) -> tuple[tuple[str, int, int], int]:
    members, end = _members(text, at)
    if "function" in members and members["function"][0] == "{":
        inner, _ = _members(text, members["function"][1])
        members |= inner
    _, start, stop = members.get("arguments") or members.get("parameters") or ("", end, end)
    name = _DECODER.raw_decode(text, members["name"][1])[0] if "name" in members else None
    if not isinstance(name, str):
        raise ValueError("a call without a name")
    return (name, start, stop), end


def _members(text: str, at: int) -> tuple[dict[str, tuple[str, int, int]], int]:
    """Members of the object at ``at``: key -> (first character, start, end) of its value."""
    if text[at] != "{":
        raise ValueError("not an object")
    members: dict[str, tuple[str, int, int]] = {}
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at] != ":" or not isinstance(key, str):
            raise ValueError("not an object")
        start = _skip(text, at + 1)
        _, at = _DECODER.raw_decode(text, start)
        members[key] = (text[start], start, at)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
        elif text[at] != "}":
            raise ValueError("not an object")
    return members, at + 1


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _with_markup(text: Text, wanted: np.ndarray) -> np.ndarray:
    """Wanted elements that may open with reasoning, or have a channel anywhere (``re`` reads the buffer in place)."""
    elements = np.flatnonzero(wanted & (text.ends > text.starts))
    if not len(elements):
        return elements
    opens = _FIRST_BYTES[text.data[text.starts[elements]]]
    low, high = int(text.starts[elements].min()), int(text.ends[elements].max())
    hits = np.fromiter((low + m.start() for m in _CHANNEL.finditer(text.data[low:high].data)), np.int64)
    at = np.searchsorted(text.starts[elements], hits, side="right") - 1
    opens[at[at >= 0]] = True
    return elements[opens]


def _split(raw: bytes) -> list[tuple[int, int, int, str | None]]:
    """(channel, start, end, tool name) of the parts of one assistant text; empty when it has no well-formed markup."""
    if opened := _REASONING.match(raw):
        close = REASONING_TAGS[opened.group(1)]
        end = raw.find(close, opened.end())
        if end >= 0:
            return [(REASONING, opened.end(), end, None), (CONTENT, *_answer(raw, end + len(close)), None)]
    return _channels(raw)


def _answer(raw: bytes, start: int) -> tuple[int, int]:
    """The answer after the reasoning, without tags around all of it."""
    if opened := _ANSWER.match(raw, start):
        close = ANSWER_TAGS[opened.group(1)]
        end = raw.find(close, opened.end())
        if end >= 0 and not raw[end + len(close) :].strip():
            return opened.end(), end
    return start, len(raw)


def _channels(raw: bytes) -> list[tuple[int, int, int, str | None]]:
    """Harmony."""
    found: list[tuple[int, int, int, str | None]] = []
    at = 0
    for match in HARMONY.finditer(raw):
        _between(found, raw, at, match.start())
        at = match.end()
        channel, header = match.group(1), match.group(2)
        to = re.search(rb"to=(?:functions\.)?([\w.\-]+)", header) or re.search(
            rb"to=(?:functions\.)?([\w.\-]+)\s*$", raw[max(0, match.start() - 100) : match.start()]
        )
        kind = TOOL_CALL if to else (CONTENT if channel == b"final" else REASONING)
        found.append((kind, match.start(3), match.end(3), to.group(1).decode() if to else None))
    if found:
        _between(found, raw, at, len(raw))
    return found


_TOKENS = re.compile(rb"(?:\s|<\|(?:start|end|call|return)\|>(?:assistant)?)*")


def _between(found: list[tuple[int, int, int, str | None]], raw: bytes, start: int, end: int) -> None:
    """Text outside of every channel is content: nobody may be able to hide it from a scan."""
    opening = _TOKENS.match(raw, start, end)
    start = opening.end() if opening else start
    if start < end:
        found.append((CONTENT, start, end, None))


def _piece(rows: list[tuple[int, int, int, int, int, str | None]]) -> Piece:
    element, start, end, channel, order, names = zip(*rows, strict=True)
    columns = [np.array(c, np.int64) for c in (element, start, end, channel, order)]
    e, s, t, c, o = columns
    return Piece(e, s, t, c, o, pa.array(names, pa.string()))
