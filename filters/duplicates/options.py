"""What counts as the same, and which of several is kept."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from filters.contract import ConfigError, Options

SKETCH_SIZES = (64, 128, 256, 512, 1024, 2048, 4096)


class DuplicatesOptions(Options, frozen=True, kw_only=True):
    what: Annotated[
        Literal["conversation", "prompt", "answer", "prompt_and_final_answer"],
        msgspec.Meta(
            description="What is compared: all turns but the system's, with reasoning and calls; what users say; what the assistant "
            "says and calls, without its reasoning; or the prompt and the final answer (in its box, after `####`, or the last turn)."
        ),
    ] = "conversation"
    method: Annotated[
        Literal["exact", "near"],
        msgspec.Meta(
            description="`exact`: equal texts; `near`: those, and texts that share most of their word n-grams."
        ),
    ] = "exact"
    normalise: Annotated[
        Literal["none", "spaces", "words"],
        msgspec.Meta(
            description="When texts are equal: byte by byte; with runs of white space as one; or word for word, without case, commas, full "
            "stops, quotes and brackets."
        ),
    ] = "spaces"
    threshold: Annotated[
        float,
        msgspec.Meta(description="`near`: least Jaccard similarity of the two sets of word n-grams.", ge=0.3, le=1),
    ] = 0.8
    ngram: Annotated[
        int, msgspec.Meta(description="`near`: words an n-gram has; characters in scripts without spaces.", ge=1, le=20)
    ] = 5
    permutations: Annotated[
        int,
        msgspec.Meta(
            description="`near`: values of a record's sketch, 64 to 4096 in powers of two, half a byte each; the estimate's error goes "
            "down with their root."
        ),
    ] = 1024
    bands: Annotated[
        int,
        msgspec.Meta(
            description="`near`: bands the sketch is cut into to find candidates; 0: as many as find 99 % of pairs at the threshold.",
            ge=0,
            le=1024,
        ),
    ] = 0
    keep: Annotated[
        Literal["first", "longest", "verified", "licence"],
        msgspec.Meta(
            description="Which record of a cluster is kept: the first by shard and row; the one with most text; one that `verified` "
            "says is right; the one whose licence stands first in `licences`. Then the smallest record id."
        ),
    ] = "first"
    verified: Annotated[
        str,
        msgspec.Meta(
            description="Column (or a path into one) that says `true`, `verified`, `correct`, `pass` or a number above 0 of a right "
            "record; empty: what the recipe's own filters found (`numbers`, `samples`, `code`)."
        ),
    ] = ""
    licences: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="SPDX ids, or globs such as `CC-BY-*`, the best first; a record with none of them comes last."
        ),
    ] = ()
    against: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Folders of other published datasets: what stands in one of them is a duplicate here."
        ),
    ] = ()


def check(options: DuplicatesOptions) -> None:
    """Raises ConfigError for options that do not go together."""
    if options.permutations not in SKETCH_SIZES:
        raise ConfigError(f"duplicates: permutations is one of {', '.join(map(str, SKETCH_SIZES))}")
    if options.bands > options.permutations:
        raise ConfigError(
            f"duplicates: bands ({options.bands}) cannot be more than permutations ({options.permutations})"
        )
    if options.method == "near" and options.what == "prompt_and_final_answer":
        raise ConfigError("duplicates: prompt_and_final_answer is compared exactly; set method: exact, or another what")
    if options.verified and options.keep != "verified":
        raise ConfigError("duplicates: verified names a column for keep: verified; set that too, or leave it out")
    if (options.keep == "licence") != bool(options.licences):
        raise ConfigError("duplicates: keep: licence and the order in licences go together; give both or neither")
