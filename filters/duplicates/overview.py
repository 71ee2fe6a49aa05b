"""What a dataset's duplicates come to: how large clusters are, and which are the largest. Record ids and places, never text."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

LARGEST = 20
"""Clusters that are named."""


def overview(rejected: pa.Table, options: Any) -> dict[str, Any]:
    """A cluster is a record that is kept and those that are rejected for it; its size counts both.

    sizes: clusters by size, those above 10 by the power of two that they do not pass. largest: by size, then by place.
    """
    by_place = rejected.group_by(["dataset", "at", "duplicate_of"]).aggregate([([], "count_all")])
    sizes = by_place["count_all"].to_numpy() + 1
    told = by_place.select(["dataset", "at", "duplicate_of"])
    most = np.partition(sizes, -LARGEST)[-LARGEST] if len(sizes) > LARGEST else 0
    large = np.flatnonzero(sizes >= most)
    rows = [
        {**row, "size": int(sizes[i])} for row, i in zip(told.take(pa.array(large)).to_pylist(), large, strict=True)
    ]
    rows.sort(key=lambda r: (-r["size"], r["dataset"] or "", r["at"]))
    counts = Counter(map(_bin, sizes.tolist()))
    elsewhere = Counter(d for d in rejected["dataset"].to_pylist() if d is not None)
    return {
        "what": options.what,
        "clusters": len(sizes),
        "records": len(rejected),
        "sizes": {name: counts[name] for name in sorted(counts, key=lambda n: int(n.rpartition("-")[2]))},
        "largest": [
            {
                "kept": r["duplicate_of"],
                "at": r["at"],
                "size": r["size"],
                **({"dataset": r["dataset"]} if r["dataset"] else {}),
            }
            for r in rows[:LARGEST]
        ],
        "against": dict(sorted(elsewhere.items())),
    }


def _bin(size: int) -> str:
    if size <= 10:
        return str(size)
    top = 1 << (size - 1).bit_length()
    return f"{max(11, top // 2 + 1)}-{top}"
