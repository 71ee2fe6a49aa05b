"""Personal data: what was replaced, what nobody looked for, and what people said of the findings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from pipelines.report.lookups import options_of
from pipelines.report.markup import Cell, Html, Section, bar, code, join, note, percent, records, table, text

LEVELS = ("verified", "plausible", "unlikely")
ACTIONS = {
    "replace": "replaced by numbered placeholders",
    "mask": "masked with asterisks",
    "hash": "replaced by keyed hashes",
    "surrogate": "replaced by made-up values",
    "drop": "a reason to drop the record",
    "annotate": "only pointed at; it still stands in the records",
}


def section(told: Mapping[str, Any]) -> Section:
    return Section("personal-data", "Personal data", f"{_scanned(told)}{_edits(told)}{_findings(told)}{_review(told)}")


def _scanned(told: Mapping[str, Any]) -> str:
    """What is not said to be absent, because nobody looked."""
    pii = next((f for f in told["filters"] if f["name"] == "pii"), None)
    if pii is None:
        return '<p class="warning" role="note">Personal data was <strong>not scanned</strong> for: the recipe has no pii filter.</p>'
    action = ACTIONS.get(options_of(told, "pii").get("action", ""), "")
    done = f"<p>What the pii filter found was {text(action)}.</p>" if action else ""
    missing = join(code(e) for e in pii["not_scanned"]).markup
    return done + (
        f'<p class="warning" role="note"><strong>Not scanned</strong> for: {missing}.</p>' if missing else ""
    )


def _edits(told: Mapping[str, Any]) -> str:
    if not told["edits"]:
        return "<p>No kept record was edited.</p>"
    edited, kept = sum(f["records_edited"] for f in told["filters"]), told["records"]["kept"]
    ordered = sorted(told["edits"].items(), key=lambda e: (-e[1], e[0]))
    most = ordered[0][1]
    rows = [
        (Html(code(label).markup + bar(n, most).markup), n, f"{1000 * n / kept:.1f}" if kept else "–")
        for label, n in ordered
    ]
    head = ("what", "replacements", "per 1,000 kept records")
    return f"<p>{records(edited)} of those kept were edited.</p>" + table("Replacements in kept records", head, rows)


def _findings(told: Mapping[str, Any]) -> str:
    """Records with a finding, by entity and how certain that is; rejected ones too."""
    pii = next((f for f in told["filters"] if f["name"] == "pii"), None)
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for rule, n in (pii or {"rules": {}})["rules"].items():
        entity, _, level = rule.partition(":")
        found[entity][level] = n["records"]
    levels = [level for level in LEVELS if any(level in by for by in found.values())]
    if not levels:
        return ""
    rows: list[tuple[Cell, ...]] = [
        (code(entity), *(by.get(level, 0) for level in levels)) for entity, by in sorted(found.items())
    ]
    return table("Records read that hold it, by certainty", ("entity", *levels), rows)


def _review(told: Mapping[str, Any]) -> str:
    parts = []
    for name, section_ in told.get("review", {}).items():
        rows = []
        for entity, r in section_["entities"].items():
            p = r["precision"]
            interval = (
                f"{percent(p['estimate'], 1)} ({percent(p['low'], 1)} to {percent(p['high'], 1)})" if p else "not known"
            )
            rows.append(
                (code(entity), *(r[k] for k in ("findings", "reviewed", "confirmed", "refuted", "unsure")), interval)
            )
        head = ("what", "findings", "reviewed", "confirmed", "refuted", "unsure", "right, 95 % interval")
        parts.append(
            table(f"Verdicts on {name} findings", head, rows) + note(f"Interval: {text(section_['interval'])}.")
        )
    return f"<h3>What people said of the findings</h3>{''.join(parts)}" if parts else ""
