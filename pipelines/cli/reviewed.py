"""What an export wrote and what an import found, as text for a terminal."""

from __future__ import annotations

from pathlib import Path

from pipelines.review.review import Exported, Imported


def exported(done: Exported) -> str:
    drawn = done.sample.findings
    lines = [f"{len(drawn):,} of {sum(done.sample.population.values()):,} findings written to {done.tasks}", ""]
    for rule, count in done.sample.population.items():
        lines.append(f"  {rule:<32} {sum(f.rule == rule for f in drawn):>6,} of {count:,}")
    lines += [
        "",
        f"  labelling page  {done.page}",
        "  Both files can be read by you alone (0600). The tasks hold personal data as it was found: keep them where only",
        "  reviewers read them, and delete them after the import.",
    ]
    return "\n".join(lines)


def imported(done: Imported, allow: Path | None) -> str:
    lines = []
    for entity, told in done.section["entities"].items():
        p = told["precision"]
        precision = f"{p['estimate']:.1%} right ({p['low']:.1%} to {p['high']:.1%})" if p else "not known"
        verdicts = ", ".join(f"{told[v]} {v}" for v in ("confirmed", "refuted", "unsure"))
        lines.append(f"  {entity:<24} {precision}; {verdicts}; of {told['findings']:,} findings")
    lines.append("the manifest and the report say so now")
    if allow:
        lines.append(f"{sum(done.allowed.values())} refuted values added to {allow}; use it with pii.allow_file")
    return "\n".join(lines)
