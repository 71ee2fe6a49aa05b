"""Literals that a match must hold."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.literals import required


@pytest.mark.parametrize(
    ("expression", "literals"),
    [
        (r"\bmotherlands?\b", {"motherland"}),
        (
            r"(?:sacred|holy)\s+soil",
            {"sacred", "holy"},
        ),  # "soil" has no more letters than the shortest of these, but is one
        (r"\bno\b[^.\n]{0,40}\binterference\b", {"interference"}),
        (r"Taiwan|Tibet", {"taiwan", "tibet"}),
        (r"祖国(?:的)?怀抱", {"祖国怀抱", "祖国的怀抱"}),
        (r"of\s+the", None),  # says nothing of a subject
        (r"\w+", None),
        (r"caf\xe9", None),  # a byte by its number
        (r"a(", None),
    ],
)
def test_what_a_match_must_hold(expression, literals):
    found = required(expression)
    if expression.startswith("(?:sacred"):
        assert found in ({"soil"}, {"sacred", "holy"})
    else:
        assert found == (None if literals is None else frozenset(literals))


_ATOM = st.sampled_from(
    [
        "nation",
        "our",
        "x?",
        "(?:great|old)",
        "[ab]",
        r"\s",
        "sacred",
        "(?:soil|land|sea)s?",
        ".{0,3}",
        "é",
        "(?:ab)*",
        "领土",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.data(), st.lists(_ATOM, min_size=1, max_size=5))
def test_every_match_holds_one(data, atoms):
    expression = "".join(atoms)
    literals = required(expression)
    text = data.draw(st.from_regex(re.compile(expression, re.ASCII), fullmatch=True))
    if literals:
        spaced = re.sub(r"\s", " ", text).lower()
        assert any(literal in spaced for literal in literals)
