"""What the licences of the kept records ask for, and which do not go together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import urlsplit

from pipelines import listing
from pipelines.report.markup import Html, Section, code, join, note, plain, records, table, text


def section(told: Mapping[str, Any]) -> Section:
    found = told.get("summaries", {}).get("licence")
    return Section("licences", "Licences", _body(told, found) if found else "")


def _body(told: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    licences = [
        (code(e["expression"]), e["records"], "inside texts" if e["where"] == "text" else "the records’", e["category"],
         ", ".join(e["obligations"]))
        for e in sorted(found["licences"], key=lambda e: (e["where"], -e["records"], e["expression"]))
    ]  # fmt: skip
    todo = [(code(o["obligation"]), o["do"], ", ".join(o["licences"])) for o in found["obligations"]]
    unclear = f"<p>Of {records(found['undeclared'])} no licence is known.</p>" if found["undeclared"] else ""
    attribution = any(o["obligation"] == "attribution" for o in found["obligations"])
    return (
        f"<p>Judged by the policy <code>{text(found['policy'])}</code>.</p>{unclear}"
        + table("Licences of kept records", ("licence", "records", "whose", "category", "obligations"), licences)
        + (
            f"<h3>What they ask for</h3>{table('Obligations', ('obligation', 'what to do', 'for'), todo)}"
            if todo
            else ""
        )
        + (f"<p>{_whom_to_credit(told)}</p>" if attribution else "")
        + _conflicts(found["conflicts"])
    )


def _whom_to_credit(told: Mapping[str, Any]) -> str:
    each = [json.loads(found) for (found,) in listing.tally(told, "columns") if found is not None]
    columns = sorted({named[n] for named in each for n in ("url", "user") if n in named})
    named = join(code(c) for c in columns).markup
    return f"Whom to credit: columns {named}." if named else "No column that is recognised says whom to credit."


def _conflicts(conflicts: Sequence[Mapping[str, Any]]) -> str:
    if not conflicts:
        return ""
    rows = [
        (
            Html(" and ".join(f"{code(n).markup} ({k:,})" for n, k in c["licences"].items())),
            c["why"],
            _link(c["source"]),
        )
        for c in conflicts
    ]
    told = "In one work made from parts under both. Whether this dataset is one, or a collection of works, is for counsel; keeping "
    return (
        f"<h3>Licences that do not go together</h3>{note(told + 'them in datasets of their own avoids the question.')}"
        + table("Conflicts", ("licences, and records", "why", "says"), rows)
    )


def _link(address: str) -> Html:
    """To where it is said; followed by a person, never by the page."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https"):
        return Html(text(address))
    return Html(f'<a href="{escape(address)}" rel="noreferrer noopener">{plain(parts.netloc)}</a>')
