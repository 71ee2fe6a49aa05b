"""Scores, thresholds and the one decision that turns the first into a verdict with the second.

Every threshold stands beside one score, so a verdict can be made again from recorded scores without reading a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from msgspec import Meta

from filters.contract import KEPT
from filters.contract import Options as BaseOptions

REASONS = {
    "loop": "the same words follow each other again and again",
    "counter_loop": "the same sentence again and again, with nothing but a number that counts on",
    "burst": "a short stretch of the text repeats itself too often, even if the text goes on after it",
    "restated": "much of the text was written several times before: the model goes in circles",
    "recopied": "much of the text is a copy of earlier text, growing chains included (off unless asked for)",
}

SCORES = {
    "loop_copies": pa.float32(),
    "loop_words": pa.float32(),
    "counter_copies": pa.float32(),
    "burst_words": pa.float32(),
    "restated_share": pa.float32(),
    "recopied_share": pa.float32(),
    "code_loop_copies": pa.float32(),
    "code_loop_words": pa.float32(),
    "code_counter_copies": pa.float32(),
    "code_burst_words": pa.float32(),
    "code_restated_share": pa.float32(),
}

RULES = (
    ("loop", "loop_copies"),
    ("loop", "loop_words"),
    ("counter_loop", "counter_copies"),
    ("burst", "burst_words"),
    ("restated", "restated_share"),
    ("recopied", "recopied_share"),
    ("loop", "code_loop_copies"),
    ("loop", "code_loop_words"),
    ("counter_loop", "code_counter_copies"),
    ("burst", "code_burst_words"),
    ("restated", "code_restated_share"),
)
"""(reason, score): the reason stands when the score reaches the option ``max_`` + score."""

MEASURED_WITH = ("window",)
"""Options that go into the scores: to change one of these, records have to be judged again."""


class Options(BaseOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A score that reaches its ``max_`` option is a reason to reject; 0 there turns that rule off."""

    window: Annotated[int, Meta(ge=32, le=1_000_000, description="words a burst is looked for in, at any place")] = 512
    max_loop_copies: Annotated[
        float, Meta(ge=0, description="copies in a row of one text, of any length, 40 words or more in all")
    ] = 12.0
    max_loop_words: Annotated[
        float, Meta(ge=0, description="words in one loop of at least 4 copies: long texts, repeated few times")
    ] = 600.0
    max_counter_copies: Annotated[
        float, Meta(ge=0, description="copies in a row that differ only by numbers that count on")
    ] = 200.0
    max_burst_words: Annotated[
        float, Meta(ge=0, description="words, of any ``window`` words, that the window held 12 times before")
    ] = 60.0
    max_restated_share: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="words of letters in phrases that were written 3 to 20 times before, as a share of all tokens",
        ),
    ] = 0.058
    max_recopied_share: Annotated[
        float,
        Meta(ge=0, le=1, description="share of the tokens that are copies of earlier text; 0.5 drops growing chains"),
    ] = 0.0
    max_code_loop_copies: Annotated[
        float, Meta(ge=0, description="the same as max_loop_copies, inside code blocks")
    ] = 200.0
    max_code_loop_words: Annotated[float, Meta(ge=0, description="the same as max_loop_words, inside code blocks")] = (
        1200.0
    )
    max_code_counter_copies: Annotated[
        float, Meta(ge=0, description="the same as max_counter_copies, inside code blocks")
    ] = 2000.0
    max_code_burst_words: Annotated[
        float, Meta(ge=0, description="the same as max_burst_words, inside code blocks")
    ] = 400.0
    max_code_restated_share: Annotated[
        float, Meta(ge=0, le=1, description="the same as max_restated_share, inside code blocks")
    ] = 0.5


def decide(scores: Mapping[str, Any], options: Options) -> np.ndarray:
    """int16 reason of each record (KEPT or an index into REASONS, most severe first), from recorded scores alone."""
    codes = list(REASONS)
    reason = np.full(len(scores["loop_copies"]), KEPT, np.int16)
    for code, score in sorted(RULES, key=lambda rule: codes.index(rule[0]), reverse=True):
        reached = hits(scores, options, score)
        reason[reached] = codes.index(code)
    return reason


def hits(scores: Mapping[str, Any], options: Options, score: str) -> np.ndarray:
    """bool: where one score reaches its threshold. Compared as float32, the way scores are recorded."""
    limit = np.float32(getattr(options, f"max_{score}"))
    if limit <= 0:
        return np.zeros(len(scores[score]), bool)
    return np.asarray(scores[score], np.float32) >= limit
