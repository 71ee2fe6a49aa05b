"""C4's rules (Raffel et al. 2020, https://jmlr.org/papers/volume21/20-074/20-074.pdf, 2.2), but for its list of bad words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import msgspec
import numpy as np
import pyarrow as pa

from filters.characters import kinds
from filters.documents.languages import C4
from filters.documents.rules import DocumentFilter, DocumentOptions, Documents, Rule, threshold

_PHRASES = (
    b"lorem ipsum", b"javascript", b"terms of use", b"privacy policy", b"cookie policy", b"uses cookies", b"use of cookies",
    b"use cookies",
)  # fmt: skip


class C4Options(DocumentOptions, frozen=True, kw_only=True):
    min_sentences: Annotated[
        float, msgspec.Meta(description="Least sentences in the lines that are left; 0 is off.", ge=0, le=1e9)
    ] = 5
    min_words_a_line: Annotated[
        float, msgspec.Meta(description="Words below which a line is not counted.", ge=0, le=1000)
    ] = 3
    max_word: Annotated[
        float, msgspec.Meta(description="Characters of a word above which its line is not counted.", ge=1, le=1e9)
    ] = 1000
    lorem_ipsum: Annotated[bool, msgspec.Meta(description="Drop documents with placeholder text.")] = True
    curly_brackets: Annotated[
        bool, msgspec.Meta(description="Drop documents with a curly bracket in a line of prose.")
    ] = True


class C4Filter(DocumentFilter):
    """Counts sentences in lines that look like prose. It takes no line out of a document: it keeps it or drops it."""

    name = "c4"
    summary = "C4's rules over a document: sentences in lines of prose, placeholder text, curly brackets."
    reasons: ClassVar[Mapping[str, str]] = {
        "c4_lorem_ipsum": "It holds placeholder text.",
        "c4_curly_bracket": "There is a curly bracket in a line of prose.",
        "c4_few_sentences": "There are too few sentences in its lines of prose.",
    }
    rules = (
        Rule("c4_lorem_ipsum", "lorem_ipsum", "lorem_ipsum", flag=True),
        Rule("c4_curly_bracket", "curly_brackets", "curly_brackets", flag=True),
        Rule("c4_few_sentences", "sentences", "min_sentences", below=True),
    )
    figures = C4
    scores: ClassVar[Mapping[str, pa.DataType]] = {
        "bytes": pa.int64(), "language": pa.string(),
        **dict.fromkeys(["sentences", "lines_left", "lorem_ipsum", "curly_brackets"], pa.float32()),
    }  # fmt: skip
    thresholds: ClassVar[Mapping[str, str]] = {"sentences": "min_sentences"}
    Options = C4Options
    options: C4Options
    measured_with = ("language", "languages", "own_figures", "min_words_a_line", "max_word")
    measuring = ("min_words_a_line", "max_word")

    def measure(self, documents: Documents) -> Mapping[str, np.ndarray]:
        from filters.documents import kernels

        limits = np.array(
            [
                [threshold(type(self), self.options, language, name) for name in ("max_word", "min_words_a_line")]
                for language in documents.languages
            ]
        ).reshape(len(documents), 2)
        phrases = np.frombuffer(b"".join(_PHRASES), np.uint8)
        bounds = np.cumsum([0, *map(len, _PHRASES)], dtype=np.int64)
        out = np.zeros((len(documents), 4))
        kernels.c4(documents.data, documents.start, documents.end, kinds(), phrases, bounds, limits, out)
        names = ("sentences", "lines_left", "lorem_ipsum", "curly_brackets")
        return dict(zip(names, out.astype(np.float32).T, strict=True))
