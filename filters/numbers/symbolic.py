"""Algebra in a process of its own: math-verify on sympy, which can hang, or take all memory, for a formula of ten characters.

The process (``filters.child``) is bounded in processor time and memory by the kernel, ended when it takes too long, and started again for
the next pair.
"""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from filters.child import Child
from filters.contract import ConfigError

LONGEST = 300
"""Characters of a formula."""
DEEPEST = 12
"""Brackets within brackets."""
REMEMBERED = 4096
"""Formulas whose keys are kept: samples of one problem write the same ones."""

_TOWER = re.compile(r"\^\s*(?:\{[^{}]*\^|\(?[^\s^{}()]{1,20}\s*\^)|\*\*[^*]{1,20}\*\*")
_LARGE = re.compile(
    r"(?:\^|\*\*)\s*[{(]?\s*-?\s*\d{4,}|\d{4,}\s*[)}]?\s*!|!\s*[)}]*\s*!|\d{60,}|[A-Za-z)}]\s*(?:\^|\*\*)\s*[{(]?\s*-?\d{3,}"
)


class Algebra:
    """Compares formulas, one at a time. The process is started with the first pair."""

    def __init__(self, seconds: int, memory: int = 2 << 30) -> None:
        """seconds: of processor time a pair. memory: bytes of address space. Raises ConfigError where the package is missing."""
        if find_spec("math_verify") is None:
            raise ConfigError(
                "numbers: the package math-verify is not installed: pip install 'corpusmill[math]', or set symbolic to false"
            )
        self.child = Child("numbers: algebra", Path(__file__).with_name("algebra_process.py"), seconds, memory)
        self._known: dict[str, tuple[str, float | None] | str] = {}

    def same(self, answer: str, reference: str) -> bool | str:
        """Whether two formulas are equal; or why that is not known: ``too_large`` (not tried), ``not_comparable`` (at least one is not
        understood), ``timed_out`` (or out of memory)."""
        if _is_too_large(answer) or _is_too_large(reference):
            return "too_large"
        told = self._asked({"answer": answer, "reference": reference})
        return told if isinstance(told, bool) else "not_comparable" if told == "unknown" else "timed_out"

    def canonical(self, formula: str) -> tuple[str, float | None] | str:
        """A key that formulas of the same value share, and the value if it is one real number; or why there is none, as ``same``."""
        if formula not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[formula] = self._canonical(formula)
        return self._known[formula]

    def _canonical(self, formula: str) -> tuple[str, float | None] | str:
        if _is_too_large(formula):
            return "too_large"
        told = self._asked({"formula": formula})
        if isinstance(told, list):
            return str(told[0]), told[1]
        return "not_comparable" if told == "unknown" else "timed_out"

    def _asked(self, question: dict[str, str]) -> Any:
        answers = self.child.ask(json.dumps(question).encode())
        return json.loads(answers[0]) if answers else "timed_out"


def _is_too_large(formula: str) -> bool:
    """Told from the text alone, so the same on every machine: towers of powers, huge exponents and factorials, long or deep ones."""
    depth = most = 0
    for c in formula[: LONGEST + 1]:
        depth += (c in "({[") - (c in ")}]")
        most = max(most, depth)
    return len(formula) > LONGEST or most > DEEPEST or bool(_TOWER.search(formula) or _LARGE.search(formula))
