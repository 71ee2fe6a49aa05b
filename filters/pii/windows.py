"""The parts of a text in which a recognizer has to look, and recognizers that look there only.

A region is a range of characters. **Every match of a pattern lies inside one of the pattern's regions, and the regions of one
pattern neither overlap nor touch**; so nothing that the recognizer would find crosses an edge, and searching region by
region, with the whole text in sight of lookbehinds and enough of it in sight of lookaheads, finds what searching the
whole text finds.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from presidio_analyzer import EntityRecognizer, PatternRecognizer, RecognizerResult

from filters.pii.prefilter import Approximation

Region = tuple[int, int]


@dataclass(frozen=True)
class Text:
    """One text as characters and as bytes. at: for text beyond ASCII, the byte offset of each character and of the end."""

    chars: str
    data: bytes
    at: np.ndarray | None

    @classmethod
    def of(cls, data: bytes) -> Text:
        if data.isascii():
            return cls(data.decode("ascii"), data, None)
        view = np.frombuffer(data, np.uint8)
        at = np.append(np.flatnonzero((view & 0xC0) != 0x80), len(view))
        return cls(data.decode("utf-8"), data, at)

    def char(self, byte: int) -> int:
        """The character that starts at this byte, or the one it lies in."""
        if self.at is None:
            return byte
        return int(np.searchsorted(self.at, byte, side="right")) - 1

    def byte(self, char: int) -> int:
        return char if self.at is None else int(self.at[char])


def regions(text: Text, ends: list[int], form: Approximation) -> list[Region]:
    """Where matches that end at these bytes (and no others) can lie."""
    found: list[list[int]] = []
    for end in sorted(set(ends)):
        # An end inside a character is none of a match; the character's own end is as good.
        high = text.char(end)
        if text.at is not None and text.at[high] != end:
            high += 1
        floor = found[-1][1] if found else 0
        low = _left(text.chars, high, floor, form)
        if found and low <= floor:
            found[-1][1] = max(floor, high)
        else:
            found.append([low, high])
    return [(low, high) for low, high in found]


def _left(chars: str, high: int, floor: int, form: Approximation) -> int:
    """The first character that a match ending at ``high`` can start with, or anything up to ``floor`` if before that.

    Regions' left edges never run back past one another, so reaching the region before means belonging to it.
    """
    low = floor if form.width is None else max(floor, high - form.width)
    if not form.stops:
        return low
    at = high
    while at > low and not ((code := ord(chars[at - 1])) < 128 and code in form.stops):
        at -= 1
    return at


def _right(chars: str, high: int, form: Approximation) -> int:
    """Far enough right of a region for whatever starts in it to be judged as in the whole text."""
    size = len(chars)
    reach = form.reach
    bound = high + form.width if form.width is not None and reach is not None else size
    at = high
    if form.stops:
        while at < min(bound, size) and not ((code := ord(chars[at])) < 128 and code in form.stops):
            at += 1
    else:
        at = bound
    if reach is None:
        # A lookahead without a bound sees nothing beyond a stop that it cannot take in; one more for a word boundary.
        reach = 2 if form.stops else size
    return min(size, at + reach + 1)


class WindowedRegex:
    """Stands in for a pattern's compiled regex: the same matches, searched for in regions only."""

    def __init__(self, real: Any, form: Approximation) -> None:
        self.real = real
        self.form = form
        self.regions: list[Region] = []

    def finditer(self, text: str, timeout: float | None = None) -> Iterator[Any]:
        for low, high in self.regions:
            for match in self.real.finditer(text, low, _right(text, high, self.form), timeout=timeout):
                if match.start() >= high:
                    break
                yield match


def windowed(recognizer: Any, forms: list[Approximation]) -> tuple[PatternRecognizer, list[WindowedRegex]]:
    """A copy of the recognizer whose patterns look in regions; the original stays as it is, for others to use."""
    import regex

    flags = recognizer.global_regex_flags
    mine = copy.copy(recognizer)
    mine.patterns = [copy.copy(p) for p in recognizer.patterns]
    hooks = []
    for pattern, form in zip(mine.patterns, forms, strict=True):
        hook = WindowedRegex(regex.compile(pattern.regex, flags=flags), form)
        pattern.compiled_regex, pattern.compiled_with_flags = hook, flags
        hooks.append(hook)
    return mine, hooks


class SlicedRecognizer(EntityRecognizer):
    """A recognizer that searches slices of the text, each cut where nothing that it finds can cross.

    slices: (start, end, limit): text[start:end] is searched, and what starts at ``limit`` or later is not counted: it is
    there only to be seen. Results of a slice are kept by its content: the same string is searched once.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.name: str
        self.slices: list[tuple[int, int, int]] = []
        self._known: dict[str, list[tuple[int, int, float]]] = {}
        super().__init__(
            inner.supported_entities, name=inner.name, supported_language=inner.supported_language,
            context=inner.context, score_thresholds=inner.score_thresholds,
        )  # fmt: skip
        self._id = inner.id

    def load(self) -> None:
        pass

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[RecognizerResult]:
        results: list[RecognizerResult] = []
        for start, end, limit in self.slices:
            for low, high, score in self._search(text[start:end]):
                if start + low < limit:
                    results.append(self._result(start + low, start + high, score))
        return EntityRecognizer.remove_duplicates(results)

    def _search(self, piece: str) -> list[tuple[int, int, float]]:
        known = self._known.get(piece)
        if known is None:
            found = self.inner.analyze(piece, self.supported_entities, None)
            known = [(r.start, r.end, r.score) for r in found]
            if len(piece) < 200:
                if len(self._known) > 100_000:
                    self._known.clear()
                self._known[piece] = known
        return known

    def _result(self, start: int, end: int, score: float) -> RecognizerResult:
        from presidio_analyzer import AnalysisExplanation

        return RecognizerResult(
            self.supported_entities[0], start, end, score,
            analysis_explanation=AnalysisExplanation(self.name, score),
            recognition_metadata={
                RecognizerResult.RECOGNIZER_NAME_KEY: self.name,
                RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
            },
        )  # fmt: skip


def tokens(text: str, wanted: list[Region], token: Any, is_keyword: Any, before: int) -> list[tuple[str, int]]:
    """Tokens of the text around these regions, in order: all inside, ``before`` keywords to the left, one to the right.

    Scanning starts behind white space, where a token surely starts, so these are tokens of the whole text.
    """
    out: list[tuple[str, int]] = []
    for low, high in sorted(wanted):
        done = out[-1][1] + len(out[-1][0]) if out else 0
        if done > low:
            start = done
        else:
            start, reach = done, 64 * before
            found = 0
            while low - reach > done:
                at = _token_start(text, low - reach, low)
                head = [m.group() for m in token.finditer(text, at, low)]
                # The last one may be cut off by the region's edge.
                found = sum(map(is_keyword, head[:-1]))
                if found >= before:
                    start = at
                    break
                reach *= 4
        after = 0
        for match in token.finditer(text, start):
            if match.start() >= high and after:
                break
            out.append((match.group(), match.start()))
            if match.start() >= high:
                after += is_keyword(match.group())
    return out


def _token_start(text: str, at: int, limit: int) -> int:
    while at < limit and not (text[at - 1] == " " and text[at] != " " and not text[at].isspace()):
        at += 1
    return at
