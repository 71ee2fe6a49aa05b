"""Gathering a batch's text into the flat table of segments, whatever columns it came from.

A schema's reader calls ``turns`` and ``strings`` (or ``values`` for text that had to be decoded); ``finish`` sorts. The
homes of the text are kept beside it, so that edits find their way back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from filters.batch import Segments, Turns
from pipelines.schemas.arrays import Text, text_of

JsonPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Leaf:
    """A home of text: a string leaf of a column, or (with ``targets``) strings decoded out of JSON or structs.

    path: from the column's name down, ``[]`` for list elements. For decoded text, ``targets[element]`` is the element of
    that leaf it was decoded from and the path inside the decoded value; None stands for the value as a whole.
    """

    path: tuple[str, ...]
    targets: Sequence[tuple[int, JsonPath]] | None = None


@dataclass
class Layout:
    """Collects parts; every array argument of a part is aligned with its segments."""

    records: int
    leaves: list[Leaf] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    unreadable: list[tuple[int, str]] = field(default_factory=list)
    _buffers: list[np.ndarray] = field(default_factory=list)
    _parts: list[dict[str, Any]] = field(default_factory=list)
    _turns: list[dict[str, Any]] = field(default_factory=list)

    def turns(
        self,
        record: np.ndarray,
        turn: np.ndarray,
        role: np.ndarray,
        null: np.ndarray,
        names: pa.Array | None = None,
        *,
        other_parts: np.ndarray | int = 0,
        odd: np.ndarray | int = 0,
    ) -> None:
        """Rows of ``Turns``; names: the roles as they are spelt, where they are."""
        n = len(record)
        names = pa.nulls(n, pa.string()) if names is None else names.cast(pa.string())
        columns = {"parts": _column(other_parts, n, np.int32), "odd": _column(odd, n, np.bool_)}
        self._turns.append({"record": record, "turn": turn, "role": role, "null": null, "names": names, **columns})

    def turn_counts(self) -> np.ndarray:
        """int64[records]: turns laid out so far."""
        return np.bincount(_join(self._turns, "record"), minlength=self.records).astype(np.int64)

    def strings(self, path: tuple[str, ...], array: pa.Array, **columns: Any) -> None:
        """Every non-null element of a string leaf as a segment. See ``pieces`` for the columns."""
        text = text_of(array)
        elements = np.flatnonzero(~text.null)
        columns = {k: _pick(v, elements) for k, v in columns.items()}
        self.pieces(path, text, elements, text.starts[elements], text.ends[elements], **columns)

    def values(
        self, path: tuple[str, ...], texts: Sequence[str], targets: Sequence[tuple[int, JsonPath]], **columns: Any
    ) -> None:
        """Decoded strings, each with the place it was decoded from."""
        text = text_of(pa.array(texts, pa.large_string()))
        self.pieces(path, text, np.arange(len(texts)), text.starts, text.ends, targets=targets, **columns)

    def pieces(
        self,
        path: tuple[str, ...],
        text: Text,
        element: np.ndarray,
        start: np.ndarray,
        end: np.ndarray,
        *,
        record: np.ndarray,
        turn: np.ndarray | int,
        role: np.ndarray | int,
        channel: np.ndarray | int,
        order: np.ndarray | int = 0,
        names: pa.Array | None = None,
        call_ids: pa.Array | None = None,
        targets: Sequence[tuple[int, JsonPath]] | None = None,
    ) -> None:
        """Parts of elements of one string array, as byte ranges of its data. order sorts within the turn."""
        n = len(element)
        self.leaves.append(Leaf(path, targets))
        self.texts.append(text)
        self._buffers.append(text.data)
        self._parts.append(
            {
                "buffer": np.full(n, len(self._buffers) - 1, np.int16),
                "start": np.asarray(start, np.int64),
                "end": np.asarray(end, np.int64),
                "record": _column(record, n, np.int32),
                "turn": _column(turn, n, np.int32),
                "role": _column(role, n, np.int8),
                "channel": _column(channel, n, np.int8),
                "leaf": np.full(n, len(self.leaves) - 1, np.int16),
                "element": np.asarray(element, np.int64),
                "base": np.asarray(start, np.int64) - text.starts[element] if n else np.zeros(0, np.int64),
                "order": _column(order, n, np.int32),
                "names": pa.nulls(n, pa.string()) if names is None else names.cast(pa.string()),
                "call_ids": pa.nulls(n, pa.string()) if call_ids is None else call_ids.cast(pa.string()),
            }
        )

    def finish(self) -> tuple[Turns, Segments]:
        turns, parts = self._turns, self._parts
        order = np.lexsort((_join(turns, "turn"), _join(turns, "record")))
        names = _join_arrow(turns, "names").take(pa.array(order))
        laid = Turns(
            record=_join(turns, "record", np.int32)[order],
            turn=_join(turns, "turn", np.int32)[order],
            role=_join(turns, "role", np.int8)[order],
            null_content=_join(turns, "null", np.bool_)[order],
            other_parts=_join(turns, "parts", np.int32)[order],
            odd_content=_join(turns, "odd", np.bool_)[order],
            role_names=names,
        )
        keys = ("element", "order", "turn", "record")
        order = np.lexsort([_join(parts, key) for key in keys])
        columns = {
            name: _join(parts, name, kind)[order]
            for name, kind in (
                ("buffer", np.int16),
                ("start", np.int64),
                ("end", np.int64),
                ("record", np.int32),
                ("turn", np.int32),
                ("role", np.int8),
                ("channel", np.int8),
                ("leaf", np.int16),
                ("element", np.int64),
                ("base", np.int64),
            )
        }
        index = pa.array(order)
        segments = Segments(
            buffers=tuple(self._buffers),
            names=_join_arrow(parts, "names").take(index),
            call_ids=_join_arrow(parts, "call_ids").take(index),
            **columns,
        )
        return laid, segments


def codes(names: pa.Array, table: dict[str, int], default: int) -> np.ndarray:
    """int8 codes of a string array, looked up once a distinct value, whatever its case."""
    encoded = names.cast(pa.large_string()).dictionary_encode()
    known = np.array([table.get((v or "").strip().lower(), default) for v in encoded.dictionary.to_pylist()], np.int8)
    index = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return np.where(index >= 0, np.append(known, np.int8(default))[index], default).astype(np.int8)


def _pick(value: Any, elements: np.ndarray) -> Any:
    if isinstance(value, np.ndarray):
        return value[elements]
    return value.take(pa.array(elements)) if isinstance(value, pa.Array) else value


def _column(value: np.ndarray | int, n: int, kind: Any) -> np.ndarray:
    return np.full(n, value, kind) if np.isscalar(value) else np.asarray(value, kind)


def _join(parts: list[dict[str, Any]], name: str, kind: Any = np.int64) -> np.ndarray:
    return np.concatenate([p[name] for p in parts]).astype(kind, copy=False) if parts else np.zeros(0, kind)


def _join_arrow(parts: list[dict[str, Any]], name: str) -> pa.Array:
    return pa.concat_arrays([p[name] for p in parts]) if parts else pa.nulls(0, pa.string())
