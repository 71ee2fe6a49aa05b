"""When samples agree, and which of them are kept."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from filters.contract import ConfigError, Options
from filters.numbers.options import On

VERIFIED, LONGEST, SHORTEST, FIRST = "verified", "longest", "shortest", "first"


class SamplesOptions(Options, frozen=True, kw_only=True):
    problem: Annotated[
        str,
        msgspec.Meta(
            description="Column, or a path into one (`metadata.problem_id`), that says which problem a record answers; empty: what users "
            "say."
        ),
    ] = ""
    normalise: Annotated[
        Literal["none", "spaces", "words"],
        msgspec.Meta(
            description="When two prompts are one problem: byte by byte; with runs of white space as one; or word for word, without case, "
            "commas, full stops, quotes and brackets."
        ),
    ] = "spaces"
    least_samples: Annotated[
        int, msgspec.Meta(description="Samples that a problem needs for a vote to count.", ge=2)
    ] = 3
    least_share: Annotated[
        float, msgspec.Meta(description="Share of a problem's samples that must give the leading answer.", ge=0, le=1)
    ] = 0.5
    least_lead: Annotated[
        float,
        msgspec.Meta(
            description="Share of the samples by which the leading answer must be ahead of the next one; 0: a single sample is enough.",
            ge=0,
            le=1,
        ),
    ] = 0.0
    on: Annotated[
        On, msgspec.Meta(description="What becomes of a record by its verdict: `{refuted: drop, unverifiable: keep}`.")
    ] = On()
    best: Annotated[int, msgspec.Meta(description="Records of a problem that are kept at most; 0: all.", ge=0)] = 0
    order: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Which records are the best: `verified` (by this filter's verdict, then by what `code` says), `longest`, "
            "`shortest`, `first` (by shard and row), or a column of numbers, the highest first (`-column`: the lowest). Then the "
            "smallest record id."
        ),
    ] = (VERIFIED,)
    last_number: Annotated[
        bool,
        msgspec.Meta(
            description="Whether the last number of a text without a marked answer may agree with the others. It has no vote and is never "
            "refuted."
        ),
    ] = True
    symbolic: Annotated[
        bool,
        msgspec.Meta(
            description="Understand formulas by math-verify (`pip install 'corpusmill[math]'`); false: as they are written."
        ),
    ] = True
    seconds: Annotated[int, msgspec.Meta(description="Processor time for one formula.", ge=1, le=120)] = 5


def columns(options: SamplesOptions) -> list[str]:
    """The columns that ``order`` names, ``-`` included."""
    return [o for o in options.order if o not in (VERIFIED, LONGEST, SHORTEST, FIRST)]


def check(options: SamplesOptions) -> None:
    """Raises ConfigError for options that make no sense."""
    if len(set(options.order)) < len(options.order):
        raise ConfigError("samples: order names something twice")
    if any(not o.removeprefix("-") for o in options.order):
        raise ConfigError("samples: order: a name is empty")
