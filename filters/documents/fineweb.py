"""FineWeb's rules (Penedo et al. 2024, https://arxiv.org/abs/2406.17557, 3.6), with the thresholds by language of FineWeb2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import msgspec
import numpy as np
import pyarrow as pa

from filters.characters import kinds
from filters.documents.languages import LINES
from filters.documents.rules import DocumentFilter, DocumentOptions, Documents, Rule


class FinewebOptions(DocumentOptions, frozen=True, kw_only=True):
    min_ended_lines: Annotated[
        float, msgspec.Meta(description="Least share of lines that end a sentence; 0 is off, as below.", ge=0, le=1)
    ] = 0.12
    max_short_lines: Annotated[float, msgspec.Meta(description="Greatest share of short lines.", ge=0, le=1)] = 0.67
    short_line: Annotated[
        int, msgspec.Meta(description="Characters up to which a line is short.", ge=0, le=100_000)
    ] = 30
    max_repeated_characters: Annotated[
        float, msgspec.Meta(description="Greatest share of characters in lines that were there before.", ge=0, le=1)
    ] = 0.01
    max_newlines: Annotated[float, msgspec.Meta(description="Most newlines a word.", ge=0, le=1000)] = 0.3


class FinewebFilter(DocumentFilter):
    """What lists, menus and pages without sentences have in common."""

    name = "fineweb"
    summary = (
        "FineWeb's rules over a document: lines that end a sentence, short and repeated lines; thresholds by language."
    )
    reasons: ClassVar[Mapping[str, str]] = {
        "fineweb_unended_lines": "Too few of its lines end a sentence.",
        "fineweb_short_lines": "Too many of its lines are short.",
        "fineweb_repeated_lines": "Too many of its characters are in lines that were there before.",
        "fineweb_list": "It has too many newlines for its words.",
    }
    rules = (
        Rule("fineweb_unended_lines", "ended_lines", "min_ended_lines", below=True),
        Rule("fineweb_short_lines", "short_lines", "max_short_lines"),
        Rule("fineweb_repeated_lines", "repeated_characters", "max_repeated_characters"),
        Rule("fineweb_list", "newlines", "max_newlines"),
    )
    figures = LINES
    scores: ClassVar[Mapping[str, pa.DataType]] = {
        "bytes": pa.int64(), "language": pa.string(), **dict.fromkeys([r.score for r in rules], pa.float32()),
    }  # fmt: skip
    thresholds: ClassVar[Mapping[str, str]] = {r.score: r.option for r in rules}
    Options = FinewebOptions
    options: FinewebOptions
    measured_with = ("language", "short_line")

    def measure(self, documents: Documents) -> Mapping[str, np.ndarray]:
        from filters.documents import kernels

        out = np.zeros((len(documents), len(self.rules)))
        kernels.fineweb(documents.data, documents.start, documents.end, kinds(), self.options.short_line, out)
        return dict(zip([rule.score for rule in self.rules], out.astype(np.float32).T, strict=True))
