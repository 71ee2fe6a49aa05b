"""Every part of every record of a batch, with the language of its prose and where each window of it stood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from filters.batch import ASSISTANT, CONTENT, OTHER, REASONING, SYSTEM, USER, Batch, Segments
from filters.contract import EVIDENCE_LIMIT, Evidence
from filters.language.guess import Guess, Verdict, vote
from filters.language.model import UNDETERMINED, family
from filters.language.prose import Windows, collect

PARTS = ("prompt", "reasoning", "answer", "other")
PROMPT, REASONING_PART, ANSWER, REST = range(len(PARTS))
MOST_WINDOWS = np.array([1, 2, 4, 1], np.int64)
"""Windows of each part at most: the answer is looked at closest, since it is what a model learns to write."""


@dataclass(frozen=True)
class Place:
    """A window's guess and its source span, in bytes from the segment's start."""

    guess: Guess
    letters: int
    segment: int
    start: int
    end: int


class Survey:
    """verdicts: group (record * len(PARTS) + part) -> its language; groups without any text are absent."""

    def __init__(self, batch: Batch, guess: Callable[[Windows, int], Guess], min_letters: int) -> None:
        self.batch = batch
        segments = batch.segments
        part = part_of(segments)
        chosen = np.flatnonzero((part >= 0) & (segments.length > 0))
        groups = segments.record[chosen].astype(np.int64) * len(PARTS) + part[chosen]
        found: dict[int, list[tuple[Windows, int, np.ndarray]]] = {}
        self.verdicts: dict[int, Verdict] = {}
        for number in np.unique(segments.buffer[chosen]):
            here = segments.buffer[chosen] == number
            which, group = chosen[here], groups[here]
            order = np.argsort(group, kind="stable")
            which, group = which[order], group[order]
            names, dense = np.unique(group, return_inverse=True)
            windows = collect(
                segments.buffers[number], segments.start[which], segments.end[which], dense,
                MOST_WINDOWS[names % len(PARTS)],
            )  # fmt: skip
            for name in names:
                found.setdefault(int(name), [])
            for i in range(len(windows)):
                found[int(names[windows.group[i]])].append((windows, i, which))
        self._places: dict[int, list[Place]] = {}
        for name, items in found.items():
            enough = sum(int(w.letters[i]) for w, i, _ in items) >= min_letters
            places = [self._place(w, i, which, guess) for w, i, which in items] if enough else []
            self._places[name] = places
            self.verdicts[name] = vote([(p.guess, p.letters) for p in places])

    def _place(self, windows: Windows, i: int, which: np.ndarray, guess: Callable[[Windows, int], Guess]) -> Place:
        segment = int(which[windows.segment[i]])
        origin = int(self.batch.segments.start[segment])
        return Place(
            guess(windows, i),
            int(windows.letters[i]),
            segment,
            int(windows.first[i]) - origin,
            int(windows.last[i]) - origin,
        )

    def of(self, record: int) -> list[Verdict | None]:
        """The record's parts in the order of PARTS; None where it has no such text."""
        return [self.verdicts.get(record * len(PARTS) + p) for p in range(len(PARTS))]

    def point_at(self, record: int, part: int, evidence: Evidence, at_fault: Callable[[str], bool]) -> None:
        """Evidence for the windows of a part whose language is at fault; the rule is the language."""
        places = self._places.get(record * len(PARTS) + part, [])
        for place in places[:EVIDENCE_LIMIT]:
            if at_fault(family(place.guess.language)):
                evidence.add_span(self.batch, place.segment, place.start, place.end, place.guess.language)

    def columns(self) -> dict[str, pa.Array]:
        """Language, probability and share of prompt, reasoning and answer; null where the record has no such part."""
        out: dict[str, pa.Array] = {}
        rows = [self.of(record) for record in range(len(self.batch))]
        for p, name in enumerate(PARTS[:REST]):
            parts = [row[p] for row in rows]
            out[f"{name}_language"] = pa.array([v and v.language for v in parts], pa.string())
            out[f"{name}_probability"] = pa.array([v and v.probability for v in parts], pa.float32())
            out[f"{name}_share"] = pa.array([v and v.share for v in parts], pa.float32())
        return out


def part_of(segments: Segments) -> np.ndarray:
    """int8[n]: index into PARTS, -1 for tool calls, results and definitions, and metadata."""
    part = np.full(len(segments), -1, np.int8)
    content = segments.channel == CONTENT
    part[content & (segments.role == USER)] = PROMPT
    part[(segments.channel == REASONING) & (segments.role == ASSISTANT)] = REASONING_PART
    part[content & (segments.role == ASSISTANT)] = ANSWER
    part[content & ((segments.role == SYSTEM) | (segments.role == OTHER))] = REST
    return part


def is_determined(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict.language != UNDETERMINED
