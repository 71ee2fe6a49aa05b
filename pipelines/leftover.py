"""What the pii filter still finds in what would be published: the scrubbing, checked by its own measure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import listing
from pipelines.ledger import Ledger
from pipelines.recipe import Recipe
from pipelines.schemas.read import read
from pipelines.schemas.recognise import recognise

SAMPLE = 1000
"""Records looked at: with none found, at most 0.4 % hold something (Wilson, 95 %)."""


def left(ledger: Ledger, recipe: Recipe, told: Mapping[str, Any]) -> dict[str, float]:
    """Findings in a thousand kept records, by entity, from a sample that the data's digest seeds."""
    pii = next(s for s in recipe.stages if s.name == "pii").build()
    found: Counter[str] = Counter()
    looked = 0
    for rows in _sample(ledger, told):
        columns = recognise(rows.schema, recipe.input.columns or None)
        batch = read(rows, columns, max_record_bytes=recipe.input.max_record_bytes).batch
        found.update(rule.partition(":")[0] for rule in pii.judge(batch).evidence.rule)
        looked += len(batch)
    return {entity: 1000 * n / looked for entity, n in sorted(found.items())}


def _sample(ledger: Ledger, told: Mapping[str, Any]) -> Iterator[pa.RecordBatch]:
    """Kept records of the finished units, row group by row group."""
    sizes = np.fromiter((o["rows"] for o in listing.outputs(told, "data")), np.int64)
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    chosen = np.random.default_rng(int(told["data_digest"][:16], 16)).choice(total, min(SAMPLE, total), replace=False)
    chosen.sort()
    wanted = set(np.unique(np.searchsorted(ends, chosen, side="right")).tolist())
    for number, entry in enumerate(listing.outputs(told, "data")):
        if number not in wanted:
            continue
        first = int(ends[number] - sizes[number])
        mine = chosen[(chosen >= first) & (chosen < ends[number])] - first
        with pq.ParquetFile(ledger.unit(entry["unit"]) / "data.parquet") as file:
            at = 0
            for group in range(file.metadata.num_row_groups):
                size = file.metadata.row_group(group).num_rows
                here = mine[(mine >= at) & (mine < at + size)] - at
                at += size
                if len(here):
                    rows = file.read_row_group(group, use_threads=False).take(pa.array(here)).combine_chunks()
                    yield from rows.to_batches()
