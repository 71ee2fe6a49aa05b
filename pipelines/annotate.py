"""Annotations: one row a record read, with every filter's verdict, scores and evidence. Never text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from filters.batch import CHANNELS, Batch
from filters.contract import EVIDENCE_LIMIT, KEPT, Evidence, Filter, Judgement

EVIDENCE = pa.struct(
    [
        ("turn", pa.int32()),
        ("channel", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("rule", pa.string()),
    ]
)


def score_types(filter_: type[Filter]) -> dict[str, pa.DataType]:
    """A filter's declared scores; Parquet has no empty structs, so one that declares none gets its evidence counted."""
    return dict(filter_.scores) or {"findings": pa.int32()}


def column_type(filter_: type[Filter]) -> pa.StructType:
    return pa.struct(
        [
            ("keep", pa.bool_()),
            ("reason", pa.string()),
            ("scores", pa.struct(list(score_types(filter_).items()))),
            ("evidence", pa.list_(EVIDENCE)),
        ]
    )


def schema(stages: Mapping[str, type[Filter]]) -> pa.Schema:
    fixed = [
        ("record_id", pa.string()),
        ("shard", pa.string()),
        ("row", pa.int64()),
        ("kept", pa.bool_()),
        ("rejected_by", pa.string()),
        ("reason", pa.string()),
    ]
    return pa.schema([*fixed, *((name, column_type(f)) for name, f in stages.items())])


def column(filter_: type[Filter], batch: Batch, judgement: Judgement) -> pa.StructArray:
    """One filter's judgement as its annotation column."""
    kind = column_type(filter_)
    codes = pa.array(list(filter_.reasons), pa.string())
    reason = pa.array(np.where(judgement.reason == KEPT, 0, judgement.reason), mask=judgement.reason == KEPT)
    scores = judgement.scores or {
        "findings": np.bincount(np.array(judgement.evidence.record, np.int64), minlength=len(batch))
    }
    arrays = [_array(scores[name], t) for name, t in score_types(filter_).items()]
    return pa.StructArray.from_arrays(
        [
            pa.array(judgement.keep),
            codes.take(reason),
            pa.StructArray.from_arrays(arrays, fields=list(kind.field("scores").type)),
            _evidence(batch, judgement.evidence),
        ],
        fields=list(kind),
    )


def _array(values: np.ndarray | pa.Array | Sequence, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.Array):
        return values.cast(kind)
    if isinstance(values, np.ndarray) and values.dtype != object:
        return pa.array(values).cast(kind, safe=False)
    return pa.array(values, kind)


def _evidence(batch: Batch, evidence: Evidence) -> pa.ListArray:
    """At most EVIDENCE_LIMIT rows a record, in order of place; offsets in code points."""
    n = len(batch)
    if not len(evidence):
        return pa.array([[]] * n, pa.list_(EVIDENCE))
    columns = {
        name: np.array(getattr(evidence, name), np.int64)
        for name in ("segment", "record", "turn", "channel", "start", "end")
    }
    rules = np.array(evidence.rule, object)
    order = np.lexsort((rules.astype(str), columns["end"], columns["start"], columns["segment"], columns["record"]))
    columns, rules = {k: v[order] for k, v in columns.items()}, rules[order]
    rank = np.arange(len(order)) - np.searchsorted(columns["record"], columns["record"])
    keep = rank < EVIDENCE_LIMIT
    columns, rules = {k: v[keep] for k, v in columns.items()}, rules[keep]
    start, end = _code_points(batch, columns)
    channels = pa.array(CHANNELS).take(pa.array(columns["channel"]))
    rows = pa.StructArray.from_arrays(
        [
            pa.array(columns["turn"].astype(np.int32)),
            channels,
            pa.array(start),
            pa.array(end),
            pa.array(rules, pa.string()),
        ],
        fields=list(EVIDENCE),
    )
    offsets = np.searchsorted(columns["record"], np.arange(n + 1)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), rows)


def _code_points(batch: Batch, columns: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Byte offsets as code points. Where a turn has several segments of one channel (parallel calls, say), offsets count
    through them in order, as if they were one text; otherwise (turn, channel) would not say which is meant."""
    # Imported here: numba takes a while, and only a run needs it.
    from pipelines.codepoints import count, counts

    segments = batch.segments
    start, end = columns["start"].copy(), columns["end"].copy()
    for segment in np.unique(columns["segment"]):
        if segment < 0:
            continue
        before = sum(
            count(segments.buffers[segments.buffer[s]], segments.start[s], segments.end[s])
            for s in range(batch.record_start[segments.record[segment]], segment)
            if segments.turn[s] == segments.turn[segment] and segments.channel[s] == segments.channel[segment]
        )
        mine = np.flatnonzero(columns["segment"] == segment)
        marks = np.unique(np.concatenate([columns["start"][mine], columns["end"][mine]]))
        points = counts(segments.buffers[segments.buffer[segment]], segments.start[segment], marks) + before
        start[mine] = points[np.searchsorted(marks, columns["start"][mine])]
        end[mine] = points[np.searchsorted(marks, columns["end"][mine])]
    return start, end
