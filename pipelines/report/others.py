"""Sections of the manifest that have no page of their own here: shown as they stand, so that a new one appears by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.report.markup import Cell, Html, Section, plain, table, text

SHOWN_ELSEWHERE = frozenset(
    {"manifest", "name", "complete", "records", "recipe", "software", "inputs", "outputs", "files", "filters", "edits", "tables", "parents",
     "data_digest", "digest", "review", "forgotten", "schemas", "about"}
)  # fmt: skip
DEPTH = 4
"""Levels of nesting that become tables; what lies deeper is left to the manifest."""


def sections(told: Mapping[str, Any]) -> list[Section]:
    """One for each section that no other module shows."""
    named = {k: v for k, v in told.items() if k not in SHOWN_ELSEWHERE}
    summaries = {k: v for k, v in named.pop("summaries", {}).items() if k not in ("licence", "duplicates")}
    found = [Section(_slug(k), _title(k), _value(k, v, 3)) for k, v in named.items() if v not in (None, {}, [])]
    return found + [Section(f"summary-{_slug(k)}", _title(k), _value(k, v, 3)) for k, v in summaries.items() if v]


def _value(name: str, value: Any, level: int) -> str:
    """Scalars of a mapping in one table, then what is nested, each under a heading."""
    if level > 2 + DEPTH:
        return f"<p>{plain(name)}: more in <code>manifest.json</code></p>"
    if isinstance(value, Mapping):
        scalars = [(text(k), v) for k, v in value.items() if not isinstance(v, Mapping | list)]
        rows = [(Html(k), _cell(v)) for k, v in scalars]
        alike = _alike(value)
        if alike:
            return _records(name, [{"": k, **v} for k, v in value.items()])
        parts = [table(_title(name), ("", "value"), rows)] if rows else []
        parts += [_nested(k, v, level) for k, v in list(value.items())[:40] if isinstance(v, Mapping | list) and v]
        return "".join(parts)
    if isinstance(value, Sequence) and not isinstance(value, str):
        if value and all(isinstance(v, Mapping) for v in value):
            return _records(name, value)
        return table(_title(name), ("value",), [(_cell(v),) for v in value])
    return f"<p>{text(value, 600)}</p>"


def _nested(name: str, value: Any, level: int) -> str:
    h = min(level, 6)
    return f"<h{h}>{_title(name)}</h{h}>{_value(name, value, level + 1)}"


def _alike(value: Mapping[str, Any]) -> bool:
    """Whether it is a table in disguise: several mappings of scalars with the same keys."""
    each = list(value.values())
    return (
        len(each) > 1
        and all(isinstance(v, Mapping) and v and v.keys() == each[0].keys() for v in each)
        and all(not isinstance(c, Mapping | list) for v in each for c in v.values())
    )


def _records(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    head = list(dict.fromkeys(k for row in rows[:200] for k in row))[:12]
    return table(_title(name), [k.replace("_", " ") for k in head], [[_cell(row.get(k)) for k in head] for row in rows])


def _cell(value: Any) -> Cell:
    if isinstance(value, Mapping | list):
        values = value.items() if isinstance(value, Mapping) else enumerate(value)
        shown = [f"{k}: {v}" if isinstance(value, Mapping) else str(v) for k, v in list(values)[:8]]
        return ", ".join(shown) + (f", and {len(value) - 8:,} more" if len(value) > 8 else "")
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def _title(name: str) -> str:
    return plain(str(name).replace("_", " ").capitalize(), 80)


def _slug(name: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in name)[:60]
