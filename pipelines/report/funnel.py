"""What is left after each filter, in recipe order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.report.markup import Html, Section, bar, percent, table, text


def section(told: Mapping[str, Any]) -> Section:
    read = left = told["records"]["read"]
    rows: list[tuple[Html | str | int, ...]] = [(_stage("read in", left, read, 0), left, percent(left, read), "–")]
    for f in told["filters"]:
        dropped = f["rejected_first"]
        left -= dropped
        rows.append((_stage(f["name"], left, read, dropped, f["name"]), left, percent(left, read), _minus(dropped)))
    intro = "<p>Each filter takes from what the ones before it left. The bar shows what is left, its end what went.</p>"
    return Section("funnel", "Funnel", intro + table("Records left after each stage", _HEAD, rows, limit=len(rows)))


_HEAD = ("after", "left", "of those read", "dropped")


def _stage(name: str, left: int, read: int, dropped: int, link: str = "") -> Html:
    label = f'<a href="#filter-{anchor(link)}">{text(name)}</a>' if link else text(name)
    return Html(f'<span class="stage">{label}</span>{bar(left, read, dropped).markup}')


def _minus(count: int) -> str:
    return f"−{count:,}" if count else "0"


def anchor(name: str) -> str:
    """A name as a fragment of the page: letters, digits, dashes."""
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in name)[:80]
