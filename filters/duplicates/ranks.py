"""Which of several records is the better one, by the recipe's rule, as a number: the least is kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from filters import paths
from filters.batch import Batch
from filters.contract import CHECKED
from filters.duplicates.texts import Ranges

RIGHT = frozenset({"true", "verified", "correct", "pass", "passed", "yes"})
"""How a column says in words that a record was found right."""


def ranks(batch: Batch, ranges: Ranges, options: Any) -> np.ndarray:
    """int64[n]. For ``first`` all are equal: the place decides, and it is not known here; nor is what other filters verified."""
    if options.keep == "longest":
        size = np.zeros(len(batch), np.int64)
        np.add.at(size, batch.segments.record[ranges.segment], ranges.end - ranges.start)
        return -size
    if options.keep == "verified" and options.verified:
        return np.where(_right(paths.at(batch.source, options.verified), len(batch)), 0, 1)
    if options.keep == "licence":
        return _by_licence(batch.facts.get("license"), options.licences, len(batch))
    return np.zeros(len(batch), np.int64)


def by_checks(signatures: pa.Table) -> np.ndarray:
    """int64[n], from what other filters found: the answer counts before the code, and what none could tell before what is wrong."""
    rank = np.zeros(len(signatures), np.int64)
    for what in CHECKED:
        column = f"checked.{what}"
        # Another dataset's records have none, and stay whatever they are.
        if column in signatures.column_names:
            rank = 3 * rank + (1 - signatures[column].to_numpy().astype(np.int64))
    return rank


def _right(column: pa.Array | None, count: int) -> np.ndarray:
    if column is None:
        return np.zeros(count, bool)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_boolean(column.type):
        return column.fill_null(False).to_numpy(zero_copy_only=False)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return column.cast(pa.float64(), safe=False).fill_null(0).to_numpy(zero_copy_only=False) > 0
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return np.zeros(count, bool)
    told = column.cast(pa.large_binary()).to_pylist()
    return np.array([v is not None and v.decode("utf-8", "replace").strip().lower() in RIGHT for v in told], bool)


def _by_licence(column: pa.Array | None, wanted: tuple[str, ...], count: int) -> np.ndarray:
    # Imported here: the licence library takes a while to load, and only this rule needs it.
    from filters.licence.expressions import Normaliser
    from filters.licence.library import load, matches
    from filters.licence.values import expressions

    rank = np.full(count, len(wanted), np.int64)
    if column is None or pa.types.is_null(column.type):
        return rank
    found = expressions(column, Normaliser(load(""), "and")).dictionary_encode()
    place = {
        v: next((i for i, w in enumerate(wanted) if matches(v, [w])), len(wanted)) for v in found.dictionary.to_pylist()
    }
    codes = found.indices.fill_null(len(place)).to_numpy()
    return np.array([*place.values(), len(wanted)], np.int64)[codes]
