"""One reading of every schema: a record batch becomes a Batch that filters see, and the homes of its text."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from filters import paths
from filters.batch import Batch
from filters.reading import ReadFilter
from pipelines.schemas import columns, documents, messages, pairs
from pipelines.schemas.arrays import Text, compact, is_string
from pipelines.schemas.layout import Layout, Leaf
from pipelines.schemas.recognise import PERSONAL_FACTS, Columns
from pipelines.schemas.utf8 import valid_columns

_SHORT_ID = re.compile(r"[A-Za-z0-9_.:/\-]{1,128}")
_LONG_NUMBER = re.compile(r"\d{9,}")


@dataclass(frozen=True)
class Read:
    """batch: what filters see. leaves and texts: the homes of its segments, by ``Segments.leaf``, and their strings."""

    batch: Batch
    leaves: tuple[Leaf, ...]
    texts: tuple[Text, ...]


def read(
    rows: pa.RecordBatch, schema: Columns, *, max_record_bytes: int, problems: dict[int, str] | None = None
) -> Read:
    """Lay a record batch out. problems: row -> reason, for rows the file reader already found to be broken."""
    mapping = dict(schema.mapping)
    textual, told = _text_columns(schema), {mapping[n].partition(".")[0] for n in _FACTS if n in mapping}
    rows = pa.RecordBatch.from_arrays(
        [compact(c) if name in textual | told else c for name, c in zip(rows.schema.names, rows.columns, strict=True)],
        schema=rows.schema,
    )
    clean, broken = valid_columns(rows, textual)
    # What a record says of itself is not its text: bytes that are not UTF-8 are no reason to reject it.
    stated, _ = valid_columns(clean, told)
    layout = Layout(rows.num_rows, unreadable=[(r, reason) for r, reason in (problems or {}).items()])
    layout.unreadable += [(int(r), "invalid_utf8") for r in broken]

    turns = np.zeros(rows.num_rows, np.int64)
    if "text" in mapping:
        columns.lay_out_text(layout, mapping["text"], clean.column(mapping["text"]))
    else:
        if column := mapping.get("messages"):
            array = clean.column(column)
            reader = documents if is_string(array.type) else pairs if pairs.is_pairs(array.type) else messages
            reader.lay_out(layout, column, array)
            turns = layout.turn_counts()
            if column := mapping.get("chosen"):
                messages.lay_out(layout, column, clean.column(column), turns)
        columns.lay_out(layout, clean, mapping, turns)
    if column := mapping.get("tools"):
        columns.lay_out_tools(layout, column, clean.column(column))
    for column in schema.metadata:
        columns.lay_out_metadata(layout, column, clean.column(column))

    laid, segments = layout.finish()
    size = np.bincount(segments.record, weights=segments.length, minlength=rows.num_rows)
    layout.unreadable += [(int(r), "record_too_large") for r in np.flatnonzero(size > max_record_bytes)]
    # A licence that cannot be read is not a licence that is missing, for which a declared one would stand: it stays as it is.
    facts = {name: fact_of(rows if name == "license" else stated, mapping[name]) for name in mapping if name in _FACTS}
    batch = Batch(rows, pa.nulls(0), laid, segments, facts, tuple(_first_reason(layout.unreadable)))
    ids = _ids(batch, facts.get("id"))
    return Read(Batch(rows, ids, laid, segments, facts, batch.unreadable), tuple(layout.leaves), tuple(layout.texts))


_FACTS = ("id", "license", "generator", "language", "finish_reason", "train_turns", *PERSONAL_FACTS)


def fact_of(rows: pa.RecordBatch, column: str) -> pa.Array:
    """What a record says of itself, in a column or, as in ``metadata.license``, inside one."""
    found = paths.at(rows, column)
    return pa.nulls(len(rows), pa.string()) if found is None else found


def _text_columns(schema: Columns) -> set[str]:
    told = {c for name, c in schema.mapping.items() if name not in _FACTS}
    return told | set(schema.metadata)


def _first_reason(found: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """One reason a record, the most severe."""
    order = list(ReadFilter.reasons)
    best: dict[int, str] = {}
    for record, reason in sorted(found, key=lambda f: order.index(f[1])):
        best.setdefault(record, reason)
    return sorted(best.items())


def _ids(batch: Batch, column: pa.Array | None) -> pa.Array:
    """The source's own key where it is a short token, else a hash of the text.

    A key with an ``@``, spaces or a long number in it could itself name a person, and annotations hold no such thing.
    """
    given = [None] * len(batch) if column is None else column.to_pylist()
    return pa.array([_id(batch, r, value) for r, value in enumerate(given)], pa.string())


def _id(batch: Batch, record: int, given: object) -> str:
    if isinstance(given, int) or (
        isinstance(given, str) and _SHORT_ID.fullmatch(given) and not _LONG_NUMBER.fullmatch(given)
    ):
        return str(given)
    digest = hashlib.blake2b(digest_size=12)
    segments = batch.segments
    for i in range(batch.record_start[record], batch.record_start[record + 1]):
        digest.update(b"%d %d %d\0" % (segments.turn[i], segments.channel[i], segments.length[i]))
        digest.update(segments.buffers[segments.buffer[i]][segments.start[i] : segments.end[i]])
    return "b2-" + digest.hexdigest()
