"""From the scores to the reason: what a recipe asks of languages, on whole columns. Thresholds can so be changed afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from filters.contract import KEPT
from filters.language.model import UNDETERMINED, family

if TYPE_CHECKING:
    from filters.language import LanguageOptions

SCORED = ("prompt", "reasoning", "answer")
_FALL_BACK = ("answer", "reasoning", "prompt")
_WITH_SCRIPT = re.compile(r"(.+)-([A-Z][a-z]{3})")


def split(code: str) -> tuple[str, str]:
    """Language and script of an entry of ``allow``: ``zh-Hant`` is (zh, Hant), ``zh`` is (zh, "")."""
    found = _WITH_SCRIPT.fullmatch(code)
    return (found[1], found[2]) if found else (code, "")


class Languages:
    """The language columns of scores: families of what is determined, ``und`` elsewhere."""

    def __init__(self, scores: Mapping[str, np.ndarray], options: LanguageOptions) -> None:
        self._scores, self._options = scores, options
        self._family: dict[str | None, str] = {None: UNDETERMINED}
        self.of = {part: self._families(scores[f"{part}_language"]) for part in SCORED}
        self.known = {part: column != UNDETERMINED for part, column in self.of.items()}

    def _families(self, column: np.ndarray) -> np.ndarray:
        known = self._family
        return np.array([known[c] if c in known else known.setdefault(c, family(c)) for c in column], object)

    def deciding(self) -> dict[str, np.ndarray]:
        """Of which records each part is asked whether it is in ``allow``: of those named, as far as their language can be
        told, else of the first that can."""
        asked = {part: self.known[part] & (part in self._options.parts) for part in SCORED}
        left = ~np.logical_or.reduce(list(asked.values()))
        for part in _FALL_BACK:
            asked[part] = asked[part] | (left & self.known[part])
            left &= ~self.known[part]
        return asked

    def outside(self) -> np.ndarray:
        """Records of which a part that decides is in no allowed language."""
        if not self._options.allow:
            return np.zeros(len(self.of["answer"]), bool)
        asked = self.deciding()
        bad = [where & ~self._allowed(self.of[p], self._scores[f"{p}_script"]) for p, where in asked.items()]
        other = ~np.logical_or.reduce(list(asked.values()))
        rest = self._families(self._scores["language"])
        bad.append(other & (rest != UNDETERMINED) & ~self._allowed(rest, None))
        return np.logical_or.reduce(bad)

    def _allowed(self, language: np.ndarray, script: np.ndarray | None) -> np.ndarray:
        good = np.zeros(len(language), bool)
        for entry in self._options.allow:
            code, wanted = split(entry)
            matches = (language == family(code)) | (language == code)
            # A text whose characters leave it open, or text of no turn, is taken on its language alone.
            good |= matches if not wanted or script is None else matches & ((script == wanted) | (script == "Hani"))
        return good

    def mismatch(self) -> np.ndarray:
        prompt, answer = self.of["prompt"], self.of["answer"]
        return self.known["prompt"] & self.known["answer"] & (prompt != answer)

    def mixed(self, part: str) -> np.ndarray:
        return self.known[part] & (self._scores[f"{part}_share"] < self._options.min_share)

    def switched(self, part: str) -> np.ndarray:
        return np.asarray(self._scores[f"{part}_foreign"], np.float32) > np.float32(self._options.max_foreign)


def decide(scores: Mapping[str, np.ndarray], options: LanguageOptions, index: Callable[[str], int]) -> np.ndarray:
    """int16 reason of each record; index: of a reason's code."""
    found = Languages(scores, options)
    unasked = scores["asked"] != True if options.asked_for == "keep" else np.ones(len(scores["asked"]), bool)  # noqa: E712
    faults = {
        "language_not_allowed": found.outside(),
        "language_mismatch": found.mismatch() & unasked & options.same_as_prompt,
        "language_switched": (found.switched("answer") | found.switched("reasoning")) & unasked,
        "language_mixed": np.logical_or.reduce([found.mixed(part) for part in options.parts or ("answer",)]),
        "language_unknown": (scores["language"] == UNDETERMINED) & (options.undetermined == "drop"),
    }
    reason = np.full(len(scores["asked"]), KEPT, np.int16)
    for code, at_fault in reversed(faults.items()):
        reason[at_fault.astype(bool)] = index(code)
    return reason
