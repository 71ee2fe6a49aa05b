"""How ``corpusmill compare`` shows what it found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines.compare import Change, Comparison
from pipelines.drift import Shift
from pipelines.errors import OutputError
from pipelines.ledger import replace

ROWS = 12
"""Lines of each table; ``--json`` and ``--html`` have more."""


def as_text(found: Comparison) -> str:
    return "\n".join(_lines(found))


def as_json(found: Comparison) -> str:
    """Everything, as one JSON document."""
    told: dict[str, Any] = {
        "records": {"before": found.before["records"], "now": found.now["records"], "both": found.both,
                    "only_before": found.gone, "only_now": found.new},
        "options": [{"option": o, "before": a, "now": b} for o, a, b in found.options],
        "software": [{"package": p, "before": a, "now": b} for p, a, b in found.software],
        "changed": [asdict(c) for c in found.changes],
        "verdicts": _told(found.verdicts),
        "tables": {name: _told(s) for name, s in found.tables.items()},
        "scores": {name: _told(s) for name, s in found.scores.items()},
    }  # fmt: skip
    return json.dumps(told, indent=2, ensure_ascii=False)


def write_html(found: Comparison, first: Path, second: Path, to: Path) -> None:
    """The page. Raises OutputError when it cannot be written."""
    from pipelines.report.comparison import render

    try:
        replace(to, render(found, (str(first), str(second))).encode())
    except OSError as error:
        raise OutputError(f"{to} cannot be written: {error.strerror}") from None


def _told(shift: Shift) -> dict[str, Any]:
    return {
        "psi": round(shift.psi, 6),
        "word": shift.word,
        "values": {value: {"before": a, "now": b} for value, a, b in shift.rows},
    }


def _lines(found: Comparison) -> Iterator[str]:
    a, b = found.before["records"], found.now["records"]
    yield f"{'':<12} {'first':>12} {'second':>12} {'difference':>12}"
    for word in ("read", "kept", "rejected"):
        yield f"{word:<12} {a[word]:>12,} {b[word]:>12,} {b[word] - a[word]:>+12,}"
    yield f"{found.both:,} records have the same id in both; {found.gone:,} are in the first alone, {found.new:,} in the second alone"
    yield ""
    yield from _differences("option", found.options)
    yield from _differences("package", found.software)
    yield "verdicts that changed" if found.changes else "no record that both have changed its verdict"
    for change in found.changes[:ROWS]:
        yield _change(change)
    if len(found.changes) > ROWS:
        yield f"  and {len(found.changes) - ROWS:,} more kinds"
    for name, shift in {"verdicts": found.verdicts, **found.tables}.items():
        if shift.rows:
            yield from ["", f"{name}: {shift.word} (PSI {shift.psi:.3f})", *_shares(shift)]
    moved = [(name, s) for name, s in found.scores.items() if s.word in ("some shift", "large shift")]
    yield ""
    yield f"scores that moved: {len(moved)} of {len(found.scores)}"
    yield from (f"  {name}: {s.word} (PSI {s.psi:.3f})" for name, s in moved[:ROWS])


def _differences(what: str, found: list[tuple[str, Any, Any]]) -> Iterator[str]:
    if not found:
        yield f"no {what} differs"
    for name, a, b in found:
        yield f"{what} {name}: {_value(a)} -> {_value(b)}"


def _value(value: Any) -> str:
    told = "not there" if value is None else json.dumps(value, ensure_ascii=False)
    return told if len(told) <= 120 else f"{told[:117]}..."


def _change(change: Change) -> str:
    return f"  {change.records:>8,}  {change.was} -> {change.now}  ({', '.join(change.examples)})"


def _shares(shift: Shift) -> Iterator[str]:
    n, m = sum(row[1] for row in shift.rows) or 1, sum(row[2] for row in shift.rows) or 1
    for value, a, b in shift.rows[:ROWS]:
        yield f"  {value[:40]:<40} {a:>10,} {a / n:>7.2%} {b:>10,} {b / m:>7.2%} {100 * (b / m - a / n):>+7.2f} pp"
    if len(shift.rows) > ROWS:
        yield f"  and {len(shift.rows) - ROWS:,} more"
