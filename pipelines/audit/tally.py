"""What is counted of a stratum's records, and added up over batches in any order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipelines.statistics import Moments

Key = tuple[str, ...]
"""What is counted, the family first: ("gender", "male"), say."""


@dataclass
class Tally:
    """n: records looked at. records: how many each thing is true of. sums: for things that a record can hold several of, and
    for the family they are a share of (a key of one word), sums over records of [count, count^2, count x family's count]."""

    n: int = 0
    records: Counter[Key] = field(default_factory=Counter)
    sums: dict[Key, np.ndarray] = field(default_factory=lambda: defaultdict(lambda: np.zeros(3, np.int64)))

    def __getstate__(self) -> tuple[int, dict[Key, int], dict[Key, np.ndarray]]:
        return self.n, dict(self.records), dict(self.sums)

    def __setstate__(self, state: tuple[int, dict[Key, int], dict[Key, np.ndarray]]) -> None:
        self.__init__()  # type: ignore[misc]
        self.n = state[0]
        self.records.update(state[1])
        self.sums.update(state[2])

    def add(self, other: Tally) -> None:
        self.n += other.n
        self.records.update(other.records)
        for key, sums in other.sums.items():
            self.sums[key] = self.sums[key] + sums


@dataclass(frozen=True)
class Stratum:
    """What was counted of the records looked at, and how many there are."""

    tally: Tally
    of: int

    def records(self, key: Key, among: Key | None = None) -> Moments:
        """Records that ``key`` is true of, among all or those that ``among`` is true of."""
        counts = self.tally.records
        return Moments.of_records(counts[key], self.tally.n if among is None else counts[among], self.tally.n, self.of)

    def things(self, key: Key) -> Moments:
        """What is counted under a key, among all of its family."""
        zero = np.zeros(3, np.int64)
        y, x = self.tally.sums.get(key, zero), self.tally.sums.get(key[:1], zero)
        return Moments(self.tally.n, self.of, int(x[0]), int(y[0]), int(x[1]), int(y[2]), int(y[1]))


class Batched:
    """Counts of one batch, dealt out to the strata of its records. stratum: int64[n], each record's."""

    def __init__(self, stratum: np.ndarray, strata: int) -> None:
        self.stratum = stratum
        self.tallies = [Tally() for _ in range(strata)]
        for tally, n in zip(self.tallies, np.bincount(stratum, minlength=strata), strict=True):
            tally.n = int(n)

    def hold(self, record: np.ndarray, code: np.ndarray, keys: Sequence[Key]) -> None:
        """That ``keys[code]`` is true of these records; pairs that come twice count once."""
        record, code, once = distinct(record, code)
        for s, c, (n,) in self._dealt(record, code, np.ones_like(once)):
            self.tallies[s].records[keys[c]] += int(n)

    def count(self, record: np.ndarray, code: np.ndarray, keys: Sequence[Key]) -> None:
        """Things of one family, one row each: ``keys[code]``, all with the same first word."""
        if not len(record):
            return
        family = np.bincount(record, minlength=len(self.stratum))
        record, code, y = distinct(record, code)
        x = family[record]
        for s, c, sums in self._dealt(record, code, y, y * y, y * x):
            self.tallies[s].sums[keys[c]] += sums
        having = np.flatnonzero(family)
        x = family[having]
        for s, _, sums in self._dealt(having, np.zeros_like(having), x, x * x, x * x):
            self.tallies[s].sums[keys[0][:1]] += sums

    def _dealt(
        self, record: np.ndarray, code: np.ndarray, *values: np.ndarray
    ) -> Iterator[tuple[int, int, np.ndarray]]:
        """(stratum, code, sums of the values) wherever there are any."""
        stratum = self.stratum[record]
        width = int(code.max(initial=0)) + 1
        places, at = np.unique(stratum * width + code, return_inverse=True)
        sums = [np.bincount(at, weights=v, minlength=len(places)).astype(np.int64) for v in values]
        for i, place in enumerate(places.tolist()):
            yield place // width, place % width, np.array([each[i] for each in sums])


def merged(into: dict[str, Tally], more: Mapping[str, Tally]) -> None:
    """Adds tallies by stratum."""
    for name, tally in more.items():
        into.setdefault(name, Tally()).add(tally)


def distinct(*columns: np.ndarray) -> tuple[np.ndarray, ...]:
    """The different rows of int64 columns (none negative), sorted, and last how often each comes."""
    sizes = [int(c.max(initial=0)) + 1 for c in columns]
    packed = np.ravel_multi_index(columns, sizes) if len(columns[0]) else np.zeros(0, np.int64)
    unique, counts = np.unique(packed, return_counts=True)
    return (*np.unravel_index(unique, sizes), counts)
