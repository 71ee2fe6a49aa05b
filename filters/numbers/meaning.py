"""What an answer means, as a key that equal answers share: half, ``1/2``, ``0.5``, ``\\frac{1}{2}`` have one.

``compare`` says whether one answer is what a reference says. Where many answers are compared with one another, equality has to be
transitive, and 0.33 = 1/3 = 0.333 with 0.33 not 0.333 is not. So a key holds what an answer says exactly, and what else it may mean
stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from filters.numbers.canonical import number_key
from filters.numbers.compare import FINE_PLACES
from filters.numbers.symbolic import Algebra
from filters.numbers.values import Value, value

NONE, NUMBER, FORMULA, CHOICE, TRUTH, WORDS = range(6)
"""Kinds of answers. Words that differ may mean the same; two of any other kind do not, and a formula may be a number."""


@dataclass(frozen=True)
class Meaning:
    """key: of what it says. means: keys of the several it may say (``50 %``: a half, and fifty). bare: the key without its unit, or of what
    stands behind the letter of a choice: an answer of that key may mean this one. unit: of the number. size, places: of a number that
    is not whole and may be another one rounded, or have been: its value and its decimal places (-1: it has no end)."""

    kind: int
    key: str
    means: tuple[str, ...] = ()
    bare: str = ""
    unit: str = ""
    size: float | None = None
    places: int = -1


def meaning(text: str, algebra: Algebra | None) -> Meaning | None:
    """None where nothing is said."""
    told = value(text)
    if told.choice:
        rest = meaning(told.rest.text, algebra) if told.rest else None
        return Meaning(
            CHOICE, f"choice:{told.choice}", bare=rest.key if rest and rest.kind in (NUMBER, FORMULA) else ""
        )
    if told.truth is not None:
        return Meaning(TRUTH, f"truth:{told.truth}")
    if told.numbers:
        return _number(told)
    if algebra is not None and not told.maybe and not told.is_spoken:
        found = algebra.canonical(told.text)
        if not isinstance(found, str):
            return _formula(*found)
    return Meaning(WORDS, f"words:{told.words}") if told.words else None


def _number(told: Value) -> Meaning:
    low, *more = sorted(told.numbers, key=abs)
    key = f"number:{number_key(low)}"
    if more:
        return Meaning(NUMBER, f"percent:{number_key(more[-1])}", means=(key, f"number:{number_key(more[-1])}"))
    if told.unit:
        return Meaning(NUMBER, f"{key} {told.unit}", bare=key, unit=told.unit)
    if low.denominator == 1:
        return Meaning(NUMBER, key)
    return Meaning(NUMBER, key, size=float(low), places=_places(low) if told.places is not None else -1)


def _formula(key: str, size: float | None) -> Meaning:
    kind = NUMBER if key.startswith("number:") else FORMULA
    return Meaning(kind, key, size=size if size is not None and not size.is_integer() else None)


def _places(decimal: Fraction) -> int:
    """Of a decimal without the zeros at its end."""
    exponent = Decimal(number_key(decimal)).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def is_rounded(size: float, places: int, finer: float, finer_places: int) -> bool:
    """Whether a decimal may be a finer value rounded (or one without an end), as ``compare`` has it."""
    if places < FINE_PLACES or 0 <= finer_places <= places:
        return False
    # A hair more than half a unit: both are floating point, and halves are rounded up by some and to even by others.
    return abs(size - finer) <= 0.5 * 10.0**-places + 1e-12 * max(1.0, abs(finer))
