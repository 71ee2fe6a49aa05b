"""Parquet shards, read row group by row group in batches of bounded bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import stores
from pipelines.errors import MACHINE, ShardError, unexpected
from pipelines.formats import Part, Rows

PROBE_ROWS = 32
"""Rows read first to learn how large they are in Arrow: dictionary pages can make a row group look tiny."""

MAX_ROWS = 1 << 16


def schema(path: str) -> pa.Schema:
    with _opened(path) as file:
        found = file.schema_arrow
        if viewed := next((f.name for f in found if _has_views(f.type)), None):
            raise ShardError(
                f"column {viewed!r} is of a string_view type, which Arrow cannot filter: write it as string"
            )
        return found


def parts(path: str, unit_bytes: int) -> list[Part]:
    """Runs of row groups of about ``unit_bytes`` uncompressed bytes; a file without rows is one empty part."""
    found: list[Part] = []
    with _opened(path) as file:
        meta = file.metadata
        first = row = rows = size = 0
        for g in range(meta.num_row_groups):
            group = meta.row_group(g)
            if g > first and size + group.total_byte_size > unit_bytes:
                found.append(Part(first, g - first, row, rows, size))
                first, row, rows, size = g, row + rows, 0, 0
            rows += group.num_rows
            size += group.total_byte_size
        found.append(Part(first, meta.num_row_groups - first, row, rows, size))
    return found


def rows(path: str, part: Part, schema: pa.Schema, batch_bytes: int) -> Iterator[Rows]:
    """The part's rows in order. Memory is bounded by the batch, not by the row group: pages are decoded as they come."""
    with _opened(path) as file:
        if file.schema_arrow != schema:
            raise ShardError("its schema is not the one it was planned with: it changed while the run was under way")
        for group in range(part.first_group, part.first_group + part.groups):
            for batch in _batches(file, group, batch_bytes):
                yield Rows(pa.RecordBatch.from_arrays(batch.columns, schema=schema), {})


def columns(path: str, names: list[str]) -> Iterator[pa.RecordBatch]:
    """These columns of every row, in order: nothing else is read."""
    with _opened(path) as file:
        yield from file.iter_batches(MAX_ROWS, columns=names, use_threads=False)


def _batches(file: pq.ParquetFile, group: int, batch_bytes: int) -> Iterator[pa.RecordBatch]:
    meta = file.metadata.row_group(group)
    if not meta.num_rows:
        return
    probe = next(file.iter_batches(PROBE_ROWS, row_groups=[group], use_threads=False), None)
    if probe is None or not probe.num_rows:
        raise _short(group, meta.num_rows, 0)
    a_row = max(probe.nbytes / probe.num_rows, meta.total_byte_size / meta.num_rows, 1)
    size = int(min(MAX_ROWS, max(1, batch_bytes // a_row)))
    read = 0
    for batch in file.iter_batches(size, row_groups=[group], use_threads=False):
        read += batch.num_rows
        yield from _split(batch, batch_bytes)
    if read != meta.num_rows:
        raise _short(group, meta.num_rows, read)


def _short(group: int, claimed: int, read: int) -> ShardError:
    return ShardError(f"row group {group} has {read:,} of the {claimed:,} rows it claims: replace or remove the file")


def _has_views(kind: pa.DataType) -> bool:
    if pa.types.is_nested(kind):
        return any(_has_views(kind.field(i).type) for i in range(kind.num_fields))
    return pa.types.is_string_view(kind) or pa.types.is_binary_view(kind)


def _split(batch: pa.RecordBatch, batch_bytes: int) -> Iterator[pa.RecordBatch]:
    """Halves, while a batch is far over its size: rows of a group can differ a thousandfold."""
    if batch.num_rows <= 1 or batch.nbytes <= 4 * batch_bytes:
        yield batch
        return
    half = batch.num_rows // 2
    yield from _split(batch.slice(0, half), batch_bytes)
    yield from _split(batch.slice(half), batch_bytes)


@contextmanager
def _opened(path: str) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(stores.source(path), pre_buffer=False, buffer_size=1 << 20) as file:
            yield file
    except FileNotFoundError:
        raise ShardError("it is not there any more") from None
    except MemoryError as error:
        raise ShardError(unexpected(error)) from None
    except (OSError, pa.ArrowException, ValueError) as error:
        if isinstance(error, OSError) and error.errno in MACHINE:
            raise OSError(error.errno, os.strerror(error.errno), path) from None
        # Arrow's messages speak of pages and offsets, never of values.
        told = " ".join(str(error).split())[:200]
        raise ShardError(f"not readable as Parquet ({told}): replace or remove the file") from None
