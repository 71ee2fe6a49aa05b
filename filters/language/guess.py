"""From a model's labels to the language of a window, and from windows to a text's: script, certainty, and a vote by letters.

Everything is arrays: a row a window, or a row a text. Languages are numbers, an index into the model's codes; -1 is ``und``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from filters.language import scripts

FULL_LENGTH = 40
"""Letters from which on the certainty asked for is the one configured; shorter text needs more."""
UND = -1

_KANA_CERTAINTY = 0.95
"""What kana are worth when the model thinks of something else: quotations of kana in other languages exist."""


_SIMPLIFIED_CERTAINTY = 0.9
"""The same for simplified characters, which the model takes for another language where they stand among many numbers."""


@dataclass(frozen=True)
class Codes:
    """What the numbers stand for. family: of each code, the number of the one that stands for all that are not told apart.
    written: bool[codes, scripts], the scripts each may be in. japanese, chinese: the numbers of ``ja`` and ``zh``, -1 where the
    model has none."""

    names: tuple[str, ...]
    family: np.ndarray
    written: np.ndarray
    japanese: int
    chinese: int


@dataclass(frozen=True)
class Votes:
    """Texts. language, probability, and share: of the letters in windows with a certain guess, how many are in it."""

    language: np.ndarray
    probability: np.ndarray
    share: np.ndarray


def restrict(label: np.ndarray, probability: np.ndarray, by_script: np.ndarray, codes: Codes) -> None:
    """Leave of the labels (in place) what the script leaves possible. The model alone takes three Chinese sentences in a hundred
    for something else, most often Japanese, and scripts it never saw for any language.

    label, probability: [n, k], best first. by_script: letters of each text by script.
    """
    script = scripts.number(by_script)
    possible = (label >= 0) & codes.written[label, script[:, None]]
    probability *= possible
    japanese = np.flatnonzero((script == scripts.JAPANESE) & (codes.japanese >= 0))
    believed = probability[japanese].max(axis=1, initial=0)
    label[japanese], probability[japanese] = UND, 0
    label[japanese, 0], probability[japanese, 0] = codes.japanese, np.maximum(believed, _KANA_CERTAINTY)
    # Ideographs are Chinese: what the model gave to other languages is left out of the reckoning.
    chinese = np.isin(script, scripts.CHINESE)
    probability[chinese] /= np.maximum(probability[chinese].sum(axis=1, keepdims=True), 1e-9)
    # No other language has the simplified characters.
    simplified = np.flatnonzero(
        (script == scripts.HANS) & (probability.max(axis=1, initial=0) == 0) & (codes.chinese >= 0)
    )
    label[simplified, 0], probability[simplified, 0] = codes.chinese, _SIMPLIFIED_CERTAINTY


def best(
    label: np.ndarray,
    probability: np.ndarray,
    letters: np.ndarray,
    min_probability: float,
    min_margin: float,
    codes: Codes,
) -> tuple[np.ndarray, np.ndarray]:
    """The best label of each row if it is certain enough for a text of this length, and how probable it is in any case.

    Near languages count as one: their probabilities are added up.
    """
    family = np.where(label >= 0, codes.family[label], -1)
    same = family[:, :, None] == family[:, None, :]
    total = (same * probability[:, None, :]).sum(axis=2)
    rows = np.arange(len(label))
    top = np.where(family >= 0, total, 0).argmax(axis=1)
    winner = np.minimum(total[rows, top], 1.0)
    second = np.where(family != family[rows, top][:, None], total, 0).max(axis=1, initial=0)
    certain = (winner >= needed(letters, min_probability)) & (winner - second >= min_margin) & (winner > 0)
    return np.where(certain, label[rows, top], UND), winner


def needed(letters: np.ndarray, min_probability: float) -> np.ndarray:
    """The probability asked of a guess: up to half-way from the configured one to certainty as the text gets shorter."""
    missing = np.maximum(0.0, 1.0 - letters / FULL_LENGTH)
    return min_probability + (1.0 - min_probability) * missing * 0.5


def vote(
    group: np.ndarray, language: np.ndarray, probability: np.ndarray, letters: np.ndarray, groups: int, codes: Codes
) -> Votes:
    """The language with most letters among the certain windows of each group; group is sorted."""
    out = Votes(np.full(groups, UND), np.zeros(groups), np.zeros(groups))
    np.maximum.at(out.probability, group, probability)
    key, first, heard, weighted = tally(group, language, probability, letters, codes)
    if not len(key):
        return out
    of, width = key // len(codes.names), np.zeros(groups)
    np.add.at(width, of, heard)
    # By group, most letters last; of equals, the language that came first.
    order = np.lexsort((-first, heard, of))
    last = order[np.append(of[order][1:] != of[order][:-1], True)]
    out.language[of[last]] = language[first[last]]
    out.probability[of[last]] = weighted[last] / heard[last]
    out.share[of[last]] = heard[last] / width[of[last]]
    return out


def tally(
    group: np.ndarray, language: np.ndarray, probability: np.ndarray, letters: np.ndarray, codes: Codes
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """By group and language family: the key (group * number of codes + family), the first window, letters, and letters
    weighted by probability. Windows whose language is not certain are left out."""
    certain = np.flatnonzero(language != UND)
    key, first, inverse = np.unique(
        group[certain] * len(codes.names) + codes.family[language[certain]], return_index=True, return_inverse=True
    )
    heard = np.bincount(inverse, weights=letters[certain], minlength=len(key))
    weighted = np.bincount(inverse, weights=letters[certain] * probability[certain], minlength=len(key))
    return key, certain[first], heard, weighted
