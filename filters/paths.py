"""Values inside columns: ``metadata.license`` through structs and JSON strings."""

from __future__ import annotations

from typing import Any

import orjson
import pyarrow as pa


def at(rows: pa.RecordBatch, path: str) -> pa.Array | None:
    """The column of that name, or the field below the column that the path begins with; null where a row has no such field.

    Arrays of structs are taken apart as columns; JSON is parsed row by row. None if the rows have no such column.
    """
    if path in rows.schema.names:
        return rows.column(path)
    name, _, rest = path.partition(".")
    return _below(rows.column(name), rest.split(".")) if rest and name in rows.schema.names else None


def inside(schema: pa.Schema, path: str) -> bool:
    """Whether a schema has the column, or a struct column the field. What JSON strings hold is not known from a schema."""
    if path in schema.names:
        return True
    name, _, rest = path.partition(".")
    if name not in schema.names or not rest:
        return False
    kind = schema.field(name).type
    for step in rest.split("."):
        if not pa.types.is_struct(kind) or kind.get_field_index(step) < 0:
            return False
        kind = kind.field(step).type
    return True


def _below(array: pa.Array, steps: list[str]) -> pa.Array:
    while steps and pa.types.is_struct(array.type):
        if array.type.get_field_index(steps[0]) < 0:
            return pa.nulls(len(array), pa.string())
        # Flattened, so that the field of a null struct is null.
        array = array.flatten()[array.type.get_field_index(steps[0])]
        steps = steps[1:]
    if not steps:
        return array
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        return pa.nulls(len(array), pa.string())
    return pa.array([_in_json(v, steps) for v in array.cast(pa.large_binary()).to_pylist()], pa.string())


def _in_json(text: bytes | None, steps: list[str]) -> str | None:
    """A string as it is; anything else as JSON."""
    try:
        value: Any = orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return None
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()
