"""Sections 2 and 3 of the EU AI Office's template for the public summary of training content (Article 53(1)(d) of Regulation (EU)
2024/1689), filled in from manifests. Section 1 speaks of provider and model, which no manifest knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipelines.provenance import facts
from pipelines.provenance.facts import Dataset, Figure
from pipelines.provenance.notes import Notes
from pipelines.provenance.training_card import collected, names, size, text
from pipelines.provenance.words import UNDECLARED, listed, plain

SECTIONS: tuple[tuple[str, tuple[str | None, ...]], ...] = (
    ("### 2.1 Publicly available datasets", ("public",)),
    ("### 2.2 Private non-publicly available datasets obtained from third parties", ()),
    ("#### 2.2.1 Datasets commercially licensed by rightsholders or their representatives", ("licensed",)),
    ("#### 2.2.2 Private datasets obtained from other third parties", ("third_party",)),
    ("### 2.3 Data crawled and scraped from online sources", ("crawled",)),
    ("### 2.4 User data", ("user",)),
    ("### 2.5 Synthetic data", ("synthetic",)),
    ("### 2.6 Other sources of data", ("own", "other", None)),
)
"""Headings of the template and the origins that belong under them."""


def render(datasets: Sequence[Dataset]) -> str:
    """Markdown; the same for the same manifests."""
    notes = Notes()
    lines = ["## 2. List of data sources", "", *_overall(datasets, notes)]
    for heading, origins in SECTIONS:
        lines += ["", heading]
        if origins:
            lines += ["", *_section(facts.of_origin(datasets, *origins), notes)]
    lines += ["", "## 3. Data processing aspects", "", *_rights(datasets, notes), "", *_illegal(datasets, notes), ""]
    return "\n".join([*lines, *notes.lines()]) + "\n"


def _overall(datasets: Sequence[Dataset], notes: Notes) -> Iterator[str]:
    """What section 1.3 asks of the data as a whole, as far as manifests know."""
    yield f"- Modality: {notes.methods(facts.declared(datasets, 'modality'))}"
    yield f"- Size: {notes.tokens(facts.tokens(datasets))} tokens, {notes.number(facts.records(datasets))} records"
    yield f"- Period of collection: {notes.period(facts.period(datasets))}"
    found = facts.table(datasets, "languages")
    shown = ", ".join(f"{plain(k)} {notes.number(f)}" for k, f in list(found.items())[:20])
    yield f"- Languages, by records: {shown or 'not measured'}"


def _section(datasets: Sequence[Dataset], notes: Notes) -> Iterator[str]:
    if not datasets:
        yield "None of the datasets is declared to be of this kind."
    for d in datasets:
        yield f"- **{plain(d.title)}** ({plain(d.label)}): {text(d, 'description', notes)}"
        yield f"  - Size: {size(d, notes)}; modality: {text(d, 'modality', notes)}"
        yield f"  - Period of collection: {collected(d, notes)}; by {text(d, 'organisation', notes)}"
        yield f"  - Licence: {text(d, 'licence', notes)}"
        yield from _particular(d, notes)


def _particular(d: Dataset, notes: Notes) -> Iterator[str]:
    """What the template asks of one kind of source."""
    origin = d.about["origin"]
    if origin in ("public", "licensed", "third_party", "other", "own", None):
        yield f"  - Made from: {_sources(d, notes)}"
    if origin in ("public", "crawled") or d.about["urls"]:
        yield f"  - Addresses: {_texts(d, 'urls', notes)}"
    if origin == "crawled":
        yield f"  - Crawlers: {_texts(d, 'crawlers', notes)}"
        yield "  - The most crawled domains are not recorded in manifests: add them."
    if origin == "user":
        yield f"  - Consent: {text(d, 'consent', notes)}"
    if origin == "synthetic" or d.about["generator_models"]:
        yield f"  - Models that generated it: {names(d, 'generator_models', notes)}"
        yield f"  - Made from: {names(d, 'seed_datasets', notes)}"
    if origin is None:
        yield "  - Its origin is undeclared; it may belong under another heading."


def _rights(datasets: Sequence[Dataset], notes: Notes) -> Iterator[str]:
    yield from ("### 3.1 Respect of reservation of rights from text and data mining exception or limitation", "")
    for d in datasets:
        yield f"- **{plain(d.label)}:** {text(d, 'opt_out', notes)}"
        for i, entry in enumerate(d.told.get("forgotten", ())):
            place = Figure(entry["records"], (d.place("forgotten", i, "records"),))
            yield f"  - On {entry['date']} {notes.number(place)} records were taken out on request."
        for i, f in enumerate(d.told["filters"]):
            if f["name"] == "optout":
                yield f"  - Records on opt-out lists that were left out: {notes.number(d.figure('filters', i, 'rejected'))}"


def _illegal(datasets: Sequence[Dataset], notes: Notes) -> Iterator[str]:
    yield from ("### 3.2 Removal of illegal content", "")
    for d in datasets:
        yield f"- **{plain(d.label)}:** {text(d, 'illegal_content', notes)}"


def _sources(d: Dataset, notes: Notes) -> str:
    value = d.about["sources"]
    return notes.number(Figure(value, (d.place("about", "sources"),)), listed(value))


def _texts(d: Dataset, field: str, notes: Notes) -> str:
    value = d.about[field]
    shown = UNDECLARED if value is None else ", ".join(map(plain, value)) or "none"
    return notes.number(Figure(value, (d.place("about", field),)), shown)
