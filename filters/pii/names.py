"""Names of people, places and organisations, from a spaCy model that the recipe names. Nothing is downloaded for it.

Presidio's own engine and recognizer read the model's labels, as ``AnalyzerEngine`` would with that engine. Only prose is
looked at: in JSON, code and tables such models see names everywhere.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from filters.contract import ConfigError

PIECE = 20_000
"""Characters given to the model at once: its memory grows with them, and it looks no further than a few words."""

UNUSED = ("tagger", "lemmatizer", "attribute_ruler", "morphologizer")
"""Parts of a pipeline on which entities do not depend. (On the parser they do: none runs over the end of a sentence.)"""

_PLACEHOLDER = re.compile(r"<?[A-Z][A-Z_]*_(?:\d+|[a-p]{12})>?")
_BREAK = re.compile(r"\s")


def folder(model: str) -> Path:
    """Where a model lies: a folder, or an installed package. Raises ConfigError where there is none."""
    path = Path(model)
    if not path.is_dir():
        spec = importlib.util.find_spec(model) if model.isidentifier() else None
        if spec is None or not spec.submodule_search_locations:
            raise ConfigError(f"pii: no spaCy model {model!r}: neither a folder nor an installed package")
        path = Path(spec.submodule_search_locations[0])
    inner = sorted(p.parent for p in (path / "config.cfg", *path.glob("*/config.cfg")) if p.is_file())
    if not inner:
        raise ConfigError(f"pii: {model!r} is no spaCy model: it has no config.cfg")
    return inner[0]


def digest(model: str) -> str:
    """sha256 over the names and contents of the model's files."""
    root, whole = folder(model), hashlib.sha256()
    for path in sorted(p for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{path.relative_to(root).as_posix()}\0{content}\n".encode())
    return whole.hexdigest()


class Names:
    """Finds in a text; loaded once a worker."""

    def __init__(self, model: str, entities: Collection[str]) -> None:
        import spacy
        from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine
        from presidio_analyzer.predefined_recognizers import SpacyRecognizer

        try:
            nlp = spacy.load(folder(model), exclude=list(UNUSED))
        except Exception as error:
            line = " ".join(str(error).split())[:300]
            raise ConfigError(f"pii: the spaCy model {model!r} does not load: {line}") from None
        self._language = str(nlp.lang)
        self._entities = sorted(entities)
        configuration = NerModelConfiguration(labels_to_ignore=_unmapped(nlp))
        self._engine = SpacyNlpEngine([{"lang_code": self._language, "model_name": model}], configuration)
        self._engine.nlp = {self._language: nlp}  # type: ignore[assignment]
        self._recognizer = SpacyRecognizer(supported_language=self._language, supported_entities=self._entities)

    def find(self, text: str) -> Iterator[tuple[int, int, str]]:
        """(start, end, entity), in characters. Placeholders of an earlier scrubbing are nobody's names."""
        for offset, piece in pieces(text):
            artifacts = self._engine.process_text(piece, self._language)
            for found in self._recognizer.analyze(piece, self._entities, artifacts):
                start, end = offset + found.start, offset + found.end
                if not _PLACEHOLDER.search(text, max(0, start - 1), end + 1):
                    yield start, end, found.entity_type


def _unmapped(nlp: Any) -> list[str]:
    """Labels of the model (amounts, works of art) that are no entity of Presidio's."""
    from presidio_analyzer.nlp_engine.ner_model_configuration import MODEL_TO_PRESIDIO_ENTITY_MAPPING as known

    labels = {label for name in nlp.pipe_names for label in getattr(nlp.get_pipe(name), "labels", ())}
    return sorted(labels - set(known))


def pieces(text: str) -> Iterator[tuple[int, str]]:
    """(offset, piece): the text cut at white space, a line's end where there is one."""
    start = 0
    while len(text) - start > PIECE:
        end = text.rfind("\n", start + PIECE // 2, start + PIECE) + 1
        if not end:
            spaces = [m.end() for m in _BREAK.finditer(text, start + PIECE // 2, start + PIECE)]
            end = spaces[-1] if spaces else start + PIECE
        yield start, text[start:end]
        start = end
    yield start, text[start:]
