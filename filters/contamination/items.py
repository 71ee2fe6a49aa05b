"""Benchmarks from files: each item's question and answer, as columns of text."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.contract import ConfigError

QUESTIONS = ("question", "problem", "prompt", "query", "instruction", "goal", "input", "text")
ANSWERS = ("answer", "final_answer", "solution", "target", "answers", "output", "response", "expected_answer")
JSON = (".jsonl", ".ndjson", ".json")
PACKED = {"": None, ".gz": "gzip", ".zst": "zstd"}
SUFFIXES = (".parquet", *(f"{kind}{packed}" for kind in JSON for packed in PACKED))
UNREAD = (
    ".csv",
    ".tsv",
    ".arrow",
    ".feather",
    ".xlsx",
    ".pkl",
    ".zip",
    ".tar",
    ".tgz",
    ".bz2",
    ".xz",
    ".gz",
    ".zst",
    ".7z",
)
"""What may hold a benchmark that would be missed without a word."""

ABOUT = frozenset({"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"})
"""What the Hub's tools put beside a dataset's files."""

DEEPEST = 16
"""Lists and objects in one another that are gone into for a text."""


@dataclass(frozen=True)
class Benchmark:
    """A benchmark's items in the order of its files: large_string columns without nulls. An item without an answer has an empty one."""

    name: str
    questions: pa.ChunkedArray
    answers: pa.ChunkedArray


def files(path: str) -> list[Path]:
    """Every benchmark file at or below a path, in order. Raises ConfigError where there is none, or one that nobody here can read."""
    root = Path(path)
    if root.is_file():
        return [root]
    found = sorted(p for p in _walk(root) if p.name not in ABOUT)
    if unread := [p for p in found if p.name.lower().endswith(UNREAD) and not _is_read(p)]:
        raise ConfigError(
            f"contamination: {unread[0]} is neither Parquet nor JSON: convert it, or move it out of the folder of benchmarks"
        )
    if not (found := [p for p in found if _is_read(p)]):
        raise ConfigError(f"contamination: no benchmarks (Parquet or JSONL) at {path}")
    return found


def load(path: str, question: str, answer: str) -> list[Benchmark]:
    """Benchmarks by name: the folder below ``path`` that holds them, or the file. question/answer: columns; empty: the usual names."""
    root = Path(path)
    told: dict[str, tuple[list[pa.ChunkedArray], list[pa.ChunkedArray]]] = {}
    for file in files(path):
        questions, answers = _read(file, question, answer)
        found = told.setdefault(_name(root, file), ([], []))
        found[0].append(questions)
        found[1].append(answers)
    return [Benchmark(name, *map(_joined, columns)) for name, columns in told.items()]


def digest(path: str) -> dict[str, str]:
    """sha256 of each file, by its place below the path."""
    root = Path(path)
    told = {}
    for file in files(path):
        with file.open("rb") as handle:
            told[str(file.relative_to(root) if root.is_dir() else file.name)] = hashlib.file_digest(
                handle, "sha256"
            ).hexdigest()
    return told


def _walk(root: Path) -> Iterator[Path]:
    """Files below a folder; links to folders are followed, each folder once."""
    seen: set[str] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        seen.add(os.path.realpath(folder))
        folders[:] = [f for f in sorted(folders) if os.path.realpath(f"{folder}/{f}") not in seen]
        yield from (place for name in names if (place := Path(folder, name)).is_file())


def _is_read(file: Path) -> bool:
    return file.name.lower().endswith(SUFFIXES)


def _name(root: Path, file: Path) -> str:
    place = file.relative_to(root) if root.is_dir() else Path(file.name)
    return place.parts[0] if len(place.parts) > 1 else place.name.partition(".")[0]


def _read(file: Path, question: str, answer: str) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    kind = "parquet" if file.name.lower().endswith(".parquet") else "jsonl"
    asked, told = (question,) if question else QUESTIONS, (answer,) if answer else ANSWERS
    try:
        names, columns = (_parquet if kind == "parquet" else _json)(file, asked, told)
    except (pa.ArrowException, ValueError, OverflowError, RecursionError):
        raise ConfigError(f"contamination: {file} is no readable {kind} file") from None
    except (OSError, EOFError) as error:
        why = getattr(error, "strerror", None) or f"it is no whole {kind} file"
        raise ConfigError(f"contamination: {file} cannot be read ({why})") from None
    for named in (question, answer):
        if named and named not in columns:
            raise ConfigError(f"contamination: {file} has no column {named!r}")
    chosen = next((name for name in asked if name in columns), None)
    if chosen is None:
        raise ConfigError(
            f"contamination: {file} has no column of questions ({', '.join(sorted(names)[:8])}): name it with `question`"
        )
    questions = columns[chosen]
    answers = next((columns[name] for name in told if name in columns), None)
    return questions, _texts(pa.chunked_array([pa.nulls(len(questions))])) if answers is None else answers


def _parquet(file: Path, asked: tuple[str, ...], told: tuple[str, ...]) -> tuple[list[str], dict[str, pa.ChunkedArray]]:
    """The names of all columns, and of each kind the first that is there."""
    with pq.ParquetFile(file) as opened:
        names = opened.schema_arrow.names
        wanted = [next((n for n in some if n in names), None) for some in (asked, told)]
        rows = opened.read([n for n in wanted if n is not None])
    # By place, since a file may have two columns of one name.
    return names, {n: _texts(rows.column(rows.schema.names.index(n))) for n in wanted if n is not None}


def _json(file: Path, asked: tuple[str, ...], told: tuple[str, ...]) -> tuple[list[str], dict[str, pa.ChunkedArray]]:
    """The names of all columns, and those wanted that any row has. Of a row nothing else is kept."""
    names: dict[str, None] = {}
    found: dict[str, list[bytes]] = {name: [] for name in (*asked, *told)}
    for row in _rows(file):
        names.update(dict.fromkeys(row))
        for name, values in found.items():
            values.append(_text(row.get(name)))
    return list(names), {n: _joined([_valid(pa.array(v, pa.large_binary()))]) for n, v in found.items() if n in names}


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    """Objects, one a line or in one list."""
    packed = next(how for suffix, how in reversed(PACKED.items()) if file.name.lower().endswith(suffix))
    with pa.OSFile(str(file)) as raw, pa.CompressedInputStream(raw, packed) if packed else raw as opened:
        text = io.BufferedReader(opened, 1 << 20)
        if text.peek(3)[:3] == b"\xef\xbb\xbf":
            text.read(3)
        if text.peek(1)[:1] == b"[":
            rows: Any = orjson.loads(text.read())
        else:
            rows = (orjson.loads(line) for line in text if line.strip())
        yield from (row for row in rows if isinstance(row, dict))


def _joined(columns: list[pa.ChunkedArray]) -> pa.ChunkedArray:
    return pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.large_string())


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of any type as text. Python objects only of what is no string."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_null(kind):
        kind = pa.string()
    strings = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if strings or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        column = column.cast(kind).cast(pa.large_binary())
    else:
        column = pa.chunked_array(
            [pa.array(map(_text, c.to_pylist()), pa.large_binary()) for c in column.chunks], pa.large_binary()
        )
    return pa.chunked_array([chunk for c in column.chunks for chunk in _valid(c).chunks], pa.large_string())


def _valid(texts: pa.Array) -> pa.ChunkedArray:
    """UTF-8, with � for what is none."""
    texts = pc.fill_null(texts, b"")
    try:
        return pa.chunked_array([texts.cast(pa.large_string())])
    except pa.ArrowInvalid:
        return pa.chunked_array(
            [pa.array([t.decode("utf-8", "replace") for t in texts.to_pylist()], pa.large_string())]
        )


def _text(value: Any, depth: int = 0) -> bytes:
    """A string, a number, or the texts of a list (of strings, or of messages), one after the other."""
    if value is None or depth > DEEPEST:
        return b""
    if isinstance(value, list):
        return b"\n".join(_text(v, depth + 1) for v in value)
    if isinstance(value, dict):
        return _text(value.get("content") or value.get("text"), depth + 1)
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
