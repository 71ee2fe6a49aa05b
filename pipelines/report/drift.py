"""Against the run before, at the same place: shares side by side, and in words how far they moved."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines import drift
from pipelines.drift import Shift
from pipelines.report.markup import Cell, Section, code, details, note, percent, records, table, text
from pipelines.report.tables import title

WORDS = {"stable": "Stable", "some shift": "Some shift", "large shift": "Large shift"}


def section(told: Mapping[str, Any], previous: Mapping[str, Any] | None) -> Section:
    return Section("drift", "Since the run before", _body(drift.summary(told), previous) if previous else "")


def _body(now: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    a, b = before["records"], now["records"]
    intro = (
        f"<p>The run before kept {percent(a['kept'], a['read'])} of {records(a['read'])} ({before['inputs']:,} shards); this one "
        f"{percent(b['kept'], b['read'])} of {b['read']:,} ({now['inputs']:,}).</p>"
    )
    return intro + "".join([*compared(before, now, ("before", "now")), _how()])


def compared(before: Mapping[str, Any], now: Mapping[str, Any], sides: tuple[str, str]) -> Iterator[str]:
    """Everything two summaries can be compared in. sides: what to call them."""
    yield _differences(before, now, sides)
    yield _shift("What became of the records", drift.shift(drift.verdicts(before), drift.verdicts(now)), sides)
    for name in dict.fromkeys([*before["tables"], *now["tables"]]):
        yield _shift(title(name), drift.shift(before["tables"].get(name, {}), now["tables"].get(name, {})), sides)
    yield _shift("Replacements", drift.shift(before["edits"], now["edits"]), sides)


def _shift(heading: str, found: Shift, sides: tuple[str, str]) -> str:
    if not found.rows:
        return ""
    n, m = sum(r[1] for r in found.rows), sum(r[2] for r in found.rows)
    rows: list[tuple[Cell, ...]] = [
        (text_of(v), a, b, percent(a, n), percent(b, m), points(a, n, b, m)) for v, a, b in found.rows[:30]
    ]
    head = ("", *sides, f"share {sides[0]}", f"share {sides[1]}", "difference")
    told = table(f"{heading}, {sides[0]} and {sides[1]}", head, rows, limit=30, of=len(found.rows))
    flag = f'<span class="flag {found.word.split()[0]}">{found.word}</span> <small>PSI {found.psi:.3f}</small>'
    return f"<h3>{heading}</h3><p>{flag}</p>{told}"


def text_of(value: str) -> Cell:
    return value


def points(a: int, n: int, b: int, m: int) -> str:
    """The difference of two shares in percentage points."""
    if not n or not m:
        return "–"
    by = 100 * (b / m - a / n)
    return f"{'+' if by > 0 else '−' if by < 0 else ''}{abs(by):.1f} pp"


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], sides: tuple[str, str]) -> str:
    options = drift.changed_options(before["recipe"]["effective"], now["recipe"]["effective"])
    software = drift.changed_software(before["software"], now["software"])
    parts = []
    if options:
        rows = [(code(name), shown(a), shown(b)) for name, a, b in options]
        parts.append(table("Options that differ", ("option", *sides), rows))
    if software:
        parts.append(
            details(f"Software that differs: {len(software)}", table("Software", ("package", *sides), software))
        )
    return "".join(parts) or "<p>Recipe and software are the same.</p>"


def shown(value: Any) -> str:
    return "not there" if value is None else json.dumps(value, ensure_ascii=False)


def _how() -> str:
    return note(
        f"{text('PSI')}, the population stability index, sums (q − p) ln(q / p) over the values. Below {drift.SOME} is read as stable, "
        f"from {drift.LARGE} as a large shift (Siddiqi, Credit Risk Scorecards, 2006). What as few records would show 95 % of the "
        "time without any change is called chance (Yurdakul and Naranjo, 2020)."
    )
