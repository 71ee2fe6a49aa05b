"""Ranks in processes of this machine, on datatrove's local executor: a run's, or a cluster's task's."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver
from pathlib import Path

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.utils.logging import logger

from pipelines import begun, memory
from pipelines.ledger import Ledger
from pipelines.steps import Judge, ReadUnits, note_failure

ATTEMPTS = 3
"""A worker that is killed (out of memory, say) takes its pool along; the ranks it had not finished are tried again."""

KILLED = "its worker died before it was done, and so did one that had nothing else to do (out of memory, or a crash on its data)"


class LocalExecutor(LocalPipelineExecutor):
    """datatrove's local executor for some ranks, with a pool that notices a killed worker, and no console log of its own.

    One worker is this process itself: what crashes it ends the run. Two or more are others, even where there is work for one alone.
    """

    def __init__(self, steps: list[PipelineStep], world: int, ranks: Sequence[int], workers: int, logs: Path) -> None:
        super().__init__(
            steps, tasks=world, workers=min(workers, len(ranks)), logging_dir=str(logs), skip_completed=False
        )
        self.ranks, self.inside = list(ranks), workers == 1

    def run(self) -> None:
        """Each of the ranks once; ranks lost with a worker again, ATTEMPTS times in a row without finding out what kills them. What is
        then missing, the ledger tells."""
        _quiet()
        if 0 in self.ranks:
            self.save_executor_as_json()
        if self.inside:
            for rank in self.ranks:
                self._run_for_rank(rank, local_rank=1)
            return
        waiting, left = self.ranks, ATTEMPTS
        while waiting and left:
            waiting = self._pool(self.pipeline, waiting, self.tasks)
            if waiting and not self._blame():
                left -= 1

    def _blame(self) -> bool:
        """Try each unit that a dead worker was at in a process of its own. One that kills that too is noted as failed, and not begun
        again; the others were only near it. Returns whether there was one."""
        reader = next(step for step in self.pipeline if isinstance(step, ReadUnits))
        ledger, found = Ledger(Path(reader.out)), False
        for key in begun.left(ledger):
            alone = [reader.alone(key) if step is reader else step for step in self.pipeline]
            if self._pool(alone, [0], 1):
                note_failure(ledger, reader.unit(key), KILLED, own=True)
                found = True
        return found

    def _pool(self, steps: Sequence[PipelineStep], ranks: Sequence[int], world: int) -> list[int]:
        """Run ranks in worker processes; returns those that a broken pool lost."""
        # A process that is started with -c puts the working directory first on its path; ours may hold other packages
        # called filters or pipelines.
        os.environ["PYTHONSAFEPATH"] = "1"
        stages = [(s.name, s.options) for s in self.pipeline if isinstance(s, Judge)]
        os.environ["CORPUSMILL_STAGES"] = json.dumps(stages)
        os.environ[memory.WORKERS] = str(self.workers)
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["pipelines.worker"])
        logs = str(self.logging_dir.path)
        done: set[int] = set()
        with ProcessPoolExecutor(
            min(self.workers, len(ranks)), mp_context=context, initializer=_die_with_parent
        ) as pool:
            try:
                futures = {pool.submit(_run_rank, list(steps), r, world, logs): r for r in ranks}
                for future in as_completed(futures):
                    future.result()
                    done.add(futures[future])
            except BrokenProcessPool:
                pass
            except BaseException:
                # First: a pool that is shut down has forgotten its processes, and taken away what they wait for.
                for process in list((getattr(pool, "_processes", None) or {}).values()):
                    process.terminate()
                _end_server()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return [r for r in ranks if r not in done]


def _end_server() -> None:
    """The server that workers are forked from may be about to fork one more; for a run that is over it must not. A next run in this
    process starts another."""
    server = getattr(getattr(forkserver, "_forkserver", None), "_forkserver_pid", None)
    if server:
        with contextlib.suppress(OSError):
            os.kill(server, signal.SIGKILL)


def _run_rank(steps: list[PipelineStep], rank: int, tasks: int, logs: str) -> None:
    _quiet()
    executor = LocalPipelineExecutor(steps, tasks=tasks, workers=1, logging_dir=logs, skip_completed=False)
    executor._run_for_rank(rank, local_rank=1)


def _quiet() -> None:
    """What went wrong is told by the steps, in a line. datatrove's own log shows the values of variables with a traceback: of
    records too."""
    logger.remove()
    logger.disable("datatrove")


def _die_with_parent() -> None:
    """A worker whose run was killed must not go on writing beside the next run."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
