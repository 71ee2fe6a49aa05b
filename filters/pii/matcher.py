"""phonenumbers' matcher, told which candidates no region takes.

The matcher tries a candidate, and every run of groups inside it, for one region after another, and number-rich text repeats the
same few candidates thousands of times. Parsing is nearly all of its time, and depends on nothing but candidate and region.
"""

from __future__ import annotations

import types
from functools import lru_cache
from typing import Any

import phonenumbers
from phonenumbers import Leniency, NumberParseException
from phonenumbers.phonenumbermatcher import PhoneNumberMatch, PhoneNumberMatcher

LONGEST = 64
"""Characters of a candidate that is remembered; longer ones hardly come twice."""


class RememberingMatcher(PhoneNumberMatcher):
    """Finds exactly what PhoneNumberMatcher finds."""

    def _parse_and_verify(self, candidate: str, offset: int) -> PhoneNumberMatch | None:
        # Every leniency from VALID on begins by asking for a valid number.
        if (
            self.leniency >= Leniency.VALID
            and len(candidate) <= LONGEST
            and _hopeless(candidate, self.preferred_region)
        ):
            return None
        return super()._parse_and_verify(candidate, offset)


@lru_cache(1 << 17)
def _hopeless(candidate: str, region: str | None) -> bool:
    try:
        number = phonenumbers.parse(candidate, region, keep_raw_input=True)
    except NumberParseException:
        return True
    return not phonenumbers.is_valid_number(number)


def use_in(recognizer_module: Any) -> None:
    """Let Presidio's phone recognizer find with it: its module alone is given another ``phonenumbers``."""
    if not isinstance(recognizer_module.phonenumbers, types.SimpleNamespace):
        told = {**vars(phonenumbers), "PhoneNumberMatcher": RememberingMatcher}
        recognizer_module.phonenumbers = types.SimpleNamespace(**told)
