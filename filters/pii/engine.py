"""Presidio without a model: its recognizers, and an NLP engine that is only a tokenizer.

Presidio raises a finding's score when one of the recognizer's context words stands among the few words before it. For that
it needs tokens and lemmas, not a model: here a token is a run of word characters and its lemma is itself in lower case.
A token's being a keyword depends on nothing but the token, which is what lets us look at part of a text only.
"""

from __future__ import annotations

import logging
import re
import runpy
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import presidio_analyzer
import spacy.lang
import yaml
from presidio_analyzer import AnalyzerEngine, EntityRecognizer, PatternRecognizer, RecognizerRegistry
from presidio_analyzer.context_aware_enhancers import ContextAwareEnhancer
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine

from filters.contract import ConfigError

# Its IBAN recognizer logs the value that it could not validate.
logging.getLogger("presidio-analyzer").setLevel(logging.CRITICAL + 1)

TOKEN = re.compile(r"\w+|\s+|[^\w\s]")


class TokenEngine(NlpEngine):
    """Tokens, lower-cased as lemmas; white space, punctuation and stop words are no keywords."""

    engine_name = "tokens"
    is_available = True

    def __init__(self, languages: Sequence[str]) -> None:
        self.languages = list(languages)
        self.stop_words = {language: _stop_words(language) for language in languages}

    def load(self) -> None:
        pass

    def is_loaded(self) -> bool:
        return True

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        found = [(m.group(), m.start()) for m in TOKEN.finditer(text)]
        return self.artifacts(found, language)

    def artifacts(self, tokens: list[tuple[str, int]], language: str) -> NlpArtifacts:
        words: Any = [t for t, _ in tokens]
        made = NlpArtifacts([], words, [at for _, at in tokens], [w.lower() for w in words], self, language)
        # The enhancer asks of every word around a finding whether it is one of them.
        keywords: Any = frozenset(made.keywords)
        made.keywords = keywords
        return made

    def process_batch(
        self, texts: Iterable[str], language: str, batch_size: int = 1, n_process: int = 1, **kwargs: Any
    ) -> Iterator[tuple[str, NlpArtifacts]]:
        for text in texts:
            yield text, self.process_text(text, language)

    def is_stopword(self, word: str, language: str) -> bool:
        return word.isspace() or word in self.stop_words[language]

    def is_punct(self, word: str, language: str) -> bool:
        return len(word) == 1 and not (word.isalnum() or word == "_")

    def is_keyword(self, word: str, language: str) -> bool:
        word = word.lower()
        return not (self.is_stopword(word, language) or self.is_punct(word, language) or word == "be")

    def get_supported_entities(self) -> list[str]:
        return []

    def get_supported_languages(self) -> list[str]:
        return self.languages


def _stop_words(language: str) -> frozenset[str]:
    """spaCy's list for the language, which is data and needs no model; none for a language it has no list of.

    Read from its file: to import it would import the language, and French alone compiles its exceptions for three seconds.
    """
    [lang] = spacy.lang.__path__
    path = Path(lang) / language / "stop_words.py"
    return frozenset(runpy.run_path(str(path))["STOP_WORDS"]) if path.is_file() else frozenset()


def analyzer(
    recognizers: Sequence[EntityRecognizer],
    languages: Sequence[str],
    nlp: NlpEngine,
    enhancer: ContextAwareEnhancer | None = None,
) -> AnalyzerEngine:
    """An ordinary AnalyzerEngine over these recognizers; nothing is loaded or fetched. enhancer: Presidio's own if not given."""
    registry = RecognizerRegistry(list(recognizers), supported_languages=list(languages))
    return AnalyzerEngine(
        registry=registry, nlp_engine=nlp, supported_languages=list(languages), context_aware_enhancer=enhancer
    )


def presidio(languages: Sequence[str], entities: set[str] | None, regions: Sequence[str]) -> list[EntityRecognizer]:
    """Presidio's predefined recognizers for these languages and entities, without those that need a model or a service.

    entities None: all that its default configuration enables. One that is disabled there is made when it is named.
    """
    _offline_suffixes()
    found: list[EntityRecognizer] = []
    for row in _configuration():
        kind = _class_of(row)
        if kind is None:
            continue
        for language, context in _languages(row, languages):
            recognizer = _make(kind, language, context, regions)
            wanted = set(recognizer.supported_entities)
            if wanted & entities if entities is not None else row.get("enabled", True):
                found.append(recognizer)
    return found


def entities() -> set[str]:
    """Every entity that some predefined local recognizer has, whether enabled by default or not."""
    names: set[str] = set()
    for row in _configuration():
        kind = _class_of(row)
        if kind is not None:
            names.update(kind().supported_entities)
    return names


def _make(kind: type, language: str, context: list[str] | None, regions: Sequence[str]) -> EntityRecognizer:
    options: dict[str, Any] = {"supported_language": language}
    if context:
        options["context"] = context
    if kind.__name__ == "PhoneRecognizer":
        options["supported_regions"] = tuple(regions)
    return kind(**options)


@lru_cache(1)
def _configuration() -> list[dict[str, Any]]:
    """Rows of the file that Presidio's own registry provider reads by default."""
    path = Path(presidio_analyzer.__file__).parent / "conf" / "default_recognizers.yaml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return list(yaml.load(path.read_text("utf-8"), loader)["recognizers"])


def _class_of(row: dict[str, Any]) -> type | None:
    import presidio_analyzer.predefined_recognizers as predefined

    kind = getattr(predefined, row.get("class_name", row["name"]), None)
    if not isinstance(kind, type) or row.get("type") == "custom":
        return None
    local = issubclass(kind, PatternRecognizer) or kind.__name__ == "PhoneRecognizer"
    return kind if local else None


def _languages(row: dict[str, Any], languages: Sequence[str]) -> Iterator[tuple[str, list[str] | None]]:
    """Languages of a row among ours, with its context words for each; a row that names none is for every language."""
    named = row.get("supported_languages")
    if not named:
        for language in languages:
            yield language, None
        return
    for entry in named:
        language, context = (entry, None) if isinstance(entry, str) else (entry["language"], entry.get("context"))
        if language in languages:
            yield language, context


def _offline_suffixes() -> None:
    """The e-mail recognizer asks tldextract, which would fetch the public suffix list; it ships a copy of it. The phone
    recognizer gets a matcher that remembers what is no number."""
    import tldextract
    from presidio_analyzer.predefined_recognizers.generic import email_recognizer, phone_recognizer

    from filters.pii.matcher import use_in

    use_in(phone_recognizer)
    if not isinstance(getattr(email_recognizer.tldextract, "extract", None), _Offline):
        offline = _Offline(tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None))
        email_recognizer.tldextract = type("offline", (), {"extract": offline})  # type: ignore[assignment]


class _Offline:
    """Stands in for ``tldextract.extract`` inside that recognizer's module, and nowhere else."""

    def __init__(self, extract: Any) -> None:
        self._extract = extract

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._extract(*args, **kwargs)


def custom(rows: Sequence[Any], languages: Sequence[str]) -> list[EntityRecognizer]:
    """Pattern recognizers from a recipe: name, entity, patterns, score, context, language."""
    from presidio_analyzer import Pattern

    made: list[EntityRecognizer] = []
    for row in rows:
        for language in [row.language] if row.language else languages:
            try:
                patterns = [Pattern(f"{row.entity} {i}", regex, row.score) for i, regex in enumerate(row.patterns)]
                made.append(
                    PatternRecognizer(
                        row.entity, name=f"custom {row.entity}", patterns=patterns, context=list(row.context),
                        supported_language=language,
                    )
                )  # fmt: skip
            except Exception as error:
                raise ConfigError(f"recognizer {row.entity}: {error}") from None
    return made
