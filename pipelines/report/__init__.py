"""report.html: the manifest for people. One file, no scripts, nothing fetched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.report import (
    audit,
    declared,
    drift,
    duplicates,
    funnel,
    licences,
    mentions,
    opening,
    others,
    pii,
    provenance,
    reasons,
    tables,
    tokens,
)
from pipelines.report.excerpts import Excerpts, collect
from pipelines.report.markup import text
from pipelines.report.page import page


def render(told: Mapping[str, Any], previous: Mapping[str, Any] | None = None, excerpts: Excerpts | None = None) -> str:
    """The page, from the manifest; previous: the summary of the run before (``pipelines.drift``), excerpts: of its records."""
    sections = [
        funnel.section(told),
        reasons.section(told, excerpts or Excerpts()),
        tables.section(told),
        duplicates.section(told),
        tokens.section(told),
        licences.section(told),
        pii.section(told),
        mentions.section(told),
        audit.section(told),
        drift.section(told, previous),
        declared.section(told),
        provenance.section(told),
    ]
    shown = {s.name for s in sections if s.body}
    sections[-1:-1] = [s for s in others.sections(told) if s.name not in shown]
    foot = (
        f"<p>Made by corpusmill {text(told['software']['corpusmill'])} from <code>manifest.json</code>, digest "
        f"<code>{text(told['digest'][:16])}</code>. This page loads nothing and sends nothing.</p>"
    )
    return page(
        f"{told['name']}: what was kept, and why", "Dataset report", told["name"], opening.opening(told), sections, foot
    )


__all__ = ["Excerpts", "collect", "render"]
