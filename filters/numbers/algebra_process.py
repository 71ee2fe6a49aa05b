"""Run as a script, by ``filters.numbers.symbolic``: pairs of formulas as JSON in, ``true``, ``false`` or a reason out; or lone
formulas in, and what they have in common with every other way to write them out."""

from __future__ import annotations

import json
import logging
import re
import signal
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from filters import bounded

GRACE = 2
"""Seconds that Python has to stop by itself before the kernel ends the process: one large multiplication hears no signal."""


class TooLong(BaseException):
    """Not an Exception: those are caught on the way and taken for formulas that cannot be parsed."""


def main(seconds: int, memory: int) -> None:
    logging.disable(logging.CRITICAL)
    import math_verify  # noqa: F401  (before the limits: it reads files)

    _beside("canonical")

    def answers(pair: bytes) -> Iterator[bytes]:
        bounded.allow(seconds + GRACE)
        yield json.dumps(_judged(json.loads(pair), seconds)).encode()

    signal.signal(signal.SIGPROF, _too_long)
    bounded.serve(answers, memory)


def _judged(pair: dict[str, str], seconds: int) -> bool | str | list[Any]:
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        if "formula" in pair:
            return _canonical(pair["formula"])
        return _same(pair["answer"], pair["reference"])
    except (TooLong, MemoryError):
        return "timed_out"
    except (Exception, RecursionError):
        return "unknown"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _canonical(formula: str) -> list[Any] | str:
    told: list[Any] | str = _beside("canonical").canonical(_parsed(formula))
    return told


@cache
def _beside(name: str) -> Any:
    """A module that stands beside this script, without the package around it, which takes a second and memory."""
    spec = spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _same(answer: str, reference: str) -> bool | str:
    from math_verify import verify

    found, right = _parsed(answer), _parsed(reference)
    if not found or not right:
        return "unknown"
    same = verify(right, found, timeout_seconds=None, raise_on_error=True)
    return bool(same) or _is_rounded(answer, right[0]) or _is_rounded(reference, found[0])


def _is_rounded(decimal: str, exact: Any) -> bool:
    """Whether a decimal of two places or more is the other value, rounded: 6.28 for 2 pi."""
    from sympy import N, Rational

    match = re.fullmatch(r"-?\d{1,20}\.(\d{2,20})", decimal)
    if not match or not getattr(exact, "is_number", False) or not getattr(exact, "is_real", False):
        return False
    return bool(abs(N(exact, 60) - Rational(decimal)) <= Rational(1, 2 * 10 ** len(match.group(1))))


def _parsed(formula: str) -> list[Any]:
    """As sympy's objects; empty: it is not understood. (Strings are what math-verify falls back to.)"""
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse

    told = parse(
        f"\\boxed{{{formula}}}", [LatexExtractionConfig(boxed_match_priority=0), ExprExtractionConfig()],
        fallback_mode="no_fallback", parsing_timeout=None, raise_on_error=True,
    )  # fmt: skip
    return [t for t in told if not isinstance(t, str)]


def _too_long(_signal: int, _frame: object) -> None:
    raise TooLong


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
