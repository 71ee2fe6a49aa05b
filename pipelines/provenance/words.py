"""Values of a manifest as text in Markdown: figures with separators, and nothing that a reader's browser would take for markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

UNDECLARED = "undeclared"
_MARKUP = re.compile(r"([\\`*\[\]<>|~]|^[#>+-]|(?<!\w)_|_(?!\w))")

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of what follows."""


def plain(value: Any) -> str:
    """A declared text on one line, its markup escaped; ``undeclared`` where there is none."""
    if value is None or value == "":
        return UNDECLARED
    return _MARKUP.sub(r"\\\1", " ".join(_UNSEEN.sub(" ", str(value)).split()))


def named(entry: Mapping[str, Any]) -> str:
    """A source or model by name, linked where it has an http address."""
    url = entry.get("url") or ""
    safe = re.fullmatch(r"https?://[^\s()<>\"']+", url)
    return f"[{plain(entry['name'])}]({url})" if safe else plain(entry["name"])


def listed(entries: Iterable[Mapping[str, Any]] | None) -> str:
    """Sources or models on one line; a declared empty list is ``none``."""
    if entries is None:
        return UNDECLARED
    return "; ".join(named(e) for e in entries) or "none"


def period(entry: Mapping[str, Any]) -> str:
    start, end = entry.get("collected_from") or "", entry.get("collected_to") or ""
    if not start and not end:
        return UNDECLARED
    return str(start) if start == end else f"{start or '?'} to {end or '?'}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> list[str]:
    """A Markdown table; ``numbers`` are the columns set to the right."""
    rule = ["---:" if i in numbers else "---" for i in range(len(head))]
    return [f"| {' | '.join(line)} |" for line in (head, rule, *rows)]


def counts(found: Mapping[str, int], name: str, shown: int = 30) -> list[str]:
    """A table of the largest counts; what is not shown is summed."""
    ordered = sorted(found.items(), key=lambda e: (-e[1], e[0]))
    rows = [(plain(value), f"{n:,}") for value, n in ordered[:shown]]
    if rest := ordered[shown:]:
        rows.append((f"{len(rest):,} others", f"{sum(n for _, n in rest):,}"))
    return table((name, "records"), rows, numbers=(1,))


def size(count: int) -> str:
    """Bytes in the unit that reads best."""
    amount, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:,.0f} {unit}" if unit == "B" else f"{amount:,.1f} {unit}"
