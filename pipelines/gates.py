"""Gates: bounds that a result must keep, or it is not published. Measured on the manifest that would be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta, Struct

from pipelines import listing
from pipelines.errors import UsageError
from pipelines.names import nearest
from pipelines.statistics import stability

Counts = Mapping[str, float]


class Bounds(Struct, frozen=True, forbid_unknown_fields=True):
    """least and most are themselves allowed."""

    least: Annotated[float | None, Meta(description="the least that passes")] = None
    most: Annotated[float | None, Meta(description="the most that passes")] = None


@dataclass(frozen=True)
class Broken:
    """A gate that did not hold. value: None where there is nothing to measure."""

    measure: str
    value: float | None
    bounds: Bounds

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.measure} has nothing to be measured on"
        if self.bounds.least is not None and self.value < self.bounds.least:
            return f"{self.measure} is {self.value:.6g}, and must be at least {self.bounds.least:g}"
        return f"{self.measure} is {self.value:.6g}, and must be at most {self.bounds.most:g}"


MEASURES = {
    "read": "records read",
    "kept": "records kept",
    "kept_share": "kept records, as a share of those read",
    "shards_failed": "shards that could not be read or done",
    "rejected.FILTER": "records that a filter rejects, first or not, as a share of those read",
    "rejected.FILTER.REASON": "the same, for one of its reasons",
    "edited.FILTER": "kept records that a filter edited, as a share of those kept",
    "edits.ENTITY": "replacements of an entity in a thousand kept records",
    "languages.CODE": "kept records in a language, as a share of those whose language was looked for; the same for `licenses`, "
    "`generators` and every other table of the manifest",
    "left.ENTITY": "findings of an entity (or `left` alone: of any) in a thousand kept records, when the pii filter is run once more "
    "over a sample of what would be published",
    "drift.kept_share": "how far the share is from that of the dataset published before, either way",
    "drift.reasons": "population stability index of the reasons for which records went, against the dataset published before",
    "drift.languages": "the same for a table of the manifest",
    "drift.schemas": "schemas of shards that the dataset published before did not have",
}
"""What can be measured, for people. Nothing published before: every drift is 0."""

DRIFT = "drift."


def check_names(gates: Mapping[str, Bounds], filters: Mapping[str, Any], source: str) -> None:
    """Raises UsageError for a gate that measures nothing, or has no bound."""
    known = [
        "read",
        "kept",
        "kept_share",
        "shards_failed",
        "left",
        "drift.kept_share",
        "drift.reasons",
        "drift.schemas",
    ]
    for measure, bounds in gates.items():
        head, _, rest = measure.partition(".")
        if bounds.least is None and bounds.most is None:
            raise UsageError(f"{source}: gates: {measure} has neither least nor most")
        if head in ("rejected", "edited"):
            name, _, reason = rest.partition(".")
            if name != "read" and name not in filters:
                raise UsageError(
                    f"{source}: gates: {measure}: the recipe has no filter {name!r}{nearest(name, [*filters])}"
                )
            if reason and name in filters and reason not in filters[name].reasons:
                raise UsageError(
                    f"{source}: gates: {measure}: {name} has no reason {reason!r}{nearest(reason, filters[name].reasons)}"
                )
        elif measure not in known and not (rest and head in ("edits", "left", "drift", *TABLES)):
            raise UsageError(f"{source}: gates: no measure {measure!r}{nearest(measure, known)}; see docs/gates.md")
        if head == "left" and "pii" not in filters:
            raise UsageError(f"{source}: gates: {measure} needs the pii filter, which the recipe does not have")


TABLES = ("languages", "licenses", "generators", "pairs")


def check(
    gates: Mapping[str, Bounds],
    told: Mapping[str, Any],
    standing: Mapping[str, Any] | None,
    left: Callable[[], Counts],
) -> list[Broken]:
    """The gates that a manifest breaks. standing: the manifest published before. left: findings left in a thousand records, by
    entity; it is asked only where a gate wants to know."""
    broken = []
    found: Counts | None = None
    for measure, bounds in gates.items():
        if measure.partition(".")[0] == "left":
            found = left() if found is None else found
            entity = measure.partition(".")[2]
            value: float | None = found.get(entity, 0.0) if entity else sum(found.values())
        else:
            value = measured(measure, told, standing)
        if value is None or not _holds(value, bounds):
            broken.append(Broken(measure, value, bounds))
    return broken


def _holds(value: float, bounds: Bounds) -> bool:
    return (bounds.least is None or value >= bounds.least) and (bounds.most is None or value <= bounds.most)


def measured(measure: str, told: Mapping[str, Any], standing: Mapping[str, Any] | None) -> float | None:
    """A measure's value; None where it would be a share of nothing."""
    records = told["records"]
    head, _, rest = measure.partition(".")
    if measure in ("read", "kept"):
        return float(records[measure])
    if measure == "kept_share":
        return _share(records["kept"], records["read"])
    if measure == "shards_failed":
        return float(listing.tally(told, "status").get(("failed",), listing.Sum()).files)
    if head == "rejected":
        name, _, reason = rest.partition(".")
        one = _filter(told, name)
        count = one["reasons"].get(reason, {"records": 0})["records"] if reason else one["rejected"]
        return _share(count, records["read"])
    if head == "edited":
        return _share(_filter(told, rest)["records_edited"], records["kept"])
    if head == "edits":
        count = _share(told["edits"].get(rest, 0), records["kept"])
        return None if count is None else 1000 * count
    if head == "drift":
        return 0.0 if standing is None else _drift(rest, told, standing)
    table = told["tables"].get(head, {})
    return _share(table.get(rest, 0), sum(table.values()))


def _drift(what: str, told: Mapping[str, Any], standing: Mapping[str, Any]) -> float | None:
    if what == "kept_share":
        now, before = measured(what, told, None), measured(what, standing, None)
        return None if now is None or before is None else abs(now - before)
    if what == "schemas":
        return float(len(_schemas(told) - _schemas(standing)))
    counts = [_reasons(m) if what == "reasons" else m["tables"].get(what, {}) for m in (standing, told)]
    return stability(*counts)


def _reasons(told: Mapping[str, Any]) -> Counts:
    """Records by first reason, and those kept: together all that were read."""
    first = {
        f"{f['name']}.{code}": n["first"] for f in told["filters"] for code, n in f["reasons"].items() if n["first"]
    }
    return {**first, "kept": told["records"]["kept"]}


def _schemas(told: Mapping[str, Any]) -> set[tuple[Any, ...]]:
    found = listing.tally(told, "status", "schema", "columns", "scanned_as_metadata")
    return {tuple(said) for status, *said in found if status != "failed"}


def _filter(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return next(f for f in told["filters"] if f["name"] == name)


def _share(count: float, of: float) -> float | None:
    return count / of if of else None
