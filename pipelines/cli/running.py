"""`corpusmill run` for a scheduler: limits, exit codes, logs, metrics, and somebody told when it fails."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

from pipelines import metrics, notify, progress
from pipelines.cli import provenance
from pipelines.cli.show import result
from pipelines.errors import DONE, USAGE, CorpusmillError
from pipelines.limits import Limits
from pipelines.recipe import Recipe
from pipelines.run import Result, run
from pipelines.terminal import tell


def main(args: argparse.Namespace, load: Callable[[argparse.Namespace], Recipe]) -> int:
    """Run the recipe, say how it went in every way that was asked for, and return the exit code."""
    for target, check in ((args.metrics, metrics.check), (args.on_failure, notify.check)):
        if target:
            check(target)
    recipe = provenance.strictly(load(args), args)
    with progress.logged(args.log) as run_id:
        began = time.monotonic()
        done: Result | None = None
        message = ""
        try:
            limits = Limits(args.max_runtime, args.max_failures)
            workers = args.workers or ((os.cpu_count() or 1) if recipe.executor.name == "local" else 0)
            done = provenance.with_events(recipe, args.lineage_events, lambda: run(recipe, workers, limits))
            code = done.exit_code or (DONE if done.changed else args.exit_code_if_unchanged)
            message = "\n".join(f"{s} is not in the dataset: {why}" for s, why in sorted(done.failed.items()))
            print(result(done))
        except CorpusmillError as error:
            code, message = error.exit_code, str(error)
        for line in message.splitlines():
            tell(line)
        took = time.monotonic() - began
        records = done.manifest["records"] if done else {}
        if code != USAGE:  # a mistake in the command is one line and nothing else
            progress.event(
                "end", exit_code=code, seconds=round(took, 1), changed=bool(done and done.changed), **records
            )
        _report(args, recipe, done, run_id, code, took, message)
    return code


def _report(
    args: argparse.Namespace, recipe: Recipe, done: Result | None, run_id: str, code: int, took: float, message: str
) -> None:
    told = []
    if args.metrics:
        units, failed = (done.did, len(done.failed)) if done else (0, 0)
        outcome = metrics.Outcome(recipe.name, run_id, code, took, units, failed, done.manifest if done else None)
        told.append(metrics.write(args.metrics, outcome))
    if args.on_failure and code not in (DONE, args.exit_code_if_unchanged):
        failure = notify.Failure(recipe.name, recipe.output.path, run_id, code, message)
        told.append(notify.tell(args.on_failure, failure))
    for line in filter(None, told):
        tell(line)


def retry(out: Path, shards: list[str]) -> str:
    """Let what was set aside be tried again by the next run."""
    from pipelines import quarantine
    from pipelines.errors import UsageError
    from pipelines.ledger import Ledger

    ledger = Ledger(out)
    if not ledger.root.is_dir():
        raise UsageError(f"no dataset at {out}: no run has written there")
    with ledger.lock():
        free = quarantine.release(ledger, shards)
    if not free:
        return "nothing is set aside"
    return f"the next run tries again: {', '.join(free[:10])}" + (
        f" and {len(free) - 10} more" if len(free) > 10 else ""
    )
