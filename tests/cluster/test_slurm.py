"""Runs on a real Slurm of three nodes: the same bytes as a local run, whatever is killed; and never a success with a hole."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import Cluster, commands, kill, receipts, until
from tests.cluster.slurm import Slurm, missing, variable
from tests.pipelines.conftest import contents

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(bool(missing()), reason=missing() or "it is all here")]

SECRET = "canary-4f1d9c-not-a-real-key"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    made = Slurm(tmp_path_factory.mktemp("slurm"))
    os.environ["SLURM_CONF"] = str(made.conf)
    yield made
    made.down()
    del os.environ["SLURM_CONF"]


@pytest.fixture(scope="module")
def cluster(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    options = ["--executor", "slurm", "--set", "executor.poll_seconds=0.3", "--set", "executor.mem_per_cpu_gb=1"]
    return Cluster(tmp_path_factory.mktemp("runs"), options)


def jobs(slurm: Slurm, form: str = "%i") -> list[str]:
    """Tasks that wait or run."""
    return slurm("squeue", "-h", "-r", "-o", form).split()


def workers(out: Path) -> list[int]:
    """Processes that carry a share of a run into ``out``, by their command line."""
    module, place = b"pipelines.executors.task", os.fsencode(out)
    return commands(lambda words: module in words and any(w.startswith(place) for w in words))


def tasks(most: int) -> list[str]:
    """Options for so many tasks, fewer than there are units, and as many at once."""
    return ["--workers", str(most), "--set", f"executor.max_array_size={most}"]


def test_the_bytes_are_those_of_a_local_run_and_nothing_that_is_left_holds_a_secret(cluster, slurm, tmp_path):
    # A name that a shell, sbatch's file patterns and its directives would each take for something else.
    out = tmp_path / "o $(touch pwned) `touch pwned` '\"; touch pwned; %A #"
    two = ["--set", "executor.cpus_per_task=2", "--set", 'executor.sbatch_args={comment: "$(touch pwned)", nice: 5}']
    told = cluster.run(out, *tasks(4), *two, AWS_SECRET_ACCESS_KEY=SECRET)
    assert contents(out) == cluster.expected
    assert '"tasks": 4' in told
    assert not list(tmp_path.glob("pwned")) + list(cluster.home.glob("pwned"))
    assert jobs(slurm) == []
    left = [p for p in out.rglob("*") if p.is_file()]
    assert {"launch_script.slurm", "job.json"} <= {p.name for p in left}
    for path in left:
        assert SECRET.encode() not in path.read_bytes(), path
    assert SECRET not in told
    assert "nothing to do" in cluster.run(out)


def test_a_killed_worker_and_a_requeued_task_are_made_good_in_the_same_run(cluster, slurm, out):
    process = cluster.start(out, *tasks(2))
    [first, second] = until(lambda: len(found := workers(out)) == 2 and found)
    until(lambda: receipts(out))
    kill(first)
    slurm("scontrol", "requeue", f"{variable(second, 'SLURM_ARRAY_JOB_ID')}_{variable(second, 'SLURM_ARRAY_TASK_ID')}")
    told = Cluster.end(process)
    assert contents(out) == cluster.expected
    assert told.count('"event": "round"') >= 2


def test_a_killed_node_is_noticed_and_its_task_is_done_on_another(cluster, slurm, out):
    process = cluster.start(out, *tasks(3))
    until(lambda: len(workers(out)) == 3)
    node = variable(workers(out)[0], "SLURMD_NODENAME")
    slurm.kill(node)
    told = Cluster.end(process)
    slurm.up(node)
    assert contents(out) == cluster.expected
    assert len(workers(out)) == 0, told


def test_a_task_that_somebody_cancels_is_not_started_again_but_reported(cluster, slurm, out):
    process = cluster.start(out, *tasks(3))
    until(lambda: len(workers(out)) == 3)
    slurm("scancel", jobs(slurm)[0])
    told = Cluster.end(process, code=3)
    assert "ended as CANCELLED: run again to go on" in told
    assert "Nothing was published" in told
    assert not (out / "manifest.json").exists()
    cluster.run(out, *tasks(3))
    assert contents(out) == cluster.expected


def test_sigterm_cancels_the_job_within_ten_seconds(cluster, slurm, out):
    process = cluster.start(out, *tasks(3))
    until(lambda: workers(out))
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert "stopped: SIGTERM" in Cluster.end(process, code=3)
    until(lambda: not jobs(slurm) and not workers(out), 10)
    assert time.monotonic() - began < 10


def test_what_a_killed_run_left_in_the_queue_is_ended_by_the_next_which_goes_on(cluster, slurm, out):
    process = cluster.start(out, *tasks(2))
    until(lambda: receipts(out))
    left = set(jobs(slurm))
    process.kill()
    process.wait()
    cluster.run(out, *tasks(2))
    assert contents(out) == cluster.expected
    assert left.isdisjoint(jobs(slurm))


def test_what_slurm_would_never_start_is_reported(cluster, slurm, out):
    told = cluster.run(out, "--set", "executor.partition=short", "--set", "executor.time='02:00:00'", code=3)
    assert "Slurm would never have started it (PartitionTimeLimit)" in told, told
    assert jobs(slurm) == []


def test_a_job_that_slurm_refuses_is_a_mistake_in_the_recipe_told_in_one_line(cluster, out):
    told = cluster.run(out, "--set", "executor.partition=nowhere", code=2)
    [line] = [line for line in told.splitlines() if not line.startswith("{")]
    assert line.startswith("corpusmill: Slurm did not take the job: invalid partition specified: nowhere")


def test_a_controller_that_is_not_there_is_told_in_one_line(cluster, slurm, out, tmp_path):
    text = (
        slurm.conf.read_text("utf-8")
        .replace("SlurmctldPort=", "SlurmctldPort=1")
        .replace("MpiDefault", "MessageTimeout=1\nMpiDefault")
    )
    (tmp_path / "slurm.conf").write_text(text, "utf-8")
    told = cluster.run(out, code=3, SLURM_CONF=str(tmp_path / "slurm.conf"))
    assert "corpusmill: Slurm does" in told
