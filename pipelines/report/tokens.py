"""How many tokens the kept records have: counted, or estimated with an interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.report.markup import Section, code, join, text


def section(told: Mapping[str, Any]) -> Section:
    found = told.get("tokens")
    known = isinstance(found, Mapping) and {"total", "exact"} <= found.keys()
    return Section("tokens", "Tokens", _body(found) if known and found else "")


def _body(found: Mapping[str, Any]) -> str:
    by = join(code(name) for name in found.get("tokenizer", {})).markup
    with_ = f" by {by}" if by else ""
    sampled = (
        f"{found['sampled_records']:,} of {found['of_records']:,} kept records" if "of_records" in found else "a sample"
    )
    if found["total"] is None:
        return f"<p>Not known: the sample, {text(sampled)}, is too small.</p>"
    if found["exact"]:
        return f"<p><strong>{found['total']:,}</strong> tokens in the kept records, counted{with_}.</p>"
    return (
        f"<p>About <strong>{found['total']:,}</strong> tokens in the kept records ({found['low']:,} to {found['high']:,}, 95 % "
        f"interval), estimated from {text(sampled)}{with_}.</p>"
    )
