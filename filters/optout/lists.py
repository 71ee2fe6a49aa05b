"""Blocklists from files: text, CSV, JSONL or Parquet, with millions of entries."""

from __future__ import annotations

import datetime
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from filters.contract import ConfigError, Options
from filters.optout import keys

Kind = Literal["id", "url", "domain", "content", "user"]
MIB = 1 << 20
_COLUMNS = {
    "id": ("id", "record_id", "uuid"),
    "url": ("url", "uri", "link"),
    "domain": ("domain", "host", "site"),
    "content": ("content_hash", "sha256", "hash", "content"),
    "user": ("user", "user_id", "username", "author"),
}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_VALID = {
    "id": r"^.+$",
    "user": r"^.+$",
    "content": r"^[0-9a-f]{64}$",
    "url": r"^[^\s/?]+\.[^\s/?]+|^localhost|^\[",
    "domain": r"^[^\s/@]+\.[^\s/@]+$",
}


class OptoutList(Options, frozen=True, kw_only=True):
    """One list: what it names, who asked and when."""

    path: Annotated[str, msgspec.Meta(description="text (one entry a line), CSV, JSONL or Parquet", min_length=1)]
    kind: Annotated[Kind, msgspec.Meta(description="what its entries are")]
    column: Annotated[str, msgspec.Meta(description="the column or key that holds them; empty: recognised")] = ""
    source: Annotated[str, msgspec.Meta(description="on whose word")] = ""
    date: Annotated[str, msgspec.Meta(description="as of when, YYYY-MM-DD")] = ""

    @property
    def name(self) -> str:
        """The file's name, which evidence gives."""
        return Path(self.path).name


def check(given: OptoutList) -> None:
    """Raises ConfigError for a date that is none."""
    if not given.date:
        return
    try:
        if not _DATE.fullmatch(given.date):
            raise ValueError
        datetime.date.fromisoformat(given.date)
    except ValueError:
        raise ConfigError(f"optout: the date of {given.name} is {given.date!r:.40}; write it as 2026-01-31") from None


def entries(given: OptoutList) -> tuple[pa.Array, np.ndarray]:
    """The plain keys of a list (large_string) and the number of each: its line, or its row counted from 1.

    Raises ConfigError, with the number and never the entry, for one that cannot be what the list is said to hold.
    """
    raw, numbers = _raw(given)
    there = pc.greater(pc.utf8_length(raw), 0)
    raw, numbers = raw.filter(there), numbers[np.asarray(there, bool)]
    hashed = pc.starts_with(raw, keys.HASHED)
    plain = pc.if_else(hashed, pc.utf8_lower(raw), plain_form(given.kind)(raw))
    wanted = pc.if_else(hashed, pc.match_substring_regex(plain, r"^sha256:[0-9a-f]{64}$"),
                        pc.match_substring_regex(plain, _VALID[given.kind]))  # fmt: skip
    if (wrong := np.flatnonzero(~np.asarray(wanted, bool))).size:
        raise ConfigError(f"optout: entry {numbers[wrong[0]]:,} of {given.name} is no {_told(given.kind)}")
    if not len(plain):
        raise ConfigError(f"optout: {given.name} has no entries")
    return plain, numbers


def plain_form(kind: str) -> Callable[[pa.Array], pa.Array]:
    return {"id": keys.ids, "user": keys.users, "url": keys.urls, "domain": keys.hosts, "content": pc.utf8_lower}[kind]


def _told(kind: str) -> str:
    return {"content": "sha256 in hex", "url": "URL", "domain": "domain"}.get(kind, kind)


def _raw(given: OptoutList) -> tuple[pa.Array, np.ndarray]:
    """All entries as they stand, trimmed, and their numbers."""
    path = Path(given.path)
    suffix = "".join(path.suffixes[-2:]).removesuffix(".gz").removesuffix(".zst").rpartition(".")[2].lower()
    try:
        if suffix == "parquet":
            column = _column(given, pq.read_schema(path).names)
            array = _one(pq.read_table(path, columns=[column]).column(0).cast(pa.large_string()))
        elif suffix in ("csv", "tsv"):
            array = _one(_csv(given, "\t" if suffix == "tsv" else ",").cast(pa.large_string()))
        elif suffix in ("jsonl", "ndjson"):
            array = _jsonl(given)
        else:
            return _lines(given)
    except OSError as error:
        raise ConfigError(f"optout: {given.path} cannot be read ({error.strerror or 'not a readable file'})") from None
    except (pa.ArrowInvalid, UnicodeDecodeError):
        raise ConfigError(f"optout: {given.path} is no {suffix.upper()} file, or is not UTF-8") from None
    except pa.ArrowNotImplementedError:
        raise ConfigError(f"optout: column {column!r} of {given.name} holds no text") from None
    return pc.utf8_trim_whitespace(pc.fill_null(array, "")), np.arange(1, len(array) + 1)


def _lines(given: OptoutList) -> tuple[pa.Array, np.ndarray]:
    """A text file: empty lines and those that begin with ``#`` are none."""
    column = _read_csv(given, "\x01", ["entry"]).column(0)
    array = pc.utf8_trim_whitespace(pc.fill_null(_one(column.cast(pa.large_string())), ""))
    keep = pc.invert(pc.starts_with(array, "#"))
    return array.filter(keep), np.flatnonzero(np.asarray(keep, bool)) + 1


def _csv(given: OptoutList, delimiter: str) -> pa.ChunkedArray:
    table = _read_csv(given, delimiter, None)
    return table.column(_column(given, table.column_names))


def _read_csv(given: OptoutList, delimiter: str, names: list[str] | None) -> pa.Table:
    """Everything as text. A line may have no more than a MiB."""
    text = names is not None
    read = pa.csv.ReadOptions(column_names=names, block_size=MIB)
    parse = pa.csv.ParseOptions(
        delimiter=delimiter, quote_char=False if text else '"', ignore_empty_lines=not text, newlines_in_values=False
    )
    convert = pa.csv.ConvertOptions(
        column_types={n: pa.string() for n in names} if names else None, strings_can_be_null=False, check_utf8=True,
    )  # fmt: skip
    try:
        if not text:
            header = pa.csv.open_csv(given.path, read, parse).schema.names
            convert.column_types = dict.fromkeys(header, pa.string())
        return pa.csv.read_csv(given.path, read, parse, convert)
    except pa.ArrowInvalid as error:
        told = str(error)
        if "Empty CSV file" in told:
            raise ConfigError(f"optout: {given.name} has no entries") from None
        why = "a line is longer than 1 MiB" if "straddl" in told else "it is not UTF-8 text of one entry a line"
        raise ConfigError(f"optout: {given.path} cannot be read as a list: {why}") from None


def _jsonl(given: OptoutList) -> pa.Array:
    """One entry a line: a string, or an object that has it under a key."""
    values: list[str] = []
    column = given.column
    with io.BufferedReader(pa.input_stream(given.path, compression="detect")) as handle:
        for number, line in enumerate(handle, 1):
            try:
                told = orjson.loads(line) if line.strip() else ""
            except orjson.JSONDecodeError:
                raise ConfigError(f"optout: line {number:,} of {given.name} is not JSON") from None
            if isinstance(told, dict):
                column = column or _column(given, list(told))
                told = told.get(column, "")
            values.append("" if told is None else str(told))
    return pa.array(values, pa.large_string())


def _column(given: OptoutList, there: list[str]) -> str:
    """The column that holds the entries. Raises ConfigError with the columns there are."""
    wanted = (given.column,) if given.column else _COLUMNS[given.kind]
    found = [c for c in wanted if c in there] or (there if len(there) == 1 and not given.column else [])
    if not found:
        raise ConfigError(
            f"optout: {given.name} has no column {wanted[0]!r}; it has {', '.join(there)[:200]} (option column)"
        )
    return found[0]


def _one(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
