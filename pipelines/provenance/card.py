"""README.md of a dataset: the header that ``datasets.load_dataset`` and the Hugging Face Hub read, and a page for people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from pipelines.listing import Sum
from pipelines.provenance import columns
from pipelines.provenance.features import NoFeatureError, features
from pipelines.provenance.page import page

HUB_LICENCES = frozenset(
    {"apache-2.0", "mit", "cc0-1.0", "cc-by-2.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-4.0",
     "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-4.0", "odc-by", "odbl", "pddl", "bsd-2-clause", "bsd-3-clause", "gpl-3.0",
     "lgpl-3.0", "agpl-3.0", "mpl-2.0", "isc", "unlicense", "cdla-permissive-2.0", "cdla-sharing-1.0", "openrail"}
)  # fmt: skip
"""Identifiers that the Hub knows; anything else is ``other``, named beside it."""

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
          (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B"),
          (10_000_000_000, "1B<n<10B"))  # fmt: skip


def render(told: Mapping[str, Any]) -> bytes:
    """The card, from the manifest alone."""
    header = yaml.safe_dump(_header(told), sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{header}---\n\n{page(told)}".encode()


def languages(told: Mapping[str, Any]) -> list[str]:
    """Codes of the languages of kept records, the most frequent first; ``und`` and what is no code are left out."""
    found = told["tables"]["languages"]
    codes = [c for c in sorted(found, key=lambda c: (-found[c], c)) if re.fullmatch(r"[a-z]{2,3}", c)]
    return [c for c in codes if c != "und"]


def size_category(records: int) -> str:
    return next((name for limit, name in _SIZES if records < limit), "n>1T" if records >= 10**12 else "10B<n<100B")


def _header(told: Mapping[str, Any]) -> dict[str, Any]:
    about = told["about"]
    header: dict[str, Any] = {"pretty_name": about["title"] or told["name"], **_licence(told)}
    if codes := languages(told):
        header["language"] = codes
    header["task_categories"] = ["text-generation"]
    header["size_categories"] = [size_category(told["records"]["kept"])]
    header["source_datasets"] = _sources(told)
    header["tags"] = ["corpusmill", *(["synthetic"] if about["origin"] == "synthetic" else [])]
    infos: list[dict[str, Any]] = []
    header["configs"] = []
    for entry in told["schemas"]:
        kept = columns.kept_by(entry, told)
        if not kept.files:
            continue
        path: Any = columns.paths_of(entry, told) if columns.several(told) else "data/**/*.parquet"
        header["configs"].append({"config_name": entry["config"], "data_files": [{"split": "train", "path": path}]})
        infos += _info(entry, kept)
    if infos:
        header["dataset_info"] = infos[0] if len(infos) == 1 else infos
    return header


def _info(entry: Mapping[str, Any], kept: Sum) -> Iterator[dict[str, Any]]:
    """Features and the number of records, which `datasets` checks. Nothing where the files bring features of their own, or a
    type has none: `datasets` finds out by itself then, or says what it cannot read."""
    if entry["own_features"]:
        return
    try:
        made = features(entry["columns"])
    except NoFeatureError:
        return
    yield {
        "config_name": entry["config"],
        "features": made,
        # num_bytes is wanted, but not checked; what the records take once loaded is not known here.
        "splits": [{"name": "train", "num_bytes": kept.bytes, "num_examples": kept.rows}],
        "download_size": kept.bytes,
        "dataset_size": kept.bytes,
    }


def _licence(told: Mapping[str, Any]) -> dict[str, Any]:
    """As declared; where nothing is, what the records themselves say."""
    declared = told["about"]["licence"]
    found = told["tables"].get("spdx") or told["tables"]["licenses"]
    names = [declared] if declared else [n for n in found if n != "(none)"]
    if not names:
        return {"license": "unknown"}
    known = sorted({n.strip().lower().replace(" ", "-") for n in names})
    if all(n in HUB_LICENCES for n in known):
        return {"license": known[0] if len(known) == 1 else known}
    return {
        "license": "other",
        "license_name": "-".join(re.sub(r"[^a-z0-9.]+", "-", n).strip("-") for n in known)[:100],
    }


def _sources(told: Mapping[str, Any]) -> list[str]:
    """``original``, or ``extended|owner/name`` for datasets of the Hub that it was made from."""
    entries = [*(told["about"]["sources"] or ()), *(told["about"]["seed_datasets"] or ())]
    found = (re.match(r"https://huggingface\.co/datasets/([\w.-]+/[\w.-]+)", e.get("url") or "") for e in entries)
    return sorted({f"extended|{m.group(1)}" for m in found if m}) or ["original"]
