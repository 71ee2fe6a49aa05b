"""Looking at the records that were drawn, in this process or in several; what was counted comes back by stratum."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from filters.contract import ConfigError
from pipelines import formats, progress
from pipelines.audit import strata
from pipelines.audit.dataset import BATCH_BYTES, Dataset, Source, laid_out, rows
from pipelines.audit.tally import Tally, merged
from pipelines.errors import CorpusmillError, ShardError, UsageError, unexpected
from pipelines.formats import Part
from pipelines.shards import stat_of

if TYPE_CHECKING:
    from pipelines.audit.look import Looker

Rows = tuple[int, pa.RecordBatch, dict[int, str]]
Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Task:
    """A part of a shard. rows: those to look at, sorted; None for all."""

    dataset: Dataset
    source: Source
    part: Part
    rows: np.ndarray | None


@dataclass(frozen=True)
class Counts:
    """tallies: by stratum. failed: shard -> why what was drawn of it could not be looked at."""

    tallies: dict[str, Tally]
    failed: dict[str, str]


def tasks(dataset: Dataset, chosen: Sequence[np.ndarray] | None) -> list[Task]:
    """One a part that has rows to look at."""
    found = []
    for i, source in enumerate(dataset.sources):
        for part in source.parts:
            mine = None if chosen is None else _within(chosen[i], part)
            if part.rows and (mine is None or len(mine)):
                found.append(Task(dataset, source, part, mine))
    return found


def work(todo: Sequence[Task], *, by: str, lexicons: Sequence[str], workers: int) -> Counts:
    """Everything counted, whatever the number of workers. Raises UsageError when a model or lexicon is not what it should be."""
    counts = Counts({}, {})
    records = sum(t.part.rows if t.rows is None else len(t.rows) for t in todo)
    with watched(len(todo), records) as folder:
        for task, found in _each(todo, by, tuple(lexicons), min(workers, len(todo)), folder):
            if isinstance(found, str):
                counts.failed[task.source.shard.name] = found
            else:
                merged(counts.tallies, found)
    return counts


Found = dict[str, Tally] | str


def _each(
    todo: Sequence[Task], by: str, lexicons: tuple[str, ...], workers: int, folder: str
) -> Iterator[tuple[Task, Found]]:
    if workers <= 1:
        for task in todo:
            yield task, _one(task, by, lexicons, folder)
        return
    # As in pipelines.executors.local: workers that start with our packages first on their path, and end with us.
    from pipelines.executors.local import _die_with_parent

    os.environ["PYTHONSAFEPATH"] = "1"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pipelines.audit.look"])
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_die_with_parent) as pool:
        futures = {pool.submit(_one, task, by, lexicons, folder): task for task in todo}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool:
            raise CorpusmillError("a worker died (out of memory?): audit again, with fewer workers") from None


def _one(task: Task, by: str, lexicons: tuple[str, ...], folder: str) -> Found:
    """What was counted of one task, or why it could not be."""
    try:
        looker = _looker(lexicons)
        counted: dict[str, Tally] = {}
        for batch, problems in _batches(task):
            laid = laid_out(task.dataset.input, task.source.columns, batch, problems)
            merged(counted, looker.look(laid.batch, *strata.names(by, task.source, batch)))
            told(folder, batch.num_rows, batch.nbytes)
        told(folder, 0, 0, 1)
        if stat_of(task.source.shard.path) != task.source.shard.stat:
            raise ShardError("it changed while it was read: audit again")
        return counted
    except ConfigError as error:
        raise UsageError(str(error)) from None
    except ShardError as error:
        return str(error)
    except Exception as error:
        return unexpected(error)


@lru_cache(1)
def _looker(lexicons: tuple[str, ...]) -> Looker:
    from pipelines.audit.look import Looker

    return Looker(lexicons)


def _batches(task: Task) -> Iterator[tuple[pa.RecordBatch, dict[int, str]]]:
    """The rows to look at, gathered to batches worth looking at."""
    if task.rows is None:
        for _, batch, mine in rows(task.source, task.part):
            yield batch, mine
        return
    gathered: list[pa.RecordBatch] = []
    problems: dict[int, str] = {}
    count = size = 0
    for batch, mine in _chosen(task):
        problems |= {count + i: why for i, why in mine.items()}
        gathered.append(batch)
        count, size = count + batch.num_rows, size + batch.nbytes
        if size >= BATCH_BYTES:
            yield _joined(gathered), problems
            gathered, problems, count, size = [], {}, 0, 0
    if gathered:
        yield _joined(gathered), problems


def _chosen(task: Task) -> Iterator[tuple[pa.RecordBatch, dict[int, str]]]:
    """The rows drawn, from the row groups that hold any: others are not read."""
    assert task.rows is not None
    path = task.source.shard.path
    for group in formats.of(task.source.shard).parts(path, 1):
        if not task.part.first_row <= group.first_row < task.part.first_row + task.part.rows:
            continue
        if not len(_within(task.rows, group)):
            continue
        for first, batch, problems in rows(task.source, group):
            here = task.rows[np.searchsorted(task.rows, first) : np.searchsorted(task.rows, first + batch.num_rows)]
            if len(here):
                mine = here - first
                yield (
                    batch.take(pa.array(mine)),
                    {i: problems[int(r)] for i, r in enumerate(mine) if int(r) in problems},
                )


def _within(chosen: np.ndarray, part: Part) -> np.ndarray:
    return chosen[np.searchsorted(chosen, part.first_row) : np.searchsorted(chosen, part.first_row + part.rows)]


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.Table.from_batches(batches).combine_chunks().to_batches()[0]


@contextmanager
def watched(units: int, records: int) -> Iterator[str]:
    """A folder that ``told`` writes into, and a bar on the terminal, or JSON lines, over it."""
    with tempfile.TemporaryDirectory(prefix="corpusmill-") as folder, progress.watch(Path(folder), units, records):
        yield folder


def told(folder: str, records: int, size: int, units: int = 0) -> None:
    with (Path(folder) / f"{os.getpid()}.done").open("a", encoding="ascii") as file:
        file.write(f"{records} {size} {units}\n")
