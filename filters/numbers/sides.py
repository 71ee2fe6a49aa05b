"""What stands left and right of a relation sign in prose: the expression that ends there, and the one that begins there.

Both are taken whole or not at all. ``2x + 3 * 4 = 14`` is no equation of numbers, and neither is ``f(3) + 4 = 9``: where what touches the
expression is not understood, nothing is said about it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from filters.numbers.lexer import BAD, CURRENCY, END, NUMBER, OPERATORS, ROUGHLY, WORD, Token
from filters.numbers.parser import Expression, NotArithmetic

MOST_TOKENS = 120
"""Of one side. What is longer is a listing."""
MOST_UNIT_WORDS = 3

_OPERANDS = frozenset({NUMBER, "(", "f", "s", CURRENCY})
_PARTS = OPERATORS | _OPERANDS | {"!", "%", ")"}
_FUNCTIONS = (
    "sin cos tan cot sec csc log ln lg exp lim max min gcd lcm abs floor ceil sqrt det mod root square cube half third quarter twice "
    "double triple minus over divided multiplied increased decreased power base negative"
)
_NOT_BEFORE = frozenset(_FUNCTIONS.split())
"""Words that change what follows them."""
_SHARE_OF = re.compile(
    r"(?:half|halves|quarters?|(?:third|fourth|fif|six|seven|eigh|nin|ten|hundred|thousand)(?:th)?s?|thirds?|percent|percentage|average|mean|"
    r"median|square|cube|root|product|ratio|fraction|part|share|multiple|inverse|power|factorial|sum|difference|remainder|quotient|one|two|"
    r"three|four|five|six|seven|eight|nine|ten|most|each|out)",
    re.IGNORECASE,
)
"""What ``of`` computes something with; of anything else it only says how much there is: "a total of 3 + 4 = 7"."""


def left(tokens: Sequence[Token], *, goes_on: bool = False) -> Expression | None:
    """The longest expression at the end of the tokens. goes_on: whether they begin behind another relation sign."""
    low, depth = len(tokens), 0
    while low > 0 and len(tokens) - low < MOST_TOKENS:
        token = tokens[low - 1]
        if token.kind == WORD:
            words = _unit_before(tokens, low)
            if not words:
                break
            low -= words
            continue
        if token.kind not in _PARTS or (token.kind == "(" and not depth):
            break
        depth += (token.kind == ")") - (token.kind == "(")
        low -= 1
    low = _begin(tokens, low, goes_on)
    if low < 0 or len(tokens) - low >= MOST_TOKENS:
        return None
    found = _parsed(tokens[low:])
    # A number that is not computed must open its line: in "on day 4 = 2 * 2" and "(3) = 1 + 2" it is a name.
    if found and not found.operators and (low > 0 or tokens[0].kind not in (NUMBER, CURRENCY) or any(found.units)):
        return None
    return found


def right(tokens: Sequence[Token]) -> tuple[Expression | None, bool, int]:
    """The expression at the beginning of the tokens, whether a word says ``about``, and how many tokens both take."""
    low = 0
    while low < len(tokens) and tokens[low].kind == ROUGHLY:
        low += 1
    high = _end(tokens, low)
    return (_parsed(tokens[low:high]) if high > low else None), low > 0, high


def _parsed(tokens: Sequence[Token]) -> Expression | None:
    if len({t.text[0].isalpha() for t in tokens if t.kind in "+-*/^"}) > 1:
        return None  # "3 * 1 plus 2": the word joins sentences, not numbers
    try:
        return Expression(tokens)
    except (NotArithmetic, RecursionError):
        return None


def _touch(tokens: Sequence[Token], i: int) -> bool:
    """Whether token i touches the one before it."""
    return 0 < i < len(tokens) and tokens[i - 1].end == tokens[i].start


def _unit_before(tokens: Sequence[Token], high: int) -> int:
    """How many words before ``high`` are the unit of a number; 0: they are the sentence's."""
    if high < len(tokens) and tokens[high].kind in (NUMBER, "(", "f", "s", CURRENCY):
        return 0
    if tokens[high - 1].text.lower() == "instead":
        return 0  # "10 instead of 5 + 10 = 15"
    low = high
    while low > 0 and tokens[low - 1].kind == WORD:
        low -= 1
    return high - low if low > 0 and tokens[low - 1].kind in (NUMBER, "%") and high - low <= MOST_UNIT_WORDS else 0


def _begin(tokens: Sequence[Token], low: int, goes_on: bool) -> int:
    """Where the expression begins that was found to reach back to ``low``; -1: what is before it belongs to it."""
    if low >= len(tokens):
        return -1
    first, opens = tokens[low], low == 0 or "\n" in tokens[low - 1].text
    touches = _touch(tokens, low + 1)
    bold = first.text == "**" and touches and not _touch(tokens, low)
    bullet = opens and not (goes_on and low == 0) and first.kind in "*-+" and not touches
    of = first.kind == "o" and low > 0 and tokens[low - 1].kind == WORD
    if bold or bullet or first.kind == "!" or (of and not _SHARE_OF.fullmatch(tokens[low - 1].text)):
        low += 1
    elif first.kind == "-" and not opens and (_touch(tokens, low) or not touches):
        return -1
    if low >= len(tokens) or tokens[low].kind not in _OPERANDS | {"-"}:
        return -1
    return low if low == 0 or bullet or tokens[low - 1].kind == "o" or _may_precede(tokens, low) else -1


def _may_precede(tokens: Sequence[Token], low: int) -> bool:
    before = tokens[low - 1]
    if before.text in ("x", "X") and _touch(tokens, low - 1) and tokens[low - 2].kind == NUMBER:
        return False  # "2000x 10/100": a product, half written
    if before.kind == WORD:
        return before.text.lower() not in _NOT_BEFORE and not _touch(tokens, low)
    if before.kind == BAD:
        return not _touch(tokens, low) and before.text[0] not in "\\±∓"
    if before.kind == END and before.text in (":", "'", "’", ".", ",") and _touch(tokens, low):
        return not (low > 1 and tokens[low - 2].kind == NUMBER and _touch(tokens, low - 1))
    return before.kind not in (NUMBER, "%", ")", ROUGHLY)


def _end(tokens: Sequence[Token], low: int) -> int:
    """Where the expression ends that begins at ``low``; at most ``low``: there is none."""
    at, depth = low, 0
    while at < len(tokens) and at - low < MOST_TOKENS:
        kind = tokens[at].kind
        if kind == WORD and at > low:
            return _after_unit(tokens, at, low, depth)
        if kind in OPERATORS and at > low:
            if not _goes_on(tokens, at + 1):
                return at if _is_dash_or_star(tokens, at) or tokens[at].text.isalpha() else low
        elif kind == "(":
            if at > low and tokens[at - 1].kind in (NUMBER, ")", "%") and not _touch(tokens, at):
                # "(1/4) [1/3 + 1/2]" is a product; "12 (as they said)" is not.
                return low if at + 1 < len(tokens) and tokens[at + 1].kind in _OPERANDS else at
            depth += 1
        elif kind == ")":
            if not depth:
                return at
            depth -= 1
        elif kind == NUMBER and at > low and tokens[at - 1].kind in (NUMBER, ")", "%"):
            return low
        elif kind not in _PARTS:
            return low if _spoils(tokens, at) else at
        at += 1
    return at


def _goes_on(tokens: Sequence[Token], at: int) -> bool:
    return at < len(tokens) and (tokens[at].kind in _OPERANDS or (tokens[at].kind == "-" and _touch(tokens, at + 1)))


def _is_dash_or_star(tokens: Sequence[Token], at: int) -> bool:
    """An operator that is none: a dash before the sentence goes on, or the stars of bold type."""
    after = tokens[at + 1] if at + 1 < len(tokens) else None
    if tokens[at].kind != "-" and tokens[at].text not in ("*", "**"):
        return False
    if tokens[at].text in ("*", "**"):
        return after is None or after.kind not in (WORD, BAD) or (_touch(tokens, at) and not _touch(tokens, at + 1))
    return after is None or after.kind == END or (tokens[at].text in "–—" and after.kind == WORD)


def _after_unit(tokens: Sequence[Token], at: int, low: int, depth: int) -> int:
    """Words after a number end the expression, unless an operator and a number follow: then they are its unit."""
    if tokens[at - 1].kind not in (NUMBER, "%", ")") and tokens[at - 1].kind != CURRENCY:
        return low
    high = at
    while high < len(tokens) and tokens[high].kind == WORD:
        high += 1
    more = high < len(tokens) and tokens[high].kind in OPERATORS and _goes_on(tokens, high + 1)
    if high - at > MOST_UNIT_WORDS:
        return at
    if more or depth:
        rest = _end_of_more(tokens, high, low, depth)
        return rest
    if high < len(tokens) and tokens[high].kind in ("^", "/", "*", "+") and _touch(tokens, high):
        # cm^2, km/h, x*y: the rest of a unit, or of a term that is not understood.
        return low if tokens[high].kind in "*+" else at
    # "43 in all": a short word that goes on is the sentence's.
    return at + 1 if high == at + 1 or len(tokens[at].text) > 3 else at


def _end_of_more(tokens: Sequence[Token], at: int, low: int, depth: int) -> int:
    """The end, when the expression goes on behind a unit; brackets that were open are counted again."""
    if at >= len(tokens):
        return low
    end = _end(tokens, at + 1) if tokens[at].kind in OPERATORS else at
    if tokens[at].kind == ")" and depth:
        return _end(tokens, at + 1) if at + 1 < len(tokens) and tokens[at + 1].kind in OPERATORS else at + 1
    return end if end > at else low


def _spoils(tokens: Sequence[Token], at: int) -> bool:
    """Whether what stands behind a number makes it another thing: 12:30, 5_000, 12'."""
    if tokens[at].kind == BAD:
        return _touch(tokens, at) or tokens[at].text[0] in "\\±∓"
    colon = tokens[at].text in (":", "'", "’") and _touch(tokens, at)
    return colon and _touch(tokens, at + 1) and tokens[at + 1].kind == NUMBER
