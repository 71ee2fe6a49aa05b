r"""What an answer means: a number, a choice, yes or no, or words. Exact fractions: 0.5, 1/2, 50 % and ``\frac{1}{2}`` are one value."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

from filters.numbers.lexer import CURRENCY, NUMBER, WORD, Token, readings, tokens
from filters.numbers.parser import Expression, NotArithmetic

MOST = 300
"""Characters that are read as a value."""

_WRAPPED = re.compile(
    r"\\(?:text|textnormal|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|mbox|boxed|operatorname|emph)\*?\s*\{([^{}]*)\}"
)
_SET = re.compile(
    r"(?<!\\)\\(?:displaystyle|left|right|bigl?|bigr?|Bigl?|Bigr?|[,;!:> ]|quad|qquad|[()\[\]])(?![A-Za-z])|~|\*\*|`"
)
_GROUPED = re.compile(r"(?<=\d)\{?,\}?\s*\\[!,]\s*(?=\d{3}(?!\d))")
"""The comma in ``1,\\! 000``."""
_MIXED_INSIDE = re.compile(r"(?<![\d.])(\d{1,12})\s*\\frac\s*\{(\d{1,12})\}\s*\{(\d{1,12})\}")
_NAMED = re.compile(r"^\s*[A-Za-z]\w{0,11}(?:\s*\([a-z]\))?\s*(?:=|≈|\\approx)\s*(?=\S)")
_CHOICE = re.compile(
    r"^(?:[Oo]ption|[Cc]hoice|[Aa]nswer)?\s*(?:\(([A-Ja-j])\)|([A-J])(?=[).:：、\s]|$))[).:：、]?\s*(.*)$", re.DOTALL
)
_MIXED = re.compile(
    r"^(-?)\s*(\d{1,12})\s*(?:\\frac\s*\{(\d{1,12})\}\s*\{(\d{1,12})\}|\s(\d{1,12})\s*/\s*(\d{1,12}))\s*(\D{0,40})$"
)
_LISTED = re.compile(r"[\[\]]|\\[{}]|\([^()]*,|^\{")
"""Intervals, sets, points: ``(1,2]`` is no 1.2 in brackets."""
_SYMBOLS = frozenset("msghlLNJWVKACF")
"""Letters behind a number that may be a unit, or a variable."""
_YES_WORDS = "yes true correct ja wahr richtig oui vrai sí si verdadero sì vero 是 对 正确 はい 正しい"
_NO_WORDS = "no false incorrect nein falsch non faux falso 否 不是 错 错误 いいえ 誤り"
_YES, _NO = frozenset(_YES_WORDS.split()), frozenset(_NO_WORDS.split())
_SPOKEN = re.compile(r"[^\W\d_]{4,}")
_TWO = re.compile(
    r"\b(?!(?:sin|cos|tan|cot|sec|csc|log|ln|lg|exp|lim|max|min|gcd|lcm|abs|det|mod|and|or|cup|cap|pi)\b)[^\W\d_]{2,}\b"
)
"""Two of these and it is a sentence: "so I get 5" is no product of letters."""
_COMMAND = re.compile(
    r"\\(?:begin|end)\{[a-z*]*\}|\\[A-Za-z]+|\b(?:sqrt|sinh|cosh|tanh|arcsin|arccos|arctan|infty|infinity|frac)\b"
)


@dataclass(frozen=True)
class Value:
    """numbers: the values it surely may have (50 % is a half and fifty). maybe: what it means if points and commas are the other way
    round. places: decimal places of a lone decimal. choice: A to J. truth: yes or no. words: the text, in a form to compare. unit: of
    the number."""

    text: str
    words: str
    numbers: frozenset[Fraction] = frozenset()
    maybe: frozenset[Fraction] = frozenset()
    places: int | None = None
    choice: str = ""
    truth: bool | None = None
    unit: str = ""
    rest: Value | None = field(default=None, compare=False)

    @property
    def is_spoken(self) -> bool:
        """Whether it is words of a language rather than a formula."""
        told = _COMMAND.sub(" ", self.text)
        return not told or bool(_SPOKEN.search(told)) or len(_TWO.findall(told)) > 1


@lru_cache(maxsize=4096)
def value(text: str) -> Value:
    """Reads an answer or a reference."""
    told = plain(text)
    choice = _CHOICE.match(told)
    if choice and len(told) <= MOST:
        rest = choice.group(3).strip()
        letter = (choice.group(1) or choice.group(2)).upper()
        if not rest or not choice.group(2) or told[len(choice.group(2))] in ").:：、":
            return Value(told, _words(told), choice=letter, rest=value(rest) if rest else None)
    words = _words(told)
    truth = True if words in _YES else False if words in _NO else None
    if len(told) > MOST or truth is not None:
        return Value(told, words, truth=truth)
    return _number(told, words)


def plain(text: str) -> str:
    """The text without what only sets it: dollar signs, spaces of LaTeX, ``\\text{}``, bold, a full stop, ``x =``."""
    told = unicodedata.normalize("NFKC", text[: 4 * MOST]).replace("−", "-").replace("\\$", "").replace("\\%", "%")
    told = re.sub(r"\^\s*\{?\s*\\circ\s*\}?|°|\\degree", "", told)
    for _ in range(3):
        told = _WRAPPED.sub(r" \1 ", told)
    told = _GROUPED.sub(",", told)
    told = _SET.sub(" ", told.replace("{,}", ",").replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac")).replace(
        "$", " "
    )
    told = re.sub(r"\\frac\s*(\d)\s*(\d)(?!\d)", r"\\frac{\1}{\2}", " ".join(told.split()).strip(" ,;:*_\"'“”。"))
    told = re.sub(r"^\.+(?!\d)|\.+$", "", told).strip(" ,;:")
    return _NAMED.sub("", told.replace(" ^", "^")).strip()


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+|[^\w\s]", text.casefold()))


def _number(told: str, words: str) -> Value:
    if mixed := _MIXED.match(told):
        sign, whole, *parts, unit = mixed.groups()
        above, below = [int(p) for p in parts if p is not None]
        if below and above < below:
            found = (int(whole) + Fraction(above, below)) * (-1 if sign else 1)
            return Value(told, words, frozenset({found}), unit=_unit(unit))
    if _LISTED.search(told):
        return Value(told, words)
    try:
        every = [t for t in tokens(_MIXED_INSIDE.sub(_added, told)) if t.kind != CURRENCY]
        expression = Expression(every)
        if not expression.numbers or {"s", "m", "o"} & expression.operators:
            return Value(told, words)
        numbers = {expression.value([v for v, _ in expression.plain()])}
        other = {expression.value([readings(t.text)[-1][0] for t in expression.numbers])}
    except (NotArithmetic, RecursionError):
        return Value(told, words)
    if told.endswith("!"):
        other |= value(told[:-1]).numbers  # "42!" may be an exclamation
    if "%" in expression.operators:
        numbers |= {n * 100 for n in numbers}
    units = [t for t in every if t.kind == WORD]
    letter = next((u.text for u in units if len(u.text) == 1 and u.text.isascii() and _follows(u, every)), "")
    if units and ({"+", "-", "*", "^"} & expression.operators or (letter and letter not in _SYMBOLS)):
        return Value(told, words)  # 2x + 1: a variable, not a unit
    lone = expression.plain()[0][1] if len(expression.numbers) == 1 and not expression.operators else None
    sure = frozenset() if letter else frozenset(numbers)
    return Value(
        told, words, sure, frozenset(other | numbers) - sure, lone, unit=_unit(" ".join(u.text for u in units))
    )


def _added(mixed: re.Match[str]) -> str:
    """``2\\frac{5}{8}`` within an expression is a sum; ``2\\frac{9}{8}`` a product."""
    whole, above, below = mixed.groups()
    return f"({whole}+\\frac{{{above}}}{{{below}}})" if int(above) < int(below) else mixed.group()


def _follows(unit: Token, every: list[Token]) -> bool:
    """Whether it touches the number before it."""
    return any(t.kind == NUMBER and t.end == unit.start for t in every)


def _unit(text: str) -> str:
    found = " ".join(re.findall(r"[^\W\d_]+", text.casefold()))
    return found.removesuffix("s") if len(found) > 2 else found
