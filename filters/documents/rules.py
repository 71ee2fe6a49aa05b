"""What the filters over documents share: which text is the document, its language, and rules of a figure and a threshold."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import pyarrow as pa

from filters.batch import ASSISTANT, CONTENT, Batch
from filters.contract import KEPT, ConfigError, Evidence, Filter, Judgement, Options
from filters.documents.languages import Figures

MEASURED = 4 << 20
"""Bytes of a document that are measured; what is longer is measured by its beginning. Gopher's longest document is about 600 KB."""

OFF = "off"


class DocumentOptions(Options, frozen=True, kw_only=True):
    languages: Annotated[
        dict[str, dict[str, float] | Literal["off"]],
        msgspec.Meta(
            description="By language (ISO 639): thresholds that differ there, or `off`, which keeps every document in it; before the "
            "filter's own figures for that language."
        ),
    ] = {}
    own_figures: Annotated[
        bool,
        msgspec.Meta(
            description="Take the published thresholds of languages that have some; off: the recipe's for every language."
        ),
    ] = True
    language: Annotated[
        str, msgspec.Meta(description="The language of every document; empty: told from its prose.")
    ] = ""


@dataclass(frozen=True)
class Rule:
    """A document goes when the score is beyond the option: below it, or above; or, of a flag, when it is set. An option of 0 (or false)
    is off."""

    reason: str
    score: str
    option: str
    below: bool = False
    flag: bool = False

    def broken(self, values: np.ndarray, limit: np.float32) -> np.ndarray:
        return values > 0 if self.flag else values < limit if self.below else values > limit


@dataclass(frozen=True)
class Documents:
    """Texts one after the other in ``data``: uint8; start/end: int64 offsets; languages: a code each, ``und`` where it cannot be told."""

    data: np.ndarray
    start: np.ndarray
    end: np.ndarray
    languages: np.ndarray

    def __len__(self) -> int:
        return len(self.start)


class DocumentFilter(Filter):
    """Base: measures a record's answers (or its plain text) as one document, and drops it by the first rule that it breaks."""

    rules: ClassVar[tuple[Rule, ...]]
    figures: ClassVar[Figures]
    """Thresholds by language that were published."""
    measuring: ClassVar[tuple[str, ...]] = ()
    """Thresholds by language that go into the scores."""
    Options: ClassVar[type[Options]] = DocumentOptions
    options: DocumentOptions

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        check(type(self), self.options)

    @abstractmethod
    def measure(self, documents: Documents) -> Mapping[str, np.ndarray]:
        """A float32 array for each score of a rule."""

    def judge(self, batch: Batch) -> Judgement:
        """scores: bytes of the document, its language, and every figure; a record without any text is kept."""
        documents, turn = documents_of(batch, self.options.language)
        scores: dict[str, Any] = {
            "bytes": documents.end - documents.start,
            "language": documents.languages,
            **self.measure(documents),
        }
        reason = self.decide(scores, self.options)
        evidence = Evidence()
        for record in np.flatnonzero(reason != KEPT):
            evidence.add_turn(int(record), int(turn[record]), CONTENT, list(self.reasons)[reason[record]])
        return Judgement(reason, {**scores, "language": pa.array(documents.languages, pa.string())}, evidence)

    @classmethod
    def decide(cls, scores: Mapping[str, Any], options: Any) -> np.ndarray:
        languages, codes = np.asarray(scores["language"], object), list(cls.reasons)
        reason = np.full(len(languages), KEPT, np.int16)
        for language in sorted(set(languages)):
            which = (languages == language) & (np.asarray(scores["bytes"]) > 0)
            if options.languages.get(language) == OFF:
                continue
            for rule in cls.rules:
                limit = np.float32(threshold(cls, options, language, rule.option))
                if limit:
                    broken = rule.broken(np.asarray(scores[rule.score], np.float32), limit)
                    reason[which & broken & (reason == KEPT)] = codes.index(rule.reason)
        return reason


def threshold(kind: type[DocumentFilter], options: Any, language: str, option: str) -> float:
    """The recipe's for the language, then the published one for it, then the recipe's."""
    asked = options.languages.get(language, {})
    published = kind.figures.get(language, {}) if options.own_figures else {}
    return asked.get(option, published.get(option, getattr(options, option)))


def check(kind: type[DocumentFilter], options: Any) -> None:
    """Raises ConfigError for a threshold by language that is none of the filter's."""
    known = {rule.option for rule in kind.rules} | set(kind.measuring)
    for language, asked in options.languages.items():
        if asked != OFF and (unknown := sorted(set(asked) - known)):
            raise ConfigError(
                f"{kind.name}: languages.{language}: no threshold {unknown[0]!r}; there are {', '.join(sorted(known))}"
            )


def documents_of(batch: Batch, language: str) -> tuple[Documents, np.ndarray]:
    """Each record's answers, joined by blank lines; and the turn of the first (-1 where there is none)."""
    segments = batch.segments
    which = segments.where(channels=(CONTENT,), roles=(ASSISTANT,))
    owner = segments.record[which]
    first = np.searchsorted(owner, np.arange(len(batch) + 1))
    texts = [b"\n\n".join(segments.bytes(i) for i in which[a:b])[:MEASURED] for a, b in pairwise(first)]
    texts = [whole(text) for text in texts]
    data = np.frombuffer(b"".join(texts), np.uint8)
    ends = np.cumsum([len(t) for t in texts], dtype=np.int64)
    starts = ends - np.array([len(t) for t in texts], np.int64)
    turn = np.array([segments.turn[which[a]] if a < b else -1 for a, b in pairwise(first)], np.int32)
    return Documents(data, starts, ends, languages_of(batch, language)), turn


def whole(text: bytes) -> bytes:
    """Without the beginning of a character at the end."""
    return text.decode("utf-8", "ignore").encode() if len(text) == MEASURED else text


def languages_of(batch: Batch, language: str) -> np.ndarray:
    if language:
        return np.full(len(batch), language, object)
    told = pa.array(_detector().judge(batch).scores["language"])
    return np.array([value or "und" for value in told.to_pylist()], object)


@cache
def _detector() -> Filter:
    from filters.language import LanguageFilter

    return LanguageFilter()
