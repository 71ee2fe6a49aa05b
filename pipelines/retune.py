"""What other thresholds would keep: verdicts made again from the scores in a dataset's annotations; no text is read."""

from __future__ import annotations

import hashlib
import heapq
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters.contract import KEPT, ConfigError, Filter
from pipelines import listing, manifest, recipe
from pipelines.errors import UsageError
from pipelines.recipe import Recipe, Stage

MOST_SETTINGS = 1000
"""Settings of one sweep. More is a mistake in the command rather than a question somebody can read the answer to."""

BATCH_ROWS = 65_536
_PLACE = ("record_id", "shard", "row", "kept", "rejected_by", "reason")


@dataclass(frozen=True)
class Example:
    """A record whose verdict changes. was/now: ``filter: reason``, or ``kept``; scores: those of the filters retuned."""

    record_id: str
    shard: str
    row: int
    was: str
    now: str
    scores: Mapping[str, Mapping[str, Any]]


@dataclass
class Outcome:
    """One setting against what was published. Counts are records; first: rejected there first, by filter and reason."""

    settings: tuple[str, ...]
    read: int = 0
    kept: int = 0
    newly_kept: int = 0
    newly_rejected: int = 0
    first: Counter[tuple[str, str]] = field(default_factory=Counter)
    _examples: dict[str, list[tuple[int, str, Example]]] = field(default_factory=lambda: {"kept": [], "rejected": []})

    def examples(self, side: str) -> list[Example]:
        """Records newly ``kept`` or newly ``rejected``: those whose id hashes lowest, so a fair and repeatable sample."""
        return [e for _, _, e in sorted(self._examples[side], key=lambda found: -found[0])]


@dataclass(frozen=True)
class Retuned:
    """before: the verdicts as published; after: one outcome a setting."""

    out: Path
    before: Outcome
    after: tuple[Outcome, ...]


def retune(out: Path, changes: Sequence[str], sweeps: Sequence[str] = (), examples: int = 5) -> Retuned:
    """Decide again with ``changes`` (``filter.option=value``) and every combination of ``sweeps`` (``…=v1,v2`` or
    ``…=first:last:step``). Raises UsageError where an option went into the scores, so that only a run can tell."""
    told = _dataset(out)
    document = told["recipe"]["effective"]
    standing = recipe.overridden(document, (), "manifest.json")
    settings = _settings(changes, sweeps)
    stages = [_changed(standing, recipe.overridden(document, setting, "retune")) for setting in settings]
    before, after = Outcome(()), [Outcome(setting) for setting in settings]
    retuned = {name: standing_stage(standing, name) for changed in stages for name in changed}
    for path in _annotations(out, told):
        for rows in _batches(path, retuned):
            verdicts = _recorded(rows, standing)
            _agree(rows, retuned, verdicts)
            was = _first(verdicts)
            _count(before, was)
            for outcome, changed in zip(after, stages, strict=True):
                now = _first({**verdicts, **{n: _decide(s, _scores(rows, n)) for n, s in changed.items()}})
                _count(outcome, now)
                _compare(outcome, rows, was, now, changed, examples)
    return Retuned(out, before, tuple(after))


def standing_stage(standing: Recipe, name: str) -> Stage:
    return next(s for s in standing.stages if s.name == name)


def _dataset(out: Path) -> dict[str, Any]:
    if (told := manifest.sound(out)) is None:
        raise UsageError(manifest.none_at(out))
    return told


def _settings(changes: Sequence[str], sweeps: Sequence[str]) -> list[tuple[str, ...]]:
    """Every combination of the values swept, each with the changes that hold for all of them."""
    for given in (*changes, *sweeps):
        if given.partition(".")[0] in ("about", "input", "output", "work"):
            raise UsageError(f"{given}: only filters' options can be retuned; about, input, output and work need a run")
    axes = [_values(sweep) for sweep in sweeps]
    count = int(np.prod([len(a) for a in axes])) if axes else 1
    if count > MOST_SETTINGS:
        raise UsageError(f"that would be {count:,} settings; {MOST_SETTINGS:,} at most: take fewer values")
    if not changes and not sweeps:
        raise UsageError("nothing to change: give --set filter.option=value or --sweep filter.option=first:last:step")
    return [(*changes, *combination) for combination in itertools.product(*axes)]


def _values(sweep: str) -> list[str]:
    option, equals, listed = sweep.partition("=")
    if not equals or "." not in option or not listed:
        raise UsageError(f"--sweep {sweep}: write it as filter.option=v1,v2,v3 or filter.option=first:last:step")
    if listed.count(":") != 2:
        return [f"{option}={value}" for value in listed.split(",")]
    try:
        first, last, step = map(float, listed.split(":"))
        count = int(np.floor((last - first) / step + 1e-9)) + 1
    except (ValueError, ZeroDivisionError, OverflowError):
        raise UsageError(f"--sweep {sweep}: first, last and step must be numbers, and step not 0") from None
    if not 0 < count <= MOST_SETTINGS:
        raise UsageError(f"--sweep {sweep}: that is {count:,} values; from 1 to {MOST_SETTINGS:,} can be swept")
    return [f"{option}={np.round(first + i * step, 9):g}" for i in range(count)]


def _changed(standing: Recipe, wanted: Recipe) -> dict[str, Stage]:
    """Stages whose options differ, each of which must be able to decide again."""
    changed = {}
    for old, new in zip(standing.stages, wanted.stages, strict=True):
        differing = [n for n in new.options.__struct_fields__ if getattr(old.options, n) != getattr(new.options, n)]
        measured = new.filter.measured_with
        if differing and measured is None:
            raise UsageError(f"{new.name} does not decide by its scores alone: changing {differing[0]} needs a run")
        if inside := [n for n in differing if n in (measured or ())]:
            told = ", ".join(measured or ())
            raise UsageError(f"{new.name}.{inside[0]} went into the scores ({told} did): changing it needs a run")
        if differing:
            _check(new)
            changed[new.name] = new
    return changed


def _check(stage: Stage) -> None:
    try:
        stage.filter.check(stage.options)
    except ConfigError as error:
        raise UsageError(str(error)) from None


def _annotations(out: Path, told: Mapping[str, Any]) -> Iterator[Path]:
    return (out / entry["path"] for entry in listing.outputs(told, "annotations"))


def _batches(path: Path, retuned: Mapping[str, Stage]) -> Iterator[pa.RecordBatch]:
    """The rows of one file, without evidence, and with the scores of the filters retuned alone."""
    try:
        file = pq.ParquetFile(path)
        filters = [n for n in file.schema_arrow.names if n not in _PLACE]
        columns = [*_PLACE, *(f"{n}.reason" for n in filters), *(f"{n}.scores" for n in retuned)]
        yield from file.iter_batches(BATCH_ROWS, columns=columns, use_threads=False)
    except (OSError, pa.ArrowException):
        raise UsageError(f"{path} cannot be read: `corpusmill verify` says what is wrong with the dataset") from None


def _recorded(rows: pa.RecordBatch, standing: Recipe) -> dict[str, np.ndarray]:
    """The reason (text, None where kept) that every filter gave, in recipe order."""
    names = ["read", *(s.name for s in standing.stages)]
    return {n: rows.column(n).field("reason").to_numpy(zero_copy_only=False) for n in names}


def _scores(rows: pa.RecordBatch, name: str) -> dict[str, np.ndarray]:
    scores = rows.column(name).field("scores")
    return {f.name: scores.field(f.name).to_numpy(zero_copy_only=False) for f in scores.type}


def _decide(stage: Stage, scores: Mapping[str, np.ndarray]) -> np.ndarray:
    """Reasons as text, None where kept."""
    filter_: type[Filter] = stage.filter
    try:
        decided = filter_.decide(scores, stage.options)
    except ConfigError as error:
        raise UsageError(str(error)) from None
    codes = np.array([*filter_.reasons, None], object)
    return codes[np.where(decided == KEPT, len(filter_.reasons), decided)]


def _agree(rows: pa.RecordBatch, retuned: Mapping[str, Stage], verdicts: Mapping[str, np.ndarray]) -> None:
    """Deciding with the recipe's own options must give the recorded verdicts, or the others mean nothing."""
    unread = verdicts["read"] == None  # noqa: E711  (element by element)
    for name, stage in retuned.items():
        again = _decide(stage, _scores(rows, name))
        if (again[unread] != verdicts[name][unread]).any():
            raise UsageError(f"the annotations' verdicts of {name} were made by another version: run the recipe again")


def _first(verdicts: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(filter, reason) of the first rejection in recipe order, as text; None where kept."""
    count = len(next(iter(verdicts.values())))
    by, why = np.full(count, None, object), np.full(count, None, object)
    for name, reasons in reversed(verdicts.items()):
        here = np.array([r is not None for r in reasons], bool)
        by[here], why[here] = name, reasons[here]
    return by, why


def _count(outcome: Outcome, verdict: tuple[np.ndarray, np.ndarray]) -> None:
    by, why = verdict
    found = Counter(zip(by.tolist(), why.tolist(), strict=True))
    outcome.read += len(by)
    outcome.kept += found.pop((None, None), 0)
    outcome.first.update(found)


def _compare(
    outcome: Outcome,
    rows: pa.RecordBatch,
    was: tuple[np.ndarray, np.ndarray],
    now: tuple[np.ndarray, np.ndarray],
    changed: Mapping[str, Stage],
    limit: int,
) -> None:
    kept_before = np.array([b is None for b in was[0]], bool)
    kept_now = np.array([b is None for b in now[0]], bool)
    outcome.newly_kept += int((kept_now & ~kept_before).sum())
    outcome.newly_rejected += int((kept_before & ~kept_now).sum())
    for side, which in (("kept", kept_now & ~kept_before), ("rejected", kept_before & ~kept_now)):
        heap = outcome._examples[side]
        for i in np.flatnonzero(which).tolist() if limit else ():
            shard, row = rows["shard"][i].as_py(), rows["row"][i].as_py()
            place = f"{shard}:{row}"
            rank = -int.from_bytes(hashlib.blake2b(place.encode(), digest_size=7).digest())
            if len(heap) >= limit and rank <= heap[0][0]:
                continue
            scores = {n: rows.column(n)[i].as_py()["scores"] for n in changed}
            told = Example(rows["record_id"][i].as_py(), shard, row, _told(was, i), _told(now, i), scores)
            (heapq.heappush if len(heap) < limit else heapq.heapreplace)(heap, (rank, place, told))


def _told(verdict: tuple[np.ndarray, np.ndarray], i: int) -> str:
    by, why = verdict[0][i], verdict[1][i]
    return "kept" if by is None else f"{by}: {why}"
