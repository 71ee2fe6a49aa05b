"""One process at a time writes to an output: with the system's lock and without, on this host and from others, and after any death."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines import faults, lock, process
from pipelines.errors import LockedError, UsageError
from pipelines.ledger import Ledger
from tests.pipelines.conftest import contents
from tests.support import ROOT

HOLD = """
import sys, time
from pathlib import Path
from pipelines.errors import CorpusmillError
from pipelines.ledger import Ledger
try:
    with Ledger(Path(sys.argv[1])).lock():
        print("held", flush=True)
        time.sleep(float(sys.argv[2]))
except CorpusmillError as error:
    print(error, flush=True)
    raise SystemExit(error.exit_code)
"""
ELSEWHERE = (
    "unshare",
    "--uts",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "sh",
    "-c",
    'hostname elsewhere; exec "$@"',
    "sh",
)
NO_FLOCK = {faults.VARIABLE: "flock:enolck", lock.VARIABLE: "0.05"}


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    made = Ledger(tmp_path / "out")
    made.prepare()
    return made


@contextmanager
def holder(ledger: Ledger, *before: str, env: dict[str, str]) -> Iterator[subprocess.Popen]:
    """Another process that holds the output, from when the block begins."""
    command = [*before, sys.executable, "-c", HOLD, str(ledger.out), "60"]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **env}, stdout=subprocess.PIPE, text=True) as started:
        try:
            assert started.stdout is not None and started.stdout.readline() == "held\n"
            yield started
        finally:
            started.kill()


def claim(ledger: Ledger, age: float = 0, **told) -> Path:
    """A claim as another host's process would have left it, last touched so many seconds ago."""
    (ledger.root / "claims").mkdir(exist_ok=True)
    path = ledger.root / "claims" / "000000000007"
    elsewhere = {
        **process.identity(),
        "host": "elsewhere",
        "boot": "another",
        "machine": "another",
        "beat": 10,
        "flock": False,
    }
    path.write_text(json.dumps({**elsewhere, **told}), "utf-8")
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def taken(ledger: Ledger) -> bool:
    """Whether it can be had now."""
    try:
        with ledger.lock():
            return True
    except LockedError:
        return False


@pytest.mark.parametrize("env", [{}, NO_FLOCK], ids=["flock", "no flock"])
def test_a_living_process_holds_it_and_a_killed_one_does_not(ledger, monkeypatch, env):
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with holder(ledger, env=env) as other:
        with pytest.raises(LockedError, match=f"is being written by process {other.pid} on ") as refused, ledger.lock():
            pass
        assert refused.value.exit_code == 5
        other.send_signal(signal.SIGSTOP)
        time.sleep(0.2)
        assert not taken(ledger), "a process that stands still may go on"
        other.kill()
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
        assert taken(ledger), "at once, before anybody has asked how it ended"


def test_a_process_id_that_is_used_again_is_another_process(ledger):
    claim(ledger, **{**process.identity(), "started": "1"})
    assert taken(ledger)


def test_a_host_that_was_started_again_holds_nothing(ledger):
    if not process.identity()["machine"]:
        pytest.skip("this machine has no /etc/machine-id, by which it would be known")
    claim(ledger, **{**process.identity(), "boot": "the one before"})
    assert taken(ledger)


def test_another_container_of_this_system_is_dead_when_the_systems_lock_is_free(ledger):
    other = {**process.identity(), "space": "pid:[1]"}
    claim(ledger, **{**other, "flock": False})
    assert not taken(ledger), "it had no such lock, so that a free one says nothing"
    claim(ledger, **{**other, "flock": True})
    assert taken(ledger)


def test_another_host_is_believed_for_as_long_as_it_can_have_missed_its_beats(ledger, monkeypatch):
    """30 beats of 10 s; then nothing moves for 2.5 beats (made short here)."""
    monkeypatch.setattr(lock, "WATCHED", 0.01)
    claim(ledger, age=290)
    with pytest.raises(LockedError, match=r"process \d+ on elsewhere, last seen 290 s ago"), ledger.lock():
        pass
    claim(ledger, age=310)
    assert taken(ledger)


def test_this_hosts_clock_has_no_say(ledger, monkeypatch):
    monkeypatch.setattr(lock, "WATCHED", 0.01)
    claim(ledger, age=1)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert not taken(ledger)


def test_a_clock_that_jumped_is_no_death(ledger):
    """The file system's time went ahead an hour: the claim looks old, and moves."""
    path = claim(ledger, age=3600, beat=0.2)
    mover = threading.Timer(0.1, os.utime, [path])
    mover.start()
    assert not taken(ledger)
    mover.join()


def test_what_is_not_written_yet_or_torn_is_somebodys(ledger, monkeypatch):
    monkeypatch.setattr(lock, "WATCHED", 0.01)
    for text in ("", "{", "[]", "{}", "\0\0"):
        path = claim(ledger)
        path.write_text(text, "utf-8")
        assert not taken(ledger)
    os.utime(path, (1e9, 1e9))
    assert taken(ledger)


def test_a_released_output_is_free_in_a_copy_too(ledger, tmp_path):
    """Copies may have the time of the copying; the process that wrote it lives (it is this one)."""
    with ledger.lock():
        pass
    shutil.copytree(ledger.out, tmp_path / "copy", copy_function=shutil.copyfile)
    assert taken(Ledger(tmp_path / "copy"))


RACE = """
import os, sys, time
from pathlib import Path
from pipelines.errors import LockedError
from pipelines.ledger import Ledger
ledger, inside = Ledger(Path(sys.argv[1])), Path(sys.argv[1]) / "inside"
for _ in range(15):
    start, children = time.time() + 0.02, []
    for _ in range(8):
        if not (pid := os.fork()):
            time.sleep(max(0, start - time.time()))
            try:
                hold = ledger.lock()
                hold.__enter__()
                inside.touch(exist_ok=False)
                time.sleep(0.01)
                inside.unlink()
                if sys.argv[2] == "done":
                    hold.__exit__(None, None, None)
                os._exit(0)
            except LockedError:
                os._exit(5)
            finally:
                os._exit(1)
        children.append(pid)
    print(*(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children))
"""


@pytest.mark.parametrize("env", [{}, NO_FLOCK], ids=["flock", "no flock"])
@pytest.mark.parametrize("ends", ["done", "dead"])
def test_of_eight_at_once_never_two_are_inside(ledger, env, ends):
    """Fifteen rounds; a holder that ends without a word leaves a claim that all who come next want to take over."""
    told = subprocess.run(
        [sys.executable, "-c", RACE, ledger.out, ends], cwd=ROOT, env={**os.environ, **env}, text=True, capture_output=True,
        check=True,
    )  # fmt: skip
    rounds = [set(line.split()) for line in told.stdout.splitlines()]
    assert len(rounds) == 15
    assert all("0" in round_ and round_ <= {"0", "5"} for round_ in rounds), told.stderr
    assert any("5" in round_ for round_ in rounds)
    assert ends == "done" or "taken_over_from" in told.stderr


def test_a_host_that_is_really_another_one(ledger, monkeypatch):
    """Its own name and process ids, and no lock of the system: only its beats tell. 30 beats of 0.05 s are 1.5 s."""
    if subprocess.run([*ELSEWHERE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may not make namespaces (unshare)")
    for name, value in NO_FLOCK.items():
        monkeypatch.setenv(name, value)
    with holder(ledger, *ELSEWHERE, env=NO_FLOCK) as other:
        time.sleep(2)
        with pytest.raises(LockedError, match=r"process \d+ on elsewhere, last seen 0 s ago"), ledger.lock():
            pass
        other.kill()
        other.wait()
        assert not taken(ledger)
        time.sleep(2)
        assert taken(ledger)


def test_who_was_taken_over_publishes_nothing(ledger):
    with ledger.lock():
        ledger.still_held()
        claim(ledger, age=0).rename(ledger.root / "claims" / "000000000099")
        with pytest.raises(LockedError, match=r"taken over by process \d+ on elsewhere"):
            ledger.still_held()


def test_a_run_that_stood_still_too_long_leaves_the_dataset_of_the_one_that_took_over(corpusmill, shards, tmp_path):
    """Stopped before it publishes, as by a host that sleeps; somebody else claims the output; it goes on, and is refused."""
    out = tmp_path / "out"
    corpusmill.run(shards, out)
    before = contents(out)
    (shards / "s0.parquet").unlink()
    env = {faults.VARIABLE: "before-publish:stop"}
    sleeper = corpusmill.popen("run", corpusmill.recipe, "--input", shards, "--output", out, env=env)
    os.waitpid(sleeper.pid, os.WUNTRACED)
    assert f"is being written by process {sleeper.pid} on" in corpusmill.run(shards, out, code=5)
    claim(Ledger(out)).rename(out / ".corpusmill" / "claims" / "000000000099")
    sleeper.send_signal(signal.SIGCONT)
    _, said = sleeper.communicate(timeout=60)
    assert sleeper.returncode == 5
    assert "was taken over by process" in said and "Traceback" not in said
    assert contents(out) == before


def test_how_often_a_sign_is_given_can_be_set_and_not_to_nonsense(monkeypatch):
    for wrong in ("soon", "0", "-1", "nan", "1e9"):
        monkeypatch.setenv(lock.VARIABLE, wrong)
        with pytest.raises(UsageError, match="seconds, from"):
            lock.beat()
    monkeypatch.delenv(lock.VARIABLE)
    assert lock.beat() == lock.BEAT
