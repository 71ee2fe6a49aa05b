"""Mutants of code, and whether the language's own compiler or parser calls them a syntax error."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from filters.code.grammars import GRAMMARS, parse

KEYWORDS = {
    "python": "def class return import from while elif else except with lambda yield",
    "c": "return while else for switch typedef struct static const break",
    "java": "return while else for switch public private static class import new throws extends",
    "javascript": "return function const while else for class new import export switch",
    "go": "return func for else package import struct switch range interface type",
    "rust": "return let match else for impl struct pub use while mut where",
    "ruby": "def end class module return while else unless elsif begin",
    "php": "return function foreach else class public new while private namespace use",
    "lua": "local function end return then while for do else elseif",
    "bash": "then done else elif esac case for while function",
    "sql": "SELECT FROM WHERE GROUP ORDER JOIN INSERT VALUES TABLE CREATE",
    "csharp": "return while else for switch public private static class using new namespace",
    "kotlin": "return while else for when fun class val import override",
    "scala": "while else for match def class val import object extends",
}  # fmt: skip
KEYWORDS["cpp"] = KEYWORDS["c"] + " class public template namespace"
KEYWORDS["typescript"] = KEYWORDS["javascript"] + " interface type extends"

_STRING = re.compile(
    r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|//[^\n]*|/\*.*?\*/|#[^\n]*|--[^\n]*|`[^`]*`|\"\"\".*?\"\"\"|%.*",
    re.DOTALL,
)


def mutants(language: str, codes: list[str], rng: random.Random) -> dict[str, list[str]]:
    """At most one mutant of each kind a file: a bracket less, a line's indentation changed, two letters of a keyword swapped."""
    out: dict[str, list[str]] = {"bracket": [], "indent": [], "keyword": []}
    for code in codes:
        brackets = "<>" if language in ("html", "xml") else "()[]{}"
        if (places := list(_bare(language, code, brackets))) and language not in ("toml", "yaml"):
            i = rng.choice(places)
            out["bracket"].append(code[:i] + code[i + 1 :])
        if language in ("python", "yaml"):
            lines = code.split("\n")
            inner = [n for n, line in enumerate(lines) if line[:1] == " " and line.strip()]
            if inner:
                n = rng.choice(inner)
                lines[n] = rng.choice([lines[n][1:], " " + lines[n], lines[n].lstrip()])
                out["indent"].append("\n".join(lines))
        words = KEYWORDS.get(language, "").replace(" ", "|")
        held = list(re.finditer(rf"\b(?:{words})\b", code)) if words else []
        held = [m for m in held if len(m[0]) > 2 and _in_code(language, code, m.start())]
        if held:
            m = rng.choice(held)
            i = m.start() + rng.randrange(len(m[0]) - 1)
            made = code[:i] + code[i + 1] + code[i] + code[i + 2 :]
            if made != code:
                out["keyword"].append(made)
    return {name: made for name, made in out.items() if made}


def _bare(language: str, code: str, characters: str) -> Iterator[int]:
    """Characters outside of strings and comments: leaves of the grammar's tree, or what the rules of most languages say."""
    if language in GRAMMARS:
        stack, raw = [parse(language, code.encode()).root_node], code.encode()
        while stack:
            node = stack.pop()
            stack += node.children
            if not node.children and node.type in characters and node.end_byte - node.start_byte == 1:
                yield len(raw[: node.start_byte].decode())
        return
    inside = [m.span() for m in _STRING.finditer(code)]
    taken = set().union(*(range(a, b) for a, b in inside)) if inside else set()
    yield from (i for i, c in enumerate(code) if c in characters and i not in taken)


def _in_code(language: str, code: str, at: int) -> bool:
    if language not in GRAMMARS:
        return not any(m.start() <= at < m.end() for m in _STRING.finditer(code))
    tree = parse(language, code.encode())
    byte = len(code[:at].encode())
    node = tree.root_node.descendant_for_byte_range(byte, byte + 1)
    return not node.is_named and not node.type.startswith(("#", "//"))


def errors(language: str, codes: list[str]) -> list[bool]:
    """Whether each is a syntax error for the language's own tool; where there is none here, every mutant is taken for one."""
    tool = TOOLS.get(language)
    if tool is None or not codes or (tool[0] != "python" and shutil.which(tool[0]) is None):
        return [True] * len(codes)
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for i, code in enumerate(codes):
            (Path(folder) / str(i)).mkdir()
            path = Path(folder) / str(i) / f"a{tool[1]}"
            path.write_text(code, "utf-8")
            paths.append(path)
        return tool[2](paths)


def _each(
    *command: str, wrong: Callable[[str, int], bool] = lambda told, code: code != 0
) -> Callable[[list[Path]], list[bool]]:
    def run(paths: list[Path]) -> list[bool]:
        out = []
        for path in paths:
            done = subprocess.run(
                [*command, path], capture_output=True, text=True, errors="replace", check=False, timeout=120
            )
            out.append(wrong(done.stdout + done.stderr, done.returncode))
        return out

    return run


def _says(pattern: str) -> Callable[[str, int], bool]:
    return lambda told, _: bool(re.search(pattern, told))


_C_SYNTAX = re.compile(
    r"error: (?:expected|stray|unterminated|missing|invalid preprocessing|unknown type name|extraneous)|unterminated"
    r"|#(?:else|endif) without"
)
_JAVA_SYNTAX = re.compile(
    r"compiler\.err\.(?:expected|illegal\.start|premature|orphaned|else\.without|catch\.without|class\.public|not\.stmt|unclosed|invalid\.meth|variable\.not|"
    r"array\.dimension|initializer\.must|mod\.not|illegal\.char|call\.must|try\.without|int\.number|restricted|local\.enum|this\.as|underscore|dot\.expected|class\.not\.allowed)"
)
TOOLS: dict[str, tuple[str, str, Callable[[list[Path]], list[bool]]]] = {
    "c": ("gcc", ".c", _each("gcc", "-fsyntax-only", "-w", wrong=lambda told, _: bool(_C_SYNTAX.search(told)))),
    "cpp": ("g++", ".cpp", _each("g++", "-fsyntax-only", "-w", wrong=lambda told, _: bool(_C_SYNTAX.search(told)))),
    "java": (
        "javac", ".java",
        _each("javac", "-proc:none", "-XDrawDiagnostics", "-d", "/tmp", wrong=lambda told, _: bool(_JAVA_SYNTAX.search(told))),
    ),
    "javascript": ("node", ".mjs", _each("node", "--check")),
    "go": ("gofmt", ".go", _each("gofmt", "-e")),
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
}  # fmt: skip


def _compiles(paths: list[Path]) -> list[bool]:
    out = []
    for path in paths:
        try:
            compile(path.read_text("utf-8"), "a", "exec")
            out.append(False)
        except (SyntaxError, ValueError):
            out.append(True)
    return out


def _yaml(paths: list[Path]) -> list[bool]:
    import yaml

    out = []
    for path in paths:
        try:
            list(yaml.parse(path.read_text("utf-8"), Loader=yaml.SafeLoader))
            out.append(False)
        except yaml.YAMLError:
            out.append(True)
    return out


def _json(paths: list[Path]) -> list[bool]:
    out = []
    for path in paths:
        try:
            json.loads(path.read_text("utf-8"))
            out.append(False)
        except ValueError:
            out.append(True)
    return out


def _typescript(paths: list[Path]) -> list[bool]:
    script = (
        "const ts=require('typescript'),fs=require('fs');"
        "for(const p of "
        "JSON.parse(fs.readFileSync(0)))console.log(ts.createSourceFile(p,fs.readFileSync(p,'utf8'),99).parseDiagnostics.length)"
    )
    at = next(
        (
            p
            for p in ("/usr/lib/nodejs", "/usr/share/nodejs", "/usr/local/lib/node_modules")
            if Path(p, "typescript").exists()
        ),
        ".",
    )
    done = subprocess.run(
        ["node", "-e", script], input=json.dumps([str(p) for p in paths]), capture_output=True, text=True, check=True,
        env={"NODE_PATH": at, "PATH": "/usr/bin:/bin:/usr/local/bin"},
    )  # fmt: skip
    return [int(n) > 0 for n in done.stdout.split()]


TOOLS |= {
    "python": ("python", ".py", _compiles), "yaml": ("python", ".yaml", _yaml), "json": ("python", ".json", _json),
    "typescript": ("tsc", ".ts", _typescript),
}  # fmt: skip
