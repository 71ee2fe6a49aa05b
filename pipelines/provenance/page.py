"""The text of a dataset's card: what is in it, how it came about, what is known to be wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines import listing
from pipelines.provenance import tokens
from pipelines.provenance.words import counts, listed, period, plain, size, table

ORIGINS = {
    "public": "publicly available datasets",
    "licensed": "datasets licensed from their rightsholders",
    "third_party": "private datasets of third parties",
    "crawled": "crawled and scraped from online sources",
    "user": "data of a service's users",
    "synthetic": "synthetic, written by models",
    "own": "made by the organisation itself",
    "other": "other sources",
    None: "undeclared",
}


TABLES = (
    ("Languages", "languages", "language"),
    ("Languages of prompt and answer, where they differ", "pairs", "from-to"),
    ("Licences", "licenses", "licence"),
    ("Generators", "generators", "generator"),
)


def page(told: Mapping[str, Any]) -> str:
    """Markdown, from the manifest alone."""
    sections = (_head, _composition, _funnel, _personal_data, _who, _limitations, _citation, _files)
    return "\n".join(line for section in sections for line in [*section(told), ""])


def augmented(told: Mapping[str, Any]) -> int | None:
    """Kept records that are counterfactual copies; None where the recipe asks for none."""
    if listing.tally(told, "augmented").keys() <= {(None,)}:
        return None
    twins = {i["path"] for i in listing.inputs(told) if "augmented" in i}
    return sum(o["rows"] for o in listing.outputs(told, "data") if o["shard"] in twins)


def personal_data(told: Mapping[str, Any]) -> Iterator[str]:
    """What was done about personal data, in sentences."""
    found = [f for f in told["filters"] if f["name"] == "pii"]
    if not found:
        yield "Personal data was not scanned for: the recipe has no `pii` filter."
    for f in found:
        edits = ", ".join(f"{plain(label)} {n:,}" for label, n in sorted(f["edits"].items(), key=lambda e: -e[1]))
        yield (
            f"The `pii` filter looked for personal data in every record. In {f['records_edited']:,} kept records it made "
            f"replacements: {edits or 'none'}. It rejected {f['rejected']:,} records."
        )
        if f["not_scanned"]:
            yield f"Not scanned for: {', '.join(map(plain, f['not_scanned']))}."
    for entry in told.get("forgotten", ()):
        yield f"On {entry['date']} {entry['records']:,} records were taken out on request (list of {plain(entry['kind'])}s)."


def _head(told: Mapping[str, Any]) -> Iterator[str]:
    about, records = told["about"], told["records"]
    yield f"# {plain(about['title'] or told['name'])}"
    yield ""
    if about["description"]:
        yield plain(about["description"])
        yield ""
    yield (
        f"{records['kept']:,} of {records['read']:,} records kept by the recipe `{told['name']}` "
        f"(corpusmill {plain(told['software']['corpusmill'])})."
    )
    if (copies := augmented(told)) is not None:
        yield ""
        yield (
            f"{copies:,} of the kept records are counterfactual copies, in which gendered words and given names are swapped; "
            "they stand in the files whose names end in `.counterfactual.parquet`."
        )
    if not told["complete"]:
        yield "**Not complete**: some shards of the input could not be read; `manifest.json` names them."


def _composition(told: Mapping[str, Any]) -> Iterator[str]:
    data = listing.sums(told, "data")
    yield "## Composition"
    yield ""
    rows = [("records", f"{told['records']['kept']:,}"), ("files", f"{data.files:,}"),
            ("size", size(data.bytes)), ("modality", plain(told["about"]["modality"])),
            ("tokens", tokens.shown(told)), ("version", plain(told["about"]["version"]))]  # fmt: skip
    yield from table(("", ""), rows)
    for title, key, name in TABLES:
        found = told["tables"].get(key, {})
        if set(found) - {"(none)"}:
            yield from ("", f"### {title}", "", *counts(found, name))
    yield from _licences(told)
    if told["about"]["licence"]:
        yield from ("", f"The dataset as a whole is declared to be under {plain(told['about']['licence'])}.")


def _licences(told: Mapping[str, Any]) -> Iterator[str]:
    """As SPDX expressions, with what they ask for, where the recipe has the `licence` filter."""
    found = told.get("summaries", {}).get("licence")
    if not found or not found["licences"]:
        return
    yield from ("", "### Licences, as SPDX expressions", "")
    rows = [
        (
            f"`{e['expression']}`{' (inside texts)' if e['where'] == 'text' else ''}",
            f"{e['records']:,}",
            ", ".join(e["obligations"]),
        )
        for e in found["licences"]
    ]
    yield from table(("licence", "records", "asks for"), rows, numbers=(1,))
    if found["conflicts"]:
        yield from ("", "Licences that do not go together in one work:", "")
        yield from (f"- {' and '.join(f'`{n}`' for n in c['licences'])}: {c['why']}" for c in found["conflicts"])


def _funnel(told: Mapping[str, Any]) -> Iterator[str]:
    yield from ("## How records were chosen", "")
    rows = [(plain(f["name"]), f"{f['rejected']:,}", f"{f['rejected_first']:,}", _reasons(f)) for f in told["filters"]]
    yield from table(("filter", "rejects", "first to reject", "reasons"), rows, numbers=(1, 2))


def _reasons(filter_: Mapping[str, Any]) -> str:
    most = sorted(filter_["reasons"].items(), key=lambda e: (-e[1]["records"], e[0]))[:5]
    return ", ".join(f"`{code}` {n['records']:,}" for code, n in most)


def _personal_data(told: Mapping[str, Any]) -> Iterator[str]:
    yield from ("## Personal data", "")
    yield " ".join(personal_data(told))
    yield from ("", f"Consent: {plain(told['about']['consent'])}. Opting out: {plain(told['about']['opt_out'])}.")


def _who(told: Mapping[str, Any]) -> Iterator[str]:
    about = told["about"]
    yield from ("## Who made it, and from what", "")
    rows = [
        ("origin", ORIGINS[about["origin"]]),
        ("collecting organisation", plain(about["organisation"])),
        ("collection period", period(about)),
        ("collection method", plain(about["collection_method"])),
        ("labelling method", plain(about["labelling_method"])),
        ("sources", listed(about["sources"])),
        ("addresses", " ".join(map(plain, about["urls"])) if about["urls"] else plain(None)),
        ("seed datasets", listed(about["seed_datasets"])),
        ("generator models", listed(about["generator_models"])),
        ("contact", plain(about["contact"])),
    ]
    yield from table(("", ""), rows)
    for parent in told["parents"]:
        yield from ("", f"Derived from `{plain(parent['name'])}` (data digest `{parent['data_digest']}`).")


def _limitations(told: Mapping[str, Any]) -> Iterator[str]:
    about = told["about"]
    yield from ("## Use and limitations", "")
    yield f"Intended use: {plain(about['intended_use'])}."
    yield f"Limitations: {plain(about['limitations'])}."
    if about["undeclared"]:
        names = ", ".join(f"`{n}`" for n in about["undeclared"])
        yield from ("", f"Undeclared by those who made it: {names}.")


def _citation(told: Mapping[str, Any]) -> Iterator[str]:
    yield from ("## How to cite", "")
    cited = told["about"]["citation"]
    if cited:
        yield from ("```", *cited.replace("```", "'''").splitlines(), "```")
    else:
        yield f"{plain(told['about']['title'] or told['name'])}, corpusmill dataset with data digest `{told['data_digest']}`."


def _files(told: Mapping[str, Any]) -> Iterator[str]:
    yield from ("## Files", "")
    yield "`data/` holds the kept records, `rejected/` the others with their reasons, `annotations/` a row a record read."
    yield (
        "`manifest.json` is the source of truth; `report.html` shows it, `croissant.json` and `provenance.intoto.json` say the "
        "same to other tools."
    )
    if (listed := listing.side(told)) is not None:
        yield f"`{listed['path']}` names every file, with its sha256."
