"""report.html: the manifest for people. One file, no scripts, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from filters.reading import ReadFilter
from filters.registry import load

_NUMERIC = frozenset(
    {
        "records",
        "first",
        "rows",
        "replacements",
        "kept records",
        "findings",
        "reviewed",
        "confirmed",
        "refuted",
        "unsure",
    }
)


def render(told: Mapping[str, Any]) -> str:
    """The page, made from the manifest alone, so the same for the same dataset."""
    style = files("pipelines").joinpath("report.css").read_text("utf-8")
    name = escape(told["name"])
    body = "\n".join(
        [
            _head(told),
            _funnel(told),
            *_reasons(told),
            _edits(told),
            _review(told),
            _licences(told),
            _tables(told),
            _provenance(told),
        ]
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}: what was kept, and why</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style></head>\n'
        f"<body><main>\n{body}\n</main></body></html>\n"
    )


def _head(told: Mapping[str, Any]) -> str:
    r = told["records"]
    share = f"{r['kept'] / r['read']:.1%}" if r["read"] else "none"
    failed = [i for i in told["inputs"] if i["status"] == "failed"]
    warning = (
        f'<p class="warning"><strong>Not complete:</strong> {len(failed)} of {len(told["inputs"])} shards failed; '
        "they are listed under Provenance.</p>"
        if failed
        else ""
    )
    return (
        f"<h1>{escape(told['name'])}</h1>\n<p class='lead'>{r['kept']:,} of {r['read']:,} records kept ({share}), "
        f"{r['rejected']:,} rejected.</p>{warning}"
    )


def _funnel(told: Mapping[str, Any]) -> str:
    read = told["records"]["read"]
    left = read
    rows = [_bar("read", read, read, "")]
    for f in told["filters"]:
        left -= f["rejected_first"]
        note = f"−{f['rejected_first']:,}" if f["rejected_first"] else "−0"
        rows.append(_bar(f"after {f['name']}", left, read, note))
    head = "<tr><th scope='col'>stage</th><th scope='col'>records</th><th scope='col'>dropped here</th><th></th></tr>"
    return f"<h2>Funnel</h2><table class='funnel'>{head}{''.join(rows)}</table>"


def _bar(label: str, value: int, of: int, note: str) -> str:
    width = 100 * value / of if of else 0
    return (
        f"<tr><th scope='row'>{escape(label)}</th><td class='n'>{value:,}</td><td class='n'>{note}</td>"
        f"<td class='bar'><div style='width:{width:.2f}%'></div></td></tr>"
    )


def _reasons(told: Mapping[str, Any]) -> Iterable[str]:
    yield "<h2>Why records went</h2>"
    yield "<p>A record counts at every filter that rejects it, and once as <em>first</em>, at the first in recipe order.</p>"
    for f in told["filters"]:
        if not f["reasons"]:
            continue
        meanings = (ReadFilter if f["name"] == "read" else load(f["name"])).reasons
        rows = [
            (f"<code>{escape(code)}</code>", escape(meanings.get(code, "")), f"{n['records']:,}", f"{n['first']:,}")
            for code, n in sorted(f["reasons"].items(), key=lambda e: -e[1]["records"])
        ]
        yield f"<h3>{escape(f['name'])}</h3>" + _table(("reason", "meaning", "records", "first"), rows)
        yield from _rules(f)


RULES_SHOWN = 50


def _rules(told: Mapping[str, Any]) -> Iterable[str]:
    """Which rules were behind it, and where to look: only for filters whose rules say more than their reasons."""
    if not told["rules"] or not told["rules"].keys() - told["reasons"].keys():
        return
    ordered = sorted(told["rules"].items(), key=lambda e: (-e[1]["records"], e[0]))[:RULES_SHOWN]
    rows = [
        (
            f"<code>{escape(rule)}</code>",
            f"{n['records']:,}",
            ", ".join(f"<code>{escape(e)}</code>" for e in n["examples"]),
        )
        for rule, n in ordered
    ]
    more = len(told["rules"]) - len(ordered)
    yield "<details><summary>by rule, with records to read (<code>corpusmill explain</code> shows them)</summary>"
    yield (
        _table(("rule", "records", "for example"), rows)
        + (f"<p>and {more} more rules</p>" if more else "")
        + "</details>"
    )


def _not_scanned(told: Mapping[str, Any]) -> str:
    """What is not said to be absent, because nobody looked."""
    pii = [f for f in told["filters"] if f["name"] == "pii"]
    if not pii:
        return "<p>Personal data was <strong>not scanned</strong> for: the recipe has no pii filter.</p>"
    missing = ", ".join(f"<code>{escape(e)}</code>" for e in pii[0]["not_scanned"])
    return f"<p><strong>Not scanned</strong> for: {missing}.</p>" if missing else ""


def _edits(told: Mapping[str, Any]) -> str:
    note = _not_scanned(told)
    if not told["edits"]:
        return f"<h2>Edits</h2><p>No kept record was edited.</p>{note}"
    rows = [(escape(label), f"{n:,}") for label, n in sorted(told["edits"].items(), key=lambda e: -e[1])]
    edited = sum(f["records_edited"] for f in told["filters"])
    return f"<h2>Edits</h2><p>{edited:,} kept records were edited.</p>{note}" + _table(("what", "replacements"), rows)


def _review(told: Mapping[str, Any]) -> str:
    parts = []
    for name, section in told.get("review", {}).items():
        rows = []
        for entity, r in section["entities"].items():
            p = r["precision"]
            interval = f"{p['estimate']:.1%} ({p['low']:.1%} to {p['high']:.1%})" if p else "not known"
            numbers = (f"{r[k]:,}" for k in ("findings", "reviewed", "confirmed", "refuted", "unsure"))
            rows.append((f"<code>{escape(entity)}</code>", *numbers, interval))
        head = ("what", "findings", "reviewed", "confirmed", "refuted", "unsure", "right, 95 % interval")
        parts.append(f"<h3>{escape(name)}</h3>{_table(head, rows)}")
    return f"<h2>What people said of the findings</h2>{''.join(parts)}" if parts else ""


def _tables(told: Mapping[str, Any]) -> str:
    parts = []
    for name, counts in told["tables"].items():
        if counts:
            rows = [(escape(v), f"{n:,}") for v, n in sorted(counts.items(), key=lambda e: (-e[1], e[0]))[:40]]
            parts.append(f"<section><h3>{escape(name)}</h3>{_table(('value', 'kept records'), rows)}</section>")
    return f"<h2>What is in it</h2><div class='columns'>{''.join(parts)}</div>" if parts else ""


def _licences(told: Mapping[str, Any]) -> str:
    """What the licences of the kept records ask for, and which do not go together."""
    section = told.get("summaries", {}).get("licence")
    if not section:
        return ""
    rows = [
        (f"<code>{escape(e['expression'])}</code>", "inside texts" if e["where"] == "text" else "the records'",
         escape(e["category"]), escape(", ".join(e["obligations"])), f"{e['records']:,}")
        for e in sorted(section["licences"], key=lambda e: (e["where"], -e["records"], e["expression"]))
    ]  # fmt: skip
    todo = [
        (f"<code>{escape(o['obligation'])}</code>", escape(o["do"]), escape(", ".join(o["licences"])))
        for o in section["obligations"]
    ]
    unclear = f"<p>Of {section['undeclared']:,} records no licence is known.</p>" if section["undeclared"] else ""
    head = ("licence", "whose", "category", "obligations", "records")
    return (
        f"<h2>Licences</h2><p>Policy <code>{escape(section['policy'])}</code>.</p>{unclear}{_table(head, rows)}"
        + (f"<h3>What they ask for</h3>{_table(('obligation', 'what to do', 'for'), todo)}" if todo else "")
        + (
            f"<p>{_whom_to_credit(told)}</p>"
            if any(o["obligation"] == "attribution" for o in section["obligations"])
            else ""
        )
        + _conflicts(section["conflicts"])
    )


def _whom_to_credit(told: Mapping[str, Any]) -> str:
    columns = sorted({i["columns"][n] for i in told["inputs"] for n in ("url", "user") if n in i.get("columns", {})})
    named = ", ".join(f"<code>{escape(c)}</code>" for c in columns)
    return f"Whom to credit: columns {named}." if named else "No column that is recognised says whom to credit."


def _conflicts(conflicts: Sequence[Mapping[str, Any]]) -> str:
    if not conflicts:
        return ""
    rows = [
        (" and ".join(f"<code>{escape(n)}</code> ({k:,})" for n, k in c["licences"].items()), escape(c["why"]),
         f"<a href='{escape(c['source'])}'>{escape(c['source'].split('/')[2])}</a>")
        for c in conflicts
    ]  # fmt: skip
    return (
        "<h3>Licences that do not go together</h3><p>In one work made from parts under both. Whether this dataset is one, or a "
        "collection of works, is for counsel; keeping them in datasets of their own avoids the question.</p>"
        + _table(("licences, and records", "why", "says"), rows)
    )


def _provenance(told: Mapping[str, Any]) -> str:
    inputs = [
        (
            f"<code>{escape(i['path'])}</code>",
            escape(i.get("schema", "")),
            f"{i.get('rows', 0):,}",
            escape(i.get("why", i["status"])),
            f"<code>{i.get('sha256', '')[:12]}</code>",
        )
        for i in told["inputs"][:200]
    ]
    more = f"<p>and {len(told['inputs']) - 200:,} more, in the manifest.</p>" if len(told["inputs"]) > 200 else ""
    packages = ", ".join(f"{escape(p)} {escape(v)}" for p, v in told["software"]["packages"].items())
    forgotten = "".join(
        f"<p>{f['records']:,} records were taken out on {escape(f['date'])} (list <code>{escape(f['list'])}</code>, "
        f"{escape(f['kind'])}{', ' + escape(f['source']) if f.get('source') else ''}).</p>"
        for f in told.get("forgotten", [])
    )
    return (
        "<h2>Provenance</h2>"
        + forgotten
        + _table(("shard", "schema", "rows", "status", "sha256"), inputs)
        + more
        + f"<p>Recipe <code>{told['recipe']['fingerprint'][:12]}</code>, corpusmill "
        f"{escape(told['software']['corpusmill'])} (code <code>{told['software']['code_sha256'][:12]}</code>), {packages}. "
        f"Manifest digest <code>{told['digest'][:12]}</code>.</p>"
    )


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    numeric = {i for i, h in enumerate(head) if h in _NUMERIC}
    top = "".join(f"<th scope='col'>{h}</th>" for h in head)
    body = "".join(
        "<tr>" + "".join(f"<td{' class=n' if i in numeric else ''}>{c}</td>" for i, c in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f"<div class='scroll'><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
