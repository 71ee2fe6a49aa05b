"""What a set of manifests says of the data a model is trained on: figures, each with the fields of the manifests it came from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines import manifest
from pipelines.errors import UsageError


@dataclass(frozen=True)
class Figure:
    """A value and where it stands: places as ``name: manifest.json#/records/kept`` (a JSON pointer)."""

    value: Any
    places: tuple[str, ...]


@dataclass(frozen=True)
class Dataset:
    """A dataset of the set. label: its recipe's name, with digits of its digest where two share one."""

    label: str
    told: Mapping[str, Any]

    @property
    def about(self) -> Mapping[str, Any]:
        return self.told["about"]

    @property
    def title(self) -> str:
        return self.about["title"] or self.told["name"]

    def figure(self, *path: str | int) -> Figure:
        """The field at a path; None where there is none."""
        value: Any = self.told
        for step in path:
            value = value.get(step) if isinstance(value, Mapping) else value[step]
            if value is None:
                break
        return Figure(value, (self.place(*path),))

    def place(self, *path: str | int) -> str:
        pointer = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
        return f"{self.label}: manifest.json#{pointer}"


def load(outs: Sequence[Path]) -> list[Dataset]:
    """The datasets at these places. Raises UsageError where there is none, or its manifest was edited."""
    found: list[Mapping[str, Any]] = []
    for out in outs:
        told = manifest.standing(out)
        if told is None or told.get("manifest") != manifest.VERSION or "about" not in told:
            raise UsageError(manifest.none_at(out))
        if told["digest"] not in {f["digest"] for f in found}:
            found.append(told)
    names = Counter(told["name"] for told in found)
    return [Dataset(t["name"] if names[t["name"]] == 1 else f"{t['name']} ({t['digest'][:8]})", t) for t in found]


def summed(figures: Iterable[Figure]) -> Figure:
    """The sum, with the places of all its parts."""
    known = [f for f in figures if f.value is not None]
    return Figure(sum(f.value for f in known), tuple(p for f in known for p in f.places))


def records(datasets: Iterable[Dataset]) -> Figure:
    return summed(d.figure("records", "kept") for d in datasets)


def table(datasets: Iterable[Dataset], name: str) -> dict[str, Figure]:
    """One of the manifests' tables, summed over datasets, the largest first."""
    parts: dict[str, list[Figure]] = {}
    for d in datasets:
        for value in d.told["tables"].get(name, {}):
            parts.setdefault(value, []).append(d.figure("tables", name, value))
    whole = {value: summed(figures) for value, figures in parts.items()}
    return dict(sorted(whole.items(), key=lambda e: (-e[1].value, e[0])))


def tokens(datasets: Sequence[Dataset]) -> Figure:
    """{total, low, high, exact, counted, of, tokenizers}: over the datasets whose tokens are known (counted of them); None if none.

    Estimates come from samples that have nothing to do with each other: their intervals' halves add up as squares.
    """
    known = [d for d in datasets if (d.told.get("tokens") or {}).get("total") is not None]
    if not known:
        return Figure(None, ())
    each = [d.told["tokens"] for d in known]
    total = sum(t["total"] for t in each)
    below = math.sqrt(sum((t["total"] - t["low"]) ** 2 for t in each))
    above = math.sqrt(sum((t["high"] - t["total"]) ** 2 for t in each))
    value = {
        "total": total,
        "low": math.floor(total - below),
        "high": math.ceil(total + above),
        "exact": all(t["exact"] for t in each),
        "counted": len(known),
        "of": len(datasets),
        "tokenizers": len({tuple(sorted(t["tokenizer"].values())) for t in each}),
    }
    return Figure(value, tuple(d.place("tokens", "total") for d in known))


def declared(datasets: Iterable[Dataset], field: str) -> Figure:
    """The distinct values of a declared field, sorted; empty where nobody declares it."""
    those = [d for d in datasets if d.about[field] is not None]
    return Figure(sorted({d.about[field] for d in those}), tuple(d.place("about", field) for d in those))


def period(datasets: Sequence[Dataset]) -> Figure:
    """{collected_from, collected_to}: the earliest start and the latest end that are declared."""
    starts, ends = declared(datasets, "collected_from"), declared(datasets, "collected_to")
    value = {"collected_from": min(starts.value, default=None), "collected_to": max(ends.value, default=None)}
    return Figure(value, (*starts.places, *ends.places))


def of_origin(datasets: Iterable[Dataset], *origins: str | None) -> list[Dataset]:
    return [d for d in datasets if d.about["origin"] in origins]


def derived(datasets: Sequence[Dataset]) -> list[tuple[Dataset, Dataset]]:
    """(child, parent) where both are in the set: what the child kept of the parent is counted twice."""
    homes: dict[str, list[Dataset]] = {}
    for d in datasets:
        homes.setdefault(d.told["data_digest"], []).append(d)
    return [
        (child, parent)
        for child in datasets
        for named in child.told["parents"]
        for parent in homes.get(named["data_digest"], ())
        if parent is not child and parent.told["name"] == named["name"]
    ]
