"""What an audit of the dataset found: its sentences, and the shares they come from, with their intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.report.markup import Cell, Section, details, note, percent, plain, records, table, text

Figure = Mapping[str, Any]
TITLES = {
    "mentions": "Who is mentioned",
    "identifiers": "The words themselves",
    "pii": "Personal data",
    "pii channel": "Personal data by channel",
    "contact": "Whose contact it is",
    "language": "Languages",
    "license": "Licences",
    "generator": "Models that wrote it",
}
LIMIT = 40


def section(told: Mapping[str, Any]) -> Section:
    found = told.get("audit")
    known = isinstance(found, Mapping) and {"sentences", "figures"} <= found.keys()
    return Section("audit", "Audit", "".join(_body(found)) if known and found else "")


def _body(found: Mapping[str, Any]) -> Iterator[str]:
    asked = f"{found['looked_at']:,} of {records(found['records'])}" if "looked_at" in found else "A sample"
    yield note(f"{asked} looked at; 95 % intervals. What is measured is surface mention.")
    yield f"<ul>{''.join(f'<li>{text(s, 600)}</li>' for s in found['sentences'][:60])}</ul>"
    for name, title in TITLES.items():
        mine = [f for f in found["figures"] if f["section"] == name]
        if mine:
            yield _figures(title, mine)
    yield _associations([a for a in found.get("associations", []) if a.get("found", True)], found.get("tested", 0))
    notes = "".join(f"<li>{text(n, 600)}</li>" for n in found.get("notes", [])[:20])
    yield f"<ul>{notes}</ul>" if notes else ""


def _figures(title: str, figures: Sequence[Figure]) -> str:
    rows: list[tuple[Cell, ...]] = [
        (_label(f), f["among"], f["numerator"], f["denominator"], _share(f), _interval(f)) for f in figures[:LIMIT]
    ]
    head = ("", "among", "seen", "of", "share", "95 % interval")
    return details(title, table(f"Audit: {title}", head, rows, limit=LIMIT, of=len(figures)))


def _label(f: Figure) -> str:
    return " ".join(filter(None, (f["axis"].replace("_", " "), f["value"] or "none of them", f["measure"])))


def _share(f: Figure) -> str:
    """Where nothing was seen, what can be said is an upper bound."""
    if f["numerator"] or f["high"] == 0:
        return percent(f["share"], 1)
    return f"at most {percent(f['high'], 1)}"


def _interval(f: Figure) -> str:
    return "counted" if f["low"] == f["high"] else f"{percent(f['low'], 1)} to {percent(f['high'], 1)}"


def _associations(found: Sequence[Figure], tested: int) -> str:
    rows: list[tuple[Cell, ...]] = [
        (a["group"], a["axis"], a["word"], a["together"], float(a["odds"]), f"{a['low']:.2g} to {a['high']:.2g}")
        for a in found[:LIMIT]
        if {"group", "axis", "word", "together", "odds", "low", "high"} <= a.keys() and a["odds"] is not None
    ]
    if not rows:
        return ""
    head = ("group", "axis", "word", "together", "odds", "interval")
    told = table(f"Of {tested:,} pairs tested", head, rows, limit=LIMIT, of=len(found))
    return details(plain("What goes together in a sentence"), told)
