"""Writing edits back into the columns they came from: only a column that an edit changed is written anew."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from filters.contract import Edits
from pipelines.schemas.arrays import Text, is_list, is_string, leaf, text_of, with_leaf
from pipelines.schemas.documents import parse
from pipelines.schemas.layout import JsonPath, Leaf
from pipelines.schemas.read import Read

Change = tuple[int, int, bytes]
"""Bytes start:end of one string become these."""


def apply(read: Read, edits: Iterable[Edits], records: np.ndarray) -> pa.RecordBatch:
    """The rows with the edits of the chosen records (bool[n]) made; all other rows and columns are the same buffers."""
    by_leaf = _by_leaf(read, edits, records)
    arrays = dict(zip(read.batch.source.schema.names, read.batch.source.columns, strict=True))
    for number, changes in by_leaf.items():
        home = read.leaves[number]
        column, path = home.path[0], home.path[1:]
        array = leaf(arrays[column], path)
        decoded = home.targets is not None
        new = _decoded(array, home, read.texts[number], changes) if decoded else _spliced(array, changes)
        arrays[column] = with_leaf(arrays[column], path, new)
    return pa.RecordBatch.from_arrays(list(arrays.values()), schema=read.batch.source.schema)


def _by_leaf(read: Read, edits: Iterable[Edits], records: np.ndarray) -> dict[int, dict[int, list[Change]]]:
    """leaf -> element -> its changes, in bytes of the leaf's own string, in order."""
    segments = read.batch.segments
    found: dict[int, dict[int, list[Change]]] = {}
    for wanted in edits:
        for segment, start, end, new in zip(wanted.segment, wanted.start, wanted.end, wanted.replacement, strict=True):
            if not records[segments.record[segment]]:
                continue
            base = int(segments.base[segment])
            elements = found.setdefault(int(segments.leaf[segment]), {})
            elements.setdefault(int(segments.element[segment]), []).append((base + start, base + end, new.encode()))
    # Two leaves can be one array (a message's reasoning and its answer, split out of one text): join their changes.
    homes: dict[tuple, int] = {}
    joined: dict[int, dict[int, list[Change]]] = {}
    for number, elements in found.items():
        home = read.leaves[number]
        first = homes.setdefault((home.path, id(home.targets)), number)
        for element, changes in elements.items():
            joined.setdefault(first, {}).setdefault(element, []).extend(changes)
    return {n: {e: _disjoint(c) for e, c in elements.items()} for n, elements in joined.items()}


def _disjoint(changes: list[Change]) -> list[Change]:
    """In order; of two that overlap (two scrubbers saw the same), the one that starts first, and longest."""
    kept: list[Change] = []
    for change in sorted(changes, key=lambda c: (c[0], -c[1])):
        if not kept or change[0] >= kept[-1][1]:
            kept.append(change)
    return kept


def _spliced(array: pa.Array, changes: dict[int, list[Change]]) -> pa.Array:
    """A string array with its changes made: the untouched stretches of data are copied whole."""
    kind = array.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return _spliced(array.cast(pa.large_string()), changes).cast(kind)
    text = text_of(array)
    pieces: list[Any] = []
    grown = np.zeros(len(array), np.int64)
    at = int(text.starts[0])
    for element in sorted(changes):
        base = int(text.starts[element])
        for start, end, new in changes[element]:
            pieces += [text.data[at : base + start], np.frombuffer(new, np.uint8)]
            at = base + end
            grown[element] += len(new) - (end - start)
    raw = np.frombuffer(array.buffers()[1], np.int64 if pa.types.is_large_string(kind) else np.int32)
    bounds = raw[array.offset : array.offset + len(array) + 1].astype(np.int64)
    pieces.append(text.data[at : bounds[-1]])
    data = np.concatenate(pieces)
    offsets = bounds - bounds[0] + np.concatenate(([0], np.cumsum(grown)))
    width = np.int64 if pa.types.is_large_string(kind) else np.int32
    if width is np.int32 and offsets[-1] > np.iinfo(np.int32).max:
        raise OverflowError("the edited strings of one batch pass 2 GiB: lower work.batch_bytes")
    buffers = [array.buffers()[0], pa.py_buffer(offsets.astype(width)), pa.py_buffer(data)]
    return pa.Array.from_buffers(kind, len(array), buffers, null_count=array.null_count)


def _decoded(array: pa.Array, home: Leaf, text: Text, changes: dict[int, list[Change]]) -> pa.Array:
    """An array whose texts were decoded from JSON or structs: each touched value is decoded, changed and encoded again."""
    assert home.targets is not None
    by_row: dict[int, list[tuple[JsonPath, str]]] = {}
    for element, spans in changes.items():
        row, path = home.targets[element]
        by_row.setdefault(row, []).append((path, _changed(text, element, spans)))
    values = [_encoded(array, row, texts) for row, texts in by_row.items()]
    index = np.arange(len(array))
    index[list(by_row)] = len(array) + np.arange(len(by_row))
    values = [_conform(v, array.type) for v in values]
    return pa.concat_arrays([array, pa.array(values, array.type)]).take(pa.array(index))


def _changed(text: Text, element: int, changes: list[Change]) -> str:
    """The whole decoded text of one element, changed."""
    raw = text.data[text.starts[element] : text.ends[element]].tobytes()
    for start, end, new in reversed(changes):
        raw = raw[:start] + new + raw[end:]
    return raw.decode("utf-8")


def _encoded(array: pa.Array, row: int, texts: list[tuple[JsonPath, str]]) -> Any:
    """The row's value with each text put where it was decoded from."""
    value = array[row].as_py()
    document = parse(value.encode()) if is_string(array.type) else value
    for path, text in texts:
        document = _put(document, path, text)
    return json.dumps(document, ensure_ascii=False) if is_string(array.type) else document


def _conform(value: Any, kind: pa.DataType) -> Any:
    """The value as its Arrow type can hold it: what stood as a number in a struct and is a placeholder now becomes null."""
    if value is None or is_string(kind):
        return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if is_list(kind):
        return [_conform(v, kind.value_type) for v in value] if isinstance(value, list) else None
    if pa.types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        return {f.name: _conform(value.get(f.name), f.type) for f in fields} if isinstance(value, dict) else None
    return _scalar(value, kind)


def _scalar(value: Any, kind: pa.DataType) -> Any:
    if isinstance(value, int) and pa.types.is_integer(kind):
        low, high = (0, 2**kind.bit_width - 1) if pa.types.is_unsigned_integer(kind) else _signed(kind.bit_width)
        return value if low <= value <= high else None
    return None if isinstance(value, str) and not pa.types.is_temporal(kind) else value


def _signed(width: int) -> tuple[int, int]:
    return -(2 ** (width - 1)), 2 ** (width - 1) - 1


def _put(document: Any, path: JsonPath, text: str) -> Any:
    if not path:
        return _like(document, text)
    holder: Any = document if not isinstance(document, dict) or isinstance(path[0], str) else _messages(document)
    for step in path[:-1]:
        holder = _loaded(holder, step)
    holder[path[-1]] = _like(holder[path[-1]], text)
    return document


def _messages(document: dict) -> list:
    return document.get("messages", document.get("conversations"))  # type: ignore[return-value]


def _loaded(holder: Any, step: str | int) -> Any:
    """The next value down; a JSON string of calls on the way is decoded in place first."""
    if isinstance(holder[step], str):
        holder[step] = json.loads(holder[step])
    return holder[step]


def _like(old: Any, text: str) -> Any:
    """Text that stood for a value that was no string becomes such a value again."""
    if isinstance(old, str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
