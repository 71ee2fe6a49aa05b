"""Run as a script in the sandbox, by ``filters.code.execute``: one block with its tests, and what the answer defines before it.

Reads ``program.json``, ``{"before": [code, …], "block": code}``, and writes ``[what, line]`` as JSON to its standard output: ``ran``, the
kind of test that failed, or why there is no telling. It imports nothing of ours, and nothing of the block's text comes out.
"""

from __future__ import annotations

import ast
import builtins
import json
import os
import sys
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

BLOCK = "<block>"
DEFINING = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)


class Asked(Exception):
    """The program wants somebody to type something."""


class Failed(Exception):
    """A test failed that is no assertion of the block's own: which kind, and on which line of the block (0: not known)."""


def main() -> None:
    given = json.loads(Path("program.json").read_text("utf-8"))
    answers = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    answers.write(json.dumps(judged(given["before"], given["block"])))
    answers.flush()
    # What the program has left running, or registered to run at exit, is of no interest.
    os._exit(0)


def judged(before: list[str], block: str) -> tuple[str, int]:
    builtins.input = _input
    if "unittest" in block:
        import unittest

        unittest.main = lambda *_, **__: None  # type: ignore[assignment]
    if any("random" in code for code in (*before, block)):
        import random

        random.seed(0)
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    counted = [0]
    module.__dict__["__tested__"] = lambda: counted.__setitem__(0, counted[0] + 1)
    try:
        for code in before:
            _define(code, module)
        _run(block, module, counted)
    except BaseException as error:
        return _why(error)
    return ("ran" if counted[0] else "no_test", 0)


def _input(*_: Any) -> str:
    raise Asked


def _define(code: str, module: types.ModuleType) -> None:
    """What an earlier block defines; not what it shows, or tests."""
    tree = ast.parse(code)
    tree.body = [node for node in tree.body if isinstance(node, DEFINING)]
    exec(compile(tree, "<before>", "exec", dont_inherit=True), module.__dict__)


def _run(block: str, module: types.ModuleType, counted: list[int]) -> None:
    if block.lstrip().startswith(">>>"):
        _doctests(block, module, frozenset(), counted)
        return
    tree = _Counting().visit(ast.parse(block))
    named = {n.name for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    called = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    exec(compile(ast.fix_missing_locations(tree), BLOCK, "exec", dont_inherit=True), module.__dict__)
    for name in sorted(named):
        found = module.__dict__.get(name)
        if (
            name.startswith("test")
            and name not in called
            and isinstance(found, types.FunctionType)
            and not _wants(found)
        ):
            found()
        elif isinstance(found, type) and "unittest" in sys.modules:
            _unittest(found, counted)
    if ">>>" in block:
        _doctests("", module, frozenset(named), counted)


class _Counting(ast.NodeTransformer):
    """Counts assertions that are reached: one in a function that nobody calls is no test."""

    def visit_Assert(self, node: ast.Assert) -> list[ast.stmt]:
        reached = ast.Expr(ast.Call(ast.Name("__tested__", ast.Load()), [], []))
        return [ast.copy_location(reached, node), node]


def _wants(found: Callable[..., Any]) -> bool:
    """Whether a function cannot be called without arguments."""
    code = found.__code__
    return code.co_argcount > len(found.__defaults__ or ()) or code.co_kwonlyargcount > 0


def _unittest(case: type, counted: list[int]) -> None:
    import unittest

    if not issubclass(case, unittest.TestCase):
        return
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    counted[0] += result.testsRun - len(result.skipped)
    if result.failures or result.errors:
        raise Failed("assertion" if result.failures else "raised", 0)


def _doctests(transcript: str, module: types.ModuleType, named: frozenset[str], counted: list[int]) -> None:
    """Examples of a transcript, or in the docstrings of what the block defines. Imported here: it takes longer than most tests."""
    import doctest

    class Checker(doctest.OutputChecker):
        def check_output(self, want: str, got: str, optionflags: int) -> bool:
            """A transcript may leave an output out."""
            return not want or super().check_output(want, got, optionflags)

    class Runner(doctest.DocTestRunner):
        def report_failure(self, out: Any, test: Any, example: Any, got: str) -> None:
            raise Failed("doctest", (test.lineno or 0) + example.lineno + 1)

        def report_unexpected_exception(self, out: Any, test: Any, example: Any, exc_info: Any) -> None:
            raise Failed(_why(exc_info[1])[0], (test.lineno or 0) + example.lineno + 1)

    if transcript:
        tests = [doctest.DocTestParser().get_doctest(transcript, module.__dict__, BLOCK, BLOCK, 0)]
    else:
        found = [
            doctest.DocTestFinder().find(module.__dict__[n], n, module=False, globs=module.__dict__)
            for n in sorted(named)
        ]
        tests = [test for some in found for test in some if test.examples]
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
    for test in tests:
        Runner(Checker(), verbose=False, optionflags=flags).run(test, out=lambda _: None, clear_globs=False)
        counted[0] += sum(bool(e.want) for e in test.examples)


def _why(error: BaseException) -> tuple[str, int]:
    if isinstance(error, Failed):
        return error.args[0], error.args[1]
    frames = traceback.extract_tb(error.__traceback__)
    line = next((f.lineno or 0 for f in reversed(frames) if f.filename == BLOCK), 0)
    for kind, what in (
        (AssertionError, "assertion"), (ImportError, "not_installed"), ((Asked, EOFError), "input"), (SyntaxError, "other_version"),
        (SystemExit, "exited"), (MemoryError, "too_much"),
    ):  # fmt: skip
        if isinstance(error, kind):
            return what, line
    return ("network" if _is_of_a_socket(error) else "raised"), line


def _is_of_a_socket(error: BaseException | None) -> bool:
    """Whether it was raised, or the error that led to it, where sockets are made."""
    for _ in range(10):
        if error is None:
            break
        if isinstance(error, OSError) and any(
            f.filename.endswith("/socket.py") for f in traceback.extract_tb(error.__traceback__)
        ):
            return True
        error = error.__cause__ or error.__context__
    return False


if __name__ == "__main__":
    main()
