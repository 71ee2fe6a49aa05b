"""Arrow schemas as the manifest tells them, so that cards can be made from it alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from pipelines.units import Plan

LISTS = ("list", "large_list", "fixed_size_list")


def told(plan: Plan) -> list[dict[str, Any]]:
    """One entry a distinct schema, the most frequent first: the configuration's name, its columns, and, where there are several
    schemas, its shards. own_features: the files say themselves what their Hugging Face features are."""
    schemas = plan.schemas()
    names = {s.shard.name: s.columns.name for s in plan.shards}
    taken: set[str] = set()
    entries = []
    for schema, shards in schemas:
        entry: dict[str, Any] = {
            "config": "default" if len(schemas) == 1 else _config(names[shards[0]], taken),
            "columns": [_column(field) for field in schema],
            "own_features": b"huggingface" in (schema.metadata or {}),
        }
        entries.append(entry if len(schemas) == 1 else {**entry, "shards": shards})
    return entries


def outputs_of(entry: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The files in data/ that have one of the manifest's schemas."""
    shards = set(entry.get("shards", ()))
    return [o for o in manifest["outputs"] if o["path"].startswith("data/") and (not shards or o["shard"] in shards)]


def flat(columns: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """Columns and everything nested in them."""
    for column in columns:
        yield column
        yield from flat(column.get("fields", ()))


def _config(schema_name: str, taken: set[str]) -> str:
    base = name = "".join(c if c.isalnum() else "_" for c in schema_name.lower())
    number = 2
    while name in taken:
        name, number = f"{base}_{number}", number + 1
    taken.add(name)
    return name


def _column(field: pa.Field) -> dict[str, Any]:
    """Name, type, and for a nested type the fields in it: of a list its item, of a struct its members."""
    kind = field.type
    if pa.types.is_dictionary(kind):
        return {**_column(field.with_type(kind.value_type)), "dictionary": True}
    told = {"name": field.name}
    if pa.types.is_struct(kind):
        return {**told, "type": "struct", "fields": [_column(f) for f in kind]}
    if pa.types.is_map(kind):
        return {**told, "type": "map", "fields": [_column(kind.key_field), _column(kind.item_field)]}
    for name, is_kind in (("list", pa.types.is_list), ("large_list", pa.types.is_large_list)):
        if is_kind(kind):
            return {**told, "type": name, "fields": [_column(kind.value_field)]}
    if pa.types.is_fixed_size_list(kind):
        return {**told, "type": "fixed_size_list", "length": kind.list_size, "fields": [_column(kind.value_field)]}
    return {**told, "type": str(kind)}
