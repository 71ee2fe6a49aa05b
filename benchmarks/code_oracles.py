"""Whether a language's own compiler or parser calls a text a syntax error."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

MODULES = (os.environ.get("NODE_PATH", "."), "/usr/share/nodejs", "/usr/lib/nodejs", "/usr/local/lib/node_modules")
SCRIPTS = Path(__file__).with_name("code_oracles.js")


def has_oracle(language: str) -> bool:
    tool = TOOLS.get(language)
    return tool is not None and (tool[0] == "python" or shutil.which(tool[0]) is not None)


def errors(language: str, codes: list[str]) -> list[bool]:
    """Whether each is a syntax error for the language's own tool; where there is none here, every text is taken for one."""
    if not has_oracle(language) or not codes:
        return [True] * len(codes)
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for i, code in enumerate(codes):
            (Path(folder) / str(i)).mkdir()
            path = Path(folder) / str(i) / f"a{i}{TOOLS[language][1]}"
            path.write_text(code, "utf-8")
            paths.append(path)
        return TOOLS[language][2](paths)


def _each(
    *command: str, wrong: Callable[[str, int], bool] = lambda told, code: code != 0
) -> Callable[[list[Path]], list[bool]]:
    """A process a file."""

    def run(paths: list[Path]) -> list[bool]:
        return [wrong(*_run([*command, str(path)])) for path in paths]

    return run


def _run(command: list[str], **options: str) -> tuple[str, int]:
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False, timeout=900, **options
    )
    return done.stdout + done.stderr, done.returncode


def _together(*command: str, says: str, most: int = 10_000) -> Callable[[list[Path]], list[bool]]:
    """One process for many files (at most ``most``, where it stops after some errors), of which it names those that are wrong; ``says``
    follows the file's name."""

    def run(paths: list[Path]) -> list[bool]:
        out = []
        for low in range(0, len(paths), most):
            part = paths[low : low + most]
            with tempfile.TemporaryDirectory() as made:
                told, _ = _run([*(c.replace("OUT", made) for c in command), *map(str, part)])
            out += [bool(re.search(rf"(?m)^(?:.*/)?{re.escape(path.name)}{says}", told)) for path in part]
        return out

    return run


def _says(pattern: str) -> Callable[[str, int], bool]:
    return lambda told, _: bool(re.search(pattern, told))


_C_SYNTAX = _says(
    r"error: (?:expected|stray|unterminated|missing|invalid preprocessing|unknown type name|extraneous)|unterminated"
    r"|#(?:else|endif) without"
)
_JAVA_SYNTAX = (
    r".*compiler\.err\.(?:expected|illegal\.start|premature|orphaned|else\.without|catch\.without|not\.stmt|unclosed|invalid\.meth|variable\.not|"
    r"array\.dimension|initializer\.must|mod\.not|illegal\.char|call\.must|try\.without|int\.number|restricted|local\.enum|this\.as|underscore|dot\.expected|class\.not\.allowed)"
)


def _compiles(paths: list[Path]) -> list[bool]:
    return _raises(paths, lambda text: compile(text, "a", "exec"), SyntaxError, ValueError)


def _yaml(paths: list[Path]) -> list[bool]:
    import yaml

    return _raises(paths, lambda text: list(yaml.parse(text, Loader=yaml.SafeLoader)), yaml.YAMLError)


def _json(paths: list[Path]) -> list[bool]:
    return _raises(paths, json.loads, ValueError)


def _toml(paths: list[Path]) -> list[bool]:
    import tomllib

    return _raises(paths, tomllib.loads, ValueError)


def _raises(paths: list[Path], parse: Callable[[str], object], *wrong: type[Exception]) -> list[bool]:
    out = []
    for path in paths:
        try:
            parse(path.read_text("utf-8"))
            out.append(False)
        except wrong:
            out.append(True)
    return out


def _node(function: str) -> Callable[[list[Path]], list[bool]]:
    """A function of code_oracles.js: paths in, numbers of errors out."""

    def run(paths: list[Path]) -> list[bool]:
        given, environment = json.dumps([str(p) for p in paths]), {**os.environ, "NODE_PATH": os.pathsep.join(MODULES)}
        done = subprocess.run(
            ["node", str(SCRIPTS), function], input=given, capture_output=True, text=True, check=True, env=environment
        )
        return [int(n) > 0 for n in done.stdout.split()]

    return run


def _html(paths: list[Path]) -> list[bool]:
    """html5lib's errors of parsing, in a process, since it is none of our packages; a doctype may be missing."""
    script = (
        "import sys,json,html5lib\n"
        "for p in json.load(sys.stdin):\n"
        " h=html5lib.HTMLParser(); h.parse(open(p,encoding='utf-8').read())\n"
        " print(sum(not e[1].startswith('expected-doctype') for e in h.errors))"
    )
    given = json.dumps([str(p) for p in paths])
    python = shutil.which("python-html5lib") or sys.executable
    done = subprocess.run([python, "-c", script], input=given, capture_output=True, text=True, check=True)
    return [int(n) > 0 for n in done.stdout.split()]


TOOLS: dict[str, tuple[str, str, Callable[[list[Path]], list[bool]]]] = {
    "python": ("python", ".py", _compiles),
    "yaml": ("python", ".yaml", _yaml),
    "json": ("python", ".json", _json),
    "toml": ("python", ".toml", _toml),
    "c": ("gcc", ".c", _each("gcc", "-fsyntax-only", "-w", wrong=_C_SYNTAX)),
    "cpp": ("g++", ".cpp", _each("g++", "-std=c++20", "-fsyntax-only", "-w", wrong=_C_SYNTAX)),
    "csharp": ("mcs", ".cs", _each("mcs", "--parse", wrong=_says("error CS"))),
    "java": ("javac", ".java",
             _together("javac", "-proc:none", "-XDrawDiagnostics", "-Xmaxerrs", "100000", "-d", "OUT", says=_JAVA_SYNTAX)),
    "scala": ("scalac", ".scala", _together("scalac", "-Ystop-after:parser", "-d", "OUT", says=r":\d+: error: ", most=15)),
    "javascript": ("node", ".mjs", _each("node", "--check")),
    "typescript": ("tsc", ".ts", _node("typescript")),
    "css": ("csstree", ".css", _node("css")),
    "go": ("gofmt", ".go", _together("gofmt", "-e", "-l", says=r":\d+:\d+: ")),
    "ruby": ("ruby", ".rb", _each("ruby", "-c")),
    "php": ("php", ".php", _each("php", "-l")),
    "lua": ("luac5.4", ".lua", _each("luac5.4", "-p")),
    "bash": ("bash", ".sh", _each("bash", "-n", wrong=lambda told, code: code != 0 or "syntax error" in told or "unexpected EOF" in told)),
    "rust": (
        "rustc", ".rs",
        _each(
            "env", "RUSTC_BOOTSTRAP=1", "rustc", "--edition", "2021", "-Zparse-crate-root-only", "--crate-type", "lib",
            wrong=_says(r"(?m)^error: (?!aborting)"),
        ),
    ),
    "xml": ("xmllint", ".xml", _each("xmllint", "--noout", "--nonet")),
    "html": ("python-html5lib", ".html", _html),
}  # fmt: skip
"""Language -> its command, the ending of its files, and who says which of them are wrong."""
