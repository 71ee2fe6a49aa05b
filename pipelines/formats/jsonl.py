"""JSONL shards and JSON arrays of records (plain, gzip, zstd): one pass learns the schema, a second makes Arrow batches.

Type inference that looks at the first lines fails on the first record that differs. Here every line is looked at, chat
columns have one canonical shape whatever a file happens to hold, and whatever does not fit one type, tool definitions and
call arguments among it, is carried as a JSON string.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import orjson
import pyarrow as pa
import zstandard

from pipelines import stores
from pipelines.errors import ShardError, unexpected
from pipelines.formats import Part, Rows
from pipelines.formats.elements import CHUNK, are_records, records

AS_JSON = frozenset({"tools", "functions", "available_tools", "arguments", "parameters", "metadata"})
"""Keys whose values differ from record to record by nature."""

CHAT = ("messages", "conversations", "conversation")
MAX_DEPTH = 6
MAX_KEYS = 256
"""Objects with more different keys than this are maps, not records: carried as JSON."""

TOO_MANY_KEYS = f"more than {MAX_KEYS} different keys at the top of its records; that many cannot be columns"

_FUNCTION = {"name": "string", "arguments": "string"}
_CALL = {"id": "string", "type": "string", "function": _FUNCTION}
_MESSAGE = {
    "role": "string",
    "content": "string",
    "reasoning_content": "string",
    "tool_calls": [_CALL],
    "tool_call_id": "string",
    "name": "string",
}

Kind = Any
"""A learnt type: None (only nulls so far), a name of a scalar, "json", ``[Kind]`` or ``{key: Kind}``."""


def schema(path: str) -> pa.Schema:
    """Learnt from every line. Lines that are not JSON objects say nothing; they are rejected when rows are read."""
    return _learn(path, _state(path))[0]


def parts(path: str, unit_bytes: int) -> list[Part]:
    """One: a compressed stream cannot be entered in the middle."""
    _, rows, size = _learn(path, _state(path))
    return [Part(0, 1, 0, rows, size)]


def rows(path: str, part: Part, schema: pa.Schema, batch_bytes: int) -> Iterator[Rows]:
    records: list[dict] = []
    problems: dict[int, str] = {}
    size = 0
    for line in _lines(path):
        record, reason = _record(line)
        if reason:
            problems[len(records)] = reason
        records.append(record)
        size += len(line)
        if size >= batch_bytes:
            yield Rows(_batch(records, schema), problems)
            records, problems, size = [], {}, 0
    if records:
        yield Rows(_batch(records, schema), problems)


def is_json(path: str) -> bool:
    """Whether its name says JSON, which can be anything, and not JSON lines."""
    return path.lower().removesuffix(".gz").removesuffix(".zst").endswith(".json")


def holds_records(path: str) -> bool:
    """Whether a ``.json`` file is a shard, by its beginning. What cannot be read is one: reading it will say what is wrong."""
    try:
        with stores.opened(path) as raw, _decompressed(raw, path) as stream:
            return are_records(stream.read(CHUNK))
    except (OSError, EOFError, ShardError, gzip.zlib.error, zstandard.ZstdError):  # type: ignore[attr-defined]
        return True


def _state(path: str) -> Any:
    """What changes when the file does, so that nothing of the old one is remembered for it."""
    if stores.is_url(path):
        return stores.stat(path)
    found = Path(path).stat()
    return found.st_size, found.st_mtime_ns, found.st_ino


@lru_cache(maxsize=4)
def _learn(path: str, _state: Any) -> tuple[pa.Schema, int, int]:
    kind: dict[str, Kind] = {}
    count = size = 0
    for line in _lines(path):
        record, reason = _record(line)
        count, size = count + 1, size + len(line)
        if reason is None:
            if len(kind) > MAX_KEYS:
                raise ShardError(TOO_MANY_KEYS)
            for key, value in record.items():
                kind[key] = "json" if key in AS_JSON else _merge(kind.get(key), _kind(value))
    for name in CHAT:
        if _is_openai(kind.get(name)):
            kind[name] = [_merge(_MESSAGE, kind[name][0])]
            kind.setdefault("tools", "json")
    if len(kind) > MAX_KEYS:
        raise ShardError(TOO_MANY_KEYS)
    if not kind:
        raise ShardError("no line of it is a JSON object: replace or remove the file")
    return pa.schema([(name, _arrow(k)) for name, k in kind.items()]), count, size


def _is_openai(kind: Kind) -> bool:
    return isinstance(kind, list) and isinstance(kind[0], dict) and "role" in kind[0] and "content" in kind[0]


def _kind(value: Any, depth: int = 0) -> Kind:
    if value is None:
        return None
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -(1 << 63) <= value < 1 << 63 else "json"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "string"
    if depth >= MAX_DEPTH:
        return "json"
    if isinstance(value, list):
        inner: Kind = None
        for item in value:
            inner = _merge(inner, _kind(item, depth + 1))
        return [inner]
    if not value or len(value) > MAX_KEYS:
        return "json"
    return {k: "json" if k in AS_JSON else _kind(v, depth + 1) for k, v in value.items()}


def _merge(a: Kind, b: Kind) -> Kind:
    """The type that holds both without loss; ``json`` when none does. Arguments that are a string stay one."""
    if a is None or a == b:
        return b
    if b is None:
        return a
    if isinstance(a, list) and isinstance(b, list):
        return [_merge(a[0], b[0])]
    if isinstance(a, dict) and isinstance(b, dict):
        keys = [*a, *(k for k in b if k not in a)]
        return {k: _merge(a.get(k), b.get(k)) for k in keys} if len(keys) <= MAX_KEYS else "json"
    if parts := _parts_beside_text(a, b) or _parts_beside_text(b, a):
        return parts
    if isinstance(a, str) and isinstance(b, str) and {a, b} == {"int", "float"}:
        return "float"
    # "string" against "json" is the canonical shape's string for a value carried as JSON.
    return "json"


def _parts_beside_text(parts: Kind, text: Kind) -> Kind:
    """Content that is a text here and a list of typed parts there is parts everywhere: a text is one part."""
    listed = text == "string" and isinstance(parts, list) and isinstance(parts[0], dict)
    return parts if listed and "type" in parts[0] and _text_key(parts[0]) else None


def _text_key(part: Any) -> str | None:
    """Where a part has its text."""
    return next((k for k in ("text", "value", "content") if k in part), None)


def _arrow(kind: Kind) -> pa.DataType:
    if isinstance(kind, list):
        return pa.list_(_arrow(kind[0]))
    if isinstance(kind, dict):
        return pa.struct([(k, _arrow(v)) for k, v in kind.items()])
    return {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}.get(kind, pa.string())


def _batch(records: list[dict], schema: pa.Schema) -> pa.RecordBatch:
    arrays = [pa.array([_fit(r.get(f.name), f.type) for r in records], f.type) for f in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _fit(value: Any, kind: pa.DataType) -> Any:
    """The value as its column's type has it: a string column holds JSON text of whatever is not a string."""
    if value is None:
        return None
    if pa.types.is_string(kind):
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if pa.types.is_list(kind):
        if isinstance(value, str):
            value = [{"type": "text", _text_key([f.name for f in kind.value_type]): value}]
        return [_fit(v, kind.value_type) for v in value]
    if pa.types.is_struct(kind):
        return {f.name: _fit(value.get(f.name), f.type) for f in kind}
    return float(value) if pa.types.is_floating(kind) else value


def _record(line: bytes) -> tuple[dict, str | None]:
    """The line as an object, or an empty one and why not. Halves of surrogate pairs become ``?``: Arrow cannot hold them."""
    try:
        value = orjson.loads(line)
        return (value, None) if isinstance(value, dict) else ({}, "json_invalid")
    except orjson.JSONDecodeError:
        pass
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}, "json_invalid"
    if not isinstance(value, dict):
        return {}, "json_invalid"
    cleaned = _without_surrogates(value)
    return cleaned, None if cleaned == value else "lone_surrogate"


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_without_surrogates(v) for v in value]
    if isinstance(value, dict):
        return {_without_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    return value


def _lines(path: str) -> Iterator[bytes]:
    """Lines that are not blank, without their ends; of an array its elements."""
    try:
        with stores.opened(path) as raw, _decompressed(raw, path) as stream:
            for line in records(stream) if is_json(path) else stream:
                if stripped := line.strip():
                    yield stripped
    except FileNotFoundError:
        raise ShardError("it is not there any more") from None
    except MemoryError as error:
        raise ShardError(unexpected(error)) from None
    except (OSError, EOFError, gzip.zlib.error, zstandard.ZstdError) as error:  # type: ignore[attr-defined]
        raise ShardError(f"not readable ({' '.join(str(error).split())[:200]}): replace or remove the file") from None


def _decompressed(raw: IO[bytes], path: str) -> IO[bytes]:
    if path.lower().endswith(".gz"):
        return gzip.open(raw, "rb")  # type: ignore[return-value]
    if path.lower().endswith(".zst"):
        reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
        return io.BufferedReader(reader, 1 << 20)
    return raw
