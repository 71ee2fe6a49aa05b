"""Parsers in a process of their own: what crashes, hangs or fills memory there costs one block its verdict, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from filters.child import Child
from filters.code.blocks import Block
from filters.code.parsers import Parsers
from filters.contract import JudgeError
from tests.support import ROOT

HOSTILE = """
    import ctypes, os, signal, sys, time
    from pathlib import Path
    from filters.code import check, parser_process

    judged = check.judged

    def hostile(language, name, code, *, closed):
        if b"CRASH" in code:
            ctypes.string_at(0)
        if b"ABORT" in code:
            os.abort()
        if b"HANG" in code:
            while True:
                pass
        if b"FILL" in code:
            held = []
            while True:
                held.append(ctypes.create_string_buffer(1 << 24))
        if b"LIE" in code:
            from filters.code.verdict import Verdict
            return Verdict("verified", "a text of the record", -7)
        if b"RAISE" in code:
            raise AssertionError(code)
        if b"ONCE" in code and (mark := Path(sys.argv[0] + ".mark")).exists():
            mark.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return judged(language, name, code, closed=closed)

    check.judged = hostile
    parser_process.main(int(sys.argv[1]), int(sys.argv[2]))
"""
"""A child in which some texts do what a grammar might; not one of them can be reached from data in the script that runs else."""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("child") / "hostile.py"
    path.write_text(textwrap.dedent(HOSTILE))
    return path


@pytest.fixture(scope="module")
def hostile(script):
    parsers = Parsers(script, seconds=1, memory=256 << 20)
    yield parsers
    parsers.child.close()


def said(parsers, *codes, language="python"):
    blocks = [Block(0, 0, len(c), language, c.encode()) for c in codes]
    return [(found.status, found.cause) for _, _, found in parsers.checked(blocks, 1 << 20)]


FAILED = ("unverifiable", "parser_failed")
GOOD, BAD = ("verified", ""), ("refuted", "syntax")


@pytest.mark.parametrize("death", ["CRASH", "ABORT", "HANG", "FILL"])
def test_a_block_that_its_parser_dies_on_is_unverifiable_and_all_others_are_judged(hostile, death):
    assert said(hostile, "x = 1", "x = = 1", f"x = '{death}'", "y = = 1", "y = 1") == [GOOD, BAD, FAILED, BAD, GOOD]


def test_many_that_die_beside_one_another_are_told_apart(hostile):
    assert said(hostile, "CRASH", "ABORT", "x = = 1", "CRASH") == [FAILED, FAILED, BAD, FAILED]


def test_a_block_on_which_somebody_else_ended_the_process_is_tried_once_more(hostile, script):
    script.with_name(script.name + ".mark").touch()
    assert said(hostile, "x = 1", "x = 'ONCE'", "x = = 1") == [GOOD, GOOD, BAD]
    os.kill(hostile.child.process.pid, signal.SIGKILL)
    assert said(hostile, "x = 1", "x = = 1") == [GOOD, BAD], "between two batches"


def test_a_process_that_is_killed_amid_its_work_changes_no_verdict():
    parsers = Parsers()
    codes = ["x = 1", "x = = 1", "def f():\n  return 1"] * 400
    wanted = [GOOD, BAD, GOOD] * 400
    assert said(parsers, "x = 1") == [GOOD]
    with closing(parsers.child):
        killers = [threading.Timer(after, os.kill, (parsers.child.process.pid, signal.SIGKILL)) for after in (0.02,)]
        for killer in killers:
            killer.start()
        assert said(parsers, *codes) == wanted
        assert parsers.child.starts >= 2


def test_words_that_are_not_ours_and_errors_of_a_parser_come_to_nothing(hostile):
    assert said(hostile, "x = 'LIE'", "x = 'RAISE'", "x = 1") == [FAILED, FAILED, GOOD]


def test_a_child_that_does_not_start_is_an_error_of_the_unit_in_one_line(tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("raise SystemExit(7)")
    with pytest.raises(
        JudgeError, match=r"code: parsers: .* does not start \(exit code 7\); see why: .*broken\.py"
    ) as error:
        Parsers(broken).child.ask(b"")
    assert "\n" not in str(error.value)


def test_a_child_knows_no_credentials_and_writes_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "abc")
    script = tmp_path / "tells.py"
    script.write_text(
        textwrap.dedent(f"""
        import os, sys
        from filters import bounded

        def answers(frame):
            try:
                with open({str(tmp_path / "made")!r}, "wb", buffering=0) as file:
                    file.write(b"x")
            except OSError:
                yield repr(sorted(os.environ)).encode()
        bounded.serve(answers, 1 << 28)
    """)
    )
    # The kernel's signal for a file that grows too large is ignored by Python, which raises instead.
    with closing(Child("a", script, 1, 1 << 28)) as child:
        (told,) = child.ask(b"")
    assert b"PATH" in told and b"AWS" not in told


@pytest.mark.parametrize("work", ["x = 1", "x = 'HANG'"])
def test_no_child_outlives_its_worker(script, work):
    """Idle, by the end of its input; at work, by the kernel (elsewhere than on Linux: when its time is up)."""
    program = f"""
import sys
from pathlib import Path
from filters.code.blocks import Block
from filters.code.parsers import Parsers
parsers = Parsers(Path({str(script)!r}), seconds=5)
code = {work.encode()!r}
list(parsers.checked([Block(0, 0, 1, "python", b"1")], 99))
print(parsers.child.process.pid, flush=True)
list(parsers.checked([Block(0, 0, 9, "python", code)], 99))
sys.stdin.read()
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    worker = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    with worker:
        pid = int(worker.stdout.readline())
        assert _alive(pid)
        worker.kill()
    until = time.monotonic() + 10
    while _alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not _alive(pid)


def _alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def test_a_forked_worker_has_a_child_of_its_own():
    parsers = Parsers()
    with closing(parsers.child):
        assert said(parsers, "x = 1") == [GOOD]
        mine = parsers.child.process.pid
        read, write = os.pipe()
        if (worker := os.fork()) == 0:
            good = said(parsers, "x = = 1") == [BAD] and parsers.child.process.pid != mine
            os.write(write, b"yes" if good else b"no")
            parsers.child.close()
            os._exit(0)
        os.waitpid(worker, 0)
        assert os.read(read, 9) == b"yes"
        assert parsers.child.process.pid == mine and said(parsers, "x = = 1") == [BAD]
