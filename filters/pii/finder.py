"""Presidio's findings, from calling its recognizers only where they can find something.

``Finder.analyze`` returns what ``AnalyzerEngine.analyze`` returns for the same text and recognizers, because it is that
method that runs: over the whole text, with patterns that look in regions only (filters.pii.windows) and with tokens only
around them. The regions come from one pass of hyperscan over all patterns' approximations (filters.pii.prefilter) and,
for telephone numbers, from a digit gate (filters.pii.phones).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import hyperscan
import numpy as np
from presidio_analyzer import EntityRecognizer, PatternRecognizer, RecognizerResult

from filters.pii.characters import Unfilterable
from filters.pii.context import ContextEnhancer
from filters.pii.engine import TOKEN, TokenEngine, analyzer
from filters.pii.options import DEFAULT_REGIONS
from filters.pii.phones import PhoneGate
from filters.pii.prefilter import Approximation, approximate
from filters.pii.windows import Region, SlicedRecognizer, Text, WindowedRegex, regions, tokens, windowed

CONTEXT_WORDS = 6
"""Presidio's enhancer looks at a match's own word and five keywords before it."""


@dataclass
class _Looking:
    """One recognizer as it runs here. expressions: ids in the scan, one a pattern; none for a recognizer run in full."""

    recognizer: EntityRecognizer
    entities: list[str]
    language: str
    expressions: list[int] = field(default_factory=list)
    forms: list[Approximation] = field(default_factory=list)
    hooks: list[WindowedRegex] = field(default_factory=list)
    sliced: SlicedRecognizer | None = None
    everywhere: bool = False


@dataclass
class Hits:
    """What the scan says of one text: ends of possible matches by expression (bytes), zones for telephone numbers."""

    ends: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    zones: list[Region] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.ends) or bool(self.zones)


class Finder:
    """Built once from ordinary Presidio recognizers. unfiltered: names of those that have to run over every text."""

    def __init__(
        self, recognizers: Sequence[EntityRecognizer], languages: Sequence[str], also: Sequence[bytes] = ()
    ) -> None:
        """also: expressions that no recognizer has; a text with a match of one is scanned for by ``scan`` too."""
        self.languages = list(languages)
        self.nlp = TokenEngine(languages)
        self.unfiltered: dict[str, str] = {}
        self._expressions: dict[bytes, int] = {}
        self._gate: PhoneGate | None = None
        self._looking = [self._prepare(r) for r in recognizers]
        by_language = defaultdict(list)
        for one in self._looking:
            by_language[one.language].append(one)
        self._by_language = dict(by_language)
        self._engines = {
            language: analyzer([one.recognizer for one in mine], [language], self.nlp, ContextEnhancer())
            for language, mine in self._by_language.items()
        }
        self._database = _compile(list(self._expressions), list(also))
        self._always = any(one.everywhere for one in self._looking)

    def analyze(self, data: bytes, language: str) -> list[RecognizerResult]:
        """Everything found in one UTF-8 text; offsets count characters."""
        return self.findings(Text.of(data), self.hits(data), language)

    def hits(self, data: bytes) -> Hits:
        one = np.array([0], np.int64), np.array([len(data)], np.int64)
        found = dict(self.scan(np.frombuffer(data, np.uint8), *one))
        return found.get(0, Hits())

    def scan(self, data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> Iterator[tuple[int, Hits]]:
        """Texts ``data[starts[i]:ends[i]]`` in which something may stand, by i."""
        zones: dict[int, list[Region]] = defaultdict(list)
        if self._gate:
            which, found = self._gate.zones(data, starts, ends)
            for text, zone in zip(which.tolist(), found, strict=True):
                zones[text].append(zone)
        view: Any = memoryview(np.ascontiguousarray(data))  # type: ignore[arg-type]
        scan: Any = self._database and self._database.scan
        raw: list[tuple[int, int]] = []

        def on_match(expression: int, _start: int, end: int, _flags: int, _context: object) -> None:
            raw.append((expression, end))

        for i, (low, high) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
            if scan and high > low:
                scan(view[low:high], match_event_handler=on_match)
            if raw or i in zones or (self._always and high > low):
                hits = Hits()
                for expression, end in raw:
                    hits.ends[expression].append(end)
                hits.zones = zones.get(i, [])
                raw.clear()
                yield i, hits

    def findings(self, text: Text, hits: Hits, language: str) -> list[RecognizerResult]:
        """AnalyzerEngine.analyze on the text, its recognizers told where to look."""
        entities: set[str] = set()
        wanted: list[Region] = []
        for one in self._by_language.get(language, ()):
            found = self._direct(one, text, hits)
            if found:
                entities.update(one.entities)
                wanted += found
        if not entities:
            return []
        words = tokens(text.chars, wanted, TOKEN, lambda w: self.nlp.is_keyword(w, language), CONTEXT_WORDS)
        artifacts = self.nlp.artifacts(words, language)
        engine = self._engines[language]
        return engine.analyze(text.chars, language, entities=sorted(entities), nlp_artifacts=artifacts)

    def _direct(self, one: _Looking, text: Text, hits: Hits) -> list[Region]:
        """Tells one recognizer where to look, and says where that is."""
        whole = [(0, len(text.chars))]
        if one.sliced is not None:
            one.sliced.slices = [_slice(text, zone) for zone in hits.zones]
            return [(low, limit) for low, _, limit in one.sliced.slices]
        if one.everywhere:
            return whole
        if not one.hooks:
            return whole if any(e in hits.ends for e in one.expressions) else []
        found: list[Region] = []
        for hook, expression, form in zip(one.hooks, one.expressions, one.forms, strict=True):
            hook.regions = regions(text, hits.ends[expression], form) if expression in hits.ends else []
            found += hook.regions
        return found

    def _prepare(self, recognizer: Any) -> _Looking:
        one = _Looking(recognizer, list(recognizer.supported_entities), recognizer.supported_language)
        if self._is_gated(recognizer):
            one.recognizer = one.sliced = SlicedRecognizer(recognizer)
            return one
        try:
            patterns, flags = _patterns_of(recognizer)
            one.forms = [approximate(p.regex, flags) for p in patterns]
            for form in one.forms:
                if form.expression not in self._expressions:
                    _compile([form.expression])
                one.expressions.append(self._expressions.setdefault(form.expression, len(self._expressions)))
        except Unfilterable as error:
            self.unfiltered[recognizer.name] = str(error)
            one.everywhere = True
            return one
        # A recognizer with an analyze of its own may do more than try patterns: it gets the whole text, if any hits.
        if type(recognizer).analyze is PatternRecognizer.analyze:
            one.recognizer, one.hooks = windowed(recognizer, one.forms)
        return one

    def _is_gated(self, recognizer: Any) -> bool:
        """Whether all it finds lies in a zone of the digit gate: phonenumbers' matcher, and what declares so itself."""
        if type(recognizer).__name__ == "PhoneRecognizer" and getattr(recognizer, "leniency", 0) >= 1:
            numbers = tuple(recognizer.supported_regions)
            self._gate = self._gate or PhoneGate(numbers)
            return self._gate.regions == numbers
        if getattr(recognizer, "in_phone_zones", False):
            self._gate = self._gate or PhoneGate(DEFAULT_REGIONS)
            return True
        return False


def _patterns_of(recognizer: Any) -> tuple[list[Any], int]:
    if not issubclass(type(recognizer), PatternRecognizer):
        raise Unfilterable("not a pattern recognizer")
    patterns: Any = recognizer.patterns
    return patterns, int(recognizer.global_regex_flags or 0)


def _slice(text: Text, zone: Region) -> tuple[int, int, int]:
    """A zone with the character before it, which the matcher looks at, and what a time of day would have after it."""
    low, limit = text.char(zone[0]), text.char(zone[1])
    return max(0, low - 1), min(len(text.chars), limit + 4), limit


def _compile(expressions: list[bytes], once: Sequence[bytes] = ()) -> hyperscan.Database | None:
    """once: expressions of which one match says all; their ids come after the others'."""
    if not expressions and not once:
        return None
    each = hyperscan.HS_FLAG_PREFILTER | hyperscan.HS_FLAG_DOTALL
    flags = [each] * len(expressions) + [each | hyperscan.HS_FLAG_SINGLEMATCH] * len(once)
    expressions = [*expressions, *once]
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    count = len(expressions)
    try:
        database.compile(expressions=expressions, ids=list(range(count)), elements=count, flags=flags)
    except hyperscan.error as error:
        raise Unfilterable(str(error)) from None
    return database
