"""audit.html: an audit for people. One file, no scripts, nothing fetched; every bar has its number beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from pipelines.audit.figures import ANY
from pipelines.audit.sentences import axis_name, percent, short, times
from pipelines.report.markup import Html, Section, plain, table, text
from pipelines.report.page import page

Row = Mapping[str, Any]
ASSOCIATIONS = 40
"""Rows of the table of associations; all of them are in audit.json."""


def render(told: Mapping[str, Any]) -> str:
    """The page, from the document alone."""
    names = ", ".join(d["name"] for d in told["datasets"])
    sections = [
        Section(f"dataset-{i}", plain(d["name"]), "\n".join(_dataset(d))) for i, d in enumerate(told["datasets"])
    ]
    if told["overall"]:
        sections.insert(0, Section("all", f"All {len(told['datasets'])} datasets", "\n".join(_said(told["overall"]))))
    sections.append(Section("method", "Method", _method(told)))
    foot = f"<p>Made by corpusmill {text(told['corpusmill'])}. This page loads nothing and sends nothing.</p>"
    return page(f"Audit of {names}", "Audit", names, _opening(told), sections, foot)


def _opening(told: Mapping[str, Any]) -> str:
    looked_at, records = (sum(d[k] for d in told["datasets"]) for k in ("looked_at", "records"))
    return (
        f"<p class='lead'>{looked_at:,} of {records:,} records looked at. Shares with 95 % intervals; what is measured is "
        "surface mention.</p>"
    )


def _dataset(dataset: Mapping[str, Any]) -> Iterator[str]:
    for shard, why in dataset["failed"].items():
        yield f"<p class='warning'><strong>Not read:</strong> <code>{escape(shard)}</code>: {escape(why)}</p>"
    for note in dataset["notes"]:
        yield f"<p>{escape(note)}</p>"
    yield from _said(dataset)
    for part in dataset["strata"]:
        yield f"<details><summary>{escape(part['stratum'])}: {part['looked_at']:,} of {part['records']:,} records</summary>"
        yield from _said(part)
        yield "</details>"


def _said(said: Mapping[str, Any]) -> Iterator[str]:
    yield f"<ul>{''.join(f'<li>{_unbroken(short(s))}</li>' for s in said['sentences'])}</ul>"
    figures = said["figures"]
    if not figures:
        return
    yield "<h3>Who is mentioned</h3>"
    any_ = [f for f in figures if f["section"] == "mentions" and f["value"] == ANY]
    yield _table("records that mention", [(axis_name(f["axis"]), f) for f in any_])
    for axis in [f["axis"] for f in any_ if f["numerator"]]:
        yield from _axis(axis, figures)
    yield from _associations(said["associations"])
    yield "<h3>Personal data</h3>"
    yield _table("records with a finding", _rows(figures, "pii", measure="records"))
    yield _table("by channel", _rows(figures, "pii channel", measure="records"))
    contacts = _rows(figures, "contact", measure="findings")
    if contacts:
        yield _table("whose contact it is, of the findings", contacts)
    for section, title in (("language", "Languages"), ("license", "Licences"), ("generator", "Generators")):
        yield f"<h3>{title}</h3>" + _table("records", _rows(figures, section))


def _unbroken(text: str) -> str:
    """Escaped, with no line's end before a per cent sign."""
    return escape(text).replace(" %", "\u00a0%")


def _rows(figures: Sequence[Row], section: str, **equal: str) -> list[tuple[str, Row]]:
    """(label, figure) of a section's figures with these fields."""
    chosen = [f for f in figures if f["section"] == section and all(f[k] == v for k, v in equal.items())]
    return [(" ".join(filter(None, (f["axis"], f["value"]))), f) for f in chosen]


def _axis(axis: str, figures: Sequence[Row]) -> Iterator[str]:
    mine = [f for f in figures if f["axis"] == axis]
    groups = [f for f in mine if f["section"] == "mentions" and f["among"] == "records" and f["value"] not in ("", ANY)]
    words = [f for f in mine if f["section"] == "identifiers"]
    yield f"<details><summary>{escape(axis_name(axis))}: groups and words</summary>"
    yield _table("records that mention", [(f["value"], f) for f in groups])
    label = [(f"“{f['value']}” {f['measure'].removeprefix('mentions ')}", f) for f in words]
    yield _table(f"share of the mentions of {axis_name(axis)}", label) + "</details>"


def _table(head: str, rows: Sequence[tuple[str, Row]]) -> str:
    if not rows:
        return f"<p>{escape(head)}: nothing was seen.</p>"
    cells = [
        (label, f["numerator"], f["denominator"], Html(_unbroken(_share(f))), Html(_unbroken(_interval(f))))
        for label, f in rows
    ]
    return table(head, ("", "seen", "of", "share", "95 % interval"), cells, limit=len(cells))


def _share(f: Row) -> str:
    return percent(f["share"]) if f["numerator"] or f["high"] == 0 else f"at most {percent(f['high'], up=True)}"


def _interval(f: Row) -> str:
    return "counted" if f["low"] == f["high"] else f"{percent(f['low'])} to {percent(f['high'])}"


def _associations(rows: Sequence[Row]) -> Iterator[str]:
    found = [a for a in rows if a["found"]]
    if not found:
        return
    yield "<h3>What goes together in a sentence</h3>"
    yield (
        f"<p>{len(found):,} of {len(rows):,} pairs tested; odds against the other groups of the axis, intervals widened for the "
        f"choice{'' if len(found) <= ASSOCIATIONS else f'; the first {ASSOCIATIONS}'}.</p>"
    )
    cells = [
        (
            a["group"], axis_name(a["axis"]), a["word"], f"{a['together']:,} of {a['mention']:,}",
            f"{a['other_together']:,} of {a['other_mention']:,}", times(a["odds"]), f"{times(a['low'])} to {times(a['high'])}",
        )
        for a in found[:ASSOCIATIONS]
    ]  # fmt: skip
    heads = ("group", "axis", "word", "together", "in other groups", "odds", "interval")
    yield table("What goes together", heads, cells, limit=ASSOCIATIONS)


def _method(told: Mapping[str, Any]) -> str:
    listed = "".join(f"<li>{escape(k)}: {escape(v)}</li>" for k, v in told["method"].items())
    lexicons = ", ".join(f"{escape(n)} <code>{sha[:12]}</code>" for n, sha in told["lexicons"].items())
    missing = ", ".join(f"<code>{escape(e)}</code>" for e in told["not_scanned"])
    return (
        f"<ul>{listed}<li>seed: {told['asked']['seed']}</li><li>not scanned for: {missing}</li>"
        f"<li>lexicons: {lexicons}</li><li>corpusmill {escape(told['corpusmill'])}</li></ul>"
    )
