"""Arrow does not check UTF-8 when it reads; scanners and models must not be given anything else."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

from pipelines.schemas.arrays import is_list, is_string, leaf, list_offsets, list_values, text_of, with_leaf

_BAD = re.compile("[\udc80-\udcff]")


def valid_columns(rows: pa.RecordBatch, textual: set[str]) -> tuple[pa.RecordBatch, np.ndarray]:
    """The batch with every invalid byte of the named columns shown as ``?``, and the records that had one.

    The same length, so positions still hold in the source. Nearly always the batch itself and no record.
    """
    broken: list[np.ndarray] = []
    arrays = list(rows.columns)
    for i, name in enumerate(rows.schema.names):
        if name not in textual or _is_valid(arrays[i]):
            continue
        for path in _string_paths(arrays[i].type):
            found = leaf(arrays[i], path)
            if _is_valid(found):
                continue
            cleaned, elements = _clean(found)
            arrays[i] = with_leaf(arrays[i], path, cleaned)
            broken.append(_records(arrays[i], path, elements))
    if not broken:
        return rows, np.zeros(0, np.int64)
    return pa.RecordBatch.from_arrays(arrays, schema=rows.schema), np.unique(np.concatenate(broken))


def _is_valid(array: pa.Array) -> bool:
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _string_paths(kind: pa.DataType) -> list[tuple[str, ...]]:
    if is_string(kind):
        return [()]
    if is_list(kind):
        return [("[]", *p) for p in _string_paths(kind.value_type)]
    if pa.types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        return [(f.name, *p) for f in fields for p in _string_paths(f.type)]
    return []


def _clean(array: pa.Array) -> tuple[pa.Array, list[int]]:
    kind = array.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        array = array.cast(pa.large_binary())
        array = array.view(pa.large_string())
    text = text_of(array)
    data = text.data.copy()
    elements = []
    for e in np.flatnonzero(text.ends > text.starts):
        low, high = text.starts[e], text.ends[e]
        raw = text.data[low:high].tobytes()
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError:
            elements.append(int(e))
            shown = _BAD.sub("?", raw.decode("utf-8", "surrogateescape")).encode("utf-8")
            data[low:high] = np.frombuffer(shown, np.uint8)
    validity, offsets, _ = array.buffers()
    fixed = pa.Array.from_buffers(array.type, len(array), [validity, offsets, pa.py_buffer(data)])
    return (fixed if fixed.type == kind else fixed.cast(kind)), elements


def _records(array: pa.Array, path: tuple[str, ...], elements: list[int]) -> np.ndarray:
    """The row of the column that each element of a leaf belongs to."""
    starts: list[np.ndarray] = []
    for name in path:
        if name == "[]":
            starts.append(list_offsets(array))
            array = list_values(array)
        else:
            array = array.field(name)
    at = np.array(elements, np.int64)
    for offsets in reversed(starts):
        at = np.searchsorted(offsets, at, side="right") - 1
    return at
