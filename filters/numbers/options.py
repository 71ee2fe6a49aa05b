"""What a recipe says of the filter."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from filters.contract import Options

KeepOrDrop = Literal["keep", "drop"]


class On(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of a record, by its verdict."""

    verified: KeepOrDrop = "keep"
    refuted: KeepOrDrop = "drop"
    unverifiable: KeepOrDrop = "keep"


class NumbersOptions(Options, frozen=True, kw_only=True):
    reference: Annotated[
        str,
        msgspec.Meta(
            description="Column with the right answer, or a path into a struct or JSON column (`metadata.expected_answer`); empty: "
            "recognised (`expected_answer`, `reference_answer`, `ground_truth`, `reward_model.ground_truth`, …)."
        ),
    ] = ""
    on: Annotated[
        On, msgspec.Meta(description="What becomes of a record by its verdict: `{refuted: drop, unverifiable: keep}`.")
    ] = On()
    drop_at: Annotated[
        int,
        msgspec.Meta(
            description="Drop records with this many wrong equations that the text does not take back; 0: none is dropped for them.",
            ge=0,
        ),
    ] = 0
    last_number: Annotated[
        bool,
        msgspec.Meta(
            description="Whether the last number of a text without a marked answer counts. It can verify; it never refutes."
        ),
    ] = True
    tolerance: Annotated[
        float, msgspec.Meta(description="Share by which an answer may be off its reference; 0: exact.", ge=0, le=0.5)
    ] = 0.0
    symbolic: Annotated[
        bool,
        msgspec.Meta(
            description="Compare formulas by math-verify (`pip install 'corpusmill[math]'`); false: only numbers, choices and words."
        ),
    ] = True
    seconds: Annotated[int, msgspec.Meta(description="Processor time for one pair of formulas.", ge=1, le=120)] = 5
