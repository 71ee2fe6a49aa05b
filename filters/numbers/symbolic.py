"""Algebra in a process of its own: math-verify on sympy, which can hang, or take all memory, for a formula of ten characters.

The process is bounded in processor time and memory by the kernel, ended when it takes too long, and started again for the next pair. It
is a plain child with pipes rather than a pool: a worker that is itself a pool's process may not have pools, but it may have children.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from filters.contract import ConfigError

LONGEST = 300
"""Characters of a formula."""
DEEPEST = 12
"""Brackets within brackets."""
REMEMBERED = 4096
"""Formulas whose keys are kept: samples of one problem write the same ones."""
START = 60
"""Seconds of real time in which the process must be up, on a machine that is busy."""

_TOWER = re.compile(r"\^\s*(?:\{[^{}]*\^|\(?[^\s^{}()]{1,20}\s*\^)|\*\*[^*]{1,20}\*\*")
_LARGE = re.compile(
    r"(?:\^|\*\*)\s*[{(]?\s*-?\s*\d{4,}|\d{4,}\s*[)}]?\s*!|!\s*[)}]*\s*!|\d{60,}|[A-Za-z)}]\s*(?:\^|\*\*)\s*[{(]?\s*-?\d{3,}"
)


class Algebra:
    """Compares formulas, one at a time. The process is started with the first pair."""

    def __init__(self, seconds: int, memory: int = 2 << 30) -> None:
        """seconds: of processor time a pair. memory: bytes of address space. Raises ConfigError where the package is missing."""
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = 0
        if find_spec("math_verify") is None:
            raise ConfigError(
                "numbers: the package math-verify is not installed: pip install 'corpusmill[math]', or set symbolic to false"
            )
        self.seconds, self.memory = seconds, memory
        self.starts = 0
        self._known: dict[str, tuple[str, float | None] | str] = {}

    def same(self, answer: str, reference: str) -> bool | str:
        """Whether two formulas are equal; or why that is not known: ``too_large`` (not tried), ``not_comparable`` (at least one is not
        understood), ``timed_out`` (or out of memory)."""
        if _is_too_large(answer) or _is_too_large(reference):
            return "too_large"
        told = self._asked({"answer": answer, "reference": reference})
        if told is None:
            self.close()
            return "timed_out"
        return told if isinstance(told, bool) else "not_comparable" if told == "unknown" else "timed_out"

    def canonical(self, formula: str) -> tuple[str, float | None] | str:
        """A key that formulas of the same value share, and the value if it is one real number; or why there is none, as ``same``."""
        if formula not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[formula] = self._canonical(formula)
        return self._known[formula]

    def _canonical(self, formula: str) -> tuple[str, float | None] | str:
        if _is_too_large(formula):
            return "too_large"
        told = self._asked({"formula": formula})
        if isinstance(told, list):
            return str(told[0]), told[1]
        if told is None:
            self.close()
        return "not_comparable" if told == "unknown" else "timed_out"

    def close(self) -> None:
        """Ends the process."""
        child, self._child = self._child, None
        if child is not None and self._owner == os.getpid():
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()

    def __del__(self) -> None:
        # When the interpreter ends, modules may be gone already; the child ends with its input.
        with contextlib.suppress(AttributeError):
            self.close()

    def _asked(self, pair: dict[str, str]) -> bool | str | list[Any] | None:
        """The child's word; None: it ended, or did not answer. Real time is a second bound, far above that of processor time."""
        try:
            child = self._running()
            assert child.stdin is not None
            child.stdin.write(json.dumps(pair).encode() + b"\n")
            child.stdin.flush()
            line = self._line(10 * self.seconds + START)
            return json.loads(line) if line.endswith(b"\n") else None
        except (OSError, ValueError):
            return None

    def _running(self) -> subprocess.Popen[bytes]:
        """The child, started if there is none; one that another process started (we were forked from it) is not ours."""
        if self._child is None or self._owner != os.getpid() or self._child.poll() is not None:
            self._child, self._owner = self._started(), os.getpid()
            self.starts += 1
        return self._child

    def _started(self) -> subprocess.Popen[bytes]:
        script = Path(__file__).with_name("algebra_process.py")
        command = [sys.executable, "-P", str(script), str(self.seconds), str(self.memory)]
        # sympy orders some results by hash: the same seed, the same verdicts.
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            bufsize=0,
        )

    def _line(self, seconds: float) -> bytes:
        """What the child writes up to a line feed, or less if it ends or takes longer."""
        assert self._child is not None and self._child.stdout is not None
        out, until = b"", time.monotonic() + seconds
        while not out.endswith(b"\n"):
            ready, _, _ = select.select([self._child.stdout], [], [], max(0.0, until - time.monotonic()))
            part = self._child.stdout.read(4096) if ready else b""
            if not part:
                return out
            out += part
        return out


def _is_too_large(formula: str) -> bool:
    """Told from the text alone, so the same on every machine: towers of powers, huge exponents and factorials, long or deep ones."""
    depth = most = 0
    for c in formula[: LONGEST + 1]:
        depth += (c in "({[") - (c in ")}]")
        most = max(most, depth)
    return len(formula) > LONGEST or most > DEEPEST or bool(_TOWER.search(formula) or _LARGE.search(formula))
