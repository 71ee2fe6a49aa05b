"""HTML from values that anybody may have written: everything is escaped, cut to size, and kept to its own direction."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

LONGEST = 160
"""Characters of a name that are shown. The manifest has it whole."""

ROWS = 50
"""Rows of a table that are shown, unless said otherwise."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Html:
    """Markup that is safe as it stands."""

    markup: str


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading of its own. name: its anchor; body: markup, empty when there is nothing to say."""

    name: str
    title: str
    body: str


Cell = str | int | float | Html | None


def text(value: object, longest: int = LONGEST) -> str:
    """Any value as text: escaped, isolated from the direction of what stands around it, the middle cut out when too long."""
    return f"<bdi>{plain(value, longest)}</bdi>"


def plain(value: object, longest: int = LONGEST) -> str:
    """The same for where there can be no element: titles and attributes."""
    told = _CONTROL.sub("\ufffd", str(value))
    if len(told) > longest:
        told = f"{told[: longest * 2 // 3]}…{told[-longest // 3 :]}"
    return escape(told)


def code(value: object, longest: int = LONGEST) -> Html:
    return Html(f"<code>{text(value, longest)}</code>")


def number(value: int) -> str:
    return f"{value:,}"


def percent(part: float, whole: float) -> str:
    """A share. What is neither none nor all never looks like it."""
    if not whole:
        return "–"
    share = part / whole
    if 0 < share < 0.0005:
        return "< 0.1 %"
    if 0.9995 < share < 1:
        return "> 99.9 %"
    return f"{share:.1%}".replace("%", " %")


def records(count: int) -> str:
    return f"{count:,} record{'' if count == 1 else 's'}"


def join(values: Iterable[Html]) -> Html:
    return Html(", ".join(v.markup for v in values))


def bar(part: float, whole: float, lost: float = 0) -> Html:
    """A bar as long as the share, and behind it what is lost. The same stands beside it in figures, so it is hidden from readers."""
    width = 100 * part / whole if whole else 0
    tail = max(0.6, 100 * lost / whole) if lost and whole else 0
    more = f'<rect class="lost" x="{width:.2f}" width="{tail:.2f}" height="6"/>' if tail else ""
    return Html(
        '<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="all" width="100" height="6"/><rect class="part" width="{width:.2f}" height="6"/>{more}</svg>'
    )


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[Cell]], *, limit: int = ROWS, of: int = 0) -> str:
    """A table whose first column names its rows; figures stand to the right. Rows past the limit are counted.

    head: markup-free titles. Cells: numbers are written with separators, text is escaped, ``Html`` is taken as it is. of: rows
    there are, if more than were given.
    """
    shown, count = rows[:limit], max(of, len(rows))
    numeric = {i for i in range(1, len(head)) if shown and all(_numeric(row[i]) for row in shown)}
    top = "".join(f'<th scope="col"{" class=n" if i in numeric else ""}>{escape(h)}</th>' for i, h in enumerate(head))
    body = "".join(f"<tr>{_cells(row, numeric)}</tr>" for row in shown)
    more = (
        f'<p class="more">and {count - len(shown):,} more, in <code>manifest.json</code></p>' if count > limit else ""
    )
    title = plain(caption)
    return (
        f'<div class="scroll" role="group" aria-label="{title}" tabindex="0"><table><caption>{title}</caption>'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>{more}"
    )


def _cells(row: Sequence[Cell], numeric: set[int]) -> str:
    first, *rest = (_cell(c) for c in row)
    cells = "".join(f"<td{' class=n' if i in numeric else ''}>{c}</td>" for i, c in enumerate(rest, 1))
    return f'<th scope="row">{first}</th>{cells}'


def _cell(value: Cell) -> str:
    if isinstance(value, Html):
        return value.markup
    if isinstance(value, int):
        return number(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else text(value)


def _numeric(value: Cell) -> bool:
    """Numbers, and what starts as one: shares and signed differences."""
    return isinstance(value, int | float) or (
        isinstance(value, str) and bool(re.fullmatch(r"(?:[<>] )?[+−-]?[\d.,]+(?: %| pp)?|–", value))
    )


def details(summary: str, body: str, *, opened: bool = False) -> str:
    """What most readers can skip. summary: markup-free."""
    return f"<details{' open' if opened else ''}><summary>{escape(summary)}</summary>{body}</details>"


def note(body: str) -> str:
    return f'<p class="note">{body}</p>'
