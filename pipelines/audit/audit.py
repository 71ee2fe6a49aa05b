"""An audit: each input's sample drawn and looked at, and what it says as figures and sentences; then all inputs as one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines import statistics
from pipelines.audit import strata
from pipelines.audit.associations import Association, associations
from pipelines.audit.dataset import Dataset, open_all
from pipelines.audit.draw import draw
from pipelines.audit.figures import Counted, Figure, Skew, figures, skews
from pipelines.audit.sentences import sentences
from pipelines.audit.tally import Stratum
from pipelines.audit.work import Task, tasks, told, watched, work
from pipelines.errors import UsageError

SIZE = 3000
"""Records of a sample, as the model card that this follows takes them."""
POOL_BYTES = 64 << 20
"""Input from which on several processes are worth their start."""
ALL = "all"


@dataclass(frozen=True)
class Asked:
    """size: records drawn of each input; margin instead of it: how far an interval may reach. by: a column, or one of language,
    license, generator, shard, that strata come from; equal: the same number of each. review: a dataset whose manifest says
    how many findings people found right. workers 0: as many as are worth it."""

    inputs: Sequence[str]
    size: int = SIZE
    margin: float | None = None
    exhaustive: bool = False
    seed: int = 0
    by: str = ""
    equal: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    lexicons: Sequence[str] = ()
    review: str | None = None
    workers: int = 0


@dataclass(frozen=True)
class Said:
    """What is said of a population of records; n of ``of`` were looked at. stratum: "" for the whole."""

    stratum: str
    n: int
    of: int
    figures: Sequence[Figure]
    skews: Sequence[Skew]
    associations: Sequence[Association]
    sentences: Sequence[str]


@dataclass(frozen=True)
class Audited:
    """keyed: what the sample was drawn by (``id``, ``text``), or ``all``. parts: each stratum, if there are several. reviewed:
    precision by entity, as used. notes: what a reader has to know."""

    dataset: Dataset
    keyed: str
    whole: Said
    parts: Sequence[Said]
    strata: Sequence[Stratum]
    reviewed: Mapping[str, Any]
    failed: Mapping[str, str]
    notes: Sequence[str]


@dataclass(frozen=True)
class Audit:
    """overall: all inputs as one population, each by its size; None where there is one."""

    asked: Asked
    datasets: Sequence[Audited]
    overall: Said | None

    @property
    def failed(self) -> dict[str, str]:
        return {f"{a.dataset.name}: {shard}": why for a in self.datasets for shard, why in a.failed.items()}


def audit(asked: Asked) -> Audit:
    """Raises CorpusmillError, in a line, for an input that cannot be read and for what makes no sense together."""
    datasets = open_all(asked.inputs, asked.columns)
    strata.check(asked.by, datasets)
    reviews = [_review(dataset, asked) for dataset in datasets]
    done = [_audited(dataset, asked, reviewed) for dataset, reviewed in zip(datasets, reviews, strict=True)]
    where = f" in {len(done)} datasets"
    overall = _said("", [s for a in done for s in a.strata], {}, where) if len(done) > 1 else None
    return Audit(asked, done, overall)


def _audited(dataset: Dataset, asked: Asked, reviewed: Mapping[str, Any]) -> Audited:
    size = asked.size if asked.margin is None else statistics.size_for(asked.margin, dataset.records)
    everything = asked.exhaustive or size >= dataset.records
    drawn = None if everything else _drawn(dataset, asked, size)
    todo = tasks(dataset, None if drawn is None else drawn.rows)
    counts = work(todo, by=asked.by, lexicons=asked.lexicons, workers=asked.workers or _workers(todo))
    names = sorted(counts.tallies if drawn is None else drawn.population)
    tallies = {name: counts.tallies[name] for name in names if name in counts.tallies and counts.tallies[name].n}
    by_name = {n: Stratum(t, t.n if drawn is None else drawn.population[n]) for n, t in tallies.items()}
    whole = _said("", list(by_name.values()), reviewed)
    parts = [_said(n, [s], reviewed, f" of {asked.by} {n}") for n, s in by_name.items()] if asked.by else []
    failed = {**dataset.failed, **counts.failed}
    notes = _notes(dataset, failed, drawn.keyed if drawn else ALL, size, drawn.population if drawn else {})
    return Audited(
        dataset, drawn.keyed if drawn else ALL, whole, parts, list(by_name.values()), reviewed, failed, notes
    )


def _drawn(dataset: Dataset, asked: Asked, size: int):  # type: ignore[no-untyped-def]
    with watched(1, dataset.records) as folder:
        return draw(
            dataset, size=size, seed=asked.seed, by=asked.by, equal=asked.equal, tell=lambda n: told(folder, n, 0)
        )


def _workers(todo: Sequence[Task]) -> int:
    size = sum(t.part.bytes * (1 if t.rows is None else len(t.rows) / max(1, t.part.rows)) for t in todo)
    return (os.cpu_count() or 1) if size > POOL_BYTES else 1


def _said(stratum: str, found: Sequence[Stratum], reviewed: Mapping[str, Any], where: str = "") -> Said:
    from pipelines.audit.look import not_scanned

    counted = Counted(found)
    figured, skewed, tested = figures(counted, reviewed), skews(counted), associations(counted)
    text = sentences(counted.n, counted.of, figured, skewed, tested, not_scanned(), where)
    return Said(stratum, counted.n, counted.of, figured, skewed, tested, text)


def _review(dataset: Dataset, asked: Asked) -> Mapping[str, Any]:
    """What people found of a sample of pii's findings, by entity: the input's own, or another dataset's that is named."""
    told = dataset.told
    if asked.review is not None:
        try:
            told = json.loads((Path(asked.review) / "manifest.json").read_text("utf-8"))
        except (OSError, ValueError):
            raise UsageError(f"--review {asked.review}: it has no manifest.json that can be read") from None
        if "pii" not in told.get("review", {}):
            raise UsageError(f"--review {asked.review}: nobody reviewed its findings; `corpusmill review` says how")
    return (told or {}).get("review", {}).get("pii", {}).get("entities", {})


def _notes(
    dataset: Dataset, failed: Mapping[str, str], keyed: str, size: int, population: Mapping[str, int]
) -> list[str]:
    notes = []
    if keyed == "text" and dataset.has("id"):
        notes.append("Its key column has nulls or repeats, so a hash of the text names the records.")
    if not dataset.has("license"):
        notes.append("No record declares a licence: there is no column for it.")
    if failed:
        notes.append(f"{len(failed):,} shards could not be read and are no part of these figures.")
    if keyed != ALL and len(population) > 1 and statistics.LEAST * len(population) > size:
        notes.append("There are more strata than the sample has pairs of records; every stratum still got two.")
    return notes
