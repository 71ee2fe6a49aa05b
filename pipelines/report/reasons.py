"""Filter by filter: what it dropped and why, how its scores are spread, what that looks like, and by which rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from filters.contract import Filter
from pipelines.report import scores, shown
from pipelines.report.excerpts import Excerpts
from pipelines.report.funnel import anchor
from pipelines.report.lookups import known, options_of
from pipelines.report.markup import Html, Section, bar, code, details, join, note, percent, records, table, text

RULES = 40
"""Rules named a filter, the most frequent first."""


def section(told: Mapping[str, Any], excerpts: Excerpts) -> Section:
    intro = (
        "<p>A record counts at every filter that rejects it, and once as <em>first</em>: at the first in recipe order, which is "
        "the reason that <code>rejected/</code> gives.</p>"
        + (note(text(excerpts.why_none)) if excerpts.why_none else "")
    )
    parts = [_filter(f, told, excerpts) for f in told["filters"]]
    return Section("filters", "What went, and why", intro + "\n".join(parts))


def _filter(f: Mapping[str, Any], told: Mapping[str, Any], excerpts: Excerpts) -> str:
    name, filter_ = f["name"], known(f["name"])
    summary = f'<p class="summary">{text(filter_.summary, 400)}</p>' if filter_ else ""
    parts = [
        _verdict(f, told["records"]["read"]),
        _reasons(f, filter_, told["records"]["read"]) if f["reasons"] else "",
        shown.strips(name, excerpts),
        scores.charts(f, filter_, options_of(told, name)),
        _rules(f),
    ]
    slug = f"filter-{anchor(name)}"
    return (
        f'<section class="filter" id="{slug}" aria-labelledby="{slug}-title"><h3 id="{slug}-title">{text(name)}</h3>{summary}'
        + "\n".join(p for p in parts if p)
        + "</section>"
    )


def _verdict(f: Mapping[str, Any], read: int) -> str:
    if not f["rejected"]:
        edited = f" It edited {records(f['records_edited'])} of those kept." if f["records_edited"] else ""
        return f"<p>Rejected nothing.{edited}</p>"
    return (
        f"<p>Rejects <strong>{records(f['rejected'])}</strong> ({percent(f['rejected'], read)} of those read), "
        f"{f['rejected_first']:,} of them first.</p>"
    )


def _reasons(f: Mapping[str, Any], filter_: type[Filter] | None, read: int) -> str:
    meanings = filter_.reasons if filter_ else {}
    most = max(n["records"] for n in f["reasons"].values())
    rows = [
        (
            _reason(reason, meanings.get(reason, ""), n["records"], most),
            n["records"], n["first"], percent(n["records"], read),
        )
        for reason, n in sorted(f["reasons"].items(), key=lambda e: (-e[1]["records"], e[0]))
    ]  # fmt: skip
    return table(f"Reasons of {f['name']}", ("reason", "records", "first", "of those read"), rows)


def _reason(reason: str, meaning: str, count: int, most: int) -> Html:
    told = f'<span class="meaning">{text(meaning, 400)}</span>' if meaning else ""
    return Html(f"{code(reason).markup}{told}{bar(0, most, count).markup}")


def _rules(f: Mapping[str, Any]) -> str:
    """Which rules were behind it, and where to look: only for filters whose rules say more than their reasons."""
    if not f["rules"].keys() - f["reasons"].keys():
        return ""
    ordered = sorted(f["rules"].items(), key=lambda e: (-e[1]["records"], e[0]))
    rows = [(code(rule), n["records"], _places(n["examples"])) for rule, n in ordered[:RULES]]
    head = ("rule", "records", "for example")
    body = table(f"Rules of {f['name']}", head, rows, limit=RULES, of=len(ordered))
    return details(f"By rule: {len(ordered):,}, with records to read (corpusmill explain shows them)", body)


def _places(places: Sequence[str]) -> Html:
    return join(code(place, 80) for place in places)
