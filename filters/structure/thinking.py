"""Reasoning tags of every dialect that were left in text: unclosed, stray, nested, repeated, or in the wrong place.

Tags pair within their own dialect: what ``<think>`` opens, ``</reasoning>`` does not close.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from filters.batch import REASONING, Batch
from filters.structure.findings import Findings
from filters.structure.mentions import SPANS, Spans, is_in_sentence, is_mention, is_named

MOST_TAGS = SPANS * 10
"""Tags of one text that are paired."""

_NAMES = rb"think(?:ing)?|thoughts?|reasoning|scratchpad|inner_monologue|antthinking|seed:think|mm:think"
_TAG = re.compile(
    rb"<(?P<close>/)?(?P<name>" + _NAMES + rb")>"
    rb"|<\|(?:(?P<opens>begin_of|begin|start)|(?P<closes>end_of|end))_(?P<verb>thought|think|thinking)\|>"
    rb"|<\|think_(?:(?P<first>start)|(?P<last>end))\|>"
    rb"|<\|(?P<bar>/)?(?P<plain>think|thinking)\|>"
    rb"|(?P<square>\[)(?P<square_close>/)?think\]"
    rb"|\xe2\x97\x81(?P<kimi_close>/)?think(?P<kimi>\xe2\x96\xb7)"
    rb"|(?P<harmony><\|channel\|>)analysis",
    re.IGNORECASE,
)
_KINDS = ("name", "verb", "first", "last", "plain", "square", "kimi", "harmony")
_CLOSING = ("close", "closes", "last", "bar", "square_close", "kimi_close")
_WRAPPERS = (
    (re.compile(rb"<\|begin_of_solution\|>"), re.compile(rb"<\|end_of_solution\|>")),
    (re.compile(rb"<\|START_RESPONSE\|>"), re.compile(rb"<\|END_RESPONSE\|>")),
)


@dataclass(frozen=True)
class Tag:
    """kind: its dialect; tags of one kind close each other."""

    start: int
    end: int
    opens: bool
    kind: tuple[str, bytes]


def half_wrapped(raw: bytes) -> bool:
    """Tags around the answer of which one is missing."""
    return any(len(a.findall(raw)) != len(b.findall(raw)) for a, b in _WRAPPERS)


def check(
    batch: Batch, findings: Findings, segment: int, raw: bytes, code: Spans, *, told: bool, reasoning: bool
) -> None:
    """One assistant text. told: the prompt speaks of such tags itself."""
    tags = [t for t in _tags(raw) if not is_mention(raw, t.start, t.end, code) and not is_named(raw, t.start, t.end)]
    if told and _balanced(tags):
        return
    if told:
        # What is left over in a sentence is spoken of; what stands at the start or end of a line is used.
        tags = [t for t in tags if not is_in_sentence(raw, t.start, t.end)]
    if reasoning:
        _in_reasoning(batch, findings, segment, tags)
    elif tags:
        _in_answer(batch, findings, segment, raw, tags)


def _tags(raw: bytes) -> Iterator[Tag]:
    for match in _TAG.finditer(raw):
        groups = match.groupdict()
        kind = next(k for k in _KINDS if groups[k] is not None)
        word = groups[kind].lower() if kind in ("name", "verb", "plain") else b""
        closes = any(groups[k] is not None for k in _CLOSING)
        yield Tag(match.start(), match.end(), not closes, ("first" if kind == "last" else kind, word))


def _balanced(tags: list[Tag]) -> bool:
    return sum(t.opens for t in tags) * 2 == len(tags)


def _in_reasoning(batch: Batch, findings: Findings, segment: int, tags: list[Tag]) -> None:
    depth = 0
    for tag in tags[:SPANS]:
        if tag.opens:
            findings.span("think_nested", batch, segment, tag.start, tag.end)
        elif depth == 0:
            findings.span("think_stray", batch, segment, tag.start, tag.end)
        depth = depth + 1 if tag.opens else max(0, depth - 1)


def _in_answer(batch: Batch, findings: Findings, segment: int, raw: bytes, tags: list[Tag]) -> None:
    opened: Tag | None = None
    blocks: list[tuple[int, int]] = []
    for tag in tags[:MOST_TAGS]:
        if tag.opens:
            if opened is not None:
                findings.span("think_nested", batch, segment, tag.start, tag.end)
            else:
                opened = tag
        elif opened is None or opened.kind != tag.kind:
            findings.span("think_stray", batch, segment, tag.start, tag.end)
        else:
            blocks.append((opened.start, tag.end))
            opened = None
    if opened is not None:
        findings.span("think_unclosed", batch, segment, opened.start, opened.end)
    if blocks:
        _blocks(batch, findings, segment, raw, blocks)


def _blocks(batch: Batch, findings: Findings, segment: int, raw: bytes, blocks: list[tuple[int, int]]) -> None:
    """Closed blocks: one at the very start is a dialect's way to reason; any other is in the wrong place."""
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
