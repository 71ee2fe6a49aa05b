"""Gopher's repetition rules (Rae et al. 2021, table A1), with thresholds by language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import msgspec
import numpy as np
import pyarrow as pa

from filters.characters import kinds
from filters.documents.languages import REPETITION
from filters.documents.rules import DocumentFilter, DocumentOptions, Documents, Rule

_Share = Annotated[float, msgspec.Meta(description="Greatest share of its kind; 0 is off.", ge=0, le=1)]


class GopherRepetitionOptions(DocumentOptions, frozen=True, kw_only=True):
    max_repeated_paragraphs: _Share = 0.3
    max_repeated_paragraph_characters: _Share = 0.2
    max_repeated_lines: _Share = 0.3
    max_repeated_line_characters: _Share = 0.2
    max_top_2_gram: _Share = 0.2
    max_top_3_gram: _Share = 0.18
    max_top_4_gram: _Share = 0.16
    max_repeated_5_gram: _Share = 0.15
    max_repeated_6_gram: _Share = 0.14
    max_repeated_7_gram: _Share = 0.13
    max_repeated_8_gram: _Share = 0.12
    max_repeated_9_gram: _Share = 0.11
    max_repeated_10_gram: _Share = 0.1


class GopherRepetitionFilter(DocumentFilter):
    """Lines, paragraphs and n-grams that come again. For loops in reasoning, ``repetition`` looks more closely."""

    name = "gopher_repetition"
    summary = (
        "Gopher's repetition rules over a document: repeated lines, paragraphs and n-grams; thresholds by language."
    )
    reasons: ClassVar[Mapping[str, str]] = {
        "gopher_repeated_paragraphs": "Too many paragraphs, or characters in paragraphs, were there before.",
        "gopher_repeated_lines": "Too many lines, or characters in lines, were there before.",
        "gopher_top_gram": "The commonest run of two to four words takes too much of the document.",
        "gopher_repeated_grams": "Runs of five to ten words that were there before take too much of the document.",
    }
    rules = (
        Rule("gopher_repeated_paragraphs", "repeated_paragraphs", "max_repeated_paragraphs"),
        Rule("gopher_repeated_paragraphs", "repeated_paragraph_characters", "max_repeated_paragraph_characters"),
        Rule("gopher_repeated_lines", "repeated_lines", "max_repeated_lines"),
        Rule("gopher_repeated_lines", "repeated_line_characters", "max_repeated_line_characters"),
        *(Rule("gopher_top_gram", f"top_{n}_gram", f"max_top_{n}_gram") for n in range(2, 5)),
        *(Rule("gopher_repeated_grams", f"repeated_{n}_gram", f"max_repeated_{n}_gram") for n in range(5, 11)),
    )
    figures = REPETITION
    scores: ClassVar[Mapping[str, pa.DataType]] = {
        "bytes": pa.int64(), "language": pa.string(), **dict.fromkeys([r.score for r in rules], pa.float32()),
    }  # fmt: skip
    thresholds: ClassVar[Mapping[str, str]] = {r.score: r.option for r in rules}
    Options = GopherRepetitionOptions
    options: GopherRepetitionOptions
    measured_with = ("language",)

    def measure(self, documents: Documents) -> Mapping[str, np.ndarray]:
        from filters.documents import kernels

        out = np.zeros((len(documents), len(self.rules)))
        kernels.repetition(documents.data, documents.start, documents.end, kinds(), out)
        return dict(zip([rule.score for rule in self.rules], out.astype(np.float32).T, strict=True))
