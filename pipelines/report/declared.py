"""What a machine cannot know, as the recipe declares it; and what it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.report.markup import Cell, Section, code, join, table


def section(told: Mapping[str, Any]) -> Section:
    found = told.get("about")
    return Section("declared", "As declared", _body(found) if isinstance(found, Mapping) else "")


def _body(about: Mapping[str, Any]) -> str:
    rows: list[tuple[Cell, ...]] = [
        (name.replace("_", " "), _shown(value))
        for name, value in about.items()
        if name != "undeclared" and value not in (None, [])
    ]
    missing = join(code(str(name)) for name in about.get("undeclared", [])).markup
    told = (
        table("Declared in the recipe", ("what", "as declared"), rows)
        if rows
        else "<p>The recipe declares nothing.</p>"
    )
    return told + (f'<p class="warning" role="note"><strong>Undeclared:</strong> {missing}.</p>' if missing else "")


def _shown(value: Any) -> str:
    """A value on one line: names of sources with their licence and address, texts as they are."""
    if isinstance(value, Mapping):
        return ", ".join(str(v) for v in value.values() if v is not None)
    if isinstance(value, list):
        more = f"; and {len(value) - 10:,} more" if len(value) > 10 else ""
        return "; ".join(_shown(v) for v in value[:10]) + more
    return str(value)
