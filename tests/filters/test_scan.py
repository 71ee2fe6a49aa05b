"""Scanning whole buffers finds what scanning each text alone finds."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.contract import ConfigError
from filters.scan import MOST_ENDS, Pattern, PatternSet, _without_assertions
from tests.support import batch_of

EXPRESSIONS = [
    r"\bcat\b", r"^dog", r"cat$", r"cat[^.\n]{0,6}dog", r"ab+", r"(?:un|re)\s\w+", r"[]x]y", r"\Bat", "é", r"[^a]b\b",
]  # fmt: skip
SET = PatternSet([Pattern(str(i), e) for i, e in enumerate(EXPRESSIONS)])
WORDS = st.lists(
    st.sampled_from(["cat", "dog", " ", "a", "b", "x", "y", "]", ".", "\n", "é", "\0", "un ", "re ", "Cat", "中"]),
    max_size=12,
)
TEXTS = WORDS.map("".join) | st.text(max_size=20)


def spans(matches) -> list[tuple[int, int, int]]:
    return [(m.pattern, m.start, m.end) for m in matches]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6))
def test_whole_buffers_give_what_each_text_gives_alone(pairs):
    batch = batch_of([{"prompt": p, "response": r} for p, r in pairs])
    which = batch.segments.where()
    together: dict[int, list] = {int(i): [] for i in which}
    for match in SET.matches(batch.segments, which):
        together[match.segment].append((match.pattern, match.start, match.end))
    assert together == {int(i): spans(SET.matches_in(batch.segments.bytes(int(i)))) for i in which}


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_a_pattern_matches_where_re_says_so(text):
    data = text.encode()
    found = {m.pattern for m in SET.matches_in(data)}
    # `$` is the very end in re only as \Z; hyperscan's also stands before a last newline, as PCRE's does.
    expected = {i for i, e in enumerate(EXPRESSIONS) if re.search(e.encode(), data, re.I)}
    assert found == expected


def test_only_the_segments_asked_for_are_searched():
    batch = batch_of([{"prompt": "a cat", "response": "no"}, {"prompt": "a cat", "response": "my cat"}])
    which = np.array([3])
    assert [(m.segment, m.start, m.end) for m in SET.matches(batch.segments, which) if m.pattern == 0] == [(3, 3, 6)]
    assert list(SET.matches(batch.segments, np.zeros(0, np.int64))) == []


def test_a_match_does_not_run_from_one_text_into_the_next():
    batch = batch_of([{"prompt": "", "response": "a cat"}, {"prompt": "", "response": "dog"}])
    assert not [m for m in SET.matches(batch.segments, batch.segments.where()) if m.pattern == 3]


def test_matches_are_as_short_as_they_can_be():
    # "cat" stands at 0 and at 4; the match that ends with "dog" begins at the later one.
    assert (3, 4, 11) in spans(SET.matches_in(b"cat cat dog"))


def test_starts_are_not_found_inside_a_word():
    # "tomcat dog": a match of cat…dog may begin inside "tomcat", which cannot be cut; it is shown from the word's start.
    assert (3, 0, 10) in spans(SET.matches_in(b"tomcat dog"))


@pytest.mark.parametrize("bad", ["a(", "(?<=x)y", "[z-a]"])
def test_a_pattern_that_does_not_compile_is_named(bad):
    with pytest.raises(ConfigError, match="pattern broken: "):
        PatternSet([Pattern("fine", "abc"), Pattern("broken", bad)])


@pytest.mark.parametrize(
    ("expression", "loose"),
    [
        (r"\bcat\b", "cat"),
        (r"^a$", "a"),
        (r"[\b^$]x", r"[\b^$]x"),
        (r"\\b", r"\\b"),
        (r"[]$]", "[]$]"),
        (r"[^]^]\b", "[^]^]"),
    ],
)
def test_assertions_are_left_out_outside_classes_only(expression, loose):
    assert _without_assertions(expression) == loose


def test_a_text_of_endless_matches_gives_the_first_thousand():
    found = PatternSet([Pattern("x", "cat")]).matches_in(b"cat " * 500_000)
    assert len(found) == MOST_ENDS and found[-1].end == 4 * MOST_ENDS - 1
