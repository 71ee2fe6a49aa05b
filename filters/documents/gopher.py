"""Gopher's quality rules (Rae et al. 2021, https://arxiv.org/abs/2112.11446, A.1.1), with thresholds by language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
import pyarrow as pa

from filters.characters import kinds
from filters.contract import ConfigError
from filters.documents.languages import STOP_WORDS, WORDS
from filters.documents.rules import DocumentFilter, DocumentOptions, Documents, Rule

_MOST = 64
"""Stop words of a language that can be told apart."""
_LONGEST = 12
"""Characters of a stop word; the kernel looks no further."""


def _at_least(what: str, most: float = 1e9) -> Any:
    return msgspec.Meta(description=what, ge=0, le=most)


class GopherOptions(DocumentOptions, frozen=True, kw_only=True):
    min_words: Annotated[float, _at_least("Least words; 0 is off, as with every threshold here.")] = 50
    max_words: Annotated[float, _at_least("Most words.")] = 100_000
    min_mean_word: Annotated[float, _at_least("Least mean length of words, in characters.")] = 3
    max_mean_word: Annotated[float, _at_least("Greatest mean length of words.")] = 10
    max_hashes: Annotated[float, _at_least("Most number signs a word.")] = 0.1
    max_ellipses: Annotated[float, _at_least("Most ellipses a word.")] = 0.1
    max_bullets: Annotated[float, _at_least("Greatest share of lines that begin with a bullet.", 1)] = 0.9
    max_ellipsis_lines: Annotated[float, _at_least("Greatest share of lines that end in an ellipsis.", 1)] = 0.3
    min_alpha: Annotated[float, _at_least("Least share of words with a letter in them.", 1)] = 0.8
    min_stop_words: Annotated[
        float, _at_least("Least number of different stop words; counts only in languages that have a list.", _MOST)
    ] = 2
    stop_words: Annotated[
        dict[str, tuple[str, ...]],
        msgspec.Meta(
            description="Stop words by language, instead of the filter's or beside them; an empty list turns the rule off."
        ),
    ] = {}


class GopherFilter(DocumentFilter):
    """Length, word length, signs, lines and stop words of a document."""

    name = "gopher"
    summary = "Gopher's quality rules over a document: length, words, signs, stop words; thresholds by language."
    reasons: ClassVar[Mapping[str, str]] = {
        "gopher_short": "The document has too few words.",
        "gopher_long": "The document has too many words.",
        "gopher_short_words": "Its words are too short on average.",
        "gopher_long_words": "Its words are too long on average.",
        "gopher_hashes": "There are too many number signs for its words.",
        "gopher_ellipses": "There are too many ellipses for its words.",
        "gopher_bullets": "Too many of its lines begin with a bullet.",
        "gopher_ellipsis_lines": "Too many of its lines end in an ellipsis.",
        "gopher_few_letters": "Too few of its words have a letter in them.",
        "gopher_stop_words": "Too few of the words that any text has (the, of, and …) are in it.",
    }
    rules = (
        Rule("gopher_short", "words", "min_words", below=True),
        Rule("gopher_long", "words", "max_words"),
        Rule("gopher_short_words", "mean_word", "min_mean_word", below=True),
        Rule("gopher_long_words", "mean_word", "max_mean_word"),
        Rule("gopher_hashes", "hashes", "max_hashes"),
        Rule("gopher_ellipses", "ellipses", "max_ellipses"),
        Rule("gopher_bullets", "bullets", "max_bullets"),
        Rule("gopher_ellipsis_lines", "ellipsis_lines", "max_ellipsis_lines"),
        Rule("gopher_few_letters", "alpha", "min_alpha", below=True),
        Rule("gopher_stop_words", "stop_words", "min_stop_words", below=True),
    )
    figures = WORDS
    scores: ClassVar[Mapping[str, pa.DataType]] = {
        "bytes": pa.int64(), "language": pa.string(), **dict.fromkeys([r.score for r in rules], pa.float32()),
    }  # fmt: skip
    thresholds: ClassVar[Mapping[str, str]] = {"words": "min_words", "alpha": "min_alpha", "mean_word": "max_mean_word"}
    Options = GopherOptions
    options: GopherOptions
    measured_with = ("language", "stop_words")

    def __init__(self, options: GopherOptions | None = None) -> None:
        super().__init__(options)
        lists = {**STOP_WORDS, **self.options.stop_words}
        for language, words in lists.items():
            if len(set(words)) > _MOST or any(len(word) > _LONGEST for word in words):
                raise ConfigError(
                    f"gopher: stop_words.{language}: give at most {_MOST} words, of at most {_LONGEST} characters each"
                )
        self._stops = {language: _hashes(words) for language, words in lists.items()}

    def measure(self, documents: Documents) -> Mapping[str, np.ndarray]:
        """stop_words is infinite where the language has no list: nothing can be said, so nothing is dropped for it."""
        from filters.documents import kernels

        none = np.zeros(0, np.uint64)
        lists = [self._stops.get(language, none) for language in documents.languages]
        bounds = np.cumsum([0, *map(len, lists)], dtype=np.int64)
        out = np.zeros((len(documents), 9))
        stops = np.concatenate([none, *lists])
        kernels.quality(documents.data, documents.start, documents.end, kinds(), stops, bounds, out)
        found = out.astype(np.float32)
        found[np.diff(bounds) == 0, 7] = np.inf
        names = ("words", "mean_word", "hashes", "ellipses", "bullets", "ellipsis_lines", "alpha", "stop_words")
        return dict(zip(names, found.T, strict=False))


def _hashes(words: tuple[str, ...]) -> np.ndarray:
    """As the kernel hashes a word."""
    from filters.documents import kernels

    texts = [np.frombuffer(w.encode(), np.uint8) for w in set(words) if w]
    return np.sort(np.array([kernels._hash(t, 0, len(t)) for t in texts], np.uint64))
