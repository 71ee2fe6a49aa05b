"""What is needed of a record to compare it with other samples of its problem: digests, sizes, and no text."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters import hashing, paths
from filters.batch import ASSISTANT, CONTENT, REASONING, Batch
from filters.contract import ConfigError
from filters.duplicates.digests import digests
from filters.duplicates.texts import compared
from filters.numbers.answers import in_batch
from filters.numbers.meaning import NONE, Meaning, meaning
from filters.numbers.symbolic import Algebra
from filters.samples.options import SamplesOptions, columns

DIGEST = pa.binary(16)


def schema(options: SamplesOptions) -> pa.Schema:
    """kind, of the answer (``numbers.meaning``). guess: it is only the text's last number. problem, answer: digests. means, bare, unit,
    size, places: as ``Meaning``, digests of what is text. length: bytes of what the assistant thinks and says. order.N: columns that the
    recipe orders by."""
    fields = [("kind", pa.int8()), ("guess", pa.bool_()), ("problem", DIGEST), ("answer", DIGEST), ("means", pa.list_(DIGEST)),
              ("bare", DIGEST), ("unit", DIGEST), ("size", pa.float64()), ("places", pa.int8()), ("length", pa.int64())]  # fmt: skip
    return pa.schema([*fields, *((f"order.{i}", pa.float64()) for i in range(len(columns(options))))])


def sign(batch: Batch, options: SamplesOptions, algebra: Algebra | None) -> pa.RecordBatch:
    """A row a record."""
    found = in_batch(batch, range(len(batch)), last_number=options.last_number)
    said: list[Meaning | None] = [None] * len(batch)
    guess = np.zeros(len(batch), bool)
    for record, (_, answer, _, _) in found.items():
        said[record] = meaning(answer.text, algebra)
        guess[record] = answer.form == "last_number"
    arrays = [
        pa.array([m.kind if m else NONE for m in said], pa.int8()),
        pa.array(guess),
        _problems(batch, options),
        _digests([m.key if m else None for m in said]),
        pa.ListArray.from_arrays(
            np.cumsum([0, *(len(m.means) if m else 0 for m in said)]).astype(np.int32),
            _digests([k for m in said if m for k in m.means]),
        ),
        *(_digests([getattr(m, part) or None if m else None for m in said]) for part in ("bare", "unit")),
        pa.array([m.size if m else None for m in said], pa.float64()),
        pa.array([min(m.places, 100) if m else -1 for m in said], pa.int8()),
        pa.array(_lengths(batch)),
        *(_column(batch, name.removeprefix("-"), "order") for name in columns(options)),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema(options))


def _digests(keys: Sequence[str | None]) -> pa.Array:
    hashes = hashing.of_strings(pa.array([k or "" for k in keys], pa.large_string()))
    return _binary(hashes, np.array([k is not None for k in keys], bool))


def _binary(hashes: np.ndarray, there: np.ndarray) -> pa.Array:
    valid = pa.py_buffer(np.packbits(there, bitorder="little").tobytes())
    return pa.Array.from_buffers(
        DIGEST, len(there), [valid, pa.py_buffer(np.where(there[:, None], hashes, np.uint64(0)))]
    )


def _problems(batch: Batch, options: SamplesOptions) -> pa.Array:
    """Null where no problem is known."""
    if options.problem:
        column = _named(batch, options.problem, "problem")
        if pa.types.is_nested(column.type):
            raise ConfigError(f"samples: the column {options.problem!r:.60} holds no plain values; name a field of it")
        texts = pc.fill_null(column.cast(pa.large_string()).cast(pa.large_binary()), b"")
        there = pc.binary_length(texts).to_numpy() > 0
        found = hashing.of_strings(texts)
    else:
        asked = compared(batch, "prompt")
        there = np.zeros(len(batch), bool)
        there[batch.segments.record[asked.segment]] = True
        found = digests(batch, asked, options.normalise)
    return _binary(found, there)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _named(batch: Batch, name: str, option: str) -> pa.Array:
    column = paths.at(batch.source, name)
    if column is None:
        names = batch.source.schema.names
        close = difflib.get_close_matches(name.partition(".")[0], names, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise ConfigError(f"samples: {option}: no column {name!r:.60}{hint}; there are {', '.join(names)[:200]}")
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _column(batch: Batch, name: str, option: str) -> pa.Array:
    """As numbers; null, and last in any order, where it is none."""
    column: Any = _named(batch, name, option)
    if pa.types.is_boolean(column.type) or pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return column.cast(pa.int8() if pa.types.is_boolean(column.type) else column.type).cast(
            pa.float64(), safe=False
        )
    if _is_text(column.type):
        return pa.array([_float(v) for v in column.cast(pa.large_binary()).to_pylist()], pa.float64())
    raise ConfigError(f"samples: {option}: the column {name!r:.60} holds no numbers")


def _float(text: bytes | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _lengths(batch: Batch) -> np.ndarray:
    segments = batch.segments
    mine = (segments.role == ASSISTANT) & np.isin(segments.channel, (CONTENT, REASONING))
    return np.bincount(segments.record[mine], weights=segments.length[mine], minlength=len(batch)).astype(np.int64)
