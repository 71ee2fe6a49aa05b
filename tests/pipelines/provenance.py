"""What the tests of provenance share: small datasets made in this process, with a tokenizer as the only filter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import recipe
from pipelines.run import Result, run
from tests.support import tokenizer

DECLARED: dict[str, Any] = {
    "title": "Bread, explained",
    "description": "Questions on bread, with answers.",
    "version": "1.10",
    "origin": "public",
    "urls": ["https://example.org/bread"],
    "sources": ["Old bread book", {"name": "bread-qa", "url": "https://huggingface.co/datasets/bakers/bread-qa"}],
    "collected_from": 2023,
    "collected_to": "2024-05",
    "collection_method": "automated",
    "labelling_method": "human",
    "organisation": "The Bakers",
    "licence": "CC-BY-4.0",
    "consent": "the bakers agreed",
    "opt_out": "write to us",
    "illegal_content": "looked through by hand",
    "contact": "bread@example.org",
    "intended_use": "fine-tuning",
}


def write(folder: Path, name: str, table: pa.Table) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / name)


def bread(rows: int = 6, seed: int = 0) -> pa.Table:
    """Rows of which the last is too short to be kept by ``curate``'s default bounds."""
    texts = [f"Bread {seed} rises because of yeast, number {i}." for i in range(rows - 1)]
    return pa.table({"id": [f"{seed}-{i}" for i in range(rows)], "prompt": ["Why?"] * rows, "response": [*texts, ""]})


def wanted(home: Path, out: str = "out", about: dict[str, Any] | None = None, **sections: Any) -> recipe.Recipe:
    """The recipe of a dataset over home/in; its filter drops records of fewer than 6 tokens."""
    path = home / "tokenizer.json"
    options = {"tokenizer": str(path if path.exists() else tokenizer(path)), "least": 6, **sections.pop("tokens", {})}
    document = {
        "name": sections.pop("name", "bread"),
        "input": {"path": str(sections.pop("input", home / "in"))},
        "output": {"path": str(home / out)},
        "filters": [{"tokens": options}],
        **({"about": about} if about is not None else {}),
        **sections,
    }
    return recipe.from_document(document)


def curate(home: Path, out: str = "out", about: dict[str, Any] | None = None, **sections: Any) -> Result:
    if "input" not in sections and not (home / "in").exists():
        write(home / "in", "a.parquet", bread(6, 0))
        write(home / "in", "more/b.parquet", bread(4, 1))
    return run(wanted(home, out, about, **sections))
