"""The page of ``corpusmill compare --html``: two datasets side by side."""

from __future__ import annotations

from pipelines.compare import Comparison
from pipelines.report.drift import compared
from pipelines.report.markup import Section, code, join, note, percent, records, table, text
from pipelines.report.page import page

SIDES = ("first", "second")


def render(found: Comparison, names: tuple[str, str]) -> str:
    """names: what the two were given as."""
    parts = [
        Section("records", "Records", _records(found)),
        Section("changes", "Verdicts that changed", _changes(found)),
        Section("shares", "Recipe, counts and shares", "".join(compared(found.before, found.now, SIDES))),
        Section("scores", "Scores", _scores(found)),
    ]
    a, b = found.before["records"], found.now["records"]
    lead = (
        f'<p class="lead">{percent(a["kept"], a["read"])} of {records(a["read"])} kept in the first, '
        f"{percent(b['kept'], b['read'])} of {b['read']:,} in the second</p>"
        f'<p class="about">First: <code>{text(names[0])}</code>. Second: <code>{text(names[1])}</code>.</p>'
    )
    same = found.before["name"] == found.now["name"]
    heading = found.before["name"] if same else f"{found.before['name']} and {found.now['name']}"
    digests = " and ".join(f"<code>{text(s['digest'][:16])}</code>" for s in (found.before, found.now))
    foot = f"<p>Made by corpusmill compare from the manifests {digests}. This page loads nothing and sends nothing.</p>"
    return page(f"{heading}: two runs", "Two runs side by side", heading, lead, parts, foot)


def _records(found: Comparison) -> str:
    a, b = found.before["records"], found.now["records"]
    rows = [
        (word, a[word], b[word], f"{b[word] - a[word]:+,}".replace("-", "−")) for word in ("read", "kept", "rejected")
    ]
    return (
        table("Records", ("", *SIDES, "difference"), rows)
        + f"<p>{found.both:,} have the same id on both sides; {found.gone:,} are in the first alone, {found.new:,} in the second.</p>"
    )


def _changes(found: Comparison) -> str:
    if not found.changes:
        return "<p>No record that both have changed its verdict.</p>"
    rows = [(text_of(c.was), text_of(c.now), c.records, join(code(i, 60) for i in c.examples)) for c in found.changes]
    total = sum(c.records for c in found.changes)
    return f"<p>{records(total)}.</p>" + table("By verdict", ("was", "is now", "records", "for example"), rows)


def text_of(verdict: str) -> str:
    return verdict


def _scores(found: Comparison) -> str:
    rows = [(code(name), f"{s.psi:.3f}", s.word) for name, s in found.scores.items()]
    if not rows:
        return ""
    intro = note("All records read, kept and rejected, over the fixed bins of the manifest’s histograms.")
    return intro + table("Scores by how far they moved", ("score", "PSI", "in words"), rows)
