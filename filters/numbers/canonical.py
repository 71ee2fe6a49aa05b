"""A key that formulas of one value share, whatever they look like, so that answers can be grouped without comparing each with each.

A number is its value to DIGITS digits; an expression with variables is its values at two points, chosen by the variables' names, and two
different rational functions of small degree agree at both with a probability below 1e-20 (Schwartz and Zippel). Sets, intervals, points
and matrices are made of those. Used on both sides of the pipe to ``algebra_process``, so it imports nothing of ours.
"""

from __future__ import annotations

import decimal
import hashlib
from fractions import Fraction
from typing import Any

DIGITS = 20
"""Digits of a number that count. Whole numbers count all of theirs."""
WORKING = 60
"""Digits that values are computed to."""
NOISE = Fraction(1, 10**30)
"""What is nearer to 0, or to a whole number, relative to its size, is one."""
MOST_PARTS = 100
"""Members of a set, places of a matrix."""

_CONTEXT = decimal.Context(prec=DIGITS, rounding=decimal.ROUND_HALF_EVEN)


class NoKey(Exception):
    """What it is is not known well enough."""


def number_key(value: Fraction) -> str:
    """Whole numbers as they are, others to DIGITS digits: the same for 1/3 and for a formula that comes to it."""
    if value.denominator == 1:
        return str(value.numerator)
    return str(_CONTEXT.divide(decimal.Decimal(value.numerator), decimal.Decimal(value.denominator)).normalize())


def canonical(parsed: list[Any]) -> list[Any] | str:
    """(key, value or None) of what math-verify made of a formula; ``unknown`` where it made nothing, or nothing that has a value."""
    if not parsed:
        return "unknown"
    try:
        key = _key(parsed[0])
    except NoKey:
        return "unknown"
    if not key.startswith("number:"):
        return [key, None]
    return [key, float(decimal.Decimal(key.partition(":")[2]))]


def _key(e: Any) -> str:
    from sympy import And, Eq, FiniteSet, Interval, Symbol, Tuple, Union
    from sympy.core.relational import Relational
    from sympy.matrices import MatrixBase

    if isinstance(e, FiniteSet):
        return _several("set", sorted({_key(a) for a in _few(e.args)}))
    if isinstance(e, Interval):
        ends = "[" if not e.left_open else "(", "]" if not e.right_open else ")"
        return f"interval:{ends[0]}{_key(e.start)} {_key(e.end)}{ends[1]}"
    if isinstance(e, Union):
        return "union:" + " ".join(sorted(_key(a) for a in _few(e.args)))
    if isinstance(e, Tuple | tuple | list):
        return _several("tuple", [_key(a) for a in _few(e)])
    if isinstance(e, MatrixBase):
        return f"matrix:{e.shape} " + " ".join(_key(a) for a in _few(list(e)))
    if isinstance(e, Eq):
        return _key(e.rhs) if isinstance(e.lhs, Symbol) else _equation(e)
    if isinstance(e, Relational | And):
        return _region(e)
    return _expression(e)


def _few(members: Any) -> Any:
    if len(members) > MOST_PARTS:
        raise NoKey
    return members


def _several(kind: str, keys: list[str]) -> str:
    """One alone is what it is."""
    return keys[0] if len(keys) == 1 else f"{kind}:" + " ; ".join(keys)


def _equation(e: Any) -> str:
    """What stands on both sides, up to a factor."""
    first, second = (_value(e.lhs - e.rhs, point) for point in (1, 2))
    if second == (0, 0):
        raise NoKey
    return f"equation:{_symbols(e)} " + _said(_ratio(first, second))


def _ratio(a: tuple[Fraction, Fraction], b: tuple[Fraction, Fraction]) -> tuple[Fraction, Fraction]:
    size = b[0] ** 2 + b[1] ** 2
    return (a[0] * b[0] + a[1] * b[1]) / size, (a[1] * b[0] - a[0] * b[1]) / size


def _region(e: Any) -> str:
    """An inequality in one variable as the set that it describes."""
    if len(e.free_symbols) != 1:
        raise NoKey
    return _key(e.as_set())


def _expression(e: Any) -> str:
    from sympy import I, nan, oo, zoo

    if not hasattr(e, "free_symbols"):
        raise NoKey
    # LaTeX's i is taken for a variable where it is read.
    e = e.subs({s: I for s in e.free_symbols if s.name == "i"})
    if e in (oo, -oo, zoo, nan):
        return f"limit:{e}"
    if e.free_symbols:
        return f"formula:{_symbols(e)} {_said(_value(e, 1))} {_said(_value(e, 2))}"
    if e.is_Rational:
        return "number:" + number_key(Fraction(int(e.p), int(e.q)))
    real, imaginary = _value(e, 0)
    return "number:" + number_key(real) if not imaginary else "complex:" + _said((real, imaginary))


def _symbols(e: Any) -> str:
    return ",".join(sorted(s.name for s in e.free_symbols))


def _said(value: tuple[Fraction, Fraction]) -> str:
    return f"{number_key(value[0])}+{number_key(value[1])}i"


def _value(e: Any, point: int) -> tuple[Fraction, Fraction]:
    """Real and imaginary part at a point, without what is noise."""
    from sympy import N, Rational

    # Free of factors in common with small numbers, so that nothing cancels by accident.
    at = {s: Rational(_drawn(s.name, point), 1_000_003) for s in e.free_symbols}
    told = N(e.subs(at), WORKING)
    if not getattr(told, "is_number", False):
        raise NoKey
    real, imaginary = told.as_real_imag()
    if not (real.is_Float or real.is_Rational) or not (imaginary.is_Float or imaginary.is_Rational):
        raise NoKey
    parts = _exact(real), _exact(imaginary)
    size = max(abs(parts[0]), abs(parts[1]), Fraction(1))
    return _clean(parts[0], size), _clean(parts[1], size)


def _drawn(name: str, point: int) -> int:
    """Between 1 and 2, in units of 1 / 1,000,003."""
    drawn = hashlib.blake2b(f"{point} {name}".encode(), digest_size=8).digest()
    return 1_000_003 + int.from_bytes(drawn) % 1_000_002


def _exact(number: Any) -> Fraction:
    try:
        return Fraction(str(number))
    except (ValueError, ZeroDivisionError):
        raise NoKey from None


def _clean(part: Fraction, size: Fraction) -> Fraction:
    whole = round(part)
    return Fraction(whole) if abs(part - whole) <= NOISE * size else part
