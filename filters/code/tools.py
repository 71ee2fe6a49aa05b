"""Compilers and linters that a recipe may ask about code: a closed list, how each is called and how what it says is read.

Only what is wrong with the syntax speaks against a block. A name or a header that is not there says nothing: an answer quotes what
matters. Where a tool can stop after parsing it is told to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from filters.code import drivers

OK, SYNTAX, PART, UNKNOWN = "ok", "syntax", "part", "unknown"
"""What a tool says: no error; an error of syntax; an error that a part of a program makes too; nothing that counts."""

Command = Callable[[str, str, Sequence[str]], list[str]]
"""(program, mark, files) -> what is run in the sandbox."""


@dataclass(frozen=True)
class Tool:
    """programs: its names, the first that is there is taken. languages: what it is asked about. ending: of its files.

    command: how it is called for several files. right/wrong: what it must take and refuse before it is asked anything. script: what it
    is called with, as the file ``driver``. part: messages that a fragment gives rise to as well; whole: a text that it matches is a
    program, so they excuse nothing there. unknown: messages after which nothing that it says counts. sure: if given, only these messages
    are errors of syntax.
    """

    programs: tuple[str, ...]
    languages: tuple[str, ...]
    ending: str
    command: Command
    right: str
    wrong: str
    script: str = ""
    version: tuple[str, ...] = ("--version",)
    part: re.Pattern[str] | None = None
    unknown: re.Pattern[str] | None = None
    sure: re.Pattern[str] | None = None
    whole: re.Pattern[bytes] | None = None
    environment: tuple[tuple[str, str], ...] = ()

    def read(self, code: int, said: str) -> tuple[str, int]:
        """What it says of a file, and the line of the first error, from 1."""
        if code == 0:
            return OK, 1
        found = _LINE.search(said)
        line, first = (int(found[1]), found[2]) if found else (1, said)
        if code > 128 or (self.unknown is not None and self.unknown.search(said)):
            return UNKNOWN, line
        if self.part is not None and self.part.search(first):
            return PART, line
        return (SYNTAX if self.sure is None or self.sure.search(first) else UNKNOWN), line


_LINE = re.compile(r"(?m)^(?:\w+: )?f\d+\.\w+(?:[:(]|: line )(\d+)(?::\d+)?\)?:? *(.*)")
"""Where an error begins, as ``f0.c:3:5: error: …``, ``f0.cu(3): …``, ``luac: f0.lua:3: …`` and ``f0.sh: line 3: …`` say it."""


def _each(*arguments: str) -> Command:
    def command(program: str, mark: str, files: Sequence[str]) -> list[str]:
        return ["/bin/sh", "driver", mark, str(len(files)), *files, program, *arguments]

    return command


def _script(*arguments: str) -> Command:
    return lambda program, mark, files: [program, *arguments, "driver", mark, *files]


def _tsc(program: str, mark: str, files: Sequence[str]) -> list[str]:
    library = program.rpartition("/bin/")[0] + "/lib/typescript.js"
    return ["/usr/bin/env", "node", "driver", library, mark, *files]


def _javac(program: str, mark: str, files: Sequence[str]) -> list[str]:
    """All files in one process. It ends after parsing, so no file depends on another."""
    return [
        program, "-J-XX:+UseSerialGC", "-J-XX:TieredStopAtLevel=1", "-J-Xmx512m", "-proc:none", "-XDrawDiagnostics", "-Xmaxerrs", "5000",
        "-XDshould-stop.ifNoError=PARSE", "-XDshould-stop.ifError=PARSE", "-d", "/tmp", *files,
    ]  # fmt: skip


_GNU = ("-fsyntax-only", "-w", "-fdiagnostics-color=never", "-fno-diagnostics-show-caret", "-fmax-errors=20")
_GNU_UNKNOWN = re.compile(
    r"fatal error: |unknown type name|undeclared|does not name a type|has not been declared|was not declared|#error"
    r"|is not a (?:template|class)"
)
_GNU_PART = re.compile(
    r"expected (?:unqualified-id|identifier or|declaration|constructor)|expected '?.?=|data definition|expected .;. before .?[A-Za-z_]"
)
"""A macro that is not there looks like an error before the next word, and a part of a function like one at the top."""
_GNU_SURE = re.compile(
    r"expected |stray |unterminated|missing (?:terminating|binary)|without a previous|invalid suffix|not within|unbalanced"
    r"|#e\w+ without"
)
_NVCC_UNKNOWN = re.compile("fatal error|cannot open source|undefined|not declared|is not a type")
_NVCC_PART = re.compile("expected a declaration|this declaration has no storage")
_NVCC_SURE = re.compile("expected |unrecognized token|missing closing")
_JAVA_PART = re.compile(r"expected[34]\b")
_JAVA_NEWER = re.compile(r"feature\.not\.supported|preview\.feature|restricted\.type")
_NODE_PART = re.compile(
    "Illegal (?:return|break|continue)|Unexpected token '[<@]'|strict mode|is not defined in module"
)
"""A part of a function, JSX, decorators, and what only a module or only a script may hold."""
_GO_PART = re.compile("expected 'package'|expected declaration|non-declaration statement")
_RUST_PART = re.compile("expected item|missing `fn` or|expected one of `!` or `::`|global variables")
_RUSTC = (
    "--edition",
    "2021",
    "-Zparse-crate-root-only",
    "--crate-type",
    "lib",
    "--error-format",
    "short",
    "--cap-lints",
    "allow",
)
_PHP = ("-n", "-d", "extension=tokenizer", "-d", "display_startup_errors=0")
_OPEN_C = "int f() { return (1; }\n"

TOOLS = {
    "gcc": Tool(
        ("gcc",), ("c",), "c", _each("-x", "c", *_GNU), "int x;\n", _OPEN_C, drivers.EACH,
        part=_GNU_PART, unknown=_GNU_UNKNOWN, sure=_GNU_SURE,
    ),
    "g++": Tool(
        ("g++",), ("cpp",), "cpp", _each("-x", "c++", "-std=gnu++20", *_GNU), "auto x = [] {};\n", _OPEN_C, drivers.EACH,
        part=_GNU_PART, unknown=_GNU_UNKNOWN, sure=_GNU_SURE,
    ),
    "nvcc": Tool(
        ("nvcc",), ("cuda",), "cu", _each("-x", "cu", "--cuda", "-o", "/dev/null"), "__global__ void f() {}\n", _OPEN_C, drivers.EACH,
        part=_NVCC_PART, unknown=_NVCC_UNKNOWN, sure=_NVCC_SURE,
    ),
    "javac": Tool(
        ("javac",), ("java",), "java", _javac, "class A { void f() { g(); } }\n", "class A { void f() { int x = 1 } }\n",
        version=("-version",), part=_JAVA_PART, unknown=_JAVA_NEWER, whole=re.compile(rb"(?m)^package [\w.]+;"),
    ),
    "node": Tool(
        ("node",), ("javascript",), "mjs", _script("--experimental-vm-modules", "--no-warnings"), "import a from 'b'; await a()\n",
        "let x = [1;\n", drivers.NODE, part=_NODE_PART,
    ),
    "tsc": Tool(("tsc",), ("typescript", "tsx"), "ts", _tsc, "let x: number = <a>b</a>\n", "let x: = 1;\n", drivers.TSC),
    "gofmt": Tool(
        ("gofmt",), ("go",), "go", _each("-l", "-e"), "package a\n\nvar x = y\n", "package a\n\nfunc f( {\n}\n", drivers.EACH,
        version=(), part=_GO_PART, whole=re.compile(rb"(?m)^package \w+$"),
    ),
    "rustc": Tool(
        ("rustc",), ("rust",), "rs", _each(*_RUSTC), "mod a; fn f() { b::c() }\n", "fn f() { let x = ; }\n", drivers.EACH,
        part=_RUST_PART, environment=(("RUSTC_BOOTSTRAP", "1"),),
    ),
    "php": Tool(("php",), ("php",), "php", _script(*_PHP), "<?php f();\n", "<?php f(;\n", drivers.PHP),
    "ruby": Tool(("ruby",), ("ruby",), "rb", _script("--disable-gems"), "def f = 1\n", "def f(\n", drivers.RUBY),
    "bash": Tool(("bash",), ("bash",), "sh", _each("-n"), "for i in a; do b; done\n", "if a; then\n", drivers.EACH),
    "luac": Tool(
        ("luac", "luac5.4", "luac5.3"), ("lua",), "lua", _each("-p"), "local x = {1}\n", "local x = {1\n", drivers.EACH, version=("-v",),
    ),
}  # fmt: skip
"""-Zparse-crate-root-only makes rustc stop after parsing; a stable compiler takes it with RUSTC_BOOTSTRAP. Should it go, the line that
must be taken is not, and a run says so before it begins."""
