"""What may be shown of a scrubbed text: a place found again in it, and what still looks like an address or a number masked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from filters.contract import EVIDENCE_LIMIT

PLACEHOLDER = re.compile(r"<[A-Z][A-Z_]*_(?:\d{1,6}|[a-p]{12})>")
"""What the pii filter's actions ``replace`` and ``hash`` leave in a value's place."""

MARGIN = 400
"""Characters beyond what is shown that are looked at when it is masked."""

_MASKED = re.compile(
    r"(?P<all>[^\s@<>]*@[^\s@<>]+|(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[^\W\d_])[\w-]{16,})|\+?\d(?:[\s().,/:_–-]{0,3}\d){3,}"
)


def moved(
    text: str, place: Mapping[str, Any], edits: Sequence[Mapping[str, Any]], action: str, findings: int
) -> tuple[int, int]:
    """Where a place of the source text stands in the scrubbed ``text``; 0, 0 where that cannot be told.

    edits: the pii filter's places in the same text; findings: how many of them the record has in all. Placeholders stand in the
    order of what they replaced, so each says by how much what follows has moved.
    """
    start, end = int(place["start"]), int(place["end"])
    spans = sorted((int(e["start"]), int(e["end"])) for e in edits)
    if findings >= EVIDENCE_LIMIT:
        return 0, 0
    if not spans or (action == "mask" and all(high - low < 200 for low, high in spans)):
        return (start, end) if end <= len(text) else (0, 0)
    found = [m.span() for m in PLACEHOLDER.finditer(text)]
    if action not in ("replace", "hash", "drop") or len(found) != len(spans):
        return 0, 0
    return _offset(start, spans, found), _offset(end, spans, found)


def _offset(offset: int, spans: Sequence[tuple[int, int]], found: Sequence[tuple[int, int]]) -> int:
    by = 0
    for (low, high), (_, new_high) in zip(spans, found, strict=True):
        if offset <= low:
            break
        if offset < high:
            return new_high
        by = new_high - high
    return offset + by


def piece(text: str, start: int, end: int) -> str:
    """A part of a text on one line, masked as it would be within the whole: what is cut in two is masked in both."""
    low = max(0, start - MARGIN)
    return re.sub(r"\s+", " ", mask(text[low : end + MARGIN])[start - low : end - low])


def mask(text: str) -> str:
    """Letters and digits become dots where a word has an ``@`` in it, or is long and of both, as keys are; so do the digits of a
    number of four or more, however it is written. The length stays."""
    return _MASKED.sub(lambda m: re.sub(r"\w" if m["all"] else r"\d", "•", m[0]), text)
