"""Licences of records, from a column of whatever type: each distinct value is read once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from filters.licence.expressions import Normaliser

_FIELDS = ("spdx_id", "spdx", "license", "licence", "id", "key", "name", "type", "title", "url")
"""Of a licence given as an object, the first of these that holds something."""
_BETWEEN = "\x1f"


def expressions(column: pa.Array, normaliser: Normaliser) -> pa.Array:
    """string[n]: canonical expressions, null where the record says nothing."""
    if pa.types.is_dictionary(column.type):
        return expressions(column.dictionary, normaliser).take(column.indices)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return _distinct(column, normaliser.expression)
    if _is_list_of_text(column.type) and not pc.list_flatten(column).null_count:
        joined = pc.binary_join(column.cast(pa.list_(pa.string())), _BETWEEN)
        return _distinct(joined, lambda text: normaliser.joined(text.split(_BETWEEN)))
    return pa.array([_of(value, normaliser) for value in _python(column)], pa.string())


def _is_list_of_text(kind: pa.DataType) -> bool:
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    return is_list and (pa.types.is_string(kind.value_type) or pa.types.is_large_string(kind.value_type))


def _distinct(column: pa.Array, read: Callable[[str], str | None]) -> pa.Array:
    """Through bytes, since a licence column need not be valid UTF-8."""
    encoded = column.cast(pa.large_binary()).dictionary_encode()
    made = [read(v.decode("utf-8", "replace")) for v in encoded.dictionary.to_pylist()]
    return pa.array(made, pa.string()).take(encoded.indices)


def _python(column: pa.Array) -> list[Any]:
    """Python values; a column that holds broken text says nothing that can be read."""
    try:
        return column.to_pylist()
    except UnicodeDecodeError:
        return ["?"] * len(column)


def _of(value: Any, normaliser: Normaliser) -> str | None:
    texts = _texts(value)
    return normaliser.expression(texts[0]) if len(texts) == 1 else normaliser.joined(texts)


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return next((t for f in _FIELDS if (t := _texts(value.get(f)))), [])
    if isinstance(value, list):
        return [t for v in value for t in _texts(v)]
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return [] if value is None or value == "" else [str(value)]
