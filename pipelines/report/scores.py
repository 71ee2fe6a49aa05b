"""How a filter's scores are spread: which of them are worth a chart, and what part of the scale it shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from filters.contract import Filter
from pipelines.histograms import edges
from pipelines.report.chart import Bin, Range, figure, worded
from pipelines.report.markup import details, text

SHARES = slice(1, edges().index("1") + 1)
"""Where the bins of shares lie in the scale: 0 up to 1, and 1 itself."""


def charts(f: Mapping[str, Any], filter_: type[Filter] | None, options: Mapping[str, Any]) -> str:
    """Charts of the scores that differ between records; those that a threshold belongs to first."""
    drawn: list[str] = []
    more: list[str] = []
    flat: list[str] = []
    thresholds = dict(filter_.thresholds) if filter_ else {}
    whole = {n for n, t in filter_.scores.items() if pa.types.is_integer(t)} if filter_ else set()
    told = f.get("histograms", {})
    for score in sorted(told, key=lambda s: (s not in thresholds, list(told).index(s))):
        option = thresholds.get(score, "")
        limit = options.get(option) if option else None
        bins = _bins(told[score], float(limit) if limit else None)
        if sum(bool(kept or rejected) for _, kept, rejected in bins) <= 1:
            flat.append(_flat(score, bins, option, limit))
            continue
        chart = figure(f["name"], score, bins, option, limit, whole=score in whole)
        (drawn if option else more).append(chart)
    return "".join(_told(drawn, more, [x for x in flat if x]))


def _told(drawn: list[str], more: list[str], flat: list[str]) -> Iterator[str]:
    if drawn:
        yield f'<h4>Scores</h4><div class="charts">{"".join(drawn)}</div>'
    if more:
        title = f"Scores without a threshold: {len(more)}" if drawn else f"Scores: {len(more)}"
        yield details(title, f'<div class="charts">{"".join(more)}</div>')
    if flat:
        yield f'<p class="note">All records alike: {"; ".join(flat)}.</p>'


def _flat(score: str, bins: Range, option: str, limit: Any) -> str:
    used = [i for i, b in enumerate(bins) if b.kept or b.rejected]
    if not used:
        return ""
    value = worded(bins[used[0]].edge, bins, used[0])
    told = f", threshold <code>{text(option)}</code> {limit:g}" if limit else ""
    return f"<code>{text(score)}</code> {value}{told}"


def _bins(told: Mapping[str, Mapping[str, int]], limit: float | None) -> Range:
    """What there is to draw. Shares get the whole of 0 to 1; for counts, everything between 0 and 1 is one bin."""
    kept, rejected = told.get("kept", {}), told.get("rejected", {})
    names = edges()
    every = [Bin(e, kept.get(e, 0), rejected.get(e, 0)) for e in names]
    used = [i for i, (_, k, r) in enumerate(every) if k or r]
    if not used:
        return []
    if limit is not None:
        used.append(max(i for i, e in enumerate(names) if float(e) <= limit))
    first, last = min(used), max(used)
    inside = [i for i in used if SHARES.start < i < SHARES.stop - 1]
    if inside and last < SHARES.stop:
        return ([every[0]] if first == 0 else []) + every[SHARES]
    shares = every[SHARES.start + 1 : SHARES.stop - 1]
    merged = Bin("0.02", sum(k for _, k, _ in shares), sum(r for _, _, r in shares))
    between = [merged] if inside else []
    head = [b for i, b in enumerate(every[: SHARES.start + 1]) if i >= first]
    return [*head, *between, *every[max(first, SHARES.stop - 1) : last + 1]]
