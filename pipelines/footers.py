"""What Parquet footers said of shards, remembered by content, so that a further run over a million shards opens none of them to plan."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.formats import Part
from pipelines.index import NOWHERE, Index, of_column, to_column
from pipelines.ledger import replacing

FILE, VERSION = "footers.parquet", b"2"
"""VERSION: of what is remembered; another one's is forgotten."""

FIELDS = 5
"""Numbers of a part."""

SCHEMA = pa.schema(
    [("sha256", pa.binary(32)), ("unit_bytes", pa.int64()), ("schema", pa.int32()), ("parts", pa.list_(pa.int64()))]
)


class Footers:
    """``of`` asks for a shard's schema and parts only where they are not known. Schemas that are equal, metadata included, are one
    object, and one number."""

    def __init__(self, path: Path | None = None) -> None:
        """path: of what was remembered; it may not be there, or be torn."""
        table, forms = _read(path)
        self.schemas = [_schema(form) for form in forms]
        self.asked = 0
        self._numbers = {schema.serialize().to_pybytes(): i for i, schema in enumerate(self.schemas)}
        self._lock = threading.Lock()  # shards behind a URL are looked at side by side
        self._digests = Index(of_column(table["sha256"]))
        self._unit_bytes, self._schema = table["unit_bytes"].to_numpy(), table["schema"].to_numpy()
        parts = table["parts"].combine_chunks()
        self._first, self._parts = parts.offsets.to_numpy(), parts.values.to_numpy()
        self._next, self._last = 0, -1

    def __len__(self) -> int:
        return len(self._digests)

    def of(
        self, sha256: bytes, unit_bytes: int, ask: Callable[[], tuple[pa.Schema, list[Part]]]
    ) -> tuple[int, np.ndarray]:
        """The number of the schema of a shard with this content, and its parts (int64[p, FIELDS]), each of about so many bytes."""
        at = self._next  # mostly they come in the order in which they came last time
        if at >= len(self) or self._digests.keys[at].tobytes() != sha256:
            at = self._digests.one(sha256)
        if at == NOWHERE or self._unit_bytes[at] != unit_bytes:
            schema, parts = ask()
            self.asked += 1
            return self.number(schema), numbers(parts)
        self._next = at + 1
        return int(self._schema[at]), self._parts[self._first[at] : self._first[at + 1]].reshape(-1, FIELDS)

    def number(self, schema: pa.Schema) -> int:
        """Of the object that stands for all schemas like it."""
        last = self._last
        if last >= 0 and schema.equals(self.schemas[last], check_metadata=True):
            return last  # as most are, and much sooner known
        form = schema.serialize().to_pybytes()
        with self._lock:
            if form not in self._numbers:
                self._numbers[form] = len(self.schemas)
                self.schemas.append(schema)
            self._last = self._numbers[form]
            return self._last

    def keep(
        self, path: Path, sums: np.ndarray, schema: np.ndarray, first: np.ndarray, parts: np.ndarray, unit_bytes: int
    ) -> None:
        """Remember these shards. sums: uint8[n, 32]; schema: int32[n]; first: int64[n + 1], of each shard its first part and where the last
        one's end; parts: int64[p, FIELDS]. Raises OSError."""
        forms = [base64.b64encode(one.serialize().to_pybytes()).decode() for one in self.schemas]
        told = {b"version": VERSION, b"schemas": json.dumps(forms).encode()}
        lists = pa.ListArray.from_arrays(pa.array(first * FIELDS, pa.int32()), pa.array(parts.ravel()))
        columns = [to_column(sums), pa.array(np.full(len(sums), unit_bytes)), pa.array(schema, pa.int32()), lists]
        with replacing(path) as temporary:
            pq.write_table(pa.table(columns, schema=SCHEMA.with_metadata(told)), temporary, compression="zstd")


def numbers(parts: list[Part]) -> np.ndarray:
    """int64[p, FIELDS]"""
    return np.array([astuple(part) for part in parts], np.int64).reshape(-1, FIELDS)


def _read(path: Path | None) -> tuple[pa.Table, list[str]]:
    """What is remembered; nothing where that cannot be read."""
    nothing = SCHEMA.empty_table(), list[str]()
    if path is None:
        return nothing
    try:
        table = pq.read_table(path)
        told: Mapping[bytes, bytes] = table.schema.metadata or {}
        if told.get(b"version") != VERSION or not table.schema.equals(SCHEMA):
            return nothing
        return table, json.loads(told[b"schemas"])
    except (OSError, pa.ArrowException, ValueError, KeyError):
        return nothing


def _schema(form: str) -> pa.Schema:
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(form)))
