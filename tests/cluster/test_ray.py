"""Runs on a real Ray of two nodes: the same bytes as a local run, whatever is killed; and never a success with a hole."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import Cluster, commands, free_ports, kill, receipts, until
from tests.cluster.ray import Ray, missing
from tests.pipelines.conftest import contents

pytestmark = [pytest.mark.ray, pytest.mark.skipif(bool(missing()), reason=missing() or "it is all here")]

SECRET = "canary-4f1d9c-not-a-real-key"


@pytest.fixture(scope="module")
def ray() -> Iterator[Ray]:
    # Its sockets lie below, and the path of one may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as home:
        made = Ray(Path(home))
        yield made
        made.down()


@pytest.fixture(scope="module")
def cluster(ray: Ray, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    options = {"address": ray.address, "poll_seconds": 0.3, "mem_per_cpu_gb": 1}
    given = [word for key, value in options.items() for word in ("--set", f"executor.{key}={value}")]
    return Cluster(tmp_path_factory.mktemp("runs"), ["--executor", "ray", "--workers", "2", *given])


def workers() -> list[int]:
    """Processes that carry a share just now; Ray calls them after the task."""
    return commands(lambda words: words[0].startswith(b"ray::corpusmill"))


def test_the_bytes_are_those_of_a_local_run_and_nothing_that_is_left_holds_a_secret(cluster, out):
    told = cluster.run(out, AWS_SECRET_ACCESS_KEY=SECRET)
    assert contents(out) == cluster.expected
    for path in [p for p in out.rglob("*") if p.is_file()]:
        assert SECRET.encode() not in path.read_bytes(), path
    assert SECRET not in told
    assert "nothing to do" in cluster.run(out)


def test_a_killed_worker_is_made_good_in_the_same_run(cluster, out):
    process = cluster.start(out)
    kill(until(workers)[0])
    told = Cluster.end(process)
    assert contents(out) == cluster.expected
    assert told.count('"event": "round"') == 2


def test_a_killed_node_is_made_good_by_the_other(cluster, ray, out):
    process = cluster.start(out)
    until(lambda: len(workers()) == 2)
    ray.kill()
    Cluster.end(process)
    ray.add()
    assert contents(out) == cluster.expected


def test_sigterm_ends_the_run_and_its_tasks_within_ten_seconds(cluster, out):
    process = cluster.start(out)
    until(workers)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert "stopped: SIGTERM" in Cluster.end(process, code=3)
    until(lambda: not workers(), 10)
    assert time.monotonic() - began < 10


def test_the_tasks_of_a_killed_run_end_and_the_next_goes_on(cluster, out):
    process = cluster.start(out)
    until(lambda: receipts(out))
    process.kill()
    process.wait()
    until(lambda: not workers(), 30)
    cluster.run(out)
    assert contents(out) == cluster.expected


def test_no_cluster_at_the_address_is_told_in_one_line(cluster, out):
    [port] = free_ports(1)
    told = cluster.run(out, "--set", f"executor.address=127.0.0.1:{port}", code=3)
    assert "corpusmill: no Ray cluster at '127.0.0.1:" in told
