"""Reasoning tags, call markup and template tokens that were left in the assistant's text.

Well-formed reasoning at the start of a turn has become a segment of its own before filters see it; what is judged here is
the rest. A tag in a code span or in quotes is a mention, and a tag that the prompt itself speaks of is the record's own
format as long as it is balanced.
"""

from __future__ import annotations

import re

import numpy as np
import orjson

from filters.batch import ASSISTANT, CONTENT, REASONING, SYSTEM, USER, Batch
from filters.structure import dialect, mentions, thinking
from filters.structure.bytescan import BOXED, CALL, FENCE, PARTS, TEMPLATE, THINK
from filters.structure.findings import Findings
from filters.structure.mentions import SPANS, Spans

_CALL = re.compile(
    rb"</?(?:tool_calls?|function_calls?|functioncall|toolcall|tool_use|tool_code|start_function_call|action_call)>"
    rb"|<function=[\w.\-]{1,64}>|\[tool_calls\]|<\|python_tag\|>|<\|tool_calls?[\w]{0,20}\|>|<invoke name="
    rb"|<\xef\xbd\x9ctool|<\|tool\xe2\x96\x81calls?|<\|channel\|>commentary|to=functions\.\w",
    re.IGNORECASE,
)
_TEMPLATE = re.compile(
    rb"<\|(?:im_start|im_end|eot_id|start_header_id|end_header_id|begin_of_text|end_of_text|endoftext|assistant|user|system"
    rb"|end|start|message|return|channel|start_of_role|turn_end|(?:begin|end)_of_solution|(?:START|END)_RESPONSE)\|>"
    rb"|\[/?INST\]|<<SYS>>|<(?:start|end)_of_turn>"
    rb"|<\xef\xbd\x9c(?:User|Assistant|end\xe2\x96\x81of\xe2\x96\x81sentence|begin\xe2\x96\x81of\xe2\x96\x81sentence)"
    rb"\xef\xbd\x9c>|<SPECIAL_\d+>"
)
_PARTS = re.compile(
    rb"""\A\s*\[\{["']type["']: ?["'](?:text|image_url|input_text|output_text|tool_use|tool_result)["']"""
)


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
        code = mentions.code_spans(raw) if flag & FENCE or b"`" in raw else ([], [])
        if flag & THINK:
            told = prompt.speaks_of(record, THINK)
            thinking.check(batch, findings, segment, raw, code, told=told, reasoning=reasoning)
        if flag & CALL:
            _calls(batch, findings, segment, raw, code, told=prompt.speaks_of(record, CALL), reasoning=reasoning)
        if flag & TEMPLATE:
            # A prompt that speaks of tokens sets a format; half of a pair that goes around the answer is broken in any.
            told = prompt.speaks_of(record, TEMPLATE) and not strict and not thinking.half_wrapped(raw)
            for start, end in [] if told else _places(_TEMPLATE, raw, code):
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
        if not mentions.is_mention(raw, match.start(), match.end(), code):
            found.append(match.span())
            if len(found) == SPANS:
                break
    return found
