"""Answers against references: in columns first, then as values, and only what is left by algebra."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.numbers.symbolic import Algebra
from filters.numbers.values import Value, value

VERIFIED, REFUTED, UNVERIFIABLE = "verified", "refuted", "unverifiable"
FINE_PLACES = 2
"""A decimal of at least this many places may be a rounded one: what is longer is rounded before it is compared."""

_WHOLE = r"^\s*\+?(-?(?:0|[1-9]\d{0,17}))\s*$"


@dataclass(frozen=True)
class Verdict:
    """verdict, and how it came about: number, text, choice, symbolic; or why there is none: not_comparable, too_large, timed_out."""

    verdict: str
    how: str


def whole(answers: pa.Array, references: pa.Array) -> np.ndarray:
    """int8[n] by columns: 1 where both are the same whole number, 0 where they are two, -1 where one is something else."""
    a = pc.replace_substring_regex(answers, _WHOLE, r"\1")
    b = pc.replace_substring_regex(references, _WHOLE, r"\1")
    both = pc.and_(pc.match_substring_regex(answers, _WHOLE), pc.match_substring_regex(references, _WHOLE))
    out = np.full(len(answers), -1, np.int8)
    known = np.asarray(pc.fill_null(both, False))
    out[known] = np.asarray(pc.fill_null(pc.equal(a, b), False))[known]
    return out


def against(answer: str, references: Sequence[str], algebra: Algebra | None, tolerance: float = 0.0) -> Verdict:
    """One answer against what is right, of which there may be several ways to say it: verified by any, refuted by all."""
    found = [compare(value(answer), value(reference), algebra, tolerance) for reference in references]
    for verdict in (VERIFIED, UNVERIFIABLE, REFUTED):
        for each in found:
            if each.verdict == verdict:
                return each
    return Verdict(UNVERIFIABLE, "no_reference")


def compare(answer: Value, reference: Value, algebra: Algebra | None, tolerance: float = 0.0) -> Verdict:
    """An answer against one reference."""
    if answer.words and answer.words == reference.words:
        return Verdict(VERIFIED, "number" if answer.numbers else "choice" if answer.choice else "text")
    if answer.choice or reference.choice:
        return _by_choice(answer, reference, algebra, tolerance)
    if answer.truth is not None and reference.truth is not None:
        return Verdict(VERIFIED if answer.truth == reference.truth else REFUTED, "text")
    if answer.numbers and reference.numbers:
        return _by_number(answer, reference, tolerance)
    if (answer.numbers | answer.maybe) & (reference.numbers | reference.maybe):
        return Verdict(UNVERIFIABLE, "not_comparable")  # 5m: five metres, or five times m
    if answer.is_spoken or reference.is_spoken or algebra is None:
        return Verdict(UNVERIFIABLE, "not_comparable")
    same = algebra.same(answer.text, reference.text)
    if isinstance(same, bool):
        return Verdict(VERIFIED if same else REFUTED, "symbolic")
    return Verdict(UNVERIFIABLE, same)


def _by_choice(answer: Value, reference: Value, algebra: Algebra | None, tolerance: float) -> Verdict:
    if answer.choice and reference.choice:
        return Verdict(VERIFIED if answer.choice == reference.choice else REFUTED, "choice")
    if (answer.choice and not answer.rest) or (reference.choice and not reference.rest):
        return Verdict(UNVERIFIABLE, "not_comparable")
    return compare(answer.rest or answer, reference.rest or reference, algebra, tolerance)


def _by_number(answer: Value, reference: Value, tolerance: float) -> Verdict:
    if any(_near(a, r, tolerance) for a in answer.numbers for r in reference.numbers):
        return Verdict(VERIFIED, "number")
    if _is_rounded(answer, reference) or (_is_endless(reference) and _is_rounded(reference, answer)):
        return Verdict(VERIFIED, "number")
    either = (answer.numbers | answer.maybe) & (reference.numbers | reference.maybe)
    if either or (answer.unit and reference.unit and answer.unit != reference.unit):
        return Verdict(UNVERIFIABLE, "not_comparable")
    return Verdict(REFUTED, "number")


def _is_rounded(exact: Value, decimal: Value) -> bool:
    """Whether a decimal of at least FINE_PLACES is the other value, rounded."""
    places = decimal.places
    if places is None or places < FINE_PLACES or (exact.places is not None and exact.places <= places):
        return False
    return any(abs(a - b) <= Fraction(1, 2 * 10**places) for a in exact.numbers for b in decimal.numbers)


def _is_endless(value: Value) -> bool:
    """Whether no decimal says it exactly: a third."""
    return all(10 ** n.denominator.bit_length() % n.denominator for n in value.numbers)


def _near(a: Fraction, b: Fraction, tolerance: float) -> bool:
    return a == b or abs(a - b) <= Fraction(tolerance) * abs(b)
