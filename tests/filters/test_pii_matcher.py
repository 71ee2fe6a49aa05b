"""The remembering matcher finds what phonenumbers' own finds."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberMatcher

from filters.pii.matcher import RememberingMatcher

REGIONS = ("US", "GB", "DE", "FR", "IT", "ES", "JP", "CN", "AR", "MX", None)


def found(matcher: type, text: str, region: str | None, leniency: int) -> list[tuple[int, int, str]]:
    return [(m.start, m.end, m.raw_string) for m in matcher(text, region, leniency=leniency)]


def national(region: str) -> str:
    number = phonenumbers.example_number(region)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)


pieces = st.one_of(
    st.sampled_from(
        [national(r) for r in REGIONS if r] + ["+44 20 7946 0958", "(1/4", "365/365", "x12", "pp. 3-9", "a"]
    ),
    st.text("0123456789+-()/. \n", max_size=14),
)


@given(st.lists(pieces, max_size=6).map(" ".join), st.sampled_from(REGIONS), st.integers(0, 3))
@settings(max_examples=400, deadline=None)
def test_it_finds_what_the_plain_matcher_finds(text, region, leniency):
    plain = found(PhoneNumberMatcher, text, region, leniency)
    assert found(RememberingMatcher, text, region, leniency) == plain
    assert found(RememberingMatcher, text, region, leniency) == plain


@pytest.mark.parametrize("region", [r for r in REGIONS if r])
def test_it_finds_every_example_number(region):
    assert found(RememberingMatcher, f"call {national(region)} now", region, 1)
