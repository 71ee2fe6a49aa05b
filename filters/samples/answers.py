"""Which answers to one problem are the same. Transitive, and the same in whatever order they come.

Answers of one digest are one answer. An answer that may mean another one (``50 %``: 0.5 or 50; 5: 5 km; 0.33: a third, rounded) counts for
it if there is just one such among the problem's answers; if there are several it stands for itself, and is neither right nor wrong where
one of them wins. Only which answers there are decides that, not how many give them, so one more vote for an answer moves no other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from filters.numbers.meaning import FORMULA, NUMBER, WORDS, is_rounded

MOST = 100
"""Answers that a decimal may be rounded from and that are looked at; with more of them there is no telling."""


@dataclass(frozen=True)
class Answers:
    """The different answers of all problems. of: int64[n], the answer of each record, -1: none. problem, kind, votes: of each answer.
    digest, unit: bytes of each (unit empty: none). stands: the answer that it counts for, itself for most. may_be: for those of which it is
    not clear what they mean, the answers that they may be."""

    of: np.ndarray
    problem: np.ndarray
    kind: np.ndarray
    votes: np.ndarray
    digest: list[bytes]
    unit: list[bytes]
    stands: np.ndarray
    may_be: dict[int, frozenset[int]]

    def comparable(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Whether two answers that are not the same are surely different: words are not, nor kilometres and metres."""
        kinds = (self.kind[a] == self.kind[b]) & (self.kind[a] != WORDS)
        numbers = np.isin(self.kind, (NUMBER, FORMULA))
        kinds |= numbers[a] & numbers[b]
        unit = np.array([hash(u) if u else 0 for u in self.unit], np.int64)
        return kinds & ((unit[a] == unit[b]) | (unit[a] == 0) | (unit[b] == 0))


def numbered(*keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(int64[n], int64[m]): a number for each row of equal keys, in the order of the keys; and a row that has it."""
    order = np.lexsort(keys[::-1])
    new = np.ones(len(order), bool)
    if len(order):
        new[1:] = np.any([k[order][1:] != k[order][:-1] for k in keys], axis=0)
    out = np.empty(len(order), np.int64)
    out[order] = np.cumsum(new) - 1
    return out, order[new]


def answers(problem: np.ndarray, digest: np.ndarray, signed: pa.Table) -> Answers:
    """problem: int64[n], -1: none. digest: uint64[n, 2], of records whose kind is not NONE. signed: their signatures."""
    given = np.flatnonzero((signed["kind"].to_numpy() > 0) & (problem >= 0))
    number, first = numbered(problem[given], digest[given, 0], digest[given, 1])
    first = given[first]
    of = np.full(len(problem), -1)
    of[given] = number
    votes = np.bincount(number, weights=~signed["guess"].to_numpy(zero_copy_only=False)[given], minlength=len(first))
    found = Answers(
        of, problem[first], signed["kind"].to_numpy()[first], votes.astype(np.int64), [d.tobytes() for d in digest[first]],
        [u or b"" for u in signed["unit"].take(pa.array(first)).to_pylist()], np.arange(len(first)), {},
    )  # fmt: skip
    _attach(found, _Hints(found, first, signed, given, number))
    return found


class _Hints:
    """What answers may mean beside what they say."""

    def __init__(
        self, found: Answers, first: np.ndarray, signed: pa.Table, given: np.ndarray, number: np.ndarray
    ) -> None:
        self.size = signed["size"].to_numpy(zero_copy_only=False)[first]
        self.places = signed["places"].to_numpy()[first].astype(np.int64)
        told = signed["means"].combine_chunks().take(pa.array(first))
        several = np.flatnonzero(np.diff(told.offsets.to_numpy()) > 0)
        self.means = dict(zip(several.tolist(), told.take(pa.array(several)).to_pylist(), strict=True))
        # Records of one answer may differ in it: "(C) 42" beside "C".
        column = signed["bare"].combine_chunks().take(pa.array(given))
        with_bare = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
        bare = column.take(pa.array(with_bare)).to_pylist()
        self.bare: dict[int, set[bytes]] = {}
        for answer, key in zip(number[with_bare].tolist(), bare, strict=True):
            self.bare.setdefault(answer, set()).add(key)
        decimals = np.flatnonzero(~np.isnan(self.size) & (self.places >= 2)).tolist()
        self.problems = sorted({int(found.problem[a]) for a in (*self.means, *self.bare, *decimals)})


def _attach(found: Answers, hints: _Hints) -> None:
    """Fill ``stands`` and ``may_be``."""
    start = np.searchsorted(found.problem, hints.problems)
    end = np.searchsorted(found.problem, hints.problems, side="right")
    for low, high in zip(start.tolist(), end.tolist(), strict=True):
        if high - low > 1:
            candidates = _candidates(found, hints, low, high)
            for answer in candidates:
                meant = _roots(answer, candidates)
                if len(meant) == 1:
                    [found.stands[answer]] = meant
                elif meant:
                    found.may_be[answer] = meant


def _candidates(found: Answers, hints: _Hints, low: int, high: int) -> dict[int, set[int]]:
    """Of the answers low:high of one problem, those that others may mean. Only what somebody votes for is meant."""
    place = {found.digest[a]: a for a in range(low, high)}
    out: dict[int, set[int]] = {}
    for answer in range(low, high):
        meant = {place[k] for k in hints.means.get(answer, ()) if k in place and found.votes[place[k]]}
        if meant:
            out.setdefault(answer, set()).update(meant)
        for key in hints.bare.get(answer, ()) if found.votes[answer] else ():
            if key in place:
                out.setdefault(place[key], set()).add(answer)
    for answer, finer in _rounded(found, hints, np.arange(low, high)):
        out.setdefault(answer, set()).update(finer)
    return out


def _rounded(found: Answers, hints: _Hints, mine: np.ndarray) -> Iterable[tuple[int, list[int]]]:
    """Decimals, each with the finer values that it may be rounded from."""
    mine = mine[~np.isnan(hints.size[mine])]
    mine = mine[np.argsort(hints.size[mine], kind="stable")]
    size = hints.size[mine]
    for i in np.flatnonzero(hints.places[mine] >= 2).tolist():
        places = int(hints.places[mine[i]])
        reach = 0.51 * 10.0**-places
        low, high = np.searchsorted(size, (size[i] - reach, size[i] + reach)).tolist()
        near = [j for j in range(low, min(high, low + MOST)) if j != i and found.votes[mine[j]]]
        finer = [int(mine[j]) for j in near if is_rounded(size[i], places, size[j], int(hints.places[mine[j]]))]
        if finer:
            yield int(mine[i]), finer


def _roots(answer: int, candidates: dict[int, set[int]]) -> frozenset[int]:
    """What an answer may stand for in the end. Candidates are finer, or have a unit or a letter more: there is no way back."""
    out: set[int] = set()
    for each in candidates[answer]:
        further = _roots(each, candidates) if each in candidates else frozenset()
        out |= further if len(further) == 1 else {each}
    return frozenset(out)
