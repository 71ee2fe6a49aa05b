"""What Parquet footers said of shards, remembered by content, so that a further run over a million shards opens none of them to plan."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import pyarrow as pa

from pipelines.formats import Part

FILE, VERSION = "footers.json", 1
"""VERSION: of what is remembered; another one's is forgotten."""

Footer = tuple[pa.Schema, list[Part]]


class Footers:
    """``of`` asks for a shard's schema and parts only where they are not known. Schemas that are equal, metadata included, are one
    object."""

    def __init__(self, known: dict[str, Any] | None = None) -> None:
        known = known if known and known.get("version") == VERSION else {}
        self._schemas = [_read(form) for form in known.get("schemas", ())]
        self._places = {schema.serialize().to_pybytes(): i for i, schema in enumerate(self._schemas)}
        self._known: dict[str, list[Any]] = known.get("shards", {})
        self._used: dict[str, list[Any]] = {}
        self._lock = threading.Lock()  # shards behind a URL are looked at side by side

    def of(self, sha256: str, unit_bytes: int, ask: Callable[[], Footer]) -> Footer:
        """A shard with this content, cut into parts of about so many bytes."""
        key = f"{sha256}:{unit_bytes}"
        entry = self._used.get(key) or self._known.get(key)
        if entry is None:
            schema, parts = ask()
            entry = [self._place(schema), [list(astuple(part)) for part in parts]]
        self._used[key] = entry
        return self._schemas[entry[0]], [Part(*part) for part in entry[1]]

    def one(self, schema: pa.Schema) -> pa.Schema:
        """The object that stands for all schemas like it."""
        return self._schemas[self._place(schema)]

    @property
    def changed(self) -> bool:
        return self._used.keys() != self._known.keys()

    def told(self) -> dict[str, Any]:
        """What this run has used, to be remembered."""
        schemas = [base64.b64encode(schema.serialize().to_pybytes()).decode() for schema in self._schemas]
        return {"version": VERSION, "schemas": schemas, "shards": self._used}

    def _place(self, schema: pa.Schema) -> int:
        form = schema.serialize().to_pybytes()
        with self._lock:
            if form not in self._places:
                self._places[form] = len(self._schemas)
                self._schemas.append(schema)
            return self._places[form]


def _read(form: str) -> pa.Schema:
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(form)))
