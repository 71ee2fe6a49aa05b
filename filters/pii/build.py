"""From options to the places in a batch where personal data stands."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import phonenumbers
from presidio_analyzer import EntityRecognizer

from filters.batch import CONTENT, REASONING, Batch
from filters.pii import allow, certainty, engine, jsontext, recognizers
from filters.pii.edits import Place
from filters.pii.finder import Finder, Hits
from filters.pii.names import Names
from filters.pii.options import LANGUAGES, NAMED, OURS, PiiOptions, check_names, named, wanted
from filters.pii.surrogate import reserved
from filters.pii.windows import Text

CONTEXT = 400
"""Characters of text handed to the weighing, which takes its context from them once placeholders are gone."""
KEPT_TEXTS = 4096
"""Distinct texts whose places are kept within a batch: system prompts and tool definitions come again and again."""

PROSE = (CONTENT, REASONING)
"""Where a model looks for names. What it finds there is followed into calls and results."""

Found = tuple[int, int, str, int]


def places(options: PiiOptions) -> Places:
    """Everything loaded and compiled. Raises ConfigError for a name that does not exist."""
    check_names("region", options.regions, phonenumbers.SUPPORTED_REGIONS)
    check_names("language", options.languages, LANGUAGES)
    asked = wanted(options)
    known = engine.entities() | OURS | set(NAMED) | {r.entity for r in options.recognizers}
    check_names("entity", options.entities, known)
    found = engine.presidio(options.languages, asked, options.regions)
    found += recognizers.ours(options.languages[0], known if asked is None else asked)
    found += engine.custom(options.recognizers, options.languages)
    finder = Finder(distinct(found), options.languages, also=[jsontext.CODED])
    by_model = named(options)
    return Places(finder, asked, options, Names(options.model, by_model) if by_model else None)


def distinct(found: list[EntityRecognizer]) -> list[EntityRecognizer]:
    """One of several that differ in nothing but the language they are registered for."""
    seen: dict[tuple[object, ...], EntityRecognizer] = {}
    for one in found:
        patterns = tuple(p.regex for p in getattr(one, "patterns", ()))
        seen.setdefault((type(one), tuple(one.supported_entities), patterns, tuple(one.context or ())), one)
    return list(seen.values())


def _masked(data: bytes, found: list[Found]) -> bytes:
    """The text with what is found bracketed out, at the same length, as a replacement would bracket it."""
    out = bytearray(data)
    for start, end, _entity, _level in found:
        size = end - start
        out[start:end] = b"<" + b"X" * (size - 4) + b"_1>" if size > 4 else b"<" * size
    return bytes(out)


class Places:
    def __init__(
        self, finder: Finder, entities: set[str] | None, options: PiiOptions, names: Names | None = None
    ) -> None:
        self.finder = finder
        self._names = names
        self._entities = entities
        self._least = certainty.LEVELS.index(options.min_certainty)
        self._allow = {a.casefold() for a in options.allow}
        self._refuted = allow.load(options.allow_file) if options.allow_file else {}

    def of(self, batch: Batch) -> Iterator[Place]:
        """Places by segment, then start; spans in bytes of the segment. Those that only look like it have counts False."""
        segments = batch.segments
        known: dict[tuple[bytes, bool], list[Found]] = {}
        for segment, hits in self._scanned(batch):
            data, prose = segments.bytes(segment), bool(segments.channel[segment] in PROSE)
            if (data, prose) not in known:
                if len(known) >= KEPT_TEXTS:
                    known.clear()
                known[data, prose] = self._settled(data, hits, prose)
            for start, end, entity, level in known[data, prose]:
                yield Place(segment, start, end, entity, certainty.LEVELS[level], level >= self._least)

    def _scanned(self, batch: Batch) -> Iterator[tuple[int, Hits]]:
        """Segments in which something may stand; with a model, all with text."""
        segments = batch.segments
        for number in np.unique(segments.buffer):
            which = np.flatnonzero((segments.buffer == number) & (segments.length > 0))
            found = self.finder.scan(segments.buffers[number], segments.start[which], segments.end[which])
            if self._names is not None:
                hits = dict(found)
                found = ((i, hits.get(i, Hits())) for i in range(len(which)))
            for i, mine in found:
                yield int(which[i]), mine

    def _settled(self, data: bytes, hits: Hits, prose: bool) -> list[Found]:
        """What is found, and what is found once that is replaced: a value can hide another that it is glued to."""
        found = self._search(data, hits)
        if self._names is not None and prose and not jsontext.looks_like(data):
            found += self._named(self._names, data, found)
        hidden = data
        while (masked := _masked(hidden, [f for f in found if f[3] >= self._least])) != hidden:
            hidden = masked
            more = self._search(hidden, self.finder.hits(hidden))
            sure = [f for f in found if f[3] >= self._least]
            new = [f for f in more if f[3] >= self._least and not any(f[0] < g[1] and g[0] < f[1] for g in sure)]
            taken = {f[:3] for f in new}
            found = [f for f in found if f[:3] not in taken] + new
        return sorted(found)

    def _named(self, names: Names, data: bytes, found: list[Found]) -> list[Found]:
        """The model's names, except where something with a form of its own stands: an address is no organisation."""
        text = Text.of(data)
        each = [(text.byte(s), text.byte(e), entity) for s, e, entity in names.find(text.chars)]
        return [
            (start, end, entity, certainty.PLAUSIBLE)
            for start, end, entity in each
            if not self._is_allowed(entity, data[start:end].decode())
            and not any(f[0] < end and start < f[1] for f in found if f[3] >= self._least)
        ]

    def _search(self, data: bytes, hits: Hits) -> list[Found]:
        seen = jsontext.view(data)
        if seen.data is not data:
            hits = self.finder.hits(seen.data)
        text = Text.of(seen.data)
        best: dict[tuple[int, int, str], int] = {}
        for language in self.finder.languages:
            for result in self.finder.findings(text, hits, language):
                if self._entities is not None and result.entity_type not in self._entities:
                    continue
                value = text.chars[result.start : result.end]
                if self._is_allowed(result.entity_type, value):
                    continue
                before = text.chars[max(0, result.start - CONTEXT) : result.start]
                after = text.chars[result.end : result.end + CONTEXT]
                level, _why = certainty.judge(result.entity_type, value, before, after, result.score)
                start, end = (seen.written(text.byte(i)) for i in (result.start, result.end))
                key = (start, end, result.entity_type)
                best[key] = max(level, best.get(key, -1))
        return sorted((*key, level) for key, level in best.items())

    def _is_allowed(self, entity: str, value: str) -> bool:
        folded = value.casefold()
        if folded in self._allow or reserved(entity, value):
            return True
        if entity in self._refuted and allow.value_hash(entity, value) in self._refuted[entity]:
            return True
        return entity == "EMAIL_ADDRESS" and "@" + folded.rpartition("@")[2] in self._allow
