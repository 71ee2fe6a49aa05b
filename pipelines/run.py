"""A run: plan, do what is not done, check every receipt, publish."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines import (
    against,
    faults,
    fingerprints,
    footers,
    forget,
    gates,
    leftover,
    lineage,
    listing,
    manifest,
    memory,
    packs,
    planning,
    progress,
    publish,
    quarantine,
    resolve,
    shards,
    stores,
    unchanged,
    units,
)
from pipelines.errors import DONE, PARTIAL, GateError, OutputError, ShardError, StoppedError, UsageError
from pipelines.executors import execute
from pipelines.ledger import Ledger
from pipelines.limits import Limits, Stopped, stoppable, within
from pipelines.provenance.about import refuse_undeclared
from pipelines.quarantine import Failure
from pipelines.recipe import Recipe


@dataclass(frozen=True)
class Result:
    """manifest: what is published. did: units done by this run. changed: whether it published anything. failed: shard -> why,
    for all that is not in it. url: where it was published beside ``out``, if its output is on a store; ends in ``/``."""

    out: Path
    manifest: Mapping[str, Any]
    did: int
    changed: bool
    failed: Mapping[str, str]
    url: str = ""

    @property
    def exit_code(self) -> int:
        return PARTIAL if self.failed else DONE


def run(recipe: Recipe, workers: int = 1, limits: Limits = Limits()) -> Result:  # noqa: B008 (it is frozen)
    """Curate. Does only what the ledger does not have; raises CorpusmillError when nothing is published.

    workers: processes, or tasks at once on a cluster, where 0 is as many as there are places.
    """
    began = time.time()
    refuse_undeclared(recipe.about)
    execute.check(recipe.executor)
    out = _output(recipe)
    ledger = Ledger(out)
    against.check(recipe, ledger)
    found = shards.find(recipe.input.path, recipe.input.augment)
    ledger.prepare()
    try:
        with ledger.lock(), stoppable(), stores.target(recipe.output.path, ledger) as target:
            done = _run(recipe, ledger, found, workers, limits, began)
            return replace(done, changed=target.bring() or done.changed, url=target.url) if target else done
    except Stopped as stopped:
        raise StoppedError(
            f"stopped: {stopped}; what is done stays done, and the same command goes on from there"
        ) from None
    except OSError as error:
        raise OutputError(
            f"{error.filename or out}: {error.strerror or 'it cannot be written'}; mend it, then run again to go on"
        ) from None


def _run(recipe: Recipe, ledger: Ledger, found: shards.Shards, workers: int, limits: Limits, began: float) -> Result:
    forget.finish(ledger)
    execute.end_leftover(ledger)
    ledger.clear_staging()
    with within(limits, began, ledger.root / "progress"):
        plan = plan_of(recipe, found, ledger)
        if not plan.shards:
            raise ShardError(_nothing_readable(plan.failed))
        held = quarantine.held(ledger)
        planned = plan.units
        done = packs.of(ledger, plan.keys)
        todo = planned.where(~done.done & ~done.among(held))
        progress.event("plan", shards=len(found), units=len(planned), to_do=len(todo), unreadable=len(plan.failed))
        faults.at("planned")
        if todo:
            forget.refuse_return(manifest.standing(ledger.out), recipe)
            _work(recipe, ledger, todo, workers)
        faults.at("work-done")
    if todo:
        done = packs.of(ledger, plan.keys)
    receipts: Mapping[str, dict[str, Any]] = done
    failures = _failures(ledger, todo, receipts)
    quarantine.note(ledger, planned, todo, failures)
    _refuse_hindered(ledger, failures)
    failed = {**plan.failed, **_missing(ledger, plan, failures, held)}
    if not receipts:
        raise ShardError(_nothing_readable(failed))
    worlds = {u.key: u.shard.augment for u in planned if u.shard.augment} if recipe.input.augment else {}
    receipts = resolve.resolve(recipe, ledger, receipts, worlds, _here(recipe, workers))
    parents = lineage.parents_of(found)
    named = [{"name": p.name, "data_digest": p.data_digest} for p in parents]
    standing = manifest.standing(ledger.out)
    source, listed = unchanged.digest(recipe, plan, done, named), ledger.root / "staging" / "listed"
    if standing is None or not unchanged.is_known(ledger, source, standing):
        overviews = resolve.overviews(recipe, ledger, receipts)
        told = manifest.build(recipe, plan, receipts, listed, named, standing, overviews)
    else:
        told = standing
    changed = bool(todo) or not publish.is_published(ledger, told)
    if changed:
        circumstances = _circumstances(recipe, began, workers, len(todo), parents)
        _pass_gates(recipe, ledger, told, standing, circumstances)
        _publish(recipe, ledger, told, circumstances)
    else:
        publish.trim(ledger, recipe.output.keep_versions)
    unchanged.note(ledger, source, told)
    listing.stands(told, ledger.out)
    shutil.rmtree(listed, ignore_errors=True)
    return Result(ledger.out, told, len(todo) - len(failures), changed, failed)


def _here(recipe: Recipe, workers: int) -> int:
    """How many workers this machine can have: on a cluster, they are the cluster's, and 0 of them as many as it has places."""
    return workers if recipe.executor.name == "local" else os.cpu_count() or 1


def _pass_gates(
    recipe: Recipe,
    ledger: Ledger,
    told: Mapping[str, Any],
    standing: Mapping[str, Any] | None,
    circumstances: Mapping[str, Any],
) -> None:
    """Raises GateError, with what would have been published left to look at."""
    broken = gates.check(recipe.gates, told, standing, lambda: leftover.left(ledger, recipe, told))
    if not broken:
        return
    place = publish.set_aside(ledger, told, circumstances)
    raise GateError(
        f"{'; '.join(map(str, broken))}. Nothing was published; what would have been is in {place}. "
        "Mend the input or the recipe, or set the gate otherwise, and run again"
    )


def _publish(recipe: Recipe, ledger: Ledger, told: Mapping[str, Any], circumstances: Mapping[str, Any]) -> None:
    try:
        publish.publish(ledger, told, circumstances, recipe.output.keep_versions)
    except OSError as error:
        raise OutputError(
            f"{ledger.out} cannot be published: {error.strerror}; free space or mend it, then run again to go on"
        ) from None


def plan_of(recipe: Recipe, found: shards.Shards, ledger: Ledger | None) -> units.Plan:
    """What there is to do, by content. With a ledger, fingerprints of unchanged files are remembered."""
    root = ledger.root if ledger and ledger.root.is_dir() else None
    known = fingerprints.Known(root and root / fingerprints.FILE)
    asked = footers.Footers(root and root / footers.FILE)
    try:
        sums = fingerprints.fingerprints(found, known, root and root / fingerprints.FILE, progress.hashing)
        with memory.bounded():
            plan = planning.plan(recipe, found, sums, asked)
        if root:
            planning.keep(plan, asked, root / footers.FILE, recipe.work.unit_bytes)
    except OSError as error:
        if root is None:
            raise
        raise OutputError(
            f"{root.parent} cannot be written: {error.strerror}; mend it, then run again to go on"
        ) from None
    return plan


def place(recipe: Recipe) -> Path | None:
    """The folder of this machine that a run of the recipe writes to; None where it names no output."""
    given = recipe.output.path
    if not given or stores.is_url(given):
        return stores.state(recipe.output) if given else None
    return Path(given).absolute()


def _output(recipe: Recipe) -> Path:
    if (out := place(recipe)) is None:
        raise UsageError("no output: give --output, or output.path in the recipe")
    stores.refuse_within(recipe.input.path, recipe.output.path)
    # By where they really are: either may be given by a link.
    source, real = Path(recipe.input.path).resolve(), out.resolve()
    if source.is_dir() and (real == source or source in real.parents):
        raise UsageError(f"the output {out} lies inside the input {source}: give a folder outside it")
    return out


def _work(recipe: Recipe, ledger: Ledger, todo: units.Units, workers: int) -> None:
    # Largest first: what is long must not start last.
    ordered = todo.largest_first()
    try:
        records = int(todo.rows.sum()) if (todo.rows >= 0).all() else -1
        with progress.watch(ledger.root / "progress", len(todo), records):
            execute.execute(ledger, ordered, recipe.effective(), recipe.executor, workers)
    except OSError as error:
        raise OutputError(
            f"{ledger.out} cannot be written: {error.strerror}; mend it, then run again to go on"
        ) from None


LOST = "its worker died before it was done (out of memory?): run again, with fewer workers"


def _failures(ledger: Ledger, tried: Sequence[units.Unit], receipts: Mapping[str, Any]) -> dict[str, Failure]:
    """Units that were tried and have no receipt, by key, and why as far as it is known."""
    known = quarantine.noted(ledger)
    untold = next((f for f in known.values() if f.fatal), Failure(LOST, own=True))
    return {u.key: known.get(u.key, untold) for u in tried if u.key not in receipts}


def _refuse_hindered(ledger: Ledger, failures: Mapping[str, Failure]) -> None:
    """Raises OutputError where work failed for a reason that lies outside it: a full disk must not cost a dataset its shards."""
    why = [failure.why for failure in failures.values() if not failure.own]
    if why:
        raise OutputError(
            f"{ledger.out}: {why[0]} (units of work not done: {len(why)}). Nothing was published; mend it, then run again to go on"
        )


def _missing(
    ledger: Ledger, plan: units.Plan, failures: Mapping[str, Failure], held: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """Shards with a unit that is not done, and why."""
    if not failures and not held:
        return {}
    why = {key: failure.why for key, failure in failures.items()}
    for key, told in held.items():
        why[key] = f"set aside, since it failed {told['times']} times ({told['why']}): corpusmill retry {ledger.out}"
    return {u.shard.name: why[u.key] for u in plan.units if u.key in why and ledger.receipt(u.key) is None}


def _nothing_readable(failed: Mapping[str, str]) -> str:
    [first, *rest] = failed.items()
    more = f" (and {len(rest)} more shards)" if rest else ""
    return f"nothing to publish: {first[0]}: {first[1]}{more}"


def _circumstances(
    recipe: Recipe, began: float, workers: int, did: int, parents: Sequence[lineage.Parent]
) -> dict[str, Any]:
    """When and where, for run.json."""
    stamp = "%Y-%m-%dT%H:%M:%SZ"
    return {
        "run": progress.run_id(),
        "started": time.strftime(stamp, time.gmtime(began)),
        "ended": time.strftime(stamp, time.gmtime()),
        "host": socket.gethostname(),
        "process": os.getpid(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "executor": recipe.executor.name,
        "workers": workers,
        "units_done_by_this_run": did,
        "input": recipe.input.path,
        "output": recipe.output.path,
        "parents": [{"path": p.path, "data_digest": p.data_digest} for p in parents],
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }
