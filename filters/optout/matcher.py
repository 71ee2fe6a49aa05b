"""Which records of a batch stand on which list, and at which entry of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.batch import CONTENT, RECORD_TURN, Batch, Segments
from filters.hashing import NOT_THERE, Table
from filters.optout import keys
from filters.optout.lists import OptoutList, check, entries, plain_form
from filters.scan import Pattern, PatternSet

_LINK = re.compile(rb"(?:https?://|\bwww\.)[^\s<>\"'`\\^{}|]+", re.IGNORECASE)
_AFTER_LINK = b".,;:!?)]*_"


@dataclass(frozen=True)
class Hit:
    """A record on a list. entry: its number there. segment: where it stands, with bytes start:end; -1 for a fact of the record."""

    record: int
    list: int
    entry: int
    segment: int = -1
    start: int = 0
    end: int = 0


class Matcher:
    """All lists of a recipe, as sorted hashes: 24 bytes an entry."""

    def __init__(self, lists: Sequence[OptoutList], *, in_text: bool = False) -> None:
        """Reads every list. Raises ConfigError for one that cannot be read, or holds what it should not."""
        self.lists = tuple(lists)
        for given in self.lists:
            check(given)
        self._tables: list[Table] = []
        self._hashed: list[bool] = []
        for given in self.lists:
            plain, numbers = entries(given)
            self._tables.append(Table.of(plain, numbers))
            self._hashed.append(bool(pc.any(pc.starts_with(plain, keys.HASHED)).as_py()))
        self._links = in_text and any(g.kind in ("url", "domain") for g in self.lists)
        self._scan = PatternSet([Pattern("link", r"https?://|www\.")]) if self._links else None

    def match(self, batch: Batch) -> np.ndarray:
        """bool[n]: the records that stand on any list."""
        found = np.zeros(len(batch), bool)
        found[[hit.record for hit in self.hits(batch)]] = True
        return found

    def hits(self, batch: Batch) -> Iterator[Hit]:
        """Every hit, list by list."""
        facts = {kind: _facts(batch, kind) for kind in {g.kind for g in self.lists} - {"content"}}
        links = list(self._texts(batch.segments)) if self._links else []
        contents = list(_contents(batch)) if any(g.kind == "content" for g in self.lists) else []
        for number, given in enumerate(self.lists):
            if given.kind == "content":
                found = self._find(number, [c for c, _ in contents])
                yield from (Hit(*contents[i][1].at(number, e)) for i, e in found)
                continue
            values, records = facts[given.kind]
            for i, entry in self._find(number, values):
                yield Hit(int(records[i]), number, entry)
            if given.kind in ("url", "domain"):
                found = self._find(number, [text for text, _ in links])
                yield from (Hit(*links[i][1].at(number, e)) for i, e in found)

    def _find(self, number: int, values: Sequence[str] | pa.Array) -> list[tuple[int, int]]:
        """(index of the value, entry) for every value on a list."""
        array = pa.array(values, pa.large_string()) if not isinstance(values, pa.Array) else values
        if not len(array):
            return []
        kind = self.lists[number].kind
        owner, probes = _probes(kind, plain_form(kind)(array))
        if self._hashed[number]:
            told = [keys.HASHED + hashlib.sha256(p.encode()).hexdigest() for p in probes.to_pylist()]
            probes, owner = pa.concat_arrays([probes, pa.array(told, pa.large_string())]), np.tile(owner, 2)
        entry = self._tables[number].find(probes)
        first: dict[int, int] = {}
        for i in np.flatnonzero(entry != NOT_THERE):
            at = int(owner[i])
            first[at] = min(first.get(at, int(entry[i])), int(entry[i]))
        return sorted(first.items())

    def _texts(self, segments: Segments) -> Iterator[tuple[str, _Place]]:
        """Every link in any text."""
        assert self._scan
        for i in self._scan.candidates(segments, np.flatnonzero(segments.length > 0)):
            for found in _LINK.finditer(segments.bytes(i)):
                link = found.group().rstrip(_AFTER_LINK)
                place = _Place(int(segments.record[i]), int(i), found.start(), found.start() + len(link))
                yield link.decode("utf-8", "replace"), place


@dataclass(frozen=True)
class _Place:
    record: int
    segment: int
    start: int
    end: int

    def at(self, number: int, entry: int) -> tuple[int, int, int, int, int, int]:
        return self.record, number, entry, self.segment, self.start, self.end


def _facts(batch: Batch, kind: str) -> tuple[pa.Array, np.ndarray]:
    """What the record itself says of its id, user or address: values and the record of each."""
    columns: list[pa.Array] = [batch.ids] if kind == "id" and len(batch.ids) == len(batch) else []
    name = "url" if kind in ("url", "domain") else kind
    columns += [batch.facts[name]] if name in batch.facts else []
    values: list[pa.Array] = []
    records: list[np.ndarray] = []
    for column in columns:
        at = np.arange(len(batch))
        if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            at, column = np.asarray(pc.list_parent_indices(column)), pc.list_flatten(column)
        if pa.types.is_nested(column.type) or pa.types.is_null(column.type):
            continue
        there = np.asarray(column.is_valid())
        values.append(column.filter(pa.array(there)).cast(pa.large_string()))
        records.append(at[there])
    if not values:
        return pa.array([], pa.large_string()), np.zeros(0, np.int64)
    return pa.concat_arrays(values), np.concatenate(records)


def _contents(batch: Batch) -> Iterator[tuple[str, _Place]]:
    """The hash of each turn's text, and of each conversation as a whole."""
    segments = batch.segments
    told: dict[int, list[str]] = {}
    for i in segments.where(channels=(CONTENT,)):
        if segments.turn[i] == RECORD_TURN:
            continue
        record, text = int(segments.record[i]), keys.plain_text(segments.text(i))
        told.setdefault(record, []).append(text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        yield digest, _Place(record, int(i), 0, int(segments.length[i]))
    for record, texts in told.items():
        yield hashlib.sha256("\n".join(texts).encode()).hexdigest(), _Place(record, -1, 0, 0)


def _probes(kind: str, plain: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """What to look up for each value, and whose it is: itself, and for addresses everything that they lie below."""
    above: Callable[[str], list[str]] | None = {"domain": keys.domains_above, "url": keys.pages_above}.get(kind)
    if above is None:
        return np.arange(len(plain)), plain
    each = [above(value) for value in plain.to_pylist()]
    owner = np.repeat(np.arange(len(plain)), [len(e) for e in each])
    probes = pa.array([probe for e in each for probe in e], pa.large_string())
    if kind == "url":
        owner, probes = np.concatenate([np.arange(len(plain)), owner]), pa.concat_arrays([plain, probes])
    return owner, probes
