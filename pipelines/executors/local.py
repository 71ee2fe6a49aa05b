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

from pipelines import memory
from pipelines.steps import Judge

ATTEMPTS = 3
"""A worker that is killed (out of memory, say) takes its pool along; the ranks it had not finished are tried again."""


class LocalExecutor(LocalPipelineExecutor):
    """datatrove's local executor for some ranks, with a pool that notices a killed worker, and no console log of its own."""

    def __init__(self, steps: list[PipelineStep], world: int, ranks: Sequence[int], workers: int, logs: Path) -> None:
        super().__init__(
            steps, tasks=world, workers=min(workers, len(ranks)), logging_dir=str(logs), skip_completed=False
        )
        self.ranks = list(ranks)

    def run(self) -> None:
        """Each of the ranks once; ranks lost with a worker up to ATTEMPTS times. What is then missing, the ledger tells."""
        _quiet()
        if 0 in self.ranks:
            self.save_executor_as_json()
        if self.workers == 1:
            for rank in self.ranks:
                self._run_for_rank(rank, local_rank=1)
            return
        waiting = self.ranks
        for _ in range(ATTEMPTS):
            waiting = self._pool(waiting)
            if not waiting:
                return

    def _pool(self, ranks: Sequence[int]) -> list[int]:
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
        with ProcessPoolExecutor(self.workers, mp_context=context, initializer=_die_with_parent) as pool:
            try:
                futures = {pool.submit(_run_rank, self.pipeline, r, self.tasks, logs): r for r in ranks}
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
