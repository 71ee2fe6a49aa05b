"""One histogram as an inline drawing: kept records above the line and rejected ones below it.

Heights are logarithms, since what is rejected is rare; a bar's place, not its colour, says which it is, and the counts stand in a
table below the chart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipelines.histograms import edges
from pipelines.report.funnel import anchor
from pipelines.report.markup import details, plain, table, text

WIDTH, HEIGHT = 300, 168
LEFT, RIGHT, TOP, BOTTOM = 3, 297, 36, 146
WIDEST = 34
"""Of a bar, when there are few."""


class Bin(NamedTuple):
    """edge: the lower one, as histograms name it. kept, rejected: records."""

    edge: str
    kept: int
    rejected: int


Range = list[Bin]
"""Bins in the order they are drawn."""


def figure(name: str, score: str, bins: Range, option: str, limit: float | None, *, whole: bool) -> str:
    """A score's chart with its caption, its words for those who do not see it, and its table. option, limit: its threshold, if it
    has one; whole: whether its values are whole numbers."""
    slug = f"chart-{anchor(name)}-{anchor(score)}"
    kept, rejected = sum(k for _, k, _ in bins), sum(r for _, _, r in bins)
    line = f"; threshold {plain(option)} at {limit:g}" if limit else (f"; {plain(option)} is off" if option else "")
    spread = ", ".join(_span(kept_or_not, bins, side) for kept_or_not, side in (("kept", 1), ("rejected", 2)))
    data = [(worded(e, bins, i), k, r) for i, (e, k, r) in enumerate(bins) if k or r]
    head = ("score", "kept", "rejected")
    title = f'<span class="score">{text(score)}</span>'
    rule = f'<span class="limit">{text(option)} {f"= {limit:g}" if limit else "off"}</span>' if option else ""
    return (
        f'<figure class="chart"><figcaption>{title}{rule}</figcaption>'
        f'<svg role="img" viewBox="0 0 {WIDTH} {HEIGHT}" aria-labelledby="{slug}-t {slug}-d"><title id="{slug}-t">'
        f'Histogram of {plain(score)}</title><desc id="{slug}-d">{kept:,} records kept and {rejected:,} rejected by '
        f"{plain(name)}{line}. {spread}.</desc>{_drawing(bins, limit, whole=whole)}</svg>"
        + details("Figures", table(f"{score}: records by score", head, data, limit=len(data)))
        + "</figure>"
    )


def _span(word: str, bins: Range, side: int) -> str:
    used = [b[0] for b in bins if b[side]]
    return f"{word}: {'none' if not used else used[0] if len(used) == 1 else f'from {used[0]} up'}"


def worded(edge: str, bins: Range, i: int) -> str:
    """A bin in words: a whole number below 10 as it is, otherwise from – to (without)."""
    if edge == "-inf":
        return "below 0"
    after = [*(b.edge for b in bins[i + 1 : i + 2]), *edges()[edges().index(edge) + 1 :], "inf"][0]
    return f"{_spelt(edge)} – {_spelt(after)}" if float(after) - float(edge) != 1 else edge


def _spelt(edge: str) -> str:
    return f"{int(edge):,}" if edge.isdigit() else edge


def _drawing(bins: Range, limit: float | None, *, whole: bool) -> str:
    kept, rejected = (
        [math.log10(1 + n) for n in side] for side in ([b.kept for b in bins], [b.rejected for b in bins])
    )
    scale = (BOTTOM - TOP) / (max(kept) + max(rejected) or 1)
    middle = TOP + max(kept) * scale
    step = min(WIDEST, (RIGHT - LEFT) / len(bins))
    below = max(b.rejected for b in bins)
    parts = [
        *_bars("kept", [(middle - tall * scale, tall * scale) for tall in kept], step),
        *_bars("lost", [(middle, tall * scale) for tall in rejected], step),
        f'<line class="axis" x1="{LEFT}" x2="{RIGHT}" y1="{middle:.1f}" y2="{middle:.1f}"/>',
        f'<text x="{LEFT}" y="11">↑ kept, up to {max(b.kept for b in bins):,}</text>',
        f'<text x="{RIGHT}" y="11" text-anchor="end">{f"↓ rejected, up to {below:,}" if below else "none rejected"}</text>',
        *_ticks(bins, step),
        *(_threshold(bins, step, limit, whole=whole) if limit else ()),
    ]
    return "".join(parts)


def _bars(name: str, bars: Sequence[tuple[float, float]], step: float) -> Iterator[str]:
    """bars: top and height of each."""
    gap = min(2.0, step * 0.2)
    for i, (top, tall) in enumerate(bars):
        if tall:
            x = LEFT + i * step + gap / 2
            yield f'<rect class="{name}" x="{x:.1f}" y="{top:.1f}" width="{step - gap:.1f}" height="{tall:.1f}"/>'


def _ticks(bins: Range, step: float) -> Iterator[str]:
    """Labels of bins, as many as there is room for."""
    every = max(1, math.ceil(len(bins) / 8))
    if bins[-1][0] == "1" and len(bins) > 40:
        every = 10
    for i, (edge, _, _) in enumerate(bins):
        if (i - (bins[0][0] == "-inf")) % every == 0:
            x = LEFT + (i + 0.5) * step
            yield f'<text class="tick" x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="middle">{_short(edge)}</text>'


def _short(edge: str) -> str:
    value = float(edge)
    if math.isinf(value):
        return "&lt;0"
    for size, name in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{name}"
    return edge


def _threshold(bins: Range, step: float, limit: float, *, whole: bool) -> Iterator[str]:
    """A dashed line where the limit lies: at the edge of its bin for whole numbers, inside it for others."""
    i = max((i for i, b in enumerate(bins) if float(b[0]) <= limit), default=0)
    low = float(bins[i][0])
    high = float(bins[i + 1][0]) if i + 1 < len(bins) else low * 2 or 1.0
    inside = 0.0 if (whole and high - low == 1) or math.isinf(low) else (limit - low) / (high - low)
    x = LEFT + (i + min(1.0, inside)) * step
    yield f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 16}" y2="{BOTTOM}"/>'
    side = "start" if x < WIDTH / 2 else "end"
    yield f'<text class="limit" x="{x + (4 if side == "start" else -4):.1f}" y="{TOP - 6}" text-anchor="{side}">{limit:g}</text>'
