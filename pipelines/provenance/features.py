"""Columns of the manifest as Hugging Face `datasets` features, in the YAML of a dataset card."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_PLAIN = re.compile(
    r"null|bool|u?int(8|16|32|64)|(large_)?(string|binary)|string_view|binary_view|time(32|64)\[\w+\]|timestamp\[.+\]|"
    r"duration\[\w+\]|decimal(128|256)\(\d+, -?\d+\)|fixed_size_binary\[\d+\]"
)
_RENAMED = {
    "halffloat": "float16",
    "float": "float32",
    "double": "float64",
    "date32[day]": "date32",
    "date64[ms]": "date64",
}


class NoFeatureError(ValueError):
    """A type that `datasets` has no feature for: maps, say."""


def features(columns: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What ``Features._to_yaml_list`` makes of the same Arrow schema. Raises NoFeatureError."""
    return [{"name": c["name"], **_feature(c)} for c in columns]


def _feature(column: Mapping[str, Any]) -> dict[str, Any]:
    kind = column["type"]
    if kind == "struct":
        return {"struct": features(column["fields"])}
    if kind in ("list", "large_list", "fixed_size_list"):
        [item] = column["fields"]
        inner: Any = _feature(item)
        if list(inner) in (["dtype"], ["struct"]):
            [inner] = inner.values()
        length = {"length": column["length"]} if kind == "fixed_size_list" else {}
        return {"large_list" if kind == "large_list" else "list": inner, **length}
    if kind in _RENAMED:
        return {"dtype": _RENAMED[kind]}
    if _PLAIN.fullmatch(kind):
        return {"dtype": kind}
    raise NoFeatureError(kind)
