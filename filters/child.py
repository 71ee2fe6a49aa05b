"""A process of its own for what may crash, hang or fill memory: bounded by the kernel, started with the first question, and again when it
has ended.

It is a plain child with pipes rather than a pool: a worker that is itself a pool's process may not have pools, but it may have children.
Bytes go over the pipes and nothing is unpickled. The inside is ``filters.bounded``.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from filters.bounded import LENGTH, READY
from filters.contract import JudgeError

START = 60
"""Seconds of real time in which the process must be up, on a machine that is busy."""
REAL = 10
"""Seconds of real time to a second of processor time: a bound for what waits rather than works."""
LONGEST = 1 << 20
"""Bytes of an answer: what asks for more is not a child of ours any more."""

_ENVIRONMENT = re.compile(r"PATH|HOME|TMPDIR|LANG|LC_\w+|(?:LD|DYLD)_\w+|PYTHON\w+|VIRTUAL_ENV|CONDA_PREFIX")
"""What a child is told of the environment: no credentials."""


class Child:
    """A script that calls ``filters.bounded.serve``, and is asked by one thread at a time."""

    def __init__(self, name: str, script: Path, seconds: int, memory: int) -> None:
        """name: of the filter and what runs there, for errors. seconds: of processor time an answer. memory: bytes it may allocate."""
        self.process: subprocess.Popen[bytes] | None = None
        self.name, self.seconds, self.memory = name, seconds, memory
        self.starts = 0
        self.timed_out = False
        """Whether it ended because its time was up."""
        self._command = [sys.executable, "-P", str(script), str(seconds), str(memory)]
        self._owner, self._lock = os.getpid(), threading.Lock()
        self._read = b""

    def ask(self, question: bytes, answers: int = 1) -> list[bytes]:
        """The answers; only the first of them if the process ended, or was ended, before it gave the next. Raises JudgeError if it does not
        start."""
        if self._owner != os.getpid():
            # We were forked from the process that this was made in; what that one started is not ours.
            self._owner, self._lock, self.process = os.getpid(), threading.Lock(), None
        with self._lock:
            return self._answers(question, answers)

    def _answers(self, question: bytes, answers: int) -> list[bytes]:
        out: list[bytes] = []
        process = self._running()
        try:
            self._write(process, LENGTH.pack(len(question)) + question)
            while len(out) < answers:
                out.append(self._frame(process, REAL * self.seconds + START))
        except TimeoutError:
            self.close()
            self.timed_out = True
        except OSError:
            self._ended(process)
        return out

    def close(self) -> None:
        """Ends the process."""
        process, self.process = self.process, None
        if process is not None and self._owner == os.getpid():
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()

    def __del__(self) -> None:
        self.close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self.process is None or self.process.poll() is not None:
            self.close()
            self.process, self._read, self.timed_out = self._started(), b"", False
            self.starts += 1
            self._greeted(self.process)
        return self.process

    def _started(self) -> subprocess.Popen[bytes]:
        told = {k: v for k, v in os.environ.items() if _ENVIRONMENT.fullmatch(k)}
        # The modules that this process has, wherever it has them from. Some results are ordered by hash: the same seed, the same verdicts.
        own = {
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "PYTHONHASHSEED": "0",
            "OPENBLAS_NUM_THREADS": "1",
        }
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**told, **own},
            bufsize=0,
        )
        assert process.stdin is not None
        os.set_blocking(process.stdin.fileno(), False)
        return process

    def _greeted(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(OSError):
            if self._frame(process, START) == READY:
                return
        self.close()
        raise JudgeError(
            f"{self.name}: the process for it does not start (exit code {process.returncode}); "
            f"see why: {shlex.join(self._command)} </dev/null"
        )

    def _ended(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)
        self.close()
        self.timed_out = process.returncode == -signal.SIGXCPU

    def _write(self, process: subprocess.Popen[bytes], data: bytes) -> None:
        assert process.stdin is not None
        pipe, left = process.stdin.fileno(), memoryview(data)
        until = time.monotonic() + REAL * self.seconds + START
        while left:
            _wait(pipe, select.POLLOUT, until)
            left = left[os.write(pipe, left) :]

    def _frame(self, process: subprocess.Popen[bytes], seconds: float) -> bytes:
        """The next answer. Raises OSError if the process ended, TimeoutError if it took longer than that."""
        until = time.monotonic() + seconds
        (size,) = LENGTH.unpack(self._bytes(process, LENGTH.size, until))
        if size > LONGEST:
            raise OSError("no answer of ours")
        return self._bytes(process, size, until)

    def _bytes(self, process: subprocess.Popen[bytes], count: int, until: float) -> bytes:
        assert process.stdout is not None
        pipe = process.stdout.fileno()
        while len(self._read) < count:
            _wait(pipe, select.POLLIN, until)
            part = os.read(pipe, 1 << 16)
            if not part:
                raise OSError("ended")
            self._read += part
        out, self._read = self._read[:count], self._read[count:]
        return out


def _wait(pipe: int, event: int, until: float) -> None:
    poll = select.poll()
    poll.register(pipe, event)
    if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
        raise TimeoutError
