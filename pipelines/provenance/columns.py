"""Arrow schemas as the manifest tells them, so that cards can be made from it alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from glob import escape
from typing import Any

import pyarrow as pa

from pipelines import listing
from pipelines.listing import Sum
from pipelines.units import Plan

LISTS = ("list", "large_list", "fixed_size_list")


def told(plan: Plan) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """One entry a distinct schema, the most frequent first: the configuration's name, its columns, and, where there are several
    schemas, its shards; and then also which of them each shard has. own_features: the files say themselves what their Hugging Face
    features are."""
    kinds, taken = plan.kinds(), set[str]()
    entries: list[dict[str, Any]] = [
        {
            "config": "default" if len(kinds) == 1 else _config(kind.columns.name, taken),
            "columns": [_column(field) for field in kind.schema],
            "own_features": b"huggingface" in (kind.schema.metadata or {}),
            **({"shards": []} if len(kinds) > 1 else {}),
        }
        for kind in kinds
    ]
    if len(kinds) == 1:
        return entries, {}
    of_schema = {id(kind.schema): entry for kind, entry in zip(kinds, entries, strict=True)}
    configs = {}
    for shard, schema in plan.kind_of():
        of_schema[id(schema)]["shards"].append(shard)
        configs[shard] = of_schema[id(schema)]["config"]
    return entries, configs


def several(manifest: Mapping[str, Any]) -> bool:
    """Whether the files in data/ have several schemas, so that the files of each must be named."""
    return len(manifest["schemas"]) > 1


def kept_by(entry: Mapping[str, Any], manifest: Mapping[str, Any]) -> Sum:
    """The files in data/ that have one of the manifest's schemas."""
    return listing.sums(manifest, "data", entry["config"] if several(manifest) else "")


def paths_of(entry: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[str]:
    """Their paths as globs, where there are several schemas."""
    return [escape(o["path"]) for o in listing.outputs(manifest, "data", entry["config"])]


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
