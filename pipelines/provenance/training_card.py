"""The training-data section of a model card, in the form of NVIDIA's Nemotron 3 Super card, with a footnote for every figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from pipelines.provenance import facts
from pipelines.provenance.facts import Dataset, Figure
from pipelines.provenance.notes import Notes
from pipelines.provenance.page import personal_data
from pipelines.provenance.words import UNDECLARED, listed, named, period, plain, table
from pipelines.statistics import share

MOST_ROWS = 40
"""Languages or pairs in a table; the rest is told as one row."""


def render(datasets: Sequence[Dataset]) -> str:
    """Markdown; the same for the same manifests."""
    notes = Notes()
    sections = (_totals, _public, _crawled, _third_party, _own, _synthetic, _other, _languages, _processing, _privacy,
                _bias, _gaps)  # fmt: skip
    lines = ["## Training, Testing, and Evaluation Datasets", ""]
    for section in sections:
        made = list(section(datasets, notes))
        lines += [*made, ""] if made else []
    return "\n".join([*lines, *notes.lines()]) + "\n"


def size(d: Dataset, notes: Notes) -> str:
    """Tokens where they are known, records otherwise."""
    found = facts.tokens([d])
    records = notes.number(d.figure("records", "kept"))
    return f"{records} records" if found.value is None else f"{notes.tokens(found)} tokens ({records} records)"


def collected(d: Dataset, notes: Notes, source: Any = None) -> str:
    """The period of a source where it has its own, else of the dataset."""
    if source and (source.get("collected_from") or source.get("collected_to")):
        return notes.number(Figure(period(source), (d.place("about", "sources"),)))
    return notes.period(facts.period([d]))


def text(d: Dataset, field: str, notes: Notes) -> str:
    """A declared text with its place."""
    return notes.number(d.figure("about", field))


def names(d: Dataset, field: str, notes: Notes) -> str:
    """A declared list of sources or models."""
    value = d.about[field]
    return notes.number(Figure(value, (d.place("about", field),)), listed(value))


def _totals(datasets: Sequence[Dataset], notes: Notes) -> Iterator[str]:
    records = facts.records(datasets)
    parts = Counter({"training": 0, "testing": 0, "validation": 0})
    for d in datasets:
        parts[d.about["partition"]] += d.told["records"]["kept"]
    shares = ", ".join(
        f"{p} [{100 * n / records.value:.1f}%]" if records.value else f"{p} [-]" for p, n in parts.items()
    )
    partition = Figure(shares, (*(d.place("about", "partition") for d in datasets), *records.places))

    def methods(field: str) -> str:
        return notes.methods(facts.declared(datasets, field)) + _of(datasets, field)

    yield f"- **Data Modality:** {notes.methods(facts.declared(datasets, 'modality'))}"
    yield f"- **Training Data Size:** {notes.tokens(facts.tokens(datasets))} tokens in {notes.number(records)} records"
    yield f"- **Total number of datasets:** {len(datasets):,}"
    yield f"- **Dataset partition (by records):** {notes.number(partition, shares)}"
    yield f"- **Time period for training data collection:** {notes.period(facts.period(datasets))}{_of(datasets, 'collected_to')}"
    yield f"- **Data Collection Method by dataset:** {methods('collection_method')}"
    yield f"- **Labeling Method by dataset:** {methods('labelling_method')}"
    for child, parent in facts.derived(datasets):
        yield f"- `{plain(child.label)}` is derived from `{plain(parent.label)}`: what it kept is counted in both."


def _of(datasets: Sequence[Dataset], field: str) -> str:
    """How many declare it, where not all do."""
    those = sum(d.about[field] is not None for d in datasets)
    return f" (declared by {those} of {len(datasets)} datasets)" if 0 < those < len(datasets) else ""


def _public(datasets: Sequence[Dataset], notes: Notes) -> Iterator[str]:
    rows = []
    for d in facts.of_origin(datasets, "public"):
        sources = d.about["sources"] or ({"name": d.title},)
        for i, source in enumerate(sources):
            licence = plain(source.get("licence")) if source.get("licence") else text(d, "licence", notes)
            rows.append((named(source), collected(d, notes, source), licence, plain(d.label),
                         size(d, notes) if i == 0 else "(as above)"))  # fmt: skip
    if rows:
        yield from ("### Public Datasets", "")
        yield from table(("Dataset", "Collection Period", "Licence", "Curated as", "Size of what was kept"), rows)


def _crawled(datasets: Sequence[Dataset], notes: Notes) -> Iterator[str]:
    rows = [
        (plain(d.title), text(d, "modality", notes), size(d, notes), collected(d, notes), text(d, "organisation", notes),
         _joined(d, "crawlers", notes))
        for d in facts.of_origin(datasets, "crawled")
    ]  # fmt: skip
    if rows:
        yield from ("### Crawled and Scraped from Online Sources", "")
        head = ("Dataset", "Modality", "Dataset Size", "Collection Period", "Collecting Organisation", "Crawlers")
        yield from table(head, rows)


def _third_party(datasets: Sequence[Dataset], notes: Notes) -> Iterator[str]:
    yield from _private(
        "### Private Non-publicly Accessible Datasets of Third Parties",
        facts.of_origin(datasets, "third_party", "licensed"), notes,
    )  # fmt: skip


def _own(datasets: Sequence[Dataset], notes: Notes) -> Iterator[str]:
    yield from _private(
        "### Private Non-publicly Accessible Datasets of Our Own, and User Data",
        facts.of_origin(datasets, "own", "user"), notes,
    )  # fmt: skip


def _private(title: str, datasets: Sequence[Dataset], notes: Notes) -> Iterator[str]:
    if datasets:
        rows = [
            (plain(d.title), names(d, "generator_models", notes), collected(d, notes), size(d, notes)) for d in datasets
        ]
        yield from (title, "")
        yield from table(("Dataset", "Model(s) used", "Collection Period", "Dataset Size"), rows)


def _synthetic(datasets: Sequence[Dataset], notes: Notes) -> Iterator[str]:
    rows = [
        (plain(d.title), text(d, "modality", notes), size(d, notes), names(d, "seed_datasets", notes),
         names(d, "generator_models", notes))
        for d in facts.of_origin(datasets, "synthetic")
    ]  # fmt: skip
    if rows:
        yield from ("### Synthetic Datasets", "")
        head = ("Dataset", "Modality", "Dataset Size", "Seed Dataset", "Model(s) used for generation")
        yield from table(head, rows)


def _other(datasets: Sequence[Dataset], notes: Notes) -> Iterator[str]:
    rows = []
    for d in facts.of_origin(datasets, "other", None):
        parents = [plain(p["name"]) for p in d.told["parents"]]
        derived = Figure(None, (d.place("parents"),))
        known = parents and d.about["origin"] is None
        origin = notes.number(derived, f"derived from {', '.join(parents)}") if known else text(d, "origin", notes)
        rows.append((plain(d.title), origin, size(d, notes)))
    if rows:
        yield from ("### Datasets of Other or Undeclared Origin", "")
        yield from table(("Dataset", "Origin", "Dataset Size"), rows)


def _languages(datasets: Sequence[Dataset], notes: Notes) -> Iterator[str]:
    yield from ("### Language Distribution", "")
    found = facts.table(datasets, "languages")
    if found:
        known, whole = facts.summed(f for k, f in found.items() if k not in ("(none)", "und")), facts.records(datasets)
        yield f"Known for {notes.number(known)} of {notes.number(whole)} records."
        yield ""
        yield from _distribution(found, "Language", notes)
    else:
        yield "Not measured: no recipe has the `language` filter, and the records do not name their language."
    if pairs := {k: f for k, f in facts.table(datasets, "pairs").items() if k != "(none)"}:
        yield from ("", "Translation pairs (the answer is in another language than the prompt, from-to):", "")
        yield from _distribution(pairs, "Pair", notes)


def _distribution(found: dict[str, Figure], name: str, notes: Notes) -> Iterator[str]:
    whole = sum(f.value for f in found.values())
    shown, rest = list(found.items())[:MOST_ROWS], list(found.values())[MOST_ROWS:]
    lines = [(plain(value), f) for value, f in shown]
    if rest:
        lines.append((f"{len(rest):,} others", facts.summed(rest)))
    rows = [(value, notes.number(f), f"{100 * f.value / whole:.1f} %") for value, f in lines]
    yield from table((name, "Records", "Share"), rows, numbers=(1, 2))


def _processing(datasets: Sequence[Dataset], notes: Notes) -> Iterator[str]:
    yield from ("### Data Processing", "")
    yield "Records read and kept, and those that each filter was the first to reject:"
    yield ""
    rows = []
    for d in datasets:
        filters = [
            f"{plain(f['name'])} {notes.number(d.figure('filters', i, 'rejected_first'))}"
            for i, f in enumerate(d.told["filters"])
            if f["rejected_first"]
        ]
        read, kept = (notes.number(d.figure("records", k)) for k in ("read", "kept"))
        rows.append((plain(d.label), read, kept, ", ".join(filters) or "none"))
    yield from table(("Dataset", "Read", "Kept", "Rejected"), rows, numbers=(1, 2))


def _privacy(datasets: Sequence[Dataset], notes: Notes) -> Iterator[str]:
    yield from ("### Privacy", "")
    for d in datasets:
        place = Figure(None, (d.place("filters"), *((d.place("forgotten"),) if d.told.get("forgotten") else ())))
        yield f"- **{plain(d.label)}:** {notes.number(place, ' '.join(personal_data(d.told)))}"
        yield from _found(d, notes)
        yield f"  Consent: {text(d, 'consent', notes)}. Opting out: {text(d, 'opt_out', notes)}."


def _found(d: Dataset, notes: Notes) -> Iterator[str]:
    """Shares of records with each kind of personal data, as audited."""
    audit = d.told.get("audit")
    if audit is None:
        yield "  No audit is recorded: how much personal data is left is not known."
        return
    told = []
    for i, f in enumerate(audit["figures"]):
        if f["section"] == "pii" and f["value"] == "any" and f["denominator"]:
            shown = f"{plain(f['axis'])} {100 * f['share']:.2f} % ({100 * f['low']:.2f} to {100 * f['high']:.2f})"
            told.append(notes.number(Figure(None, (d.place("audit", "figures", i),)), shown))
    looked = notes.number(d.figure("audit", "looked_at"))
    if told:
        yield f"  An audit of {looked} records found, by share of records with a 95 % interval: {', '.join(told)}."
        return
    # A zero is an upper bound, never "none".
    most = 100 * share(0, audit["looked_at"], audit["records"]).high
    yield f"  An audit of {looked} records found none of what it looks for: at most {most:.2f} % of the records hold any (95 %)."


def _bias(datasets: Sequence[Dataset], notes: Notes) -> Iterator[str]:
    yield from ("### Bias", "")
    for d in datasets:
        audit = d.told.get("audit")
        if audit is None:
            yield f"- **{plain(d.label)}:** no audit is recorded: who is mentioned in it is not known."
            continue
        yield f"- **{plain(d.label)}:**"
        for i, sentence in enumerate(audit["sentences"]):
            yield f"  - {notes.number(Figure(None, (d.place('audit', 'sentences', i),)), plain(sentence))}"


def _gaps(datasets: Sequence[Dataset], notes: Notes) -> Iterator[str]:
    missing = [d for d in datasets if d.about["undeclared"]]
    if missing:
        yield from ("### Undeclared", "")
        for d in missing:
            fields = Figure(None, (d.place("about", "undeclared"),))
            yield f"- **{plain(d.label)}:** {notes.number(fields, ', '.join(f'`{n}`' for n in d.about['undeclared']))}"


def _joined(d: Dataset, field: str, notes: Notes) -> str:
    value = d.about[field]
    shown = UNDECLARED if value is None else ", ".join(map(plain, value)) or "none"
    return notes.number(Figure(value, (d.place("about", field),)), shown)
