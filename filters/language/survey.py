"""Every part of every record of a batch, with the language of its prose and where each window of it stood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from filters.batch import ASSISTANT, CONTENT, OTHER, REASONING, SYSTEM, USER, Batch, Segments
from filters.language import scripts
from filters.language.guess import UND, Votes, best, restrict, vote
from filters.language.model import Model
from filters.language.prose import Plan, Windows, collect

PARTS = ("prompt", "reasoning", "answer", "other")
PROMPT, REASONING_PART, ANSWER, REST = range(len(PARTS))
PLANS = (Plan(4, 80, 20, True), Plan(4), Plan(6), Plan(4))
"""The answer is looked at closest, since it is what a model learns to write. A prompt may hold two languages in a few lines: what
to do, and the text to do it with."""

FEW_LETTERS, SURE = 30, 0.95
"""What a guess on a few words must reach against the language that the prompt is in."""


@dataclass(frozen=True)
class Certainty:
    """What a guess needs; see LanguageOptions."""

    min_letters: int
    min_probability: float
    min_margin: float


@dataclass(frozen=True)
class Places:
    """Windows of a batch, sorted by group: their guess, and their source span in bytes from the segment's start."""

    group: np.ndarray
    language: np.ndarray
    probability: np.ndarray
    letters: np.ndarray
    segment: np.ndarray
    start: np.ndarray
    end: np.ndarray


class Survey:
    """A group is a part of a record: record * len(PARTS) + part.

    present: bool, whether the group has any text. votes: each group's language. letters: int64[groups, scripts].
    """

    def __init__(self, batch: Batch, model: Model, certainty: Certainty) -> None:
        self.batch, self.model, self._certainty = batch, model, certainty
        segments, groups = batch.segments, len(batch) * len(PARTS)
        part = part_of(segments)
        chosen = np.flatnonzero((part >= 0) & (segments.length > 0))
        group = segments.record[chosen].astype(np.int64) * len(PARTS) + part[chosen]
        self.present = np.bincount(group, minlength=groups) > 0
        self.letters = np.zeros((groups, len(scripts.SCRIPTS)), np.int64)
        found = []
        for buffer in np.unique(segments.buffer[chosen]):
            here = segments.buffer[chosen] == buffer
            order = np.argsort(group[here], kind="stable")
            found.append(self._read(int(buffer), chosen[here][order], group[here][order]))
        self.places = self._enough(_sorted(found))
        p = self.places
        self.votes = vote(p.group, p.language, p.probability, p.letters, groups, model.codes)
        self._tell_cantonese()
        self._doubt_few_words()

    def _read(self, buffer: int, which: np.ndarray, group: np.ndarray) -> Places:
        """The segments of one buffer."""
        segments = self.batch.segments
        names, dense = np.unique(group, return_inverse=True)
        plan = np.array([(p.windows, p.zone, p.enough, p.clauses) for p in PLANS], np.int64)[names % len(PARTS)]
        windows, letters = collect(segments.buffers[buffer], segments.start[which], segments.end[which], dense, plan)
        self.letters[names] += letters
        language, probability = self._guess(windows)
        segment = which[windows.segment]
        origin = segments.start[segment]
        return Places(
            names[windows.group], language, probability, windows.letters, segment, windows.first - origin,
            windows.last - origin,
        )  # fmt: skip

    def _guess(self, windows: Windows) -> tuple[np.ndarray, np.ndarray]:
        """Each window's language; where none of a group's is certain, that of all its windows read as one."""
        by_script = windows.by_script()
        language, probability = self._certain(windows.text, windows.start, windows.end, windows.letters, by_script)
        if not len(windows):
            return language, probability
        first = np.flatnonzero(np.diff(windows.group, prepend=-1))
        count = np.diff(first, append=len(windows))
        unsure = np.flatnonzero((np.maximum.reduceat(language, first) == UND) & (count > 1))
        joined, chance = self._certain(
            windows.text, windows.start[first[unsure]], windows.end[first[unsure] + count[unsure] - 1],
            np.add.reduceat(windows.letters, first)[unsure], np.add.reduceat(by_script, first)[unsure],
        )  # fmt: skip
        rows = np.repeat(first[unsure], count[unsure]) + _ramp(count[unsure])
        language[rows], probability[rows] = np.repeat(joined, count[unsure]), np.repeat(chance, count[unsure])
        return language, probability

    def _certain(
        self, text: np.ndarray, start: np.ndarray, end: np.ndarray, letters: np.ndarray, by_script: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        label, probability = self.model.predict(text, start, end)
        restrict(label, probability, by_script, self.model.codes)
        c = self._certainty
        return best(label, probability, letters, c.min_probability, c.min_margin, self.model.codes)

    def _enough(self, places: Places) -> Places:
        """Nothing is guessed of texts with too few letters."""
        total = np.bincount(places.group, weights=places.letters, minlength=len(self.present))
        few = total[places.group] < self._certainty.min_letters
        places.language[few], places.probability[few] = UND, 0.0
        return places

    def _tell_cantonese(self) -> None:
        """The model takes nine Cantonese sentences in ten for Chinese, and some Chinese for Cantonese or Wu; the characters tell."""
        names, votes = self.model.codes.names, self.votes
        if "yue" in names and "zh" in names:
            chinese = np.isin(votes.language, [names.index(c) for c in ("zh", "wuu", "yue") if c in names])
            cantonese = scripts.cantonese(self.letters)
            votes.language[chinese] = np.where(cantonese[chinese], names.index("yue"), names.index("zh"))

    def _doubt_few_words(self) -> None:
        """A term or a name ("Orchiectomy", "Atrioventricular node") looks like some other language. An answer of a few words in the
        prompt's script is only in another language than the prompt if the model is sure."""
        votes, codes = self.votes, self.model.codes
        prompt = np.arange(PROMPT, len(votes.language), len(PARTS))
        answer = prompt - PROMPT + ANSWER
        other = codes.family[votes.language[prompt]] != codes.family[votes.language[answer]]
        known = (votes.language[prompt] != UND) & (votes.language[answer] != UND)
        few = self.letters[answer].sum(axis=1) < FEW_LETTERS
        same = scripts.number(self.letters[answer]) == scripts.number(self.letters[prompt])
        votes.language[answer[other & known & few & same & (votes.probability[answer] < SURE)]] = UND

    def part(self, number: int) -> tuple[Votes, np.ndarray]:
        """The votes on one part of each record, and whether it has that part."""
        v, every = self.votes, slice(number, None, len(PARTS))
        return Votes(v.language[every], v.probability[every], v.share[every]), self.present[every]


def _ramp(counts: np.ndarray) -> np.ndarray:
    """0..n-1 for each n of counts, in a row."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)


def _sorted(found: list[Places]) -> Places:
    if not found:
        return Places(*(np.empty(0, np.int64) for _ in range(7)))
    columns = [np.concatenate([getattr(p, name) for p in found]) for name in Places.__dataclass_fields__]
    order = np.argsort(columns[0], kind="stable")
    return Places(*(c[order] for c in columns))


def part_of(segments: Segments) -> np.ndarray:
    """int8[n]: index into PARTS, -1 for tool calls, results and definitions, and metadata."""
    part = np.full(len(segments), -1, np.int8)
    content = segments.channel == CONTENT
    part[content & (segments.role == USER)] = PROMPT
    part[(segments.channel == REASONING) & (segments.role == ASSISTANT)] = REASONING_PART
    part[content & (segments.role == ASSISTANT)] = ANSWER
    part[content & ((segments.role == SYSTEM) | (segments.role == OTHER))] = REST
    return part
