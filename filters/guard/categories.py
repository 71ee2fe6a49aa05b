"""Categories: their names, and what is recorded of them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping

from filters.contract import ConfigError

UNLISTED = "unlisted"
"""Unsafe, and for no reason that the map has. A closed map must not let such a text pass, so it is dropped whatever `drop` says."""

LEAST = 0.01
"""Less probable categories are not recorded."""

CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")


def drops(category: str, wanted: Collection[str]) -> bool:
    return not wanted or category in wanted or category == UNLISTED


def check(wanted: Iterable[str], known: Collection[str]) -> None:
    """Raises ConfigError for a category to drop that the guard never names."""
    for code in wanted:
        if code not in known:
            close = difflib.get_close_matches(code, known, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise ConfigError(f"guard.drop: no category {code!r:.80}{hint}; there are {', '.join(sorted(known))}")


def check_codes(where: str, codes: Iterable[str]) -> None:
    """Raises ConfigError for a category that is not written like one."""
    for code in codes:
        if not CODE.fullmatch(code) or code in (UNLISTED, "guard_unjudged"):
            raise ConfigError(f"{where}: a category is lower-case words with _ between, not {code!r:.80}")


def written(found: Mapping[str, float]) -> str:
    """``hate=0.31 violence=0.87``; four digits, so that a verdict made from it again is the same."""
    return " ".join(f"{code}={p:.4f}" for code, p in sorted(found.items()))


def read(told: str) -> list[tuple[str, float]]:
    return [(code, float(p)) for code, _, p in (part.partition("=") for part in told.split())]
