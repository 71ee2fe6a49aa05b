"""What carries the work, without a cluster: options, jobs cut in tasks, rounds. Clusters themselves: tests/cluster."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import fingerprints, planning, quarantine, recipe, shards, units
from pipelines.errors import UsageError
from pipelines.executors import execute, slurm
from pipelines.executors import job as jobs
from pipelines.executors import ray as on_ray
from pipelines.executors.execute import Ending
from pipelines.executors.job import Job
from pipelines.executors.options import Executor
from pipelines.executors.queue import State
from pipelines.ledger import Ledger
from tests.pipelines.conftest import write_shard

DOCUMENT = {"name": "light", "filters": [{"language": {"allow": ["en", "de"]}}]}


def given_executor(**options) -> Executor:
    return recipe.from_document({**DOCUMENT, "executor": options}).executor


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"name": "pbs"}, "Invalid enum value 'pbs'"),
        ({"partion": "cpu"}, "no option 'partion' (did you mean 'partition'?)"),
        ({"partition": "cpu; touch pwned"}, "partition"),
        ({"qos": "$(touch pwned)"}, "qos"),
        ({"account": "a\n#SBATCH --uid=0"}, "account"),
        ({"time": "1:00`x`"}, "time"),
        ({"time": "1:00\n"}, "time"),
        ({"modules": ["python/3.11", "x && y"]}, "modules"),
        ({"modules": ["--help"]}, "modules"),
        ({"sbatch_args": {"wrap": "touch pwned"}}, "sbatch_args has no 'wrap'"),
        ({"sbatch_args": {"output": "/etc/passwd"}}, "sbatch_args has no 'output'"),
        ({"sbatch_args": {"export": "LD_PRELOAD=x"}}, "sbatch_args has no 'export'"),
        ({"sbatch_args": {"comment": "a\x00b"}}, "comment holds a control character"),
        ({"address": "ray://x/../y z"}, "address"),
        ({"cpus_per_task": 0}, "cpus_per_task"),
    ],
)
def test_options_that_are_unknown_or_could_mean_something_to_a_shell_are_refused_in_one_line(options, told):
    with pytest.raises(UsageError) as refused:
        given_executor(**options)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_where_a_run_is_carried_is_no_part_of_what_keys_its_work():
    plain = recipe.from_document(DOCUMENT)
    there = recipe.overridden(DOCUMENT, ["executor.name=slurm", "executor.partition=cpu"])
    assert there.executor.partition == "cpu"
    assert there.fingerprint() == plain.fingerprint()
    assert "cpu" not in json.dumps(there.effective())


def test_ray_that_is_not_installed_is_told_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'corpusmill\[ray\]'"):
        on_ray.check(Executor())


def test_slurm_without_its_commands_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="sbatch is not on this machine"):
        execute.check(Executor(name="slurm"))


def test_what_a_killed_run_left_is_no_obstacle_where_slurm_is_not(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    ledger = Ledger(tmp_path / "out")
    ledger.prepare()
    ledger.save(slurm.FILE, {"name": "corpusmill-123"})
    execute.end_leftover(ledger)
    assert '"event": "leftover"' in capsys.readouterr().err
    assert ledger.load(slurm.FILE), "the next run on a machine with Slurm must still find it"


@given(
    listed=st.integers(1, 60), tasks=st.integers(1, 70), processes=st.integers(1, 5),
)  # fmt: skip
def test_every_unit_is_in_one_rank_of_one_task(listed, tasks, processes):
    job = Job.of(Path(), Path(), DOCUMENT, listed, tasks, processes)
    assert job.tasks <= min(tasks, listed)
    seen = []
    for task in range(job.tasks):
        mine = [unit for rank in job.ranks(task) for unit in range(listed)[rank :: job.world]]
        assert sorted(mine) == list(range(listed)[task :: job.tasks])
        assert mine, "a task without work"
        seen += mine
    assert sorted(seen) == list(range(listed))


class Unreliable:
    """A cluster on which a task commits the first so many of its units and then ends as told; the rest is lost."""

    limit = 4

    def __init__(self, ledger: Ledger, done: list[int], endings: list[Ending]) -> None:
        self.ledger, self.done, self.endings, self.rounds = ledger, done, endings, 0

    def carry(self, job: Job) -> dict[int, Ending]:
        self.rounds += 1
        keys = job.keys()
        ended = {}
        for task in range(job.tasks):
            for key in keys[task :: job.tasks][: self.done.pop() if self.done else 0]:
                self.ledger.commit(key, self.ledger.stage(key), {})
            ended[task] = self.endings.pop() if self.endings else Ending("killed")
        return ended


@settings(max_examples=30, deadline=None)
@given(
    count=st.integers(1, 9),
    done=st.lists(st.integers(0, 3), max_size=40),
    endings=st.lists(st.sampled_from([Ending("killed"), Ending("node", own=False), Ending("stop", again=False)])),
)
def test_whatever_is_lost_a_unit_ends_with_a_receipt_or_a_note_and_rounds_are_bounded(count, done, endings):
    with tempfile.TemporaryDirectory() as home:
        ledger = Ledger(Path(home) / "out")
        ledger.prepare()
        listed = [
            units.Unit(
                f"{i:040x}",
                shards.Shard("", f"s{i}", "parquet", 1, (1,)),
                "",
                units.Part(0, 1, 0, 1, 1),
                f"s{i}.parquet",
            )
            for i in range(count)
        ]
        carrier = Unreliable(ledger, done, endings)
        execute._rounds(ledger, listed, Job.of(Path(home) / "job", ledger.out, DOCUMENT, count, 4, 1), carrier)
        noted = quarantine.noted(ledger)
        for unit in listed:
            assert (ledger.receipt(unit.key) is None) == (unit.key in noted)
        assert carrier.rounds <= execute.ROUNDS * (count + 1)


def test_a_machine_with_other_software_refuses_its_share_and_says_so(tmp_path):
    write_shard(tmp_path / "s.parquet")
    loaded = recipe.from_document(DOCUMENT)
    found = shards.find(str(tmp_path / "s.parquet"))
    [unit] = planning.plan(loaded, found, fingerprints.fingerprints(found)).units
    ledger = Ledger(tmp_path / "out")
    ledger.prepare()
    job = Job.of(tmp_path / "job", ledger.out, loaded.effective(), 1, 1, 1)
    job.write([unit])
    told = json.loads((job.folder / "job.json").read_text("utf-8"))
    told["software"]["packages"]["pyarrow"] = "0.1"
    (job.folder / "job.json").write_text(json.dumps(told), "utf-8")
    jobs.carry(job.folder, 0)
    failure = quarantine.noted(ledger)[unit.key]
    assert "has another pyarrow than the machine that started the run" in failure.why
    assert not failure.own
    assert ledger.receipt(unit.key) is None


def test_a_note_that_was_cut_short_with_its_worker_is_passed_over(tmp_path):
    ledger = Ledger(tmp_path / "out")
    ledger.prepare()
    line = json.dumps({"key": "a", "shard": "s", "why": "no", "own": True, "fatal": False})
    (ledger.root / "progress" / "n1-7.failed").write_text(f"{line}\n{line[:20]}", "utf-8")
    assert list(quarantine.noted(ledger)) == ["a"]


@pytest.mark.parametrize(
    ("state", "own", "again"),
    [
        (State("TIMEOUT"), True, True), (State("OUT_OF_MEMORY"), True, True), (State("NODE_FAIL"), False, True),
        (State("PREEMPTED"), False, True), (State("CANCELLED"), False, False), (State("PENDING", "BadConstraints"), False, False),
        (State("PENDING", "launch failed requeued held"), False, True), (None, True, True),
    ],
)  # fmt: skip
def test_how_slurm_ended_a_task_says_who_is_to_blame_and_whether_to_try_again(state, own, again):
    ending = slurm._ending(state, "7")
    assert (ending.own, ending.again) == (own, again)
