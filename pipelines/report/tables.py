"""What is in it: kept records by value, one table for each that the manifest has; filters can add theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.report.markup import Html, Section, bar, percent, plain, table, text

TITLES = {
    "languages": "Languages", "licenses": "Licences as declared", "generators": "Models that wrote it", "pairs": "Language pairs",
    "spdx": "Licences as SPDX expressions", "spdx_in_texts": "Licences inside texts", "licence_sources": "Where the licence stands",
}  # fmt: skip
VALUES = 40


def section(told: Mapping[str, Any]) -> Section:
    """All tables side by side, the largest values first."""
    kept = told["records"]["kept"]
    parts = [_table(name, counts, kept) for name, counts in told["tables"].items() if counts]
    columns = f'<div class="columns">{"".join(parts)}</div>' if parts else ""
    return Section(
        "contents", "What is in it", columns or "<p>The records say nothing of language, licence or model.</p>"
    )


def title(name: str) -> str:
    return TITLES.get(name) or plain(name.replace("_", " ").capitalize())


def _table(name: str, counts: Mapping[str, int], kept: int) -> str:
    ordered = sorted(counts.items(), key=lambda e: (-e[1], e[0]))
    most = ordered[0][1]
    rows = [(Html(text(v) + bar(n, most).markup), n, percent(n, kept)) for v, n in ordered[:VALUES]]
    told = table(
        f"Kept records by value: {name}", ("value", "kept records", "share"), rows, limit=VALUES, of=len(ordered)
    )
    return f"<div><h3>{title(name)}</h3>{told}</div>"
