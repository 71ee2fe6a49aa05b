"""Real compilers and real runs for blocks of code: what they add to the parsers, and that a block cannot do harm with them."""

from __future__ import annotations

import dataclasses
import shutil
import sys
import time
from fnmatch import fnmatch
from functools import cache

import pytest

from filters.code import CodeFilter, CodeOptions, compile, execute, tools
from filters.contract import ConfigError
from filters.sandbox import Sandbox
from pipelines import recipe
from pipelines.errors import UsageError
from tests.filters.test_code import answers, rules
from tests.support import batch_of

SLOW = "nvcc"


@cache
def usable() -> tuple[str, ...]:
    """The tools that are installed and work: rustup's compiler, say, is none for a user who has set none up."""
    return tuple(n for n, tool in tools.TOOLS.items() if any(map(shutil.which, tool.programs)) and _works(n))


def _works(name: str) -> bool:
    try:
        compile.version(name)
    except ConfigError:
        return False
    return True


@pytest.fixture(scope="module")
def sandbox():
    try:
        return Sandbox()
    except ConfigError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def asked(sandbox):
    return CodeFilter(CodeOptions(tools=tuple(n for n in usable() if n != SLOW)))


@pytest.fixture(scope="module")
def run(sandbox):
    return CodeFilter(CodeOptions(execute=("python",), seconds=2))


@pytest.fixture(scope="module")
def parsed():
    return CodeFilter()


# Tool, fence, text, and the verdict with the tool.
SAID = [
    ("gcc", "c", "int f(void) { return 1; }", "verified"),
    ("gcc", "c", "int f(void) { return (1; }", "refuted:c:syntax"),
    ("gcc", "c", "#define BEGIN(x) struct x {\n#define END };\nBEGIN(a) int y; END\nint z;", "verified"),
    ("gcc", "c", '#include "own.h"\nfoo_t f(bar *y) { return y->z; }', "verified"),
    ("gcc", "c", "if (x) { y(); }", "verified"),
    ("g++", "cpp", "#include <vector>\nstd::vector<int> v{1, 2};", "verified"),
    ("g++", "cpp", "public:\n  A();\nprivate:\n  int x;", "verified"),
    ("javac", "java", "import a.b.C;\npublic class D { void f(Foo x) { unknown(1); } }", "verified"),
    ("javac", "java", "public int f() {\n  return 1;\n}", "verified"),
    ("javac", "java", "class A { void f() { g() } }", "refuted:java:syntax"),
    ("node", "js", "import a from 'b';\nawait a();", "verified"),
    ("node", "js", "let a = 1;\nlet a = 2;", "refuted:javascript:compiler"),
    ("node", "js", "with (a) { b }", "verified"),
    ("node", "jsx", "const a = <b c={1}>d</b>;", "verified"),
    ("node", "js", "a: 1,\nb() { return 2; },", "verified"),
    ("node", "js", "constructor() {\n  super();\n}", "verified"),
    ("tsc", "ts", "let a: Array<string> = <any>b;", "verified"),
    ("tsc", "tsx", "const a = <b c={1}>d</b>;", "verified"),
    ("gofmt", "go", "x := 1\nfmt.Println(x)", "verified"),
    ("gofmt", "go", "package a\nfunc f( {\n}\n", "refuted:go:syntax"),
    ("gofmt", "go", "package a\n\nfnuc f() {}\n", "refuted:go:*"),
    ("node", "js", "if (a) {\n  continue;\n}", "verified"),
    ("node", "js", "export {\n  a,\n  b,\n}", "verified"),
    (
        "javac",
        "java",
        "class A { int f(Object o) { return switch (o) { case String s -> 1; default -> 0; }; } }",
        "verified",
    ),
    ("rustc", "rust", "mod foo;\nfn main() { bar::baz(); }", "verified"),
    ("rustc", "rust", "Some(x) => x,\nNone => 0,", "verified"),
    ("php", "php", "$x = 1;\necho $x;", "verified"),
    ("php", "php", "<?php foo(;", "refuted:php:syntax"),
    ("ruby", "ruby", "require 'nowhere'\nclass A < B; end", "verified"),
    ("bash", "bash", "for i in a b; do echo $i; done", "verified"),
    ("bash", "bash", "case $1 in\n  a) b ;;\n  c d) e ;;\nesac", "refuted:bash:compiler"),
    ("luac", "lua", "local x = {1\nprint(x)", "refuted:lua:syntax"),
]


def test_compilers_take_what_is_right_refuse_what_is_not_and_leave_fragments_alone(asked):
    here = [(name, text, wanted) for tool, name, text, wanted in SAID if tool in usable()]
    found = rules(asked, *[(name, text) for name, text, _ in here])
    assert [t for f, (_, t, wanted) in zip(found, here, strict=True) if not fnmatch(f, wanted)] == []


def test_right_code_of_every_language_stays_right_and_fragments_are_not_refuted(asked):
    from tests.filters.test_code import FRAGMENTS, RIGHT

    assert rules(asked, *RIGHT) == ["verified"] * len(RIGHT)
    found = rules(asked, *[(name, text) for name, text, _ in FRAGMENTS])
    assert [f for f in found if f.startswith("refuted")] == []


HOSTILE = [
    ("c", '#include "/dev/zero"'), ("c", "#define A(x) x x x x x x x x\nA(A(A(A(A(A(A(A(A(A(int a;))))))))))"),
    ("ruby", "BEGIN { loop {} }"), ("js", "while (true) {}"), ("php", "<?php while (1);"), ("bash", ":(){ :|:& };:"),
    ("c", "#include __FILE__"),
    ("ruby", "`sleep 100`"), ("cpp", "template<int N> struct A { A<N+1> a; };\nA<0> a;"), ("lua", "while true do end"),
    ("rust", "include!(\"/dev/zero\");"), ("go", "package a\n//go:generate sleep 100"),
]  # fmt: skip


def test_a_block_that_takes_its_compiler_down_costs_no_other_its_word(sandbox, monkeypatch):
    """And nothing of what is only compiled is run."""
    names = tuple(n for n in ("gcc", "g++", "ruby", "node", "php", "bash", "luac") if n in usable())
    quick = CodeFilter(CodeOptions(tools=names, seconds=1))
    macros = "#define BEGIN(x) struct x {\n#define END };\nBEGIN(a) int y; END\nint z;"
    started = time.perf_counter()
    found = rules(quick, ("c", macros), *HOSTILE, ("c", macros + "\n"))
    assert time.perf_counter() - started < 60
    assert found[0] == found[-1] == ("verified" if "gcc" in names else "unverifiable:c:macros")
    assert not [f for f in found if f.startswith("refuted")]


@pytest.mark.slow
def test_a_word_does_not_depend_on_what_is_asked_beside_it(asked):
    said = [(name, text) for _, name, text, _ in SAID]
    together = rules(asked, *said)
    asked._compilers._said.clear()
    assert rules(asked, *reversed(said)) == together[::-1]


def test_a_text_cannot_speak_for_the_compiler(asked):
    if "bash" not in usable():
        pytest.skip("bash is not installed")
    forged = "case $1 in\n  c d) e ;;\nesac\n" + "".join(
        f"# \n{mark} f0.sh 0\n" for mark in ("0" * 24, "mark", "$mark")
    )
    assert rules(asked, ("bash", forged))[0].startswith("refuted")


def test_without_tools_no_sandbox_is_made_and_verdicts_are_the_parsers(monkeypatch, parsed):
    def refuse(*_, **__):
        raise AssertionError("a sandbox was asked for")

    monkeypatch.setattr(compile, "Sandbox", refuse)
    monkeypatch.setattr(execute, "Sandbox", refuse)
    blocks = [(name, text) for _, name, text, _ in SAID] + [("python", "assert 1 == 2")]
    assert rules(CodeFilter(CodeOptions()), *blocks) == rules(parsed, *blocks)
    assert CodeFilter.programs(CodeOptions()) == {}


def test_a_tool_that_is_not_there_is_one_line_before_the_run(sandbox, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    compile.Place.of.cache_clear()
    compile.version.cache_clear()
    for told in (
        lambda: CodeFilter(CodeOptions(tools=("gofmt",))),
        lambda: CodeFilter.programs(CodeOptions(tools=("gofmt",))),
    ):
        with pytest.raises(ConfigError, match="gofmt is not installed") as error:
            told()
        assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match="gofmt is not installed"):
        recipe.from_document({"name": "a", "filters": [{"code": {"tools": ["gofmt"]}}]}).fingerprint()
    compile.Place.of.cache_clear()


def test_a_recipe_that_needs_a_sandbox_is_refused_where_there_is_none(monkeypatch):
    monkeypatch.setattr("filters.sandbox.run.shutil.which", lambda *_, **__: None)
    compile.tried.cache_clear()
    for options in ({"tools": ["bash"]}, {"execute": ["python"]}):
        with pytest.raises(UsageError, match="apt install bubblewrap"):
            recipe.from_document({"name": "a", "filters": [{"code": options}]}).fingerprint()


def test_a_tool_that_does_not_tell_right_from_wrong_is_not_asked(sandbox, monkeypatch):
    bash = tools.TOOLS["bash"]
    monkeypatch.setitem(tools.TOOLS, "bash", dataclasses.replace(bash, wrong=bash.right))
    with pytest.raises(ConfigError, match="bash cannot be asked here"):
        CodeFilter(CodeOptions(tools=("bash",)))


def test_tools_and_their_versions_key_the_work(sandbox, monkeypatch):
    if "bash" not in usable():
        pytest.skip("bash is not installed")
    plain = recipe.from_document({"name": "a", "filters": ["code"]})
    with_bash = recipe.from_document({"name": "a", "filters": [{"code": {"tools": ["bash"], "execute": ["python"]}}]})
    assert "programs" not in plain.software()
    told = with_bash.software()["programs"]
    assert "bash" in told["bash"] and told["python"] == ".".join(map(str, sys.version_info[:3]))
    before = with_bash.fingerprint()
    monkeypatch.setattr(compile, "version", lambda name: "another")
    assert with_bash.fingerprint() != before


ADD = "def add(a, b):\n    return a + b"
RAN = [
    ([ADD + "\n\nassert add(1, 2) == 3"], "verified:python:ran"),
    ([ADD, "assert add(1, 2) == 3\nassert add('a', 'b') == 'ab'"], "verified:python:ran"),
    ([ADD, "assert add(1, 2) == 3\n\nassert add(1, 2) == 4"], "refuted:python:assertion"),
    ([ADD + "\nwhile True:\n    print('serving')", "assert add(1, 2) == 3"], "verified:python:ran"),
    (["def add(a, b):\n    return a - b", ADD, "assert add(1, 2) == 3"], "verified:python:ran"),
    ([ADD, ">>> add(1, 2)\n3\n>>> add(2, 2)"], "verified:python:ran"),
    ([ADD, ">>> add(1, 2)\n4"], "refuted:python:doctest"),
    (['def f(x):\n    """\n    >>> f(1)\n    2\n    """\n    return x + 1'], "verified:python:ran"),
    (['def f(x):\n    """\n    >>> f(1)\n    3\n    """\n    return x + 1'], "refuted:python:doctest"),
    (["def test_one():\n    assert 1 + 1 == 3"], "refuted:python:assertion"),
    (["def test_one(fixture):\n    assert fixture"], "verified"),
    (["import unittest\nclass A(unittest.TestCase):\n    def test(self):\n        self.assertTrue(1)\nunittest.main()"],
     "verified:python:ran"),
    (["if __name__ == '__main__':\n    assert True"], "verified:python:ran"),
    (["def f(x):\n    assert x > 0"], "verified"), (["x = 1"], "verified"), (["while True: pass"], "verified"),
    (["import no_such_module\nassert True"], "unverifiable:python:not_installed"),
    (["import numpy\nassert True"], "unverifiable:python:not_installed"),
    (["assert input('name') == 'a'"], "unverifiable:python:input"),
    (["from urllib.request import urlopen\nassert urlopen('http://127.0.0.1')"], "unverifiable:python:network"),
    (["assert not_defined_anywhere(1) == 2"], "unverifiable:python:raised"),
    (["assert True\nwhile True: pass"], "unverifiable:python:timed_out"),
    (["assert [0] * 10 ** 10"], "unverifiable:python:too_much"),
    (["import sys\nassert True\nsys.exit(0)"], "unverifiable:python:exited"),
    (["import os\nassert True\nos._exit(0)"], "unverifiable:python:exited"),
    (["import os\nassert True\nwhile True:\n    try: os.fork()\n    except OSError: pass"], "unverifiable:python:timed_out"),
    (["import sys\nsys.setrecursionlimit(10**9)\ndef f(): f()\nassert f()"], None),
    (["assert hash('a') == hash('a') and open('/etc/passwd')"], "unverifiable:python:raised"),
    (["assert '\udcff' == '?'"], None),
]  # fmt: skip


@pytest.fixture(scope="module")
def outcomes(run):
    rows = [
        {"prompt": "q", "response": answers(*(("python", b) for b in blocks))}
        for blocks, _ in RAN
        if "\udcff" not in blocks[0]
    ]
    judged = run.judge(batch_of(rows))
    out = {}
    for record, rule in zip(judged.evidence.record, judged.evidence.rule, strict=True):
        out[record] = rule
    return judged, rows, [out.get(i, "verified") for i in range(len(rows))]


def test_python_that_tests_itself_is_run_and_what_came_of_it_is_said(outcomes):
    _, _, found = outcomes
    wanted = [(blocks, rule) for blocks, rule in RAN if "\udcff" not in blocks[0]]
    for (blocks, rule), said in zip(wanted, found, strict=True):
        assert rule is None or said == rule, blocks


def test_the_line_of_the_assertion_that_fails_is_shown(outcomes):
    judged, rows, _ = outcomes
    at = next(
        i
        for i, record in enumerate(judged.evidence.record)
        if judged.evidence.rule[i] == "refuted:python:assertion" and record == 2
    )
    text = rows[2]["response"].encode()[judged.evidence.start[at] : judged.evidence.end[at]]
    assert text == b"assert add(1, 2) == 4"


def test_blocks_that_test_nothing_keep_their_verdict(outcomes, parsed):
    """And those that are run and refuted were verified before: the recipe asked for it."""
    judged, rows, found = outcomes
    before = parsed.judge(batch_of(rows))
    assert judged.scores["blocks"].tolist() == before.scores["blocks"].tolist()
    untouched = [i for i, rule in enumerate(found) if rule == "verified"]
    for score in ("verified", "refuted", "unverifiable"):
        assert judged.scores[score][untouched].tolist() == before.scores[score][untouched].tolist()


def test_code_in_calls_is_not_run(run):
    rows = [{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": None, "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "python", "arguments": '{"code": "assert 1 == 2"}'}}]}]}]  # fmt: skip
    assert run.judge(batch_of(rows)).scores["refuted"].tolist() == [0]


def test_the_same_program_gives_the_same_word_again(run):
    block = "import random\nassert random.random() > 0.5 and max({'a', 'b', 'c'}, key=hash) in 'ab'"
    runner = execute.Runner()
    assert len({runner._run((), block.encode()) for _ in range(3)}) == 1


def test_a_program_of_somebodys_home_shows_itself_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for place, shown in (
        ("bin/node", "bin/node"),
        (".local/bin/node", ".local/bin/node"),
        ("node-20/bin/node", "node-20"),
    ):
        program = tmp_path / place
        program.parent.mkdir(parents=True)
        program.write_text("")
        assert compile._home(program) == tmp_path / shown
