"""Excerpts as a strip of cards to page through: it scrolls, its links go back and forth, and printed it is a list."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.report.excerpts import Excerpt, Excerpts
from pipelines.report.funnel import anchor
from pipelines.report.markup import plain, text


def strips(name: str, excerpts: Excerpts) -> str:
    """One strip a reason of the filter; empty when there are no excerpts of it."""
    mine = [(reason, found) for (filter_, reason), found in excerpts.by_reason.items() if filter_ == name and found]
    if not mine:
        return ""
    parts = "".join(_strip(name, reason, found) for reason, found in mine)
    return f'<h4>Examples</h4><p class="note">Scrubbed and masked; what the filter points at is marked.</p>{parts}'


def _strip(name: str, reason: str, found: Sequence[Excerpt]) -> str:
    slug = f"ex-{anchor(name)}-{anchor(reason)}"
    cards = "".join(_card(slug, e, i, len(found)) for i, e in enumerate(found, 1))
    label = f"Examples of {plain(reason)}"
    return (
        f'<details class="examples"><summary><code>{text(reason)}</code> {len(found)} shown</summary>'
        f'<ol class="strip" tabindex="0" aria-label="{label}">{cards}</ol></details>'
    )


def _card(slug: str, e: Excerpt, i: int, count: int) -> str:
    links = [
        f'<a href="#{slug}-{i - 1}">← previous</a>' if i > 1 else "",
        f'<a href="#{slug}-{i + 1}">next →</a>' if i < count else "",
    ]
    turn = f", turn {e.turn}" if e.turn >= 0 else ""
    whose = f"{text(e.role)} {text(e.channel.replace('_', ' '))}{turn}" if e.channel else ""
    body = (
        f"<p>{plain(e.note, 400)}</p>"
        if e.note
        else f'<p class="said" dir="auto">{plain(e.before, 400)}{_mark(e.place)}{plain(e.after, 400)}</p>'
    )
    return (
        f'<li id="{slug}-{i}"><p class="where"><span>{i} of {count}</span> <code>{text(e.where, 80)}</code> <span>{whose}</span></p>{body}'
        f'<p class="turns">{"".join(links)}</p></li>'
    )


def _mark(place: str) -> str:
    return f"<mark>{plain(place, 400)}</mark>" if place else ""
