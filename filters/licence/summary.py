"""What a dataset's licences come to: obligations with what to do, and licences that do not go together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import combinations
from typing import Any

from filters.licence.library import UNVERSIONED, Library, Pair, matches
from filters.licence.policy import Policy

NONE = "(none)"
"""How a table counts records without a value."""
MOST_CONFLICTS = 100


def summarise(tables: Mapping[str, Mapping[str, int]], policy: Policy, name: str) -> dict[str, Any]:
    """The manifest's section, from the tables ``spdx`` and ``spdx_in_texts`` of kept records alone."""
    library = policy.library
    rows, records = [], Counter[str]()
    for table, where in (("spdx", "record"), ("spdx_in_texts", "text")):
        for expression, count in sorted(tables.get(table, {}).items()):
            if expression == NONE:
                continue
            taken = policy.choice(expression).licences
            records.update(dict.fromkeys(taken, count))
            rows.append({"expression": expression, "where": where, "records": count, "taken": sorted(taken),
                         "category": policy.category(taken), "obligations": _obligations(library, taken)})  # fmt: skip
    return {
        "policy": name,
        "undeclared": tables.get("spdx", {}).get(NONE, 0),
        "licences": rows,
        "obligations": _what_to_do(library, records),
        "conflicts": _conflicts(library, records)[:MOST_CONFLICTS],
    }


def _obligations(library: Library, licences: frozenset[str]) -> list[str]:
    asked = {o for licence in licences for o in library.terms(licence).obligations}
    return [o for o in library.told.obligations if o in asked]


def _what_to_do(library: Library, records: Mapping[str, int]) -> list[dict[str, Any]]:
    """Each obligation that some kept record brings, with the licences that ask for it."""
    told = []
    for name, what in library.told.obligations.items():
        licences = {li: n for li, n in sorted(records.items()) if name in library.terms(li).obligations}
        if licences:
            told.append({"obligation": name, "do": what, "licences": licences})
    return told


def _conflicts(library: Library, records: Mapping[str, int]) -> list[dict[str, Any]]:
    """Pairs of licences in one output that cannot both be met in one work, each with the first rule that says so."""
    found = []
    for a, b in combinations(sorted(records), 2):
        rule = conflict(library, a, b)
        if rule is not None:
            found.append({"licences": {a: records[a], b: records[b]}, "why": rule.why, "source": rule.source})
    return found


def conflict(library: Library, a: str, b: str) -> Pair | None:
    """The rule by which two licences conflict, in whatever order they are given."""
    if a == b or any(_fits(library, pair, a, b) for pair in library.told.compatible):
        return None
    return next((pair for pair in library.told.conflicts if _fits(library, pair, a, b)), None)


def _fits(library: Library, pair: Pair, a: str, b: str) -> bool:
    return (_is(library, a, pair.of) and _is(library, b, pair.with_)) or (
        _is(library, b, pair.of) and _is(library, a, pair.with_)
    )


def _is(library: Library, licence: str, wanted: tuple[str, ...]) -> bool:
    """Whether a licence is one of the globs (its exception aside) or has one of the @categories."""
    base = licence.partition(" WITH ")[0].removeprefix(UNVERSIONED)
    categories = {f"@{c}" for c in library.terms(licence).categories}
    return matches(base, [w for w in wanted if not w.startswith("@")]) or bool(categories & set(wanted))
