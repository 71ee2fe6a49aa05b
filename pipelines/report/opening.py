"""The top of the page: what the dataset is, in one sentence and a few figures; and whether something is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pipelines import listing
from pipelines.report.markup import number, percent, text


def opening(told: Mapping[str, Any]) -> str:
    """The sentence, the figures, and a warning when shards are missing."""
    r = told["records"]
    share = f", {percent(r['kept'], r['read'])}" if r["read"] else ""
    lead = f"<strong>{r['kept']:,}</strong> of {r['read']:,} records kept{share}"
    figures = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in _figures(told))
    return f'<p class="lead">{lead}</p>\n<p class="about">{_about(told)}</p>\n{_missing(told)}<dl class="figures">{figures}</dl>'


def _about(told: Mapping[str, Any]) -> str:
    found = listing.tally(told, "status", "schema")
    schemas = Counter({schema or "?": n.files for (status, schema), n in found.items() if status == "read"})
    kinds = ", ".join(text(name) for name, _ in schemas.most_common(4)) + (" and others" if len(schemas) > 4 else "")
    filters = ", ".join(text(f["name"]) for f in told["filters"][1:])
    shards = f"{schemas.total():,} shard{'' if schemas.total() == 1 else 's'}"
    return (
        f"Read from {shards}{f' ({kinds})' if kinds else ''} and judged by {filters}. "
        "Every count below is the manifest’s; <code>manifest.json</code>, beside this file, has them all."
    )


def _missing(told: Mapping[str, Any]) -> str:
    if told["complete"]:
        return ""
    failed, of = listing.tally(told, "status")["failed",].files, listing.number_of_inputs(told)
    return (
        f'<p class="warning" role="note"><strong>Not complete:</strong> {failed:,} of {of:,} shards could not be '
        'read to the end and are not in the dataset. <a href="#provenance">Provenance</a> names them.</p>\n'
    )


def _figures(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    edited = sum(f["records_edited"] for f in told["filters"])
    shown = [
        ("read", number(told["records"]["read"])),
        ("kept", number(told["records"]["kept"])),
        ("rejected", number(told["records"]["rejected"])),
        ("edited", number(edited)),
    ]
    tokens = told.get("tokens")
    if isinstance(tokens, Mapping) and isinstance(count := tokens.get("total"), int):
        shown.append(("tokens" if tokens.get("exact") else "tokens, about", number(count)))
    languages = [name for name in told["tables"].get("languages", {}) if not name.startswith("(") and name != "und"]
    if languages:
        shown.append(("languages", number(len(languages))))
    return [*shown, ("in data/", size(listing.sums(told, "data").bytes))]


def size(count: float) -> str:
    """Bytes in the unit that suits them."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"
