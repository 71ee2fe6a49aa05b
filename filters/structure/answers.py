"""The final answer: was it cut off, is it in its box, is it the reasoning over again."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from filters.batch import ASSISTANT, CONTENT, REASONING, SYSTEM, USER, Batch
from filters.structure.bytescan import BOXED, FENCE
from filters.structure.findings import Findings
from filters.structure.markup import Prompt
from filters.structure.turns import TurnTable, final_answers, finish_reasons

STOPPED = frozenset({"length", "max_tokens", "max_output_tokens", "max_length", "incomplete", "content_filter"})
"""Finish reasons of an answer that did not end by itself, as providers spell them."""

TAIL = 2048
"""Bytes of the end of an answer that are looked at for a cut."""

PROSE = 200
"""An answer shorter than this many bytes is not taken for a text that breaks off, unless a bracket is open."""

LONG = 800
"""Chinese and Japanese are often written without the last full stop; an answer shorter than this many bytes is then taken as whole."""

COPIED = 200
"""Bytes of reasoning at least, found again at the start of the answer, that count as a copy."""

_BOX = re.compile(rb"\\f?box(?:ed)?\s*(?=\{)")
_MENTION = re.compile(rb"\\f?box(?:ed)?\b")
_PLACEHOLDER = re.compile(
    rb"\s*(?:\\?[{}.]|\\l?dots|\\cdot|\xe2\x80\xa6|<[^>]*>|\[[^\]]*\]|_+|[A-Z]|(?:the|your|final|only|correct|answer|result|option"
    rb"|letter|number|value|solution|choice|here|x|text|\\text|[{} ])+)*\s*",
    re.IGNORECASE,
)
_RELATION = re.compile(rb"[=<>]|\\(?:geq?|leq?|approx|equiv|sim|neq?|iff|implies)\b")
_FENCE = re.compile(rb"^[ \t]*(?:[-*>][ \t]+)?(```+|~~~+)", re.MULTILINE)
_LIST_MARK = re.compile(rb"^\s*(?:[-*+>#|]+|\(?\d{1,3}[.):]|[A-Za-z][.)])\s+")
_SENTENCE_END = re.compile(rb"[a-z]{2}[.!?][\"')\]*_]{0,3}\s+(?=[A-Z\"'(*])")
_PLAIN_TAIL = re.compile(rb"[A-Za-z][A-Za-z'\xe2\x80\x99,;\- ]{0,400}\Z")
_FUNCTION_WORD = re.compile(
    rb"\b(?:the|of|and|an|with|is|are|was|were|that|which|from|or|because|but|their|this|these|its|if|when)\Z"
)
_SIGNED = re.compile(
    rb"(?:yours|best|kind(?:est)?|warm(?:est)?|with|sincerely|respectfully|love|cheers|regards|faithfully)\b[A-Za-z' ]{0,50},\s*[A-Z]",
    re.IGNORECASE,
)
"""A letter ends with a name, and no full stop."""
_CJK_CUT = re.compile("[\u3002\uff01\uff1f][^\n\u3002\uff01\uff1f]{0,200}[\u3041-\u3096\u4e00-\u9fff\uff0c\u3001]\\Z")
_HASHTAG = re.compile(r"[#\uff03]\S{1,60}\Z")


def check(table: TurnTable, flags: np.ndarray, prompt: Prompt, findings: Findings) -> None:
    batch = table.batch
    if findings.wants("reasoning_in_answer"):
        _copies(table, findings)
    if not findings.wants("answer_cut", "boxed_missing", "boxed_conflict"):
        return
    answers = final_answers(table)
    asked = table.per_record(table.role == USER)
    for record, reason in enumerate(finish_reasons(batch)):
        if reason in STOPPED:
            findings.turn("answer_cut", record, int(batch.turn_start[record + 1] - batch.turn_start[record]) - 1)
    for record in np.flatnonzero((answers >= 0) & asked).tolist():
        segment = int(answers[record])
        size = int(batch.segments.length[segment])
        tail = _bytes(batch, segment, max(0, size - TAIL), size).rstrip()
        if _is_cut(tail, size) or (flags[segment] & FENCE and _fence_open(batch.segments.bytes(segment))):
            end = max(0, size - TAIL) + len(tail)
            findings.span("answer_cut", batch, segment, max(0, end - 80), end)
    for record in np.flatnonzero((prompt.flags & BOXED > 0) & (answers >= 0)).tolist():
        if _asks_for_box(batch, record, flags):
            _boxed(batch, int(answers[record]), findings)


def _bytes(batch: Batch, segment: int, start: int, end: int) -> bytes:
    s = batch.segments
    low = s.start[segment]
    return s.buffers[s.buffer[segment]][low + start : low + end].tobytes()


def _is_cut(tail: bytes, size: int) -> bool:
    """The text stops inside a bracket or a sentence. Names, numbers, lists and code end without a full stop too, so a
    sentence counts only after another one in the same paragraph, and only when its words are plain."""
    if not tail:
        return False
    if tail.endswith((b"{", b"[", b"(", b"\\")) or _open_box(tail):
        return size > 1
    if size < PROSE:
        return False
    if tail.endswith(b","):
        return not tail.endswith((b"},", b"],", b"),"))
    line = _LIST_MARK.sub(b"", tail[tail.rfind(b"\n") + 1 :])
    if tail[-1] < 128:
        ends = [m.end() for m in _SENTENCE_END.finditer(line)]
        if ends:
            rest = line[ends[-1] :]
            if _SIGNED.match(rest):
                return False
            return bool(_PLAIN_TAIL.match(rest)) and (rest[:1].isupper() and (b" " in rest or len(rest) <= 4))
        return len(line) > 80 and bool(_FUNCTION_WORD.search(line))
    text = line.decode("utf-8", "ignore")
    if _HASHTAG.search(text) or (size < LONG and not text.endswith(("\uff0c", "\u3001"))):
        return False
    return bool(_CJK_CUT.search(text))


def _fence_open(raw: bytes) -> bool:
    """A code block that is opened and never closed. A longer fence may hold shorter ones. A bare fence that nothing follows opens
    nothing: what it would close was not opened, or was closed by a fence that the code itself shows."""
    opened: bytes | None = None
    end = 0
    for match in _FENCE.finditer(raw):
        mark = match.group(1)
        if opened is None:
            if not _is_underline(raw, match):
                opened, end = mark, match.end()
        elif mark[:1] == opened[:1] and len(mark) >= len(opened):
            opened = None
    return opened is not None and bool(raw[end:].strip())


def _is_underline(raw: bytes, fence: re.Match[bytes]) -> bool:
    """Tildes under a line of about their length are a heading."""
    if fence.group(1)[:1] != b"~" or raw[fence.end() : fence.end() + 1] not in (b"", b"\n", b"\r"):
        return False
    above = raw[raw.rfind(b"\n", 0, max(0, fence.start() - 1)) + 1 : max(0, fence.start() - 1)].strip()
    return len(above) > 0 and abs(len(above) - len(fence.group(1))) <= 4


def _open_box(tail: bytes) -> bool:
    start = max(tail.rfind(b"\\boxed{"), tail.rfind(b"\\fbox{"))
    return start >= 0 and _closing(tail, tail.index(b"{", start)) is None


def _closing(raw: bytes, at: int) -> int | None:
    """Offset past the brace that closes the one at ``at``; escaped braces do not count."""
    depth, i = 0, at
    while i < len(raw):
        byte = raw[i]
        if byte == 0x5C:
            i += 2
            continue
        depth += (byte == 0x7B) - (byte == 0x7D)
        i += 1
        if depth == 0:
            return i
    return None


def boxes(raw: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(start, end, content) of each box, outermost only."""
    at = 0
    while match := _BOX.search(raw, at):
        end = _closing(raw, match.end())
        if end is None:
            return
        yield match.start(), end, raw[match.end() + 1 : end - 1]
        at = end


def _asks_for_box(batch: Batch, record: int, flags: np.ndarray) -> bool:
    """The system prompt or the last question asks for a box: an empty one, or one with a placeholder in it.

    A filled box is part of a solution that the question quotes; and a question that quotes whole solutions asks for
    something about them.
    """
    segments = batch.segments
    low, high = int(batch.record_start[record]), int(batch.record_start[record + 1])
    users = [s for s in range(low, high) if segments.role[s] == USER and segments.channel[s] == CONTENT]
    last = int(segments.turn[users[-1]]) if users else -1
    asks = False
    for s in range(low, high):
        if segments.channel[s] != CONTENT or not flags[s] & BOXED:
            continue
        if segments.role[s] == SYSTEM or (segments.role[s] == USER and segments.turn[s] == last):
            raw = segments.bytes(s)
            quoted = [c for _, _, c in boxes(raw) if not _PLACEHOLDER.fullmatch(c)]
            asks |= not quoted and _MENTION.search(raw) is not None
    return asks


def _boxed(batch: Batch, segment: int, findings: Findings) -> None:
    found = list(boxes(batch.segments.bytes(segment)))
    if found and not _RELATION.search(found[-1][2]):
        # A boxed equation is a step on the way, a boxed value an answer.
        found = [box for box in found if not _RELATION.search(box[2])]
    values = {re.sub(rb"\s|\\[,;!]|\\text|[{}$.]", b"", content) for _, _, content in found} - {b""}
    if not values:
        findings.turn("boxed_missing", int(batch.segments.record[segment]), int(batch.segments.turn[segment]))
    elif len(values) > 1:
        for start, end, _ in found[:20]:
            findings.span("boxed_conflict", batch, segment, start, end)


def _copies(table: TurnTable, findings: Findings) -> None:
    """An answer that begins with the turn's own reasoning, word for word."""
    batch, segments = table.batch, table.batch.segments
    after = np.flatnonzero(
        (segments.channel[1:] == CONTENT)
        & (segments.channel[:-1] == REASONING)
        & (segments.role[1:] == ASSISTANT)
        & (segments.record[1:] == segments.record[:-1])
        & (segments.turn[1:] == segments.turn[:-1])
        & (segments.length[:-1] >= COPIED)
        & (segments.length[1:] >= COPIED)
    )
    for before in after.tolist():
        thought = _bytes(batch, before, 0, 4 * COPIED).lstrip()[:COPIED]
        answer = _bytes(batch, before + 1, 0, 4 * COPIED)
        lead = len(answer) - len(answer.lstrip())
        if len(thought) == COPIED and answer.lstrip().startswith(thought):
            findings.span("reasoning_in_answer", batch, before + 1, lead, lead + COPIED)
