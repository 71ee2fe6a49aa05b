"""Whatever happens to a run: readers see a whole dataset, a failure is told in a line, and the same command again ends with the same bytes.

The table in docs/operations/faults.md is made from what happened here; ``make faults`` runs everything and records it.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.faults import check, shim
from tests.faults.cases import CASES, Case
from tests.faults.check import World
from tests.support import ROOT

RECORD = ROOT / "docs" / "operations" / "faults.json"
WRITE = "CORPUSMILL_RECORD_FAULTS"
MISMATCH = f"another outcome than {RECORD.name} has; if it is right, `make faults` records it"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    home = tmp_path_factory.mktemp("faults")
    world = check.world(home, shim.build(home))
    yield world
    world.warm.close()


@pytest.mark.parametrize(
    "case", [pytest.param(c, id=c.name, marks=[] if c.quick else [pytest.mark.slow]) for c in CASES]
)
def test_after_a_fault_the_old_dataset_or_the_new_one_and_then_the_same_bytes(made, tmp_path, case):
    row = outcome(made, tmp_path, case)
    if os.environ.get(WRITE):
        recorded = {**_recorded(), case.name: row}
        RECORD.write_text(check.as_json({c.name: recorded[c.name] for c in CASES if c.name in recorded}), "utf-8")
    assert row == _recorded()[case.name], MISMATCH


def _recorded() -> dict[str, dict[str, str]]:
    return json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}


def outcome(made: World, home: Path, case: Case) -> dict[str, str]:
    """Let it happen to a run over the old dataset; what came of it, as a row of the table."""
    out, source = made.copy("old", home / "out"), made.home / "in"
    if case.change:
        source = made.copy("in", home / "in")
    fired = home / "fired"
    with check.Reader(out) as reader:
        argv = made.command(out, *case.more, source=source, workers=case.workers)
        pid = made.warm.start(*argv, env=_environment(case, source, out, fired))
        ended = made.warm.wait(pid)
        if case.change:
            assert ended.stopped
            case.change(source / "s2.parquet")
            os.kill(pid, signal.SIGCONT)
            ended = made.warm.wait(pid)
    assert fired.exists() or not case.rules, "nothing happened"
    assert ended.code or case.rules or (case.once and (home / "once").exists()), "nothing happened"
    said = check.plain(check.told_clearly(ended), made, out)
    state = check.left(made, out, ended)
    check.seen_only_whole(made, reader, also=out if state == check.SMALLER else None, gaps=case.gaps)
    expected, code = made.home / "new", 0
    if case.change:
        expected = made.copy("old", home / "expected")
        code = made.ran(made.command(expected, source=source)).code
    again = made.command(out, source=source, workers=case.workers)
    check.mended(made, out, again, expected, code=code, report=state != check.SMALLER)
    exit_ = "killed" if ended.code == -signal.SIGKILL else str(ended.code)
    return {"group": case.group, "fault": case.fault, "exit": exit_, "said": said, "left": state}


def _environment(case: Case, source: Path, out: Path, fired: Path) -> dict[str, str]:
    rules = re.sub(r"\bOUT\b", str(out), re.sub(r"\bIN\b", str(source), case.rules))
    asked = {"SHIM": rules, "SHIM_FIRED": str(fired)} if rules else {}
    if case.point:
        asked["CORPUSMILL_FAULT"] = case.point
    if case.once:
        asked["CORPUSMILL_FAULT_ONCE"] = str(out.parent / "once")
    return asked


def test_the_table_in_the_docs_has_a_row_for_every_fault():
    assert list(_recorded()) == [c.name for c in CASES], "`make faults` records them all"
    assert all(_recorded()[c.name]["fault"] == c.fault for c in CASES)


@pytest.fixture(scope="module")
def operations(made, tmp_path_factory) -> int:
    """How often an undisturbed run changes something below its output."""
    home = tmp_path_factory.mktemp("counted")
    out = made.copy("old", home / "out")
    rule = f"change {out}/* 999999 kill"
    assert made.ran(made.command(out), {"SHIM": rule, "SHIM_COUNT": str(home / "count")}).code == 0
    return (home / "count").stat().st_size


def seeds(quick: int, slow: int) -> list:
    return [pytest.param(i, marks=[] if i < quick else [pytest.mark.slow]) for i in range(slow)]


@pytest.mark.parametrize("seed", seeds(2, 70))
def test_killed_at_any_change_of_a_file(made, operations, tmp_path, seed):
    """70 of the 100 random kills: before the N-th write, sync, rename, link, removal or new file of the run."""
    number = random.Random(time.time_ns()).randint(1, operations)
    survives(made, tmp_path, f"killed at operation {number}", rule=f"change OUT/* {number} kill")


@pytest.fixture(scope="module")
def seconds_of_two(made, tmp_path_factory) -> float:
    """How long an undisturbed run with two workers takes here and now."""
    out = made.copy("old", tmp_path_factory.mktemp("timed") / "out")
    began = time.monotonic()
    assert made.ran(made.command(out, workers=2)).code == 0
    return time.monotonic() - began


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_killed_at_any_moment(made, seconds_of_two, tmp_path, seed):
    """30 of the 100 random kills, by the clock: the run alone, whose workers must not outlive it and write, or all of its processes."""
    for attempt in range(8):  # one that was done before it was killed is none
        home = tmp_path / str(attempt)
        home.mkdir()
        seconds = random.Random(time.time_ns()).uniform(0, seconds_of_two / 2**attempt)
        if survives(made, home, f"killed after {seconds:.3f} s", after=seconds, workers=2, group=seed % 2 == 0) < 0:
            return
    pytest.fail("it was always done before it was killed")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60))
def test_refused_at_any_change_of_a_file(made, operations, tmp_path, seed):
    """An error at the N-th operation, or from there on: told in a line, or got over."""
    rng = random.Random(time.time_ns())
    number = rng.randint(1, operations)
    action = rng.choice(["1+ fail=28", "1 fail=5", "1+ fail=30", "1 fail=24", "1 fail=116"]).replace(
        "1", str(number), 1
    )
    survives(made, tmp_path, action, rule=f"change OUT/* {action}")


def survives(
    made: World, home: Path, told: str, rule: str = "", after: float = 0, workers: int = 1, *, group: bool = False
) -> int:
    """Let it happen, and check everything; how the run ended."""
    print(told)
    out = made.copy("old", home / "out")
    with check.Reader(out) as reader:
        argv = made.command(out, workers=workers)
        pid = made.warm.start(*argv, env={"SHIM": rule.replace("OUT", str(out))} if rule else {})
        if after:
            time.sleep(after)
            (os.killpg if group else os.kill)(pid, signal.SIGKILL)
        ended = made.warm.wait(pid)
    check.told_clearly(ended)
    print(ended.code, check.left(made, out, ended))
    check.seen_only_whole(made, reader)
    check.mended(made, out, made.command(out, workers=workers), made.home / "new")
    return ended.code


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_of_two_schedulers_at_once_one_does_the_work(made, tmp_path, seed):
    out = made.copy("old", tmp_path / "out")
    pids = [made.warm.start(*made.command(out)) for _ in range(2)]
    ended = [made.warm.wait(pid) for pid in pids]
    assert 0 in {e.code for e in ended} <= {0, 5}, [e.err for e in ended]
    for e in ended:
        check.told_clearly(e)
    check.mended(made, out, made.command(out), made.home / "new")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_forgetting_cut_short_at_any_change_of_a_file(made, forgotten, tmp_path, seed):
    """Killed, or refused. Whenever the command says that it is done, no file holds the records any more; given again it ends as it would
    have undisturbed."""
    expected, operations = forgotten
    number = random.Random(time.time_ns()).randint(1, operations)
    action = ("kill", "fail=5")[seed % 2]
    print(f"{action} at operation {number} of {operations}")
    out = made.copy("new", tmp_path / "out")
    first = made.ran(forgetting(made, out), {"SHIM": f"change {out}/* {number} {action}"})
    check.told_clearly(first)
    assert first.code != 0 or not holding(out)
    assert made.ran(forgetting(made, out)).code == 0
    assert {k: v for k, v in check.contents(out).items() if k != "report.html"} == expected
    assert check.verify(out) == []
    assert not holding(out)


def holding(out: Path) -> list[Path]:
    """Parquet files, of the state too, that hold a record of the list."""
    gone = {"71-0", "1-3"}
    tables = ((path, pq.read_table(path)) for path in out.rglob("*.parquet"))
    # Plans and footers have neither column: they know no records.
    return [p for p, t in tables for c in ("id", "record_id") if c in t.column_names and gone & set(t[c].to_pylist())]


@pytest.fixture(scope="module")
def forgotten(made, tmp_path_factory) -> tuple[dict[str, bytes], int]:
    """A dataset without one record, and how many operations that takes."""
    home = tmp_path_factory.mktemp("forgotten")
    (made.home / "gone.txt").write_text("71-0\n1-3\n", "utf-8")
    out = made.copy("new", home / "out")
    asked = {"SHIM": f"change {out}/* 999999 kill", "SHIM_COUNT": str(home / "count")}
    assert made.ran(forgetting(made, out), asked).code == 0
    found = {k: v for k, v in check.contents(out).items() if k != "report.html"}
    return found, (home / "count").stat().st_size


def forgetting(made: World, out: Path) -> list[str]:
    return ["forget", str(out), "--match", str(made.home / "gone.txt"), "--kind", "id"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_rolling_back_cut_short_at_any_change_of_a_file(made, rolled, tmp_path, seed):
    """Killed, or refused. Readers see the one version or the other, and the same command ends with the older one."""
    number = random.Random(time.time_ns()).randint(1, rolled)
    action = ("kill", "fail=5")[seed % 2]
    print(f"{action} at operation {number} of {rolled}")
    out = made.copy("kept", tmp_path / "out")
    with check.Reader(out) as reader:
        first = made.ran(rolling(made, out), {"SHIM": f"change {out}/* {number} {action}"})
    check.told_clearly(first)
    check.seen_only_whole(made, reader)
    if first.code == 0:
        assert check.contents(out) == check.contents(made.home / "old")
    assert made.ran(rolling(made, out)).code == 0
    assert check.contents(out) == check.contents(made.home / "old")
    assert check.verify(out) == []


@pytest.fixture(scope="module")
def rolled(made, tmp_path_factory) -> int:
    """How many operations it takes to roll back; home/kept: the new dataset, with the old one to go back to."""
    kept = made.copy("old", made.home / "kept")
    assert made.ran(made.command(kept, "--set", "output.keep_versions=1")).code == 0
    out, counted = made.copy("kept", tmp_path_factory.mktemp("rolled") / "out"), made.home / "count"
    assert made.ran(rolling(made, out), {"SHIM": f"change {out}/* 999999 kill", "SHIM_COUNT": str(counted)}).code == 0
    assert check.contents(out) == check.contents(made.home / "old")
    return counted.stat().st_size


def rolling(made: World, out: Path) -> list[str]:
    return ["rollback", str(out), "--to", check.manifest(made.home / "old")["digest"]]
