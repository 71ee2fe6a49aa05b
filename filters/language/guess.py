"""From windows of prose to the language of a text: script, certainty, and a vote by letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from filters.language.model import UNDETERMINED, family

FULL_LENGTH = 40
"""Letters from which on the certainty asked for is the one configured; shorter text needs more."""

_IDEOGRAPH_LETTERS = 3
_HAN_ONLY = ("zh", "yue", "wuu", "cmn", "lzh")
_BEYOND_DOUBT = 0.8
"""Above it the rest, at most 0.2, cannot change the winner: a short cut for nearly every window."""
_KANA_CERTAINTY = 0.95
"""What kana are worth when the model thinks of something else: quotations of kana in other languages exist."""


@dataclass(frozen=True)
class Guess:
    """language: a code, or ``und``. probability: of the best guess, whether or not it was good enough."""

    language: str
    probability: float


@dataclass(frozen=True)
class Verdict:
    """A whole text. share: of the letters in windows with a certain guess, how many are in ``language`` (0 for und)."""

    language: str
    probability: float
    share: float


def by_script(candidates: Sequence[tuple[str, float]], letters: int, han: int, kana: int) -> list[tuple[str, float]]:
    """What Han and kana leave possible: Japanese prose is never without kana, and no other language is written in them.

    The model alone takes three Chinese sentences in a hundred for something else, most often Japanese.
    """
    ideographic = han + kana
    if 2 * _IDEOGRAPH_LETTERS * ideographic < letters:
        return list(candidates)
    if kana * 5 >= ideographic:
        return [("ja", max([_KANA_CERTAINTY, *(p for c, p in candidates if c == "ja")]))]
    if kana * 50 < ideographic:
        rest = [(c, p) for c, p in candidates if c in _HAN_ONLY]
        total = sum(p for _, p in rest)
        return [(c, p / total) for c, p in rest] if total > 0 else []
    return list(candidates)


def best(candidates: Sequence[tuple[str, float]], letters: int, min_probability: float, min_margin: float) -> Guess:
    """The best candidate if it is certain enough for a text of this length. Near languages count as one."""
    top = candidates[0][1] if candidates else 0.0
    if letters >= FULL_LENGTH and top > _BEYOND_DOUBT and top >= min_probability and 2 * top - 1 >= min_margin:
        return Guess(candidates[0][0], top)
    total: dict[str, float] = {}
    first: dict[str, str] = {}
    for code, probability in candidates:
        name = family(code)
        total[name] = total.get(name, 0.0) + probability
        first.setdefault(name, code)
    if not total:
        return Guess(UNDETERMINED, 0.0)
    ranked = sorted(total.items(), key=lambda item: -item[1])
    name, probability = ranked[0]
    margin = probability - (ranked[1][1] if len(ranked) > 1 else 0.0)
    if probability < needed(letters, min_probability) or margin < min_margin:
        return Guess(UNDETERMINED, min(probability, 1.0))
    return Guess(first[name], min(probability, 1.0))


def needed(letters: int, min_probability: float) -> float:
    """The probability asked of a guess: up to half-way from the configured one to certainty as the text gets shorter."""
    missing = max(0.0, 1.0 - letters / FULL_LENGTH)
    return min_probability + (1.0 - min_probability) * missing * 0.5


def vote(guesses: Sequence[tuple[Guess, int]]) -> Verdict:
    """The language with most letters among the certain guesses; guesses come with their letters."""
    letters: dict[str, int] = {}
    weighted: dict[str, float] = {}
    shown: dict[str, str] = {}
    for guess, n in guesses:
        if guess.language != UNDETERMINED:
            name = family(guess.language)
            shown.setdefault(name, guess.language)
            letters[name] = letters.get(name, 0) + n
            weighted[name] = weighted.get(name, 0.0) + n * guess.probability
    if not letters:
        return Verdict(UNDETERMINED, max((g.probability for g, _ in guesses), default=0.0), 0.0)
    name = max(letters, key=lambda code: letters[code])
    return Verdict(shown[name], weighted[name] / letters[name], letters[name] / sum(letters.values()))
