"""Sums over receipts, one receipt at a time: what a manifest says of millions of units is counted without holding them.

Every sum is the same whatever the order of the receipts.
"""

from __future__ import annotations

import hashlib
from bisect import insort
from collections.abc import Iterable, Mapping
from typing import Any

from filters.contract import Filter
from filters.reading import ReadFilter
from pipelines import histograms
from pipelines.errors import OutputError
from pipelines.recipe import Recipe
from pipelines.write import EXAMPLES, REASON_EXAMPLES, table_names

Counts = dict[str, int]


class Totals:
    """``add`` takes receipts; ``filters`` and ``tables`` are then as the manifest has them, and ``rows`` counts records by kind of file."""

    def __init__(self, recipe: Recipe) -> None:
        stages: list[tuple[str, type[Filter], Any]] = [("read", ReadFilter, None)]
        stages += [(s.name, s.filter, s.options) for s in recipe.stages]
        self.stages = [_Stage(*stage) for stage in stages]
        self.counts: dict[str, Counts] = {name: {} for name in table_names(s.filter for s in recipe.stages)}
        self.rows = {"data": 0, "rejected": 0, "annotations": 0}

    def add(self, receipt: Mapping[str, Any]) -> None:
        """Raises OutputError where kept + rejected is not what was read."""
        rows = {kind: receipt["files"][kind]["rows"] for kind in self.rows}
        if rows["data"] + rows["rejected"] != rows["annotations"]:
            raise OutputError(f"{receipt['shard']}: kept + rejected is not what was read; please report it")
        for kind, n in rows.items():
            self.rows[kind] += n
        for stage in self.stages:
            stage.add(receipt["filters"][stage.name])
        for name, counts in self.counts.items():
            _plus(counts, receipt["tables"][name])

    @property
    def tables(self) -> dict[str, Counts]:
        return {name: _sorted(counts) for name, counts in self.counts.items()}

    def filters(self, assets: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
        """An entry a filter, in the order of the recipe, ``read`` first."""
        return [stage.told(assets.get(stage.name, {})) for stage in self.stages]


class _Stage:
    """One filter's sums."""

    def __init__(self, name: str, filter_: type[Filter], options: Any) -> None:
        self.name, self.filter, self.options = name, filter_, options
        self.rejected = self.first = self.edited = 0
        self.reasons: Counts = {}
        self.first_reasons: Counts = {}
        self.edits: Counts = {}
        self.sums: Counts = {}
        self.spent: Counts = {}
        self.histograms: dict[str, dict[str, Counts]] = {}
        self.rules: dict[str, tuple[Counts, Fewest]] = {}
        self.places: dict[str, Fewest] = {}

    def add(self, told: Mapping[str, Any]) -> None:
        self.rejected += told["rejected"]
        self.first += told["first"]
        self.edited += told["edited"]
        for mine, name in (
            (self.reasons, "reasons"), (self.first_reasons, "first_reasons"), (self.edits, "edits"), (self.sums, "sums"),
            (self.spent, "spent"),
        ):  # fmt: skip
            _plus(mine, told.get(name, {}))
        for score, sides in told.get("histograms", {}).items():
            mine_here = self.histograms.setdefault(score, {"kept": {}, "rejected": {}})
            for side, counts in sides.items():
                _plus(mine_here[side], counts)
        for rule, found in told["rules"].items():
            if rule not in self.rules:
                self.rules[rule] = {"records": 0}, Fewest(EXAMPLES)
            count, examples = self.rules[rule]
            count["records"] += found["records"]
            examples.add(found["examples"])
        for code, places in told.get("first_examples", {}).items():
            if code not in self.places:
                self.places[code] = Fewest(REASON_EXAMPLES)
            self.places[code].add(places)

    def told(self, assets: Mapping[str, str]) -> dict[str, Any]:
        return {
            "name": self.name,
            "rejected": self.rejected,
            "rejected_first": self.first,
            "reasons": {code: self._reason(code) for code in self.filter.reasons if code in self.reasons},
            "rules": {
                rule: {**count, "examples": examples.told()} for rule, (count, examples) in sorted(self.rules.items())
            },
            "histograms": histograms.total([self.histograms]),
            "edits": _sorted(self.edits),
            "records_edited": self.edited,
            "assets": assets,
            "not_scanned": list(self.filter.not_scanned(self.options)),
            "sums": _sorted(self.sums),
            **({"spent": _sorted(self.spent)} if self.filter.spent else {}),
        }

    def _reason(self, code: str) -> dict[str, Any]:
        told: dict[str, Any] = {"records": self.reasons[code], "first": self.first_reasons.get(code, 0)}
        if not self.filter.withholds:
            told["examples"] = self.places[code].told() if code in self.places else []
        return told


class Fewest:
    """The ``write.fewest`` of every list that was added, each of which is one already: most are passed over at their first place."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.kept: list[tuple[bytes, str]] = []

    def add(self, places: Iterable[str]) -> None:
        for place in places:
            mine = hashlib.blake2b(place.encode()).digest(), place
            if len(self.kept) == self.most and mine > self.kept[-1]:
                return
            if mine not in self.kept:
                insort(self.kept, mine)
                del self.kept[self.most :]

    def told(self) -> list[str]:
        return [place for _, place in self.kept]


def _plus(total: Counts, counts: Mapping[str, int]) -> None:
    # Counter.update takes five times as long on a handful of keys.
    for key, n in counts.items():
        total[key] = total.get(key, 0) + n


def _sorted(counts: Counts) -> Counts:
    return dict(sorted(counts.items()))
