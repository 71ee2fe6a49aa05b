"""The equations of a batch: where signs with numbers around them stand, what is wrong, and which wrong ones the text itself takes back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from filters.batch import Batch
from filters.numbers.equations import RIGHT, WRONG, Equation, equations
from filters.numbers.kernels import signs

MOST_SIGNS = 10_000
"""Relation signs of a segment that are looked at; a table of a million sums says no more."""
BEFORE, AFTER = 400, 240
"""Bytes around a sign that are read, on its line."""
SOON = 240
"""Characters behind a wrong equation in which the text must begin to take it back."""

_TAKEN_BACK = re.compile(
    r"\b(?:wait|no,|nope|oops|hmm+|actually|correction|sorry|mistake|incorrect|not right|isn't right|wrong|that's not|"
    r"that is not|not correct|"
    r"re-?check|re-?calculat\w+|re-?comput\w+|let me (?:re|double|check|try)|should be|instead|doesn't (?:work|match|equal|add)|"
    r"does not (?:work|match|equal|add)|contradict\w*|not equal|too (?:high|low|many|much|few|big|small|large)|"
    r"warte|moment|falsch|stimmt nicht|attends|faux|erreur|non,|espera|incorrecto|aspetta|sbagliato|errore)\b"
    r"|≠|✗|✘|❌|等等|不对|错了|不是|待って|違う|違い|間違",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Found:
    """An equation of one segment; start/end in bytes from its start. corrected: wrong, and taken back by the text behind it."""

    record: int
    segment: int
    start: int
    end: int
    wrong: bool
    corrected: bool


def found(batch: Batch, channels: tuple[int, ...], roles: tuple[int, ...]) -> Iterator[Found]:
    """Every equation that is understood in these channels, by segment and place."""
    segments = batch.segments
    place = np.empty(MOST_SIGNS, np.int64)
    waiting: list[tuple[int, list[_Placed]]] = []
    for i in segments.where(channels=channels, roles=roles).tolist():
        count = signs(segments.buffers[segments.buffer[i]], segments.start[i], segments.end[i], place)
        if not count:
            continue
        if waiting and segments.record[waiting[0][0]] != segments.record[i]:
            yield from _told(batch, waiting)
            waiting = []
        waiting.append((i, list(_placed(segments.bytes(i), place[:count]))))
    yield from _told(batch, waiting)


@dataclass(frozen=True)
class _Placed:
    """An equation with its bytes, and whether the text behind it takes it back."""

    equation: Equation
    start: int
    end: int
    doubted: bool


def _placed(text: bytes, place: np.ndarray) -> Iterator[_Placed]:
    for low, high in _stretches(text, place):
        part = text[low:high].decode("utf-8", "replace")
        for equation in equations(part):
            start = low + len(part[: equation.start].encode())
            end = start + len(part[equation.start : equation.end].encode())
            doubted = equation.state == WRONG and bool(
                _TAKEN_BACK.search(text[end : end + 2 * SOON].decode("utf-8", "ignore")[:SOON])
            )
            yield _Placed(equation, start, end, doubted)


def _stretches(text: bytes, place: np.ndarray) -> Iterator[tuple[int, int]]:
    """The signs' surroundings: within their lines, at most BEFORE and AFTER them, those that overlap as one, cut at characters."""
    low = high = -1
    for at in place.tolist():
        if at < high:
            continue
        begin = max(text.rfind(b"\n", max(0, at - BEFORE), at) + 1, at - BEFORE, high, 0)
        if high >= 0 and begin <= high < at and high - low < 8 * BEFORE:
            begin = low
        elif high >= 0:
            yield low, high
        stop = text.find(b"\n", at, at + AFTER)
        low, high = _character(text, begin), _character(text, stop if stop >= 0 else min(at + AFTER, len(text)))
    if high >= 0:
        yield low, high


def _character(text: bytes, at: int) -> int:
    """The nearest offset from ``at`` on that is not inside a character."""
    while at < len(text) and text[at] & 0xC0 == 0x80:
        at += 1
    return at


def _told(batch: Batch, waiting: list[tuple[int, list[_Placed]]]) -> Iterator[Found]:
    """One record's equations. A wrong one is corrected, too, if the same left side comes out right further down."""
    right: set[str] = set()
    out: list[Found] = []
    for segment, placed in reversed(waiting):
        record = int(batch.segments.record[segment])
        for p in reversed(placed):
            wrong = p.equation.state == WRONG
            out.append(Found(record, segment, p.start, p.end, wrong, wrong and (p.doubted or p.equation.key in right)))
            if p.equation.state == RIGHT:
                right.add(p.equation.key)
    return reversed(out)
