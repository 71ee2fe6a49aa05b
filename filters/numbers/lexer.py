"""Arithmetic in prose and LaTeX as tokens: numbers, operators, brackets, units, relation signs, and all that ends an expression."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

MOST_DIGITS = 60
"""Digits of a number that is read. A longer one is data, not arithmetic."""

NUMBER, WORD, CURRENCY, RELATION, ROUGHLY, MODULUS, END, BAD = "n", "w", "$", "=", "~", "M", ".", "?"
"""Kinds of tokens. Operators and brackets are their own kind: ``+ - * / ^ m`` (mod) ``o`` (of) ``! % ( )``, ``f`` (\\frac), ``s`` (root).
MODULUS is a whole ``(mod n)``. END ends an expression (punctuation, the rest of a sentence); BAD makes what it touches no arithmetic."""

OPERATORS = frozenset("+-*/^mo")

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<phrase>(?:divided|multiplied)\s+by\b|out\s+of\b)
    |(?P<word>[^\W\d_⁰¹²³⁴⁵⁶⁷⁸⁹][^\W\d_]*(?:['’][^\W\d_]+)?)
    |(?P<number>\d[\d\u00a0\u202f\u2009]*(?:(?:\{,\}|\\,|\\!|[,.]|,\\!|\x20(?=\d{3}(?!\d)))\d+)*(?:[eE][+-]?\d+)?|\.\d+)
    |(?P<raised>[⁰¹²³⁴⁵⁶⁷⁸⁹]+)
    |(?P<modulus>\((?:\\[bp]?)?mod\s*\{?\d{1,30}\}?\)|\\pmod\s*(?:\{\s*\d{1,30}\s*\}|\d))
    |(?P<unit>\\(?:text|mathrm|textrm|mbox|operatorname)\*?\s*\{[^{}]{0,80}\})
    |(?P<command>\\[A-Za-z]+\*?)
    |(?P<escaped>\\[^A-Za-z])
    |(?P<power>\*\*)
    |(?P<compared>[=!<>:+\-*/]=+|=>|=+[=>]|<<|>>|->|=~)
    |(?P<dots>\.{2,}|…)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_COMMANDS = {
    "times": "*", "cdot": "*", "ast": "*", "div": "/", "frac": "f", "dfrac": "f", "tfrac": "f", "cfrac": "f", "sqrt": "s",
    "bmod": "m", "mod": "m", "approx": RELATION, "simeq": RELATION, "equiv": RELATION, "lbrace": "(", "rbrace": ")",
    "implies": END, "Rightarrow": END, "rightarrow": END, "to": END, "quad": END, "qquad": END, "therefore": END, "because": END,
}  # fmt: skip
_ESCAPED = {
    "\\$": CURRENCY, "\\%": "%", "\\{": "(", "\\}": ")", "\\\\": END,
}  # fmt: skip
_SKIPPED = frozenset(
    {"left", "right", "big", "Big", "bigl", "bigr", "displaystyle", "boxed", "mathbf", "textbf", "bf", "bold", "degree"}
)
_WORDS = {
    "times": "*", "plus": "+", "minus": "-", "mod": "m", "modulo": "m", "of": "o",
    "about": ROUGHLY, "approximately": ROUGHLY, "roughly": ROUGHLY, "around": ROUGHLY, "approx": ROUGHLY,
    "nearly": ROUGHLY, "almost": ROUGHLY, "etwa": ROUGHLY, "environ": ROUGHLY, "circa": ROUGHLY, "percent": "%",
}  # fmt: skip
_CHARACTERS = {
    **dict.fromkeys("+＋", "+"), **dict.fromkeys("-−–‐‑－", "-"), **dict.fromkeys("*×·⋅∙•＊✕✖", "*"), **dict.fromkeys("/÷∕⁄／", "/"),
    "^": "^", "!": "!", **dict.fromkeys("%％", "%"), **dict.fromkeys("([{（", "("), **dict.fromkeys(")]}）", ")"), "√": "s",
    **dict.fromkeys("=＝≈≃≅≡", RELATION), "~": ROUGHLY, **dict.fromkeys("$€£¥₹￥", CURRENCY), **dict.fromkeys("_@#\\≠<>≤≥|±∓", BAD),
}  # fmt: skip
_ROUGH_SIGNS = frozenset("≈≃≅") | {"\\approx", "\\simeq"}
_NUMERIC = frozenset("0123456789.($€£\\")
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


class Token(NamedTuple):
    """kind, and characters start:end of the text; text as it stands."""

    kind: str
    start: int
    end: int
    text: str


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a text, in order; white space and what only sets LaTeX gives none."""
    for match in _TOKEN.finditer(text):
        found, start, end = match.group(), match.start(), match.end()
        kinds = _kinds(match.lastgroup or "", found)
        if kinds == WORD and found in "xX" and _is_times(text, start):
            yield Token("*", start, end, "×")
            continue
        for kind in kinds:
            yield Token(kind, start, end, found)


def _is_times(text: str, at: int) -> bool:
    """Whether an x at this place multiplies: ``3 x 4``, ``3x4``, ``12 eggs x $7``; not ``2x - 5``."""
    before, after = text[max(0, at - 2) : at], text[at + 1 : at + 3]
    if before[-1:].isdigit():
        return after[:1].isdigit()
    return (
        before[-1:] == " " and after[:1] == " " and (before[0].isalnum() or before[0] in ")%") and after[1:] in _NUMERIC
    )


def is_rough(token: Token) -> bool:
    """Whether a relation sign says ``about``."""
    return token.text in _ROUGH_SIGNS


@lru_cache(maxsize=1 << 14)
def _kinds(group: str, found: str) -> str:
    """The kinds of the tokens that a match gives: mostly one, none for what is passed over."""
    if group == "space":
        return END if "\n" in found else ""
    if group == "number":
        return NUMBER if readings(found) else BAD
    if group in ("unit", "modulus"):
        return WORD if group == "unit" else MODULUS
    if group == "phrase":
        return "*" if found[0] == "m" else "/"
    if group == "command":
        command = found[1:].rstrip("*")
        return "" if command in _SKIPPED else _COMMANDS.get(command, BAD)
    if group == "escaped":
        return _ESCAPED.get(found, "")
    if group == "word":
        return _WORDS.get(found, WORD)
    if group == "raised":
        return "^" + NUMBER
    if group == "compared":
        return BAD if found not in ("<<", ">>", "=>", "->") else END
    return {"power": "^", "dots": END}.get(group, "" if found == "&" else _CHARACTERS.get(found, END))


@lru_cache(maxsize=4096)
def readings(text: str) -> tuple[tuple[Fraction, int], ...]:
    """What a number can mean, the likeliest first, each with its decimal places: ``1,234`` is 1234 in English and 1.234 elsewhere.
    Empty: not a number as people write it (``007``, ``1.2.3``)."""
    plain = re.sub(r"[\u00a0\u202f\u2009\x20]|\{,\}|\\,|\\!", "", text.translate(_RAISED).replace(",\\!", ","))
    mantissa, _, exponent = plain.lower().partition("e")
    if len(plain) > MOST_DIGITS or (exponent and abs(int(exponent)) > 300):
        return ()
    found = []
    for point, separator in ((".", ","), (",", ".")):
        whole, dot, places = mantissa.partition(point)
        if not _is_whole(whole, separator) or (dot and not places.isdecimal()):
            continue
        digits = Fraction(
            int(whole.replace(separator, "") or "0") * 10 ** len(places) + int(places or "0"), 10 ** len(places)
        )
        value = digits * Fraction(10) ** int(exponent or "0")
        if (value, len(places)) not in found:
            found.append((value, len(places)))
    return tuple(found)


def _is_whole(text: str, separator: str) -> bool:
    if separator in text:
        first, *groups = text.split(separator)
        return (
            1 <= len(first) <= 3
            and first != "0"
            and first.isdecimal()
            and all(len(g) == 3 and g.isdecimal() for g in groups)
        )
    return (text.isdecimal() and (text == "0" or text[0] != "0")) or not text
