"""The stages as datatrove steps: read units, judge by each filter, write. What flows between them are judged batches.

A step never raises for one unit's sake: a unit that fails is set aside with one line that says why, and the rest goes on.
Text never gets into such a line: an unexpected error is named by its type and place alone.
"""

from __future__ import annotations

import copy
import errno
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
from datatrove.pipeline.base import PipelineStep

from filters.contract import ConfigError, Filter, JudgeError, Judgement
from filters.reading import ReadFilter
from pipelines import begun, faults, formats, memory, quarantine, recipe, units
from pipelines.errors import MACHINE, ShardError, StoreError, unexpected
from pipelines.ledger import Ledger
from pipelines.schemas.read import Read, read
from pipelines.schemas.recognise import recognise
from pipelines.shards import stat_of
from pipelines.units import Unit
from pipelines.write import UnitWriter

FATAL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Errors of the output itself: every further unit would meet them too, so a worker stops."""


@dataclass
class Item:
    """What flows: a batch of a unit and what was said of it, or the end of a unit. failed: why the unit cannot be done;
    own: whether that lies in the unit itself."""

    unit: Unit
    schema: pa.Schema | None = None
    read: Read | None = None
    judgements: dict[str, Judgement] = field(default_factory=dict)
    failed: str | None = None
    own: bool = True
    last: bool = False


class ReadUnits(PipelineStep):
    """Yields the batches of every unit of its rank, each laid out once, and an end after each unit. What is done already is
    passed over: a task that a queue starts again goes on where it was."""

    name = "read units"
    type = "corpusmill"

    def __init__(self, units_file: str, out: str, document: Mapping[str, Any]) -> None:
        super().__init__()
        self.units_file, self.out, self.document = units_file, out, dict(document)
        self.only: str | None = None

    def alone(self, key: str) -> ReadUnits:
        """The same for one unit."""
        other = copy.copy(self)
        other.only = key
        return other

    def unit(self, key: str) -> Unit:
        return next(u for u in self._listed() if u.key == key)

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Item]:
        pa.set_cpu_count(1)
        pa.set_io_thread_count(1)
        ledger = Ledger(Path(self.out))
        told = quarantine.noted(ledger)
        # The steps after this one run while it waits, so what they allocate is bounded too.
        with memory.bounded():
            for unit in [self.unit(self.only)] if self.only else self._listed(rank, world_size):
                if unit.key not in told and ledger.receipt(unit.key) is None:
                    begun.begin(ledger, unit.key)
                    yield from self._unit(unit)

    def _listed(self, rank: int = 0, world_size: int = 1) -> Iterator[Unit]:
        # Line by line: every rank reads the list, and there may be millions.
        with Path(self.units_file).open(encoding="utf-8") as listed:
            for line in islice(listed, rank, None, world_size):
                yield units.from_json(json.loads(line))

    def _unit(self, unit: Unit) -> Iterator[Item]:
        told = recipe.from_document(self.document)
        try:
            reader = formats.of(unit.shard, told.input)
            schema = reader.schema(unit.shard.path)
            columns = recognise(schema, told.input.columns or None)
            yield Item(unit, schema)
            for rows in reader.rows(unit.shard.path, unit.part, schema, told.work.batch_bytes):
                laid = read(rows.batch, columns, max_record_bytes=told.input.max_record_bytes, problems=rows.problems)
                faults.at("unit-read")
                yield Item(unit, schema, laid)
            if stat_of(unit.shard.path) != unit.shard.stat:
                raise ShardError("it changed while it was read: run again")
            yield Item(unit, last=True)
        except ShardError as error:
            yield Item(unit, failed=str(error), own=not isinstance(error, StoreError))
        except Exception as error:
            yield Item(unit, failed=unexpected(error), own=getattr(error, "errno", None) not in MACHINE)


class Judge(PipelineStep):
    """Adds one filter's judgement to every batch."""

    type = "corpusmill"

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        super().__init__()
        self.name, self.options = name, dict(options)

    def run(self, data: Iterator[Item], rank: int = 0, world_size: int = 1) -> Iterator[Item]:
        for item in data:
            if item.read is not None and item.failed is None:
                try:
                    built = build(self.name, json.dumps(self.options, sort_keys=True))
                    item.judgements[self.name] = built.judge(item.read.batch)
                    faults.at("unit-judged")
                except ConfigError as error:
                    item.failed, item.own = f"the filter {self.name} cannot start: {error}", False
                except JudgeError as error:
                    item.failed, item.own = f"the filter {self.name} stopped: {error}", False
                except Exception as error:
                    item.failed = f"the filter {self.name} failed on it: {unexpected(error)}"
            yield item


class WriteUnits(PipelineStep):
    """Writes units and their receipts; keeps note of those that failed. Yields nothing."""

    name = "write units"
    type = "corpusmill"

    def __init__(self, out: str, document: Mapping[str, Any]) -> None:
        super().__init__()
        self.out, self.document = out, dict(document)

    def run(self, data: Iterator[Item], rank: int = 0, world_size: int = 1) -> Iterator[Item]:
        told = recipe.from_document(self.document)
        stages: dict[str, type[Filter]] = {"read": ReadFilter, **{s.name: s.filter for s in told.stages}}
        ledger = Ledger(Path(self.out))
        current: _Current | None = None
        for item in data:
            if current is None or current.unit.key != item.unit.key:
                current = _Current(item.unit, ledger, stages, told.output)
            try:
                current.take(item)
            except OSError as error:
                fatal = error.errno in FATAL
                current.fail(f"cannot be written: {error.strerror}", own=False, fatal=fatal)
                if fatal:
                    return
            except Exception as error:
                current.fail(unexpected(error))
        yield from ()


class _Current:
    """The unit that is being written."""

    def __init__(self, unit: Unit, ledger: Ledger, stages: Mapping[str, type[Filter]], output: recipe.Output) -> None:
        self.unit, self.ledger, self.stages, self.output = unit, ledger, stages, output
        self.staged: Path | None = None
        self.writer: UnitWriter | None = None
        self.done = False

    def take(self, item: Item) -> None:
        if self.done:
            return
        if item.failed is not None:
            self.fail(item.failed, own=item.own)
            return
        if self.writer is None:
            assert item.schema is not None
            self.staged = self.ledger.stage(self.unit.key)
            self.writer = UnitWriter(self.unit, item.schema, self.stages, self.output, self.staged)
        if item.read is not None:
            self.writer.add(item.read, item.judgements)
            tell(self.ledger, len(item.read.batch), item.read.batch.source.nbytes)
        if item.last:
            assert self.staged is not None
            self.ledger.commit(self.unit.key, self.staged, self.writer.finish())
            tell(self.ledger, units=1)
            self.done = True

    def fail(self, why: str, *, own: bool = True, fatal: bool = False) -> None:
        """fatal: the worker stops, and what it has not begun fails for the same reason."""
        self.done = True
        if self.writer is not None:
            self.writer.abandon()
        if self.staged is not None:
            shutil.rmtree(self.staged, ignore_errors=True)
        note_failure(self.ledger, self.unit, why, own=own, fatal=fatal)


def note_failure(ledger: Ledger, unit: Unit, why: str, *, own: bool, fatal: bool = False) -> None:
    """One line that says why a unit cannot be done, for whoever started the run."""
    line = json.dumps({"key": unit.key, "shard": unit.shard.name, "why": why, "own": own, "fatal": fatal})
    try:
        with _notes(ledger, "failed").open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError:
        # The disk that could not take the unit may not take this either; the missing receipt still tells.
        return


def tell(ledger: Ledger, records: int = 0, size: int = 0, units: int = 0) -> None:
    """One line of progress, for whoever watches; losing it loses nothing."""
    try:
        with _notes(ledger, "done").open("a", encoding="ascii") as file:
            file.write(f"{records} {size} {units}\n")
    except OSError:
        return


def _notes(ledger: Ledger, kind: str) -> Path:
    """A file of this process alone, among those of several machines."""
    return ledger.root / "progress" / f"{socket.gethostname()}-{os.getpid()}.{kind}"


@cache
def build(name: str, options: str) -> Filter:
    """A filter with its models, once a process."""
    if name == "read":
        return ReadFilter()
    return recipe.stage(name, json.loads(options)).build()
