"""The command in processes of its own, without the seconds of a start: a server that has imported everything forks one a run.

Each is the real command in the real world: it has its own session, environment and output, and can be stopped and killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support import ROOT


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, or the signal as a negative number; what it printed. stopped: it stands, and can go on."""

    code: int
    out: str = ""
    err: str = ""
    stopped: bool = False

    @property
    def said(self) -> list[str]:
        """What is on standard error for people: events are JSON lines."""
        return [line for line in self.err.splitlines() if line and not line.startswith("{")]


class Warm:
    """A server. preload: a library for it and all that it starts. first: a command that it does itself, to have everything loaded."""

    def __init__(self, preload: Path, logs: Path, *first: str | Path) -> None:
        self.logs = logs
        self.running: set[int] = set()
        environment = {**os.environ, "LD_PRELOAD": str(preload), "PYTHONSAFEPATH": "1", "PYTHONPATH": str(ROOT)}
        self.server = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.warm", *map(str, first)], cwd=logs, env=environment, text=True,
            stderr=(logs / "server.err").open("w"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def start(self, *argv: str | Path, env: Mapping[str, str] | None = None) -> int:
        """Start ``corpusmill ARGV``; its process id, which is its group's too."""
        pid = self._ask({"run": [str(a) for a in argv], "env": dict(env or {}), "logs": str(self.logs)})
        self.running.add(pid)
        return pid

    def wait(self, pid: int) -> Ended:
        """Until it has ended, or was stopped."""
        status = self._ask({"wait": pid})
        if os.WIFSTOPPED(status):
            return Ended(0, stopped=True)
        self.running.discard(pid)
        out, err = ((self.logs / f"{pid}.{name}").read_text("utf-8", "replace") for name in ("out", "err"))
        return Ended(os.waitstatus_to_exitcode(status), out, err)

    def close(self) -> None:
        """End the server, and what a test that failed has left standing."""
        for pid in self.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert self.server.stdin and self.server.stdout
        self.server.stdin.close()
        self.server.wait(60)
        self.server.stdout.close()

    def _ask(self, question: dict) -> int:
        assert self.server.stdin and self.server.stdout
        self.server.stdin.write(json.dumps(question) + "\n")
        self.server.stdin.flush()
        return int(self.server.stdout.readline())


def serve(argv: Sequence[str]) -> None:
    """Run ARGV once, so that everything is loaded; then answer each line of standard input with a number: a process id, or how one
    ended."""
    from pipelines.cli import main

    with contextlib.redirect_stdout(None):
        main(argv)
    for line in sys.stdin:
        asked = json.loads(line)
        if "wait" in asked:
            answer = os.waitpid(asked["wait"], os.WUNTRACED)[1]
        elif not (answer := os.fork()):
            _become(asked["run"], asked["env"], Path(asked["logs"]))
        print(answer, flush=True)


def _become(argv: Sequence[str], environment: Mapping[str, str], logs: Path) -> None:
    """In the child: what ``python -m pipelines ARGV`` is from its first line on. Does not return."""
    from pipelines.cli import main

    os.setsid()
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(logs / f"{os.getpid()}.{name}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(environment)
    code = 1
    try:
        code = main(argv)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


if __name__ == "__main__":
    serve(sys.argv[1:])
