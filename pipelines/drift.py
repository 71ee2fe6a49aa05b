"""What a dataset was at the run before, and how far its shares have moved since.

The summary stands in ``.corpusmill``: a manifest says nothing of other runs, or it would not be the same for the same input.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines import listing, manifest
from pipelines.ledger import Ledger
from pipelines.statistics import stability

PREVIOUS = "previous.json"
VALUES = 200
"""Values of a table that are remembered, the most frequent first; the rest count together."""

REST = "(all others)"
SOME, LARGE = 0.1, 0.25
"""Where a shift begins to matter, and where it is large: the rule of thumb of Siddiqi, Credit Risk Scorecards (Wiley, 2006), which
goes back to Lewis, An Introduction to Credit Scoring (1992)."""

Z95 = 1.6448536269514722
"""One-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True)
class Shift:
    """How two distributions differ. rows: (value, count before, count now); psi: population stability index; chance: what it
    would stay below 95 % of the time if nothing had changed."""

    rows: tuple[tuple[str, int, int], ...]
    psi: float
    chance: float

    @property
    def word(self) -> str:
        """In words; a large index from few records says nothing."""
        if self.psi < SOME:
            return "stable"
        if self.psi < self.chance:
            return "within chance for so few"
        return "some shift" if self.psi < LARGE else "large shift"


def remember(ledger: Ledger, told: Mapping[str, Any]) -> dict[str, Any]:
    """The summary of what was published before ``told``; kept for when the same is published again. Call before the manifest is
    replaced. Empty when it is the first; one that lacked shards is nothing to compare with."""
    standing = manifest.standing(ledger.out)
    ours = standing and standing.get("manifest") == manifest.VERSION and standing["complete"]
    if standing and ours and standing["digest"] != told["digest"]:
        ledger.save(PREVIOUS, summary(standing))
    return ledger.load(PREVIOUS)


def summary(told: Mapping[str, Any]) -> dict[str, Any]:
    """What of a manifest is compared."""
    return {
        "name": told["name"],
        "digest": told["digest"],
        "records": told["records"],
        "inputs": listing.number_of_inputs(told),
        "recipe": told["recipe"],
        "software": told["software"],
        "filters": [
            {"name": f["name"], "rejected": f["rejected"], "rejected_first": f["rejected_first"], "reasons": _first(f)}
            for f in told["filters"]
        ],
        "edits": dict(told["edits"]),
        "tables": {name: _largest(counts) for name, counts in told["tables"].items()},
    }


def _first(f: Mapping[str, Any]) -> dict[str, int]:
    return {code: n["first"] for code, n in f["reasons"].items()}


def _largest(counts: Mapping[str, int]) -> dict[str, int]:
    ordered = sorted(counts.items(), key=lambda e: (-e[1], e[0]))
    rest = sum(n for _, n in ordered[VALUES:])
    return dict(ordered[:VALUES]) | ({REST: rest} if rest else {})


def verdicts(told: Mapping[str, Any]) -> dict[str, int]:
    """Records read by what became of them: ``kept``, or ``filter: reason``. told: a summary."""
    reasons = {f"{f['name']}: {code}": n for f in told["filters"] for code, n in f["reasons"].items() if n}
    return {"kept": told["records"]["kept"], **reasons}


def shift(before: Mapping[str, int], now: Mapping[str, int]) -> Shift:
    """Compare two tables of counts.

    PSI = sum((q - p) ln(q / p)) over all values, with half a record added to each count, since a value on one side alone would
    make it endless. Under no change it is about (1/n + 1/m) times a chi-square variable with B - 1 degrees of freedom; its 95 %
    quantile is taken as B - 1 + 1.645 sqrt(2 (B - 1)) (Yurdakul and Naranjo, Journal of Risk Model Validation 14(4), 2020).
    """
    values = sorted({*before, *now}, key=lambda v: (-max(before.get(v, 0), now.get(v, 0)), v))
    rows = tuple((v, before.get(v, 0), now.get(v, 0)) for v in values)
    n, m = sum(before.values()), sum(now.values())
    if not n or not m or len(rows) < 2:
        return Shift(rows, 0.0, math.inf if len(rows) > 1 else 0.0)
    free = len(rows) - 1
    return Shift(rows, stability(before, now) or 0.0, (1 / n + 1 / m) * (free + Z95 * math.sqrt(2 * free)))


def changed_options(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """(``filter.option``, before, now) of two effective recipes; None where a side has no such option."""
    a, b = _flat(before), _flat(now)
    return [(key, a.get(key), b.get(key)) for key in sorted({*a, *b}) if a.get(key) != b.get(key)]


def changed_software(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(package, before, now) of what differs."""
    a, b = _versions(before), _versions(now)
    return [(key, a.get(key, ""), b.get(key, "")) for key in sorted({*a, *b}) if a.get(key) != b.get(key)]


def _versions(told: Mapping[str, Any]) -> dict[str, str]:
    ours = {"corpusmill": told["corpusmill"], "corpusmill's code": told["code_sha256"][:12]}
    return {**ours, **told["packages"], **told.get("programs", {})}


def _flat(document: Mapping[str, Any]) -> dict[str, Any]:
    options = {"name": document.get("name")}
    for section in ("input", "output", "work"):
        options |= {f"{section}.{k}": v for k, v in document.get(section, {}).items()}
    names = []
    for entry in document.get("filters", []):
        [(name, given)] = entry.items()
        names.append(name)
        options |= {f"{name}.{k}": v for k, v in (given or {}).items()}
    return {**options, "filters": names}
