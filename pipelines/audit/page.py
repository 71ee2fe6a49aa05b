"""audit.html: an audit for people. One file, no scripts, nothing fetched; every bar has its number beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from pipelines.audit.figures import ANY
from pipelines.audit.sentences import axis_name, percent, short, times

Row = Mapping[str, Any]
ASSOCIATIONS = 40
"""Rows of the table of associations; all of them are in audit.json."""


def render(told: Mapping[str, Any]) -> str:
    """The page, from the document alone."""
    style = files("pipelines").joinpath("report.css").read_text("utf-8")
    names = ", ".join(d["name"] for d in told["datasets"])
    parts = [_head(told)]
    if told["overall"]:
        parts += [f"<h2>All {len(told['datasets'])} datasets</h2>", *_said(told["overall"])]
    for dataset in told["datasets"]:
        parts += [f"<h2>{escape(dataset['name'])}</h2>", *_dataset(dataset)]
    parts.append(_method(told))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Audit of {escape(names)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style></head>\n'
        f"<body><main>\n{chr(10).join(parts)}\n</main></body></html>\n"
    )


def _head(told: Mapping[str, Any]) -> str:
    looked_at, records = (sum(d[k] for d in told["datasets"]) for k in ("looked_at", "records"))
    return (
        f"<h1>Audit of {escape(', '.join(d['name'] for d in told['datasets']))}</h1>\n"
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
    top = "".join(
        f"<th scope='col'{style}>{h}</th>"
        for h, style in (
            (head, ""),
            ("seen", " class='n'"),
            ("of", " class='n'"),
            ("share", " class='n'"),
            ("95 % interval", ""),
        )
    )
    body = "".join(
        f"<tr><th scope='row'>{escape(label)}</th><td class='n'>{f['numerator']:,}</td><td class='n'>{f['denominator']:,}</td>"
        f"<td class='n'>{_unbroken(_share(f))}</td><td>{_unbroken(_interval(f))}</td></tr>"
        for label, f in rows
    )
    if not rows:
        return f"<p>{escape(head)}: nothing was seen.</p>"
    return f"<div class='scroll'><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"


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
    body = "".join(
        f"<tr><th scope='row'>{escape(a['group'])}</th><td>{escape(axis_name(a['axis']))}</td><td>{escape(a['word'])}</td>"
        f"<td class='n'>{a['together']:,} of {a['mention']:,}</td><td class='n'>{a['other_together']:,} of {a['other_mention']:,}</td>"
        f"<td class='n'>{times(a['odds'])}</td><td>{times(a['low'])} to {times(a['high'])}</td></tr>"
        for a in found[:ASSOCIATIONS]
    )
    heads = ("group", "axis", "word", "together", "in other groups", "odds", "interval")
    top = "".join(f"<th scope='col'>{h}</th>" for h in heads)
    yield f"<div class='scroll'><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"


def _method(told: Mapping[str, Any]) -> str:
    listed = "".join(f"<li>{escape(k)}: {escape(v)}</li>" for k, v in told["method"].items())
    lexicons = ", ".join(f"{escape(n)} <code>{sha[:12]}</code>" for n, sha in told["lexicons"].items())
    missing = ", ".join(f"<code>{escape(e)}</code>" for e in told["not_scanned"])
    return (
        f"<h2>Method</h2><ul>{listed}<li>seed: {told['asked']['seed']}</li><li>not scanned for: {missing}</li>"
        f"<li>lexicons: {lexicons}</li><li>corpusmill {escape(told['corpusmill'])}</li></ul>"
    )
