"""Which language a block is in: as its fence says it, or as its text shows without doubt."""

from __future__ import annotations

import re


def words(told: str) -> frozenset[str]:
    return frozenset(told.split())


NAMES = {
    "python": "python py python3 py3 python2 py2 python2.7 pyi cpython ipython ipython3 jupyter sage pycon python-repl pytest",
    "c": "c h ansi-c c99 c11 c17",
    "cpp": "cpp c++ cxx cc hpp hxx h++ c++11 c++14 c++17 c++20 c++23 arduino ino",
    "csharp": "csharp c# cs dotnet",
    "java": "java",
    "javascript": "javascript js node nodejs mjs cjs jsx react es6 ecmascript javascriptreact",
    "typescript": "typescript ts mts cts deno",
    "tsx": "tsx typescriptreact",
    "go": "go golang",
    "rust": "rust rs",
    "ruby": "ruby rb",
    "php": "php php8",
    "kotlin": "kotlin kt kts",
    "scala": "scala sc",
    "lua": "lua",
    "bash": "bash sh shell zsh ksh",
    "css": "css",
    "html": "html htm xhtml html5",
    "xml": "xml svg xsd xsl xslt rss pom plist",
    "json": "json jsonl ndjson json-lines geojson ipynb",
    "json5": "json5 jsonc hjson",
    "yaml": "yaml yml",
    "toml": "toml",
    "sql": "sql mysql postgresql postgres psql plsql tsql t-sql sqlite sqlite3 mssql oracle bigquery snowflake spark-sql hive "
    "duckdb redshift presto trino clickhouse mariadb",
    "latex": "latex tex",
    "cuda": "cuda cu",
    "": "perl pl pm scss sass less vue svelte swift objective-c objc dart haskell hs julia jl r rscript matlab octave "
    "fortran f90 ada pascal "
    "delphi cobol vb vbnet vba visual-basic powershell ps1 batch bat cmd dockerfile docker makefile make cmake nginx apache ini "
    "properties conf hcl terraform tf graphql gql proto protobuf thrift solidity sol move cairo vyper verilog systemverilog sv "
    "vhdl asm assembly nasm mips llvm wasm wat clojure clj lisp elisp scheme racket erlang erl elixir ex exs ocaml ml fsharp f# "
    "groovy gradle nim zig crystal d v vlang prolog lean lean4 coq isabelle agda tla sas stata spss awk sed tcl vim viml gdscript "
    "glsl hlsl wgsl regex cypher sparql mongodb mongo redis promql jq liquid jinja jinja2 django erb ejs handlebars pug haml twig "
    "brainfuck bf ebnf bnf antlr metal opencl qml smalltalk apl forth postscript gnuplot mathematica wolfram maple abap apex",
}
"""Language -> what fences call it, in lower case. Those under "" are code that nothing here parses."""

ALIASES = {alias: language for language, aliases in NAMES.items() for alias in aliases.split()}

NO_CODE = words(
    "text txt plain plaintext none output out result results log logs console-output stdout stderr mermaid plantuml dot "
    "graphviz markdown md mdx math katex asciimath csv tsv table ascii tree http url uri email prompt response answer "
    "rst bibtex dialogue haiku poem"
)
"""Names of fences that hold no code: they are not counted at all."""

TRANSCRIPTS = words(
    "console terminal shell-session shellsession sh-session bash-session session cmd-session powershell-session"
)
DIFFS = words("diff patch udiff")
PSEUDO = words("pseudo pseudocode pseudo-code algorithm algo")

SQL_DIALECTS = {
    "mysql": "mysql", "mariadb": "mysql", "postgresql": "postgres", "postgres": "postgres", "psql": "postgres", "plsql": "oracle",
    "oracle": "oracle", "tsql": "tsql", "t-sql": "tsql", "mssql": "tsql", "sqlite": "sqlite", "sqlite3": "sqlite",
    "bigquery": "bigquery", "snowflake": "snowflake", "spark-sql": "spark", "hive": "hive", "duckdb": "duckdb",
    "redshift": "redshift", "presto": "presto", "trino": "trino", "clickhouse": "clickhouse",
}  # fmt: skip

_NAME = re.compile(r"[\w#+.-]+")
_SIGNS = (
    ("php", re.compile(rb"\A\s*<\?php\b")),
    ("python", re.compile(rb"\A#!.{0,40}\bpython|(?m:^(?:async )?def \w+\(.*\)(?: ->.*)?:\s*$|^class "
                          rb"\w+(?:\(.*\))?:\s*$|^from [\w.]+ import \w)")),
    ("bash", re.compile(rb"\A#!.{0,40}\b(?:ba|z|da|k)?sh\b")),
    ("cpp", re.compile(rb"(?m)^[ \t]*#include\s*<(?:iostream|vector|string|map|algorithm|memory|bits/\S+)>|^[ \t]*using namespace std;")),
    ("c", re.compile(rb"(?m)^[ \t]*#include\s*[<\"][\w/]+\.h[>\"]")),
    ("html", re.compile(rb"(?i)\A\s*<(?:!doctype html|html[\s>])")),
    ("xml", re.compile(rb"\A\s*<\?xml\b")),
    ("go", re.compile(rb"(?m)\A(?:\s*//.*\n)*\s*package \w+\s*$")),
    ("java", re.compile(rb"(?m)^[ \t]*public (?:final |abstract )?(?:class|interface|enum) \w+.*\{|^import java\.")),
    ("rust", re.compile(rb"(?m)^[ \t]*(?:pub )?fn \w+(?:<.*>)?\(.*\).*\{\s*$|^use std::")),
    ("latex", re.compile(rb"\A\s*\\documentclass\b")),
    ("json", re.compile(rb'\A\s*[\[{]\s*(?:\{\s*)?"[^"\n]{1,80}"\s*[:,\]]')),
    ("sql", re.compile(rb"(?i)\A\s*(?:select\s[^;]{1,4000}?\sfrom\s|create table \S+\s*\(|insert into \S+[\s(])")),
)  # fmt: skip


def declared(info: str) -> str | None:
    """The name in a fence's info string, in lower case: ``{.python .numberLines}``, ``Python title="x"``, ``language-js``,
    ``12:40:src/a.ts`` and ``js:app.js`` say python, python, js, ts and js. None where it says nothing."""
    info = info.strip().lower()
    if not info:
        return None
    if (ending := re.match(r"\d+:\d+:\S*\.(\w+)$", info)) is not None:
        return ending.group(1)
    named = _NAME.search(info.lstrip("{.").removeprefix("language-").removeprefix("lang-"))
    if named is None:
        return None
    word = named.group()
    two = "-".join(info.split()[:2])
    return two if two in ALIASES else word if word in ALIASES or "." not in word else word.rsplit(".", 1)[1]


def detected(code: bytes) -> str | None:
    """The language of a block without a name, where its first kilobytes leave no doubt."""
    head = code[:4096]
    return next((language for language, sign in _SIGNS if sign.search(head)), None)
