"""Runs blocks of Python that test something, in a sandbox: assertions, test functions, doctests."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from filters.batch import CONTENT, Batch
from filters.code.second import Found, offset
from filters.code.verdict import REFUTED, VERIFIED, Verdict, open_
from filters.contract import JudgeError
from filters.sandbox import Limits, Sandbox

MIB = 1 << 20

FAILED = ("assertion", "doctest")
"""What speaks against a block. All else that is not ``ran`` leaves it open, with that as its cause."""

UNCHANGED = ("no_test", "other_version")
"""Nothing was tested, or this Python is too old to: the parser's word stands."""

REMEMBERED = 20_000


class Runner:
    """Runs programs with the Python that runs us, without its packages; made once a worker. Raises ConfigError without a sandbox."""

    def __init__(self, paths: Sequence[str] = (), seconds: float = 10.0) -> None:
        self._python = str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
        prefix = () if sys.base_prefix == "/usr" or sys.base_prefix.startswith("/usr/") else (sys.base_prefix,)
        self._sandbox = Sandbox((*paths, *prefix), who="code")
        self._harness = files("filters.code").joinpath("harness.py").read_bytes()
        self._limits = Limits(
            seconds=seconds,
            cpu_seconds=int(seconds) + 1,
            memory=512 * MIB,
            processes=32,
            disk=16 * MIB,
            files=1000,
            output=64 << 10,
        )
        self._said: dict[tuple[tuple[bytes, ...], bytes], tuple[str, int]] = {}

    def review(self, batch: Batch, found: Sequence[Found]) -> list[Found]:
        """The same blocks; those that test something say what came of it."""
        out = list(found)
        for i, before in tested(batch, found):
            block, language, _ = found[i]
            what, line = self.run(before, block.code)
            if what == "ran":
                out[i] = (block, language, Verdict(VERIFIED, "ran"))
            elif what not in UNCHANGED:
                at = offset(block.code, line)
                out[i] = (block, language, Verdict(REFUTED, what, at) if what in FAILED else open_(what, at))
        return out

    def run(self, before: tuple[bytes, ...], block: bytes) -> tuple[str, int]:
        """What came of one block after others, and the line, from 1. Raises JudgeError if no sandbox can be had now."""
        if len(self._said) > REMEMBERED:
            self._said.clear()
        if (before, block) not in self._said:
            self._said[before, block] = self._run(before, block)
        return self._said[before, block]

    def _run(self, before: tuple[bytes, ...], block: bytes) -> tuple[str, int]:
        program = {"before": [b.decode("utf-8", "replace") for b in before], "block": block.decode("utf-8", "replace")}
        put = {"harness.py": self._harness, "program.json": json.dumps(program).encode()}
        # Not -I: it would not look at the seed of hashes. The sandbox has no other environment, and no packages.
        command = [self._python, "-s", "-S", "-P", "-B", "-X", "utf8", "harness.py"]
        out = self._sandbox.run(command, put, limits=self._limits, environment={"PYTHONHASHSEED": "0"})
        if out.status == "cannot_start":
            raise JudgeError("code: the sandbox could not be started; the machine may be out of memory or processes")
        if out.status not in ("ok", "failed"):
            return ("timed_out" if out.status == "timed_out" else "too_much"), 0
        return _told(out.output)


KNOWN = frozenset(("ran", *FAILED, *UNCHANGED, "not_installed", "input", "exited", "too_much", "network", "raised"))


def _told(output: bytes) -> tuple[str, int]:
    """What the harness says, if it is one of the things that it can say: the program may have written there too."""
    try:
        what, line = json.loads(output)
    except (ValueError, TypeError):
        return "exited", 0
    return (what, line) if what in KNOWN and isinstance(line, int) and 0 <= line < 1 << 26 else ("exited", 0)


def tested(batch: Batch, found: Sequence[Found]) -> Iterator[tuple[int, tuple[bytes, ...]]]:
    """Blocks that test something, and the blocks before them in the same answer."""
    before: list[bytes] = []
    segment = -1
    for i, (block, language, verdict) in enumerate(found):
        if language != "python" or verdict.status != VERIFIED or batch.segments.channel[block.segment] != CONTENT:
            continue
        if block.segment != segment:
            segment, before = block.segment, []
        if _tests(block.code):
            yield i, tuple(before)
        if not block.code.lstrip().startswith(b">>>"):
            before.append(block.code)


def _tests(code: bytes) -> bool:
    """Whether a block tests something as it stands: an assertion outside of what it only defines, a test function or class, an example
    with its output."""
    if b">>>" in code:
        return True
    if b"assert" not in code:
        return False
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(map(_is_test, tree.body)) or bool(_checking(tree) & _called(tree))


def _is_test(node: ast.AST) -> bool:
    if isinstance(node, ast.FunctionDef):
        return node.name.startswith("test") and _asserts(node)
    if isinstance(node, ast.ClassDef):
        return any(isinstance(b, (ast.Name, ast.Attribute)) and ast.unparse(b).endswith("TestCase") for b in node.bases)
    return _asserts(node)


def _asserts(node: ast.AST) -> bool:
    return any(isinstance(n, ast.Assert) for n in ast.walk(node))


def _checking(tree: ast.Module) -> set[str]:
    """Functions that assert something, and are named for it."""
    return {
        n.name
        for n in tree.body
        if isinstance(n, ast.FunctionDef) and n.name.startswith(("test", "check", "run_test", "main")) and _asserts(n)
    }


def _called(tree: ast.Module) -> set[str]:
    return {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
