"""Clusters of duplicates: how large they are, and which are the largest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.report.markup import Section, bar, code, records, table, text


def section(told: Mapping[str, Any]) -> Section:
    found = told.get("summaries", {}).get("duplicates")
    return Section("duplicates", "Duplicates", _body(found) if found else "")


def _body(found: Mapping[str, Any]) -> str:
    if not found["records"]:
        return "<p>No record is a duplicate of another.</p>"
    most = max(found["sizes"].values())
    sizes = [(size, count, bar(count, most)) for size, count in found["sizes"].items()]
    largest = [
        (code(e["kept"]), f"{e['dataset']} {e['at']}" if "dataset" in e else e["at"], e["size"])
        for e in found["largest"]
    ]
    against = "".join(
        f"<p>Of these, {records(n)} stand in <strong>{text(name)}</strong> already.</p>"
        for name, n in found["against"].items()
    )
    return (
        f"<p>{records(found['records'])} went as duplicates in {found['clusters']:,} clusters; of each, one record stands for the others. "
        f"Compared: {text(found['what'].replace('_', ' '))}.</p>{against}"
        + table("Clusters by size", ("records in it", "clusters", ""), sizes)
        + table("The largest clusters", ("the record that stands for it", "place", "records in it"), largest)
    )
