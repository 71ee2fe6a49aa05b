"""Equations of numbers in a text, and whether they hold: exactly, with what people round and leave out allowed for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from filters.numbers.lexer import END, MODULUS, RELATION, ROUGHLY, Token, is_rough, readings, tokens
from filters.numbers.parser import Expression, NotArithmetic
from filters.numbers.sides import left, right

RIGHT, WRONG = 0, 1
ROUGH = Fraction(1, 20)
"""Share by which an ``about`` may be off."""
BREATH = Fraction(1, 100)
"""Share by which the number that a chain goes on with may be off."""
ROOT_PLACES = 20
"""Digits in which two sides with roots must agree."""
FINE_PLACES = 2
"""A decimal of at least this many places may be a rounded one; one of fewer is taken as meant."""

_NOT_ASSERTED = re.compile(
    r"\b(?:imagine|claim\w*|whether|instead of|rather than|not|never|isn't|doesn't|cannot|can't|incorrect\w*|wrong\w*|false|mistake\w*|"
    r"error|riddle|puzzle|pattern|joke|wäre|serait|sería)\b|错|間違",
    re.IGNORECASE,
)
_SUPPOSED = re.compile(
    r"\b(?:if|suppose|supposing|assum\w+|let|wenn|falls|si|se)\b(?![^,]*(?:,|\bthen\b|\bdann\b))|如果|假设|もし",
    re.IGNORECASE,
)
"""In the clause itself; what follows from it, behind a comma or "then", is said."""
_OTHER_SYSTEM = re.compile(
    r"\b(?:binary|hexadecimal|hex|octal|base|bits?|bitwise|xor|clock|modul\w+|mod|GF|remainder|rem|rest|reste|resto)\b"
    r"|二进制|余|\bR\s?\d",
    re.IGNORECASE,
)
_UNITS = (
    "hour minute second day week month year hr min sec h s m km cm mm ft foot feet in inch yard yd mile mi meter metre kilometer g kg mg "
    "gram kilogram lb pound ounce oz l ml liter litre gallon quart cup pint cent dollar penny quarter dime nickel dozen hundred "
    "thousand million billion trillion k degree score pair half"
)
_MEASURES = frozenset(_UNITS.split())
"""Units that convert into one another: with two of them, numbers alone do not tell."""
_WORKS = frozenset("+-*/^mo!s")
_CONGRUENT = frozenset({"≡", "\\equiv"})


_PLAIN = re.compile(
    r"(?:^|<<|[^\W\d_]{3}[ :])[ $]*((?!0)\d{1,9})[ ]?([+\-*/×x])[ ]?\$?((?!0)\d{1,9})[ ]?=[ ]?\$?((?!0)\d{1,18})"
    r"(?=>>|[,;]?[ ]|\.?$)(?![ ]*[-+*/×÷^!%=(:\\])",
    re.MULTILINE,
)
_ANNOTATED = re.compile(r"=[ ]?\$?<<")
"""A calculator's annotation (``3*4=<<3*4=12>>12``): what stands behind the first sign is the annotation, not a number."""
_SIGNS = re.compile(r"[=＝≈≃≅≡]|\\(?:approx|equiv|simeq)")


@dataclass(frozen=True)
class Equation:
    """state: RIGHT or WRONG. start/end: characters of the text. key: the left side without spaces."""

    state: int
    start: int
    end: int
    key: str


def equations(text: str) -> list[Equation]:
    """Every equation that is understood, in order; what is not, is passed over."""
    plain = _plain(text)
    return list(_parsed(text)) if plain is None else plain


def _plain(text: str) -> list[Equation] | None:
    """The equations of a text that has only such as ``3*4 = 12``, all of them right: no need to parse them. None: it has others."""
    out = []
    for match in _PLAIN.finditer(text):
        a, operator, b, c = match.groups()
        x, y, z = int(a), int(b), int(c)
        if not {"+": x + y == z, "-": x - y == z, "/": y * z == x != 0}.get(operator, x * y == z):
            return None
        out.append(Equation(RIGHT, match.start(1), match.end(4), f"{a}{operator}{b}"))
    return out if len(out) + len(_ANNOTATED.findall(text)) == len(_SIGNS.findall(text)) else None


def _parsed(text: str) -> Iterator[Equation]:
    found = list(tokens(text))
    signs = [i for i, token in enumerate(found) if token.kind == RELATION]
    for sign, before, after in zip(signs, [-1, *signs], [*signs[1:], len(found)], strict=False):
        expression = left(found[before + 1 : sign], goes_on=before >= 0)
        if expression is None:
            continue
        other, roughly, taken = right(found[sign + 1 : after])
        modulus = _modulus(found, sign)
        if other is None or not (modulus or _WORKS & (expression.operators | other.operators)):
            continue
        if (found[sign].text in _CONGRUENT and not modulus) or _is_open(found[sign + taken + 1 : sign + taken + 3]):
            continue
        start, end = expression.start, found[sign + taken].end
        behind = [t.kind for t in found[sign + taken + 1 : sign + taken + 3]]
        roughly |= is_rough(found[sign]) or behind[:1] == [ROUGHLY] or behind == ["(", ROUGHLY]
        state = _state(expression, other, roughly, modulus)
        if state == WRONG and "o" in expression.operators and (inner := _behind_of(found[before + 1 : sign])):
            state = RIGHT if _state(inner, other, roughly, modulus) == RIGHT else WRONG
        if state == WRONG and before >= 0 and not expression.operators:
            continue  # "time = 5 = 3 + 4": the number is told, and then the sum so far
        if state is None or (state == WRONG and not _is_asserted(text, start, end)):
            continue
        yield Equation(state, start, end, re.sub(r"\s+", "", text[start : found[sign].start]))


def _state(a: Expression, b: Expression, rough: bool, modulus: int) -> int | None:
    state = Pair(a, b, rough).state(modulus)
    if state == WRONG:
        tight_a, tight_b = a.tight(), b.tight()
        if (tight_a or tight_b) and Pair(tight_a or a, tight_b or b, rough).state(modulus) == RIGHT:
            return RIGHT
    return state


def _behind_of(before: Sequence[Token]) -> Expression | None:
    """What stands behind the last ``of``: "3 piles of 210 / 3 = 70" may say what a pile is, "$5 for a total of 3 + 5 = 8" does."""
    at = max(i for i, token in enumerate(before) if token.kind == "o")
    return left(before[at + 1 :])


def _is_open(after: Sequence[Token]) -> bool:
    """A question, or a number that is not told to its end (``8.333...%``)."""
    kinds = [t.text if t.kind == END else t.kind for t in after]
    return kinds[:1] == ["?"] or kinds in (["...", "%"], ["…", "%"])


def _modulus(found: Sequence[Token], sign: int) -> int:
    """n of the ``(mod n)`` behind an equation, or a chain of them; 0: there is none."""
    for token in found[sign + 1 : sign + 16]:
        if token.kind == MODULUS:
            return int(re.sub(r"\D", "", token.text))
        if token.kind == END:
            break
    return 0


def _is_asserted(text: str, start: int, end: int) -> bool:
    sentence = re.split(r"[.!?;\n。]\s", text[max(0, start - 120) : start])[-1]
    return not (_NOT_ASSERTED.search(sentence) or _SUPPOSED.search(sentence)) and not _OTHER_SYSTEM.search(
        text[max(0, start - 120) : start] + text[end : end + 40]
    )


class Pair:
    """Two sides of a relation sign."""

    def __init__(self, a: Expression, b: Expression, rough: bool) -> None:
        self.a, self.b, self.rough = a, b, rough
        self.operators = a.operators | b.operators

    def state(self, modulus: int = 0) -> int | None:
        """RIGHT if any way to read it holds; WRONG if none does and nothing speaks against saying so; else None."""
        try:
            for a, b in self._numbers():
                if self._holds(a, b, modulus):
                    return RIGHT
        except NotArithmetic:
            return None
        return None if self._is_doubtful() else WRONG

    def _numbers(self) -> Iterator[tuple[list[tuple[Fraction, int]], list[tuple[Fraction, int]]]]:
        """Values and places of the numbers on both sides, by each way to write numbers."""
        both = [*self.a.numbers, *self.b.numbers]
        n = len(self.a.numbers)
        every = [readings(t.text) for t in both]
        plain = [r[0] for r in every]
        yield plain[:n], plain[n:]
        if any(len(r) > 1 for r in every):
            other = [r[-1] for r in every]
            yield other[:n], other[n:]
        if all(set(t.text) <= {"0", "1"} for t in both) and len(both) > 1:
            binary = [(Fraction(int(t.text, 2)), 0) for t in both]
            yield binary[:n], binary[n:]

    def _holds(self, a: list[tuple[Fraction, int]], b: list[tuple[Fraction, int]], modulus: int) -> bool:
        left, right = self.a.value([v for v, _ in a]), self.b.value([v for v, _ in b])
        if left == right:
            return True
        if modulus:
            return (left - right) % modulus == 0
        if len(b) > 1 and abs(left - b[0][0]) <= BREATH * abs(left):
            return True  # 3 * 4 = 12 + 5 = 17: said in one breath
        if "s" in self.operators and abs(left - right) * 10**ROOT_PLACES <= max(abs(left), abs(right)):
            return True
        scales = (Fraction(1), Fraction(100), Fraction(1, 100)) if "%" in self.operators else (Fraction(1),)
        if any(self._is_near(left * scale, right, a, b) for scale in scales):
            return True
        slack = _slack(self.a, a) + _slack(self.b, b)
        return bool(slack) and abs(left - right) <= slack + _unit(a, b, self.a, self.b)

    def _is_near(
        self, left: Fraction, right: Fraction, a: list[tuple[Fraction, int]], b: list[tuple[Fraction, int]]
    ) -> bool:
        off = abs(left - right)
        if self.rough:
            return off <= max(ROUGH * max(abs(left), abs(right)), Fraction(1, 2), _last_digit(b) / 2)
        if self._is_whole(a, b):
            return off == 0
        return off < _unit(a, b, self.a, self.b)

    def _is_whole(self, a: list[tuple[Fraction, int]], b: list[tuple[Fraction, int]]) -> bool:
        return not {"/", "s", "%", "m"} & self.operators and all(v.denominator == 1 for v, _ in (*a, *b))

    def _is_doubtful(self) -> bool:
        """Whether the numbers alone do not tell: units that convert, a sum of unlike things, a range, a sign read both ways."""
        if "-^" in self.operators or ("o" in self.b.operators and "o" not in self.a.operators):
            return True
        named = {u for u in (*self.a.units, *self.b.units) if u}
        if "" in (*self.a.units, *self.b.units) and any(len(u) < 3 for u in named):
            return True
        if any("" in u and set(u) & _MEASURES for u in (self.a.units, self.b.units)) and {"+", "-"} & self.operators:
            return True  # $3 + 50 cents
        if len(named) > 1 and (named & _MEASURES or any(len(u) < 3 for u in named) or {"+", "-"} & self.operators):
            return True
        if "%" in self.operators and {"+", "-"} & self.operators:
            return True
        return _is_range(self.a) or _is_range(self.b)


def _is_range(side: Expression) -> bool:
    """``10-12``: two whole numbers, the smaller first, joined without spaces."""
    if side.operators != {"-"} or len(side.numbers) != 2:
        return False
    first, last = side.numbers
    return last.start - first.end == 1 and side.plain()[0][0] < side.plain()[1][0]


def _unit(
    a: Sequence[tuple[Fraction, int]], b: Sequence[tuple[Fraction, int]], left: Expression, right: Expression
) -> Fraction:
    """The last place of a side that is one number: a result may be rounded or cut there."""
    lone = [side[0][1] for side, told in ((a, left), (b, right)) if len(side) == 1 and not told.operators - {"%"}]
    return max((Fraction(1, 10**places) for places in lone), default=Fraction(0))


def _last_digit(side: Sequence[tuple[Fraction, int]]) -> Fraction:
    """What the last digit that is not 0 is worth, in a side of one number: 7,000 is told in thousands."""
    if len(side) != 1 or not side[0][0]:
        return Fraction(0)
    value, places = side[0]
    digits = str(abs(value.numerator * 10**places // value.denominator))
    return Fraction(10) ** (len(digits) - len(digits.rstrip("0")) - places)


def _slack(side: Expression, numbers: Sequence[tuple[Fraction, int]]) -> Fraction:
    """By how much the value moves if its fine decimals are rounded ones: half a unit of the last place each."""
    values = [v for v, _ in numbers]
    centre, moved = side.value(values), Fraction(0)
    for i, (value, places) in enumerate(numbers):
        if places < FINE_PLACES or value.denominator == 1:
            continue
        shifted = [*values[:i], value + Fraction(1, 2 * 10**places), *values[i + 1 :]]
        moved += abs(side.value(shifted) - centre)
    return moved
