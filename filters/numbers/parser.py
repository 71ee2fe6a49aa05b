"""Expressions over exact fractions. No ``eval``: a parser of our own, bounded in depth and in the size of every number it makes.

sum      = product (("+" | "-") product)*
product  = power (("*" | "/" | "mod" | "of" | nothing) power)*      nothing: between brackets that touch
power    = ["-"] postfix ["^" power]
postfix  = atom ("!" | "%")*
atom     = number [unit] | "(" sum ")" | \\frac group group | root group
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from filters.numbers.lexer import CURRENCY, NUMBER, WORD, Token, readings

MOST_DEPTH = 24
"""Brackets within brackets."""
MOST_BITS = 4096
"""Of a numerator or denominator: 9^9^9^9 is refused before it is computed."""
PLACES = 40
"""Decimal places of a root that is no fraction."""

Node = tuple[Any, ...]


class NotArithmetic(ValueError):
    """The tokens are no expression that can be computed, or one that is too large."""


class Expression:
    """A parsed expression. numbers: its number tokens, in order; operators: kinds that stand in it; units: of each number, or ""."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        """Raises NotArithmetic."""
        self._tokens, self._at, self._depth = tokens, 0, 0
        self.numbers: list[Token] = []
        self.units: list[str] = []
        self.operators: set[str] = set()
        self._tree = self._sum()
        if self._at < len(tokens):
            raise NotArithmetic

    def tight(self) -> Expression | None:
        """The other way to read ``1/4 / 3/4``: a fraction without spaces is one number. None: there is no such fraction, or no other
        division."""
        if sum(t.kind == "/" for t in self._tokens) < 2:
            return None
        out: list[Token] = []
        at = 0
        while at < len(self._tokens):
            three = self._tokens[at : at + 3]
            if (
                [t.kind for t in three] == [NUMBER, "/", NUMBER]
                and three[0].end == three[1].start
                and three[1].end == three[2].start
            ):
                out += [
                    Token("(", three[0].start, three[0].start, ""),
                    *three,
                    Token(")", three[2].end, three[2].end, ""),
                ]
                at += 3
            else:
                out.append(self._tokens[at])
                at += 1
        try:
            return Expression(out) if len(out) > len(self._tokens) else None
        except NotArithmetic:
            return None

    def value(self, numbers: Sequence[Fraction]) -> Fraction:
        """With these values for its numbers. Raises NotArithmetic (division by zero, too large)."""
        return _value(self._tree, numbers)

    def plain(self) -> list[tuple[Fraction, int]]:
        """The likeliest value of each number, and its decimal places."""
        return [readings(t.text)[0] for t in self.numbers]

    @property
    def start(self) -> int:
        return self._tokens[0].start

    def _kind(self) -> str:
        return self._tokens[self._at].kind if self._at < len(self._tokens) else ""

    def _touches(self) -> bool:
        return self._at > 0 and self._tokens[self._at - 1].end == self._tokens[self._at].start

    def _take(self) -> str:
        kind = self._kind()
        if not kind:
            raise NotArithmetic
        self._at += 1
        return kind

    def _sum(self) -> Node:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise NotArithmetic
        node = self._product()
        while self._kind() in ("+", "-"):
            kind = self._take()
            self.operators.add(kind)
            node = (kind, node, self._product())
        self._depth -= 1
        return node

    def _product(self) -> Node:
        node = self._power()
        while True:
            kind = self._kind()
            if kind in ("*", "/", "m", "o"):
                self._take()
            elif kind in ("(", "f", "s") and self._touches() and self._tokens[self._at - 1].kind in (NUMBER, ")"):
                kind = "*"
            else:
                return node
            self.operators.add(kind)
            node = ("*" if kind == "o" else kind, node, self._power())

    def _power(self) -> Node:
        if self._kind() == "-":
            self._take()
            node = self._power()
            if node[0] == "^":
                self.operators.add("-^")
            return ("-", node)
        node = self._postfix()
        if self._kind() == "^":
            self._take()
            self.operators.add("^")
            self._depth += 1
            if self._depth > MOST_DEPTH:
                raise NotArithmetic
            node = ("^", node, self._power())
            self._depth -= 1
        return node

    def _postfix(self) -> Node:
        node = self._atom()
        while self._kind() in ("!", "%"):
            kind = self._take()
            self.operators.add(kind)
            node = (kind, node)
        self._unit()
        return node

    def _atom(self) -> Node:
        while self._kind() == CURRENCY:
            self._take()
        kind = self._take()
        if kind == NUMBER:
            self.numbers.append(self._tokens[self._at - 1])
            self.units.append("")
            return (NUMBER, len(self.numbers) - 1)
        if kind == "(":
            return self._closed()
        if kind == "f":
            self.operators.add("/")
            return ("/", self._group(), self._group())
        if kind == "s":
            self.operators.add("s")
            return ("s", self._group())
        raise NotArithmetic

    def _group(self) -> Node:
        """What a LaTeX command takes: braces, or a single digit. (``\\frac12`` is not read.)"""
        return self._atom()

    def _closed(self) -> Node:
        node = self._sum()
        if self._take() != ")":
            raise NotArithmetic
        return node

    def _unit(self) -> None:
        """Words after a number, and a power of them (``cm^2``), are its unit."""
        words = []
        while self._kind() == CURRENCY:
            self._take()
        while self._kind() == WORD:
            words.append(self._tokens[self._at].text.lower())
            self._at += 1
            if self._kind() == "^" and self._touches() and self._at + 1 < len(self._tokens):
                self._at += 2
            if self._kind() == "/" and self._at + 1 < len(self._tokens) and self._tokens[self._at + 1].kind == WORD:
                self._at += 1
        if words and self.units:
            self.units[-1] = words[-1].removesuffix("s") if len(words[-1]) > 2 else words[-1]


def _value(node: Node, numbers: Sequence[Fraction]) -> Fraction:
    kind = node[0]
    if kind == NUMBER:
        return numbers[node[1]]
    left = _value(node[1], numbers)
    if len(node) == 2:
        return _bounded(_of_one(kind, left))
    return _bounded(_of_two(kind, left, _value(node[2], numbers)))


def _of_one(kind: str, value: Fraction) -> Fraction:
    if kind == "-":
        return -value
    if kind == "%":
        return value / 100
    if kind == "!":
        if value.denominator != 1 or not 0 <= value <= 400:
            raise NotArithmetic
        return Fraction(math.factorial(int(value)))
    return root(value)


def _of_two(kind: str, left: Fraction, right: Fraction) -> Fraction:
    if kind == "+":
        return left + right
    if kind == "-":
        return left - right
    if kind == "*":
        return left * right
    if kind == "^":
        return _raised(left, right)
    if right == 0:
        raise NotArithmetic
    return left / right if kind == "/" else left % right


def _raised(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent == Fraction(1, 2):
        return root(base)
    if exponent.denominator != 1 or (base == 0 and exponent <= 0):
        raise NotArithmetic
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(exponent) * bits > MOST_BITS:
        raise NotArithmetic
    return base ** int(exponent)


def root(value: Fraction) -> Fraction:
    """The square root, exact where it is a fraction, else to PLACES places."""
    if value < 0:
        raise NotArithmetic
    above, below = math.isqrt(value.numerator), math.isqrt(value.denominator)
    if above * above == value.numerator and below * below == value.denominator:
        return Fraction(above, below)
    scale = 10 ** (2 * PLACES)
    return Fraction(math.isqrt(value.numerator * scale // value.denominator), 10**PLACES)


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MOST_BITS:
        raise NotArithmetic
    return value
