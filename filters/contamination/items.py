"""Benchmarks from files: each item's question and answer, as text."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from filters.contract import ConfigError

QUESTIONS = ("question", "problem", "prompt", "query", "instruction", "goal", "input", "text")
ANSWERS = ("answer", "final_answer", "solution", "target", "answers", "output", "response", "expected_answer")
SUFFIXES = (".parquet", ".jsonl", ".jsonl.gz", ".ndjson")


@dataclass(frozen=True)
class Benchmark:
    """A benchmark's items in the order of its files; texts are UTF-8. An item without an answer has an empty one."""

    name: str
    questions: list[bytes]
    answers: list[bytes]


def files(path: str) -> list[Path]:
    """Every benchmark file at or below a path, in order. Raises ConfigError where there is none."""
    root = Path(path)
    if root.is_file():
        return [root]
    found = sorted(p for p in root.rglob("*") if p.is_file() and p.name.endswith(SUFFIXES)) if root.is_dir() else []
    if not found:
        raise ConfigError(f"contamination: no benchmarks (Parquet or JSONL) at {path}")
    return found


def load(path: str, question: str, answer: str) -> list[Benchmark]:
    """Benchmarks by name: the folder below ``path`` that holds them, or the file. question/answer: columns; empty: the usual names."""
    root = Path(path)
    told: dict[str, Benchmark] = {}
    for file in files(path):
        name = _name(root, file)
        found = told.setdefault(name, Benchmark(name, [], []))
        questions, answers = _read(file, question, answer)
        found.questions.extend(questions)
        found.answers.extend(answers)
    return list(told.values())


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


def _name(root: Path, file: Path) -> str:
    place = file.relative_to(root) if root.is_dir() else Path(file.name)
    return place.parts[0] if len(place.parts) > 1 else place.name.partition(".")[0]


def _read(file: Path, question: str, answer: str) -> tuple[list[bytes], list[bytes]]:
    try:
        columns, rows = _parquet(file) if file.suffix == ".parquet" else _jsonl(file)
    except (OSError, EOFError) as error:
        raise ConfigError(
            f"contamination: {file} cannot be read ({getattr(error, 'strerror', None) or error})"
        ) from None
    except (pa.ArrowException, orjson.JSONDecodeError):
        raise ConfigError(f"contamination: {file} is no readable {file.suffix.lstrip('.')} file") from None
    asked = _choose(file, columns, question, QUESTIONS)
    if asked is None:
        raise ConfigError(
            f"contamination: {file} has no column of questions ({', '.join(sorted(columns)[:8])}): name it with `question`"
        )
    told = _choose(file, columns, answer, ANSWERS)
    questions, answers = [], []
    for row in rows:
        questions.append(_text(row.get(asked)))
        answers.append(_text(row.get(told)) if told else b"")
    return questions, answers


def _choose(file: Path, columns: set[str], named: str, usual: tuple[str, ...]) -> str | None:
    if named:
        if named not in columns:
            raise ConfigError(f"contamination: {file} has no column {named!r}")
        return named
    return next((name for name in usual if name in columns), None)


def _parquet(file: Path) -> tuple[set[str], Iterator[dict[str, Any]]]:
    opened = pq.ParquetFile(file)
    return set(opened.schema_arrow.names), (
        row for group in opened.iter_batches(batch_size=1024) for row in group.to_pylist()
    )


def _jsonl(file: Path) -> tuple[set[str], Iterator[dict[str, Any]]]:
    opener = gzip.open if file.suffix == ".gz" else open
    with opener(file, "rb") as handle:
        rows = [orjson.loads(line) for line in handle if line.strip()]
    rows = [row for row in rows if isinstance(row, dict)]
    return {name for row in rows for name in row}, iter(rows)


def _text(value: Any) -> bytes:
    """A string, a number, or the texts of a list (of strings, or of messages), one after the other."""
    if isinstance(value, list):
        return b"\n".join(_text(v) for v in value)
    if isinstance(value, dict):
        return _text(value.get("content") or value.get("text"))
    return b"" if value is None else str(value).encode("utf-8", "replace")
