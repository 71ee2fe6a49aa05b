"""Reasoning tags, call markup and template tokens that were left in the assistant's text.

Well-formed reasoning at the start of a turn has become a segment of its own before filters see it; what is judged here is
the rest. A tag in a code span or in quotes is a mention, and a tag that the prompt itself speaks of is the record's own
format as long as it is balanced.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import orjson

from filters.batch import ASSISTANT, CONTENT, REASONING, SYSTEM, USER, Batch
from filters.structure import dialect
from filters.structure.bytescan import BOXED, CALL, FENCE, PARTS, TEMPLATE, THINK
from filters.structure.findings import Findings

_NAMES = rb"think(?:ing)?|thoughts?|reasoning|scratchpad|inner_monologue|antthinking|seed:think|mm:think"
_THINK = re.compile(
    rb"<(?P<o1>" + _NAMES + rb")>|</(?P<c1>" + _NAMES + rb")>"
    rb"|<\|(?:begin_of_thought|begin_think|start_thinking|think_start|think|thinking)\|>(?P<o2>)"
    rb"|<\|(?:end_of_thought|end_think|end_thinking|think_end|/think|/thinking)\|>(?P<c2>)"
    rb"|\[think\](?P<o3>)|\[/think\](?P<c3>)"
    rb"|\xe2\x97\x81think\xe2\x96\xb7(?P<o4>)|\xe2\x97\x81/think\xe2\x96\xb7(?P<c4>)"
    rb"|<\|channel\|>analysis(?P<o5>)",
    re.IGNORECASE,
)
_CALL = re.compile(
    rb"</?(?:tool_calls?|function_calls?|functioncall|toolcall|tool_use|tool_code|start_function_call|action_call)>"
    rb"|<function=[\w.\-]{1,64}>|\[tool_calls\]|<\|python_tag\|>|<\|tool_calls?[\w]{0,20}\|>|<invoke name="
    rb"|<\xef\xbd\x9ctool|<\|tool\xe2\x96\x81calls?|<\|channel\|>commentary|to=functions\.\w",
    re.IGNORECASE,
)
_TEMPLATE = re.compile(
    rb"<\|(?:im_start|im_end|eot_id|start_header_id|end_header_id|begin_of_text|end_of_text|endoftext|assistant|user|system"
    rb"|end|start|message|return|channel|start_of_role|turn_end)\|>|\[/?INST\]|<<SYS>>|<(?:start|end)_of_turn>"
    rb"|<\xef\xbd\x9c(?:User|Assistant|end\xe2\x96\x81of\xe2\x96\x81sentence|begin\xe2\x96\x81of\xe2\x96\x81sentence)"
    rb"\xef\xbd\x9c>|<SPECIAL_\d+>"
)
_CODE = re.compile(rb"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]{1,200}`", re.DOTALL)
_QUOTES = {b'"': b'"', b"'": b"'", b"\xe2\x80\x9c": b"\xe2\x80\x9d", b"\xe2\x80\x98": b"\xe2\x80\x99"}
_PARTS = re.compile(
    rb"""\A\s*\[\{["']type["']: ?["'](?:text|image_url|input_text|output_text|tool_use|tool_result)["']"""
)
SPANS = 20

Spans = tuple[list[int], list[int]]
"""Starts and ends, sorted."""


class Prompt:
    """What the instructions of each record speak of: flags of its system and user texts together."""

    def __init__(self, batch: Batch, flags: np.ndarray) -> None:
        segments = batch.segments
        asked = np.flatnonzero(
            (flags & (THINK | CALL | TEMPLATE | BOXED) > 0)
            & (segments.channel == CONTENT)
            & ((segments.role == SYSTEM) | (segments.role == USER))
        )
        self.flags = np.zeros(len(batch), np.int32)
        np.bitwise_or.at(self.flags, segments.record[asked], flags[asked])

    def sets_call_dialect(self, record: int) -> bool:
        return bool(self.flags[record] & CALL)

    def speaks_of(self, record: int, flag: int) -> bool:
        return bool(self.flags[record] & flag)


@dataclass(frozen=True)
class Tag:
    start: int
    end: int
    opens: bool


def check(batch: Batch, flags: np.ndarray, prompt: Prompt, findings: Findings, *, strict: bool) -> None:
    """All assistant texts of the batch that have a flag for it."""
    segments = batch.segments
    suspicious = np.flatnonzero(
        (flags & (THINK | CALL | TEMPLATE | PARTS) > 0)
        & ((segments.role == ASSISTANT) | (flags & PARTS > 0))
        & ((segments.channel == CONTENT) | (segments.channel == REASONING))
    )
    for segment in suspicious.tolist():
        flag, raw = int(flags[segment]), segments.bytes(segment)
        record, reasoning = int(segments.record[segment]), segments.channel[segment] == REASONING
        if flag & PARTS and _PARTS.match(raw):
            findings.span("content_not_text", batch, segment, 0, min(len(raw), 80))
        if segments.role[segment] != ASSISTANT:
            continue
        code = _code_spans(raw) if flag & FENCE or b"`" in raw else ([], [])
        if flag & THINK:
            tags = [t for t in _think_tags(raw) if not _is_mention(raw, t.start, t.end, code)]
            _think(batch, findings, segment, raw, tags, told=prompt.speaks_of(record, THINK), reasoning=reasoning)
        if flag & CALL:
            _calls(batch, findings, segment, raw, code, told=prompt.speaks_of(record, CALL), reasoning=reasoning)
        if flag & TEMPLATE and not (prompt.speaks_of(record, TEMPLATE) and not strict):
            for start, end in _places(_TEMPLATE, raw, code):
                findings.span("template_tokens", batch, segment, start, end)


def check_bare_calls(batch: Batch, records: np.ndarray, findings: Findings) -> None:
    """In records that define tools: an answer that is nothing but a call as JSON, outside ``tool_calls``."""
    segments = batch.segments
    for record in records.tolist():
        for segment in range(int(batch.record_start[record]), int(batch.record_start[record + 1])):
            if segments.channel[segment] != CONTENT or segments.role[segment] != ASSISTANT:
                continue
            head = segments.buffers[segments.buffer[segment]][segments.start[segment] : segments.start[segment] + 64]
            text = head[: segments.length[segment]].tobytes().lstrip()
            if text.startswith((b"{", b"[")) and _is_call(segments.bytes(segment)):
                findings.span("call_markup_in_text", batch, segment)


def _is_call(raw: bytes) -> bool:
    if b'"name"' not in raw or not (b'"arguments"' in raw or b'"parameters"' in raw):
        return False
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return False
    first = value[0] if isinstance(value, list) and value else value
    if not isinstance(first, dict):
        return False
    arguments = first.get("arguments", first.get("parameters"))
    # A definition has properties where a call has values.
    return isinstance(first.get("name"), str) and isinstance(arguments, dict) and "properties" not in arguments


def _think_tags(raw: bytes) -> Iterator[Tag]:
    for match in _THINK.finditer(raw):
        yield Tag(match.start(), match.end(), (match.lastgroup or "").startswith("o"))


def _think(
    batch: Batch, findings: Findings, segment: int, raw: bytes, tags: list[Tag], *, told: bool, reasoning: bool
) -> None:
    if not tags:
        return
    if told and sum(t.opens for t in tags) * 2 == len(tags):
        return
    if reasoning:
        depth = 0
        for tag in tags[:SPANS]:
            if tag.opens:
                findings.span("think_nested", batch, segment, tag.start, tag.end)
            elif depth == 0:
                findings.span("think_stray", batch, segment, tag.start, tag.end)
            depth = depth + 1 if tag.opens else max(0, depth - 1)
        return
    opened: Tag | None = None
    blocks: list[tuple[int, int]] = []
    for tag in tags[: SPANS * 10]:
        if tag.opens:
            if opened is not None:
                findings.span("think_nested", batch, segment, tag.start, tag.end)
            else:
                opened = tag
        elif opened is None:
            findings.span("think_stray", batch, segment, tag.start, tag.end)
        else:
            blocks.append((opened.start, tag.end))
            opened = None
    if opened is not None:
        findings.span("think_unclosed", batch, segment, opened.start, opened.end)
    _blocks(batch, findings, segment, raw, blocks)


def _blocks(batch: Batch, findings: Findings, segment: int, raw: bytes, blocks: list[tuple[int, int]]) -> None:
    """Closed blocks: one at the very start is a dialect's way to reason; any other is in the wrong place."""
    if not blocks:
        return
    leads = not raw[: blocks[0][0]].strip()
    wrong = blocks if not leads or _has_reasoning(batch, segment) else blocks[1:]
    for start, end in wrong:
        findings.span("think_repeated" if leads else "reasoning_in_answer", batch, segment, start, end)


def _has_reasoning(batch: Batch, segment: int) -> bool:
    segments = batch.segments
    first = segment
    while first > 0 and segments.record[first - 1] == segments.record[segment]:
        first -= 1
        if segments.turn[first] != segments.turn[segment]:
            return False
        if segments.channel[first] == REASONING and segments.length[first] > 0:
            return True
    return False


def _calls(
    batch: Batch, findings: Findings, segment: int, raw: bytes, code: Spans, *, told: bool, reasoning: bool
) -> None:
    places = _places(_CALL, raw, code)
    if reasoning:
        # Thinking about the markup is fine; a whole call in the thoughts is a call that was never made.
        places = [(s, e) for s, e in places if raw[e : e + 40].lstrip().startswith((b"{", b"[{", b"<function="))]
    elif told and not dialect.unbalanced(raw):
        return
    for start, end in places:
        findings.span("call_markup_in_text", batch, segment, start, end)


def _places(pattern: re.Pattern[bytes], raw: bytes, code: Spans) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for match in pattern.finditer(raw):
        if not _is_mention(raw, match.start(), match.end(), code):
            found.append(match.span())
            if len(found) == SPANS:
                break
    return found


def _code_spans(raw: bytes) -> Spans:
    found = [m.span() for m in _CODE.finditer(raw)]
    return [s for s, _ in found], [e for _, e in found]


def _is_mention(raw: bytes, start: int, end: int, code: Spans) -> bool:
    """In a code span, or between quotes."""
    at = bisect_right(code[0], start) - 1
    if at >= 0 and code[0][at] < start and end <= code[1][at]:
        return True
    return any(raw[max(0, start - len(q)) : start] == q and raw[end : end + len(w)] == w for q, w in _QUOTES.items())
