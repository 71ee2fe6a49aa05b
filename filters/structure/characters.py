"""Characters that should not be there: NUL, controls, what a wrong character set leaves behind."""

from __future__ import annotations

import re

import numpy as np

from filters.batch import METADATA, TOOL_RESULT, Batch
from filters.structure.bytescan import C1, CONTROL, MOJIBAKE, NUL, REPLACEMENT
from filters.structure.findings import Findings

DAMAGED = 3
"""Runs of mojibake, or U+FFFD characters, in one segment before it counts as damaged. One can be an emoji cut in half by
a stream, or an example in a text about encodings; of 4,041 published traces one holds a single pair."""

SPANS = 20
"""Places shown for one segment."""

_NUL = re.compile(rb"\x00+")
# Escape (terminal colours), form feed and vertical tab are pasted with logs and old documents.
_CONTROL = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]+|(?:\xc2[\x80-\x84\x86-\x9f])+")
_CONTROL_STRICT = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]+|(?:\xc2[\x80-\x9f])+")
_REPLACEMENT = re.compile(rb"(?:\xef\xbf\xbd)+")
# UTF-8 read as Latin-1 or Windows-1252: one lead character (Â, Ã, â, ã ...) and the followers it calls for.
_MOJIBAKE = re.compile("(?:[\u00c2-\u00df][\u0080-\u00bf\u0152-\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]"
                       "|[\u00e0-\u00ef][\u0080-\u00bf\u0152-\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]{2}"
                       "|\u00f0[\u0080-\u00bf\u0152-\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]{3})+")  # fmt: skip


def check(batch: Batch, flags: np.ndarray, findings: Findings, *, strict: bool) -> None:
    """All segments of the batch with a flag for it."""
    suspicious = np.flatnonzero(flags & (NUL | CONTROL | C1 | REPLACEMENT | MOJIBAKE))
    channels = batch.segments.channel
    for segment in suspicious.tolist():
        flag, channel = int(flags[segment]), int(channels[segment])
        if channel == METADATA:
            continue
        raw = batch.segments.bytes(segment)
        if flag & NUL:
            _spans(batch, findings, "nul_characters", segment, _NUL, raw)
        # What a terminal printed belongs to the result of a tool.
        if flag & (CONTROL | C1) and (strict or channel != TOOL_RESULT):
            _spans(batch, findings, "control_characters", segment, _CONTROL_STRICT if strict else _CONTROL, raw)
        if flag & REPLACEMENT and raw.count(b"\xef\xbf\xbd") >= (1 if strict else DAMAGED):
            _spans(batch, findings, "replacement_characters", segment, _REPLACEMENT, raw)
        if flag & MOJIBAKE and findings.wants("mojibake"):
            _mojibake(batch, findings, segment, raw, 1 if strict else DAMAGED)


def _spans(batch: Batch, findings: Findings, code: str, segment: int, pattern: re.Pattern[bytes], raw: bytes) -> None:
    for number, match in enumerate(pattern.finditer(raw)):
        if number == SPANS:
            return
        findings.span(code, batch, segment, match.start(), match.end())


def _mojibake(batch: Batch, findings: Findings, segment: int, raw: bytes, least: int) -> None:
    """Runs that turn into valid UTF-8 when they are encoded as Windows-1252 (or Latin-1) again."""
    text = raw.decode("utf-8", "replace")
    runs = [m.span() for m in _MOJIBAKE.finditer(text) if _undone(m.group())]
    if len(runs) < least:
        return
    done, at = 0, 0
    for start, end in runs[:SPANS]:
        at += len(text[done:start].encode())
        width = len(text[start:end].encode())
        findings.span("mojibake", batch, segment, at, at + width)
        done, at = end, at + width


def _undone(run: str) -> bool:
    try:
        # Windows-1252 leaves five bytes undefined; writers pass them through as C1 controls.
        raw = b"".join(bytes([ord(c)]) if 0x80 <= ord(c) <= 0xFF else c.encode("cp1252") for c in run)
        raw.decode("utf-8")
    except UnicodeError:
        return False
    return True
