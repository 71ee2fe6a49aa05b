"""Looking into nested Arrow columns without copying text, and writing one string leaf of them anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def is_string(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def is_list(kind: pa.DataType) -> bool:
    """Every list type Parquet can give back."""
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def is_list_of_struct(kind: pa.DataType) -> bool:
    return is_list(kind) and pa.types.is_struct(kind.value_type)


def compact(array: pa.Array) -> pa.Array:
    """The same values with no slice offset at any level and nothing hidden under a null list.

    Nearly always the array itself: readers hand out fresh arrays. Everything below counts on it.
    """
    return array.take(pa.array(np.arange(len(array)))) if _has_slack(array) else array


def _has_slack(array: pa.Array) -> bool:
    if array.offset:
        return True
    kind = array.type
    if pa.types.is_struct(kind):
        return any(_has_slack(array.field(i)) for i in range(kind.num_fields))
    if pa.types.is_fixed_size_list(kind):
        return len(array.values) != len(array) * kind.list_size or _has_slack(array.values)
    if is_list(kind):
        offsets = array.offsets.to_numpy()
        hidden = array.null_count and np.diff(offsets)[is_null(array)].any()
        return bool(hidden) or offsets[0] != 0 or offsets[-1] != len(array.values) or _has_slack(array.values)
    return False


def is_null(array: pa.Array) -> np.ndarray:
    return pc.is_null(array).to_numpy(zero_copy_only=False)


def list_offsets(array: pa.Array) -> np.ndarray:
    """int64[n + 1]: elements of row r are ``array.values[offsets[r]:offsets[r + 1]]``."""
    if pa.types.is_fixed_size_list(array.type):
        return np.arange(len(array) + 1, dtype=np.int64) * array.type.list_size
    return array.offsets.to_numpy().astype(np.int64, copy=False)


def list_values(array: pa.Array) -> pa.Array:
    return array.values


@dataclass(frozen=True)
class Text:
    """A string array as numpy views: element e is ``data[starts[e]:ends[e]]``; null elements are empty."""

    data: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    null: np.ndarray


def text_of(array: pa.Array) -> Text:
    """Zero-copy for string and large_string; dictionary and view types are decoded first."""
    if pa.types.is_null(array.type) or not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        array = array.cast(pa.large_string())
    validity, offsets, data = array.buffers()
    del validity
    width = np.int64 if pa.types.is_large_string(array.type) else np.int32
    if len(array) == 0 or offsets is None:
        bounds = np.zeros(len(array) + 1, np.int64)
    else:
        bounds = np.frombuffer(offsets, width)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    bytes_ = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    null = is_null(array)
    starts, ends = bounds[:-1], np.where(null, bounds[:-1], bounds[1:])
    return Text(bytes_, starts, ends, null)


def leaf(array: pa.Array, path: tuple[str, ...]) -> pa.Array:
    """The array a path leads to: ``[]`` goes into a list's elements, any other name into a struct's field."""
    for name in path:
        array = list_values(array) if name == "[]" else array.field(name)
    return array


def with_leaf(array: pa.Array, path: tuple[str, ...], new: pa.Array) -> pa.Array:
    """The compact nested array with one leaf replaced by an array of the same length and type."""
    if not path:
        return new
    kind = array.type
    validity = array.buffers()[0]
    if path[0] == "[]":
        child = with_leaf(array.values, path[1:], new)
        buffers = [validity] if pa.types.is_fixed_size_list(kind) else [validity, array.buffers()[1]]
        return pa.Array.from_buffers(kind, len(array), buffers, null_count=array.null_count, children=[child])
    at = kind.get_field_index(path[0])
    children = [array.field(i) for i in range(kind.num_fields)]
    children[at] = with_leaf(children[at], path[1:], new)
    return pa.Array.from_buffers(kind, len(array), [validity], null_count=array.null_count, children=children)
