"""Which stratum a record is in: the value of a column, as far as it may be shown, or its shard."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.audit.dataset import Dataset, Source
from pipelines.errors import UsageError
from pipelines.names import nearest
from pipelines.schemas.arrays import is_list
from pipelines.schemas.recognise import PERSONAL_FACTS
from pipelines.write import _PLAIN as PLAIN

WHOLE = ""
"""The one stratum of a dataset that is not cut."""
SHARD = "shard"
MOST = 1000
"""Strata: a column with more values than this is no way to cut a dataset."""
FACTS = ("language", "license", "generator")
NONE, OTHER = "(none)", "(other)"


def column(by: str, source: Source) -> str | None:
    """The column of a shard that its strata come from; None where the shard has it not, or no column is asked for."""
    if by in ("", SHARD):
        return None
    name = source.columns.mapping.get(by, by) if by in FACTS else by
    return name if name in source.schema.names else None


def check(by: str, datasets: Sequence[Dataset]) -> None:
    """Raises UsageError when no shard of a dataset has the column, or its values would put people into the report."""
    if by in ("", SHARD):
        return
    for dataset in datasets:
        having = [s for s in dataset.sources if column(by, s)]
        if not having:
            names = dataset.sources[0].schema.names
            told = f"no {by} column{nearest(by, names)}; there are {', '.join(names)}, and shard"
            raise UsageError(f"{dataset.name}: {told}")
        for source in having:
            _check_one(by, source)


def _check_one(by: str, source: Source) -> None:
    name = column(by, source)
    mapping = source.columns.mapping
    texts = {c for s, c in mapping.items() if s not in (*FACTS, "finish_reason", *PERSONAL_FACTS)}
    if name in texts or name in {mapping.get(s) for s in PERSONAL_FACTS}:
        raise UsageError(
            f"--by {by}: its values are texts, ids or people, and would stand in the report; name another column"
        )
    kind = source.schema.field(name).type
    inner = kind.value_type if is_list(kind) or pa.types.is_dictionary(kind) else kind
    if pa.types.is_nested(inner) or pa.types.is_binary(inner) or pa.types.is_large_binary(inner):
        raise UsageError(f"--by {by}: a column of {kind} names no strata; give one of short values")


def names(by: str, source: Source, rows: pa.RecordBatch) -> tuple[np.ndarray, list[str]]:
    """(code of each record's stratum, the strata's names)."""
    found = column(by, source)
    if found is None:
        name = source.shard.name if by == SHARD else NONE if by else WHOLE
        return np.zeros(rows.num_rows, np.int64), [name]
    return shown(rows.column(found))


def shown(values: pa.Array) -> tuple[np.ndarray, list[str]]:
    """(code of each value, the values): short plain ones as they are, others as "(other)", so that no text gets into a table."""
    try:
        index, told = _values(values)
    except (pa.ArrowException, UnicodeDecodeError):
        # Structs, bytes: nothing that names anything.
        index, told = np.asarray(values.is_null()).astype(np.int64), [OTHER, NONE]
    unique = sorted(set(told))
    return np.array([unique.index(v) for v in told], np.int64)[index], unique


def _values(values: pa.Array) -> tuple[np.ndarray, list[str]]:
    if is_list(values.type):
        values = pa.array([" | ".join(map(str, v)) if v else None for v in values.to_pylist()], pa.string())
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    encoded = pc.dictionary_encode(values.cast(pa.string()))
    told = [v if PLAIN.fullmatch(v) else OTHER for v in encoded.dictionary.to_pylist()] + [NONE]
    return encoded.indices.fill_null(len(told) - 1).to_numpy(zero_copy_only=False), told
