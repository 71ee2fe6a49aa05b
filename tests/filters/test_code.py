"""Code in answers: parsed as its language, and fragments left alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.code import CodeFilter, CodeOptions, grammars
from filters.contract import ConfigError
from tests.support import batch_of


@pytest.fixture(scope="module")
def code():
    return CodeFilter()


def answers(*blocks: tuple[str, str]) -> str:
    return "Look:\n\n" + "\n\nand\n\n".join(f"```{name}\n{text}\n```" for name, text in blocks) + "\n\nDone."


def rules(filter_, *blocks):
    """What is said of each block; "verified" where there is nothing to say."""
    rows = [{"prompt": "Show me.", "response": answers(block)} for block in blocks]
    judged = filter_.judge(batch_of(rows))
    said = dict(zip(judged.evidence.record, judged.evidence.rule, strict=True))
    counted = judged.scores["blocks"]
    return [said.get(i, "verified" if counted[i] else "no code") for i in range(len(rows))]


RIGHT = [
    ("python", "def f(x):\n    return x"), ("Python3", "type X = int\nclass A[T]: pass\nf\"{x['a']} {y[\"b\"]}\""), ("py", "print(1)"),
    ("c", "int main(void) { return 0; }"), ("cpp", "std::vector<int> v{1, 2};"), ("java", "class A { int f() { return 1; } }"),
    ("js", "const f = async (x) => await x;"), ("jsx", "const a = <b c={1}>d</b>;"), ("ts", "let a: Array<string> = [];"),
    ("go", "package main\nfunc main() {}"), ("rust", "fn main() { println!(\"{}\", 1); }"), ("ruby", "def f\n  1\nend"),
    ("php", "<?php echo 1;"), ("c#", "var x = new List<int>();"), ("kotlin", "fun f() = 1"), ("scala", "val x = 1"),
    ("lua", "local x = {1}"), ("bash", "for i in a b; do echo $i; done"), ("css", "a { color: red; }"),
    ("html", "<!DOCTYPE html><p>a<br>b<ul><li>c</ul>"), ("xml", "<a><b/></a>"), ("json", '{"a": [1, null]}'),
    ("jsonl", '{"a": 1}\n{"a": 2}'), ("yaml", "a: [1, 2]\nb:\n  - c"), ("toml", 'a = 1\n[b]\nc = "d"'),
    ("sql", "SELECT a, count(*) FROM t GROUP BY a;"), ("latex", r"\begin{equation} a_{1} \end{equation} $x$ 5\% \{"),
    ("jsonc", '{"a": 1, // one\n}'),
]  # fmt: skip

WRONG = [
    ("python", "def f(x:\n    return x", 1), ("python", "if x:\nprint(x)", 2), ("python", "a = 1\nretrun a", 2),
    ("c", "int main(void) { return (1; }", 1), ("cpp", "void f() {\n  if (x {\n  }\n}\nint y;", 2),
    ("java", "class A {\n  int f() { retrun null; }\n}", 2),
    ("js", "function f() {\n  return [1;\n}", 2), ("ts", "let a: = 1;\nlet b = 2;\nlet c = 3;\nlet d = 4;", 1),
    ("go", "package a\nfunc f( {\n}\n", 2), ("rust", "fn f() {\n  let x = ;\n}\nfn g() {}", 2), ("ruby", "dfe f\n  1\nend", 3),
    ("php", "<?php\nfoo(;\n", 2), ("lua", "local x = {1\nprint(x)", 1), ("bash", "if a; hten\n  b\nfi\nc\nd", 1),
    ("css", "a { color: red;\nb { }\nc { }\nd { }", 1), ("html", "<div>\n<span>a</div>", 2), ("xml", "<a>\n<b></a>", 2),
    ("json", '{"a": 1,\n}', 2), ("yaml", "a: [1, 2\nb: 3", 2), ("toml", "a = \n", 1), ("sql", "SELECT a FROM (SELECT b FROM t", 1),
    ("latex", "\\begin{a}\n\\end{b}", 2),
]  # fmt: skip

FRAGMENTS = [
    ("python", ">>> (1 +\n... 1)\n2", "verified"), ("python", ">>> f(\n>>> g(\n1", "transcript"),
    ("python", "    return x\n    y = 2", None),
    ("python", "else:\n    x = 1", None), ("python", "for x in y:", None), ("python", "%matplotlib inline\n!pip install x\nimport y", None),
    ("python", "def f(x, ...):\n    pass", "elided"), ("python", "x = {{ value }}\ndef {{ name }}(): pass", "template"),
    ("python", "for every node of the graph do\n    visit the node", "pseudo_code"), ("python", "pip install numpy", "mislabelled"),
    ("python", "- x = 1\n+ x = 2\n  y", "diff"), ("diff", "- a\n+ b", "diff"), ("console", "$ ls\na b", "transcript"),
    ("java", "public int f() {\n  return 1;\n}", None), ("java", "int f() {\n  ...\n}\n}", "elided"), ("java", "x.y()", None),
    ("js", "a: 1,\nb() { return 2; },", None), ("js", "// ... existing code ...\n}\nfoo(", "elided"),
    ("js", "interface A { b: string }", "mislabelled"),
    ("cpp", "public:\n  A();\nprivate:\n  int x;", None), ("c", "FOO_BEGIN(x) int y BAR_END\nint z;", "macros"),
    ("go", "x := 1\nfmt.Println(x)", None),
    ("rust", "Some(x) => x,\nNone => 0,", None), ("php", "$x = 1;\necho $x;", None), ("json", '"a": 1,\n"b": 2', None),
    ("json", '{"a": 1, ...}', "elided"), ("json", "{ // why\n}", "dialect"), ("yaml", "a: {{ b }}\nc: [", "template"),
    ("sql", "DELIMITER //\nCREATE PROCEDURE f() BEGIN SELECT 1; END //", "dialect"), ("brainfuck", "+++", "no_parser"),
    ("css", "color: red;", None), ("js", ".then(x => y)\n.catch(z)", None), ("python", "        x = 1\n    else:\n        y\nz", None),
    ("python", "def f():\n    \"\"\"\n    >>> f()\n    \"\"\"\n    return", None), ("c", "if (x) {", "fragment"),
    ("tex", r"\def\a{\begin{b}}", "macros"),
]  # fmt: skip


def test_code_in_every_language_is_verified(code):
    assert rules(code, *RIGHT) == ["verified"] * len(RIGHT)


def test_what_does_not_parse_is_refuted_on_its_line(code):
    found = rules(code, *[(name, text) for name, text, _ in WRONG])
    assert [f.split(":")[0] for f in found] == ["refuted"] * len(WRONG), list(zip(found, WRONG, strict=True))
    batch = batch_of([{"prompt": "q", "response": answers((name, text))} for name, text, _ in WRONG])
    evidence = code.judge(batch).evidence
    spans = zip(evidence.segment, evidence.start, evidence.end, strict=True)
    shown = [batch.segments.bytes(segment)[start:end].decode() for segment, start, end in spans]
    assert shown == [text.split("\n")[line - 1] for _, text, line in WRONG]


def test_a_fragment_is_not_called_broken(code):
    found = rules(code, *[(name, text) for name, text, _ in FRAGMENTS])
    wanted = [None if cause in (None, "verified") else cause for _, _, cause in FRAGMENTS]
    got = [None if f == "verified" else f.split(":")[2] for f in found]
    assert got == wanted
    assert not any(f.startswith("refuted") for f in found)


def test_a_command_with_its_text_is_not_a_broken_program_of_the_language_that_the_text_is_in(code):
    """Nobody says that these are Python: their first lines are commands of agents."""
    text = "def f(x):\n    return x"
    blocks = [
        ("", f"edit 3:4\n{text}\nend_of_edit"),
        ("", f"create f.py\n{text}"),
        ("python", f"edit 3:4\n{text}"),
    ]
    assert rules(code, *blocks) == ["unverifiable:python:mislabelled"] * 2 + ["refuted:python:syntax"]
    assert rules(code, ("", f"{text}\n\ndef g(y:\n    return y")) == ["refuted:python:syntax"]


def test_python_2_is_legacy_and_what_the_recipe_says_of_it(code):
    text = 'try:\n    print "a"\nexcept E, e:\n    raise F, "b"'
    assert rules(code, ("python", text)) == ["legacy:python:python2"]
    assert rules(code, ("python2", text)) == ["verified"]
    rows = [{"prompt": "q", "response": answers(("python", text))}]
    assert code.judge(batch_of(rows)).reason.tolist() == [-1]
    strict = CodeFilter(CodeOptions(legacy="drop")).judge(batch_of(rows))
    assert list(CodeFilter.reasons)[strict.reason[0]] == "code_legacy"


def test_prose_and_unnamed_blocks_are_no_code_unless_they_show_it(code):
    blocks = [
        ("text", "f(x"),
        ("", "just words ("),
        ("", 'let x = {\n "a": [1,\n'),
        ("output", "{["),
        ("", "#include <iostream>\nint main() { return (0; }"),
        ("", "def f(x):\n  return (x"),
    ]
    assert [f.split(":")[0] for f in rules(code, *blocks)] == [
        "no code",
        "no code",
        "no code",
        "no code",
        "refuted",
        "refuted",
    ]


def test_a_fence_that_is_never_closed_is_a_cut_listing(code):
    judged = code.judge(batch_of([{"prompt": "q", "response": "```python\ndef f(x):\n    return (x"}]))
    assert judged.evidence.rule == ["unverifiable:python:truncated"]


def test_fences_in_lists_quotes_and_longer_ones(code):
    texts = [
        "1. So:\n   ```python\n   def f():\n       return 1\n   ```\n",
        "> ```python\n> def f():\n>     return 1\n> ```\n",
        "````markdown\n```python\nf(\n```\n````\n~~~python\nx = '```'\n~~~\n",
        "```python\r\nif x:\r\n    y = 1\r\n```\r\n",
    ]
    judged = code.judge(batch_of([{"prompt": "```python\nf(\n```", "response": t} for t in texts]))
    assert judged.scores["blocks"].tolist() == [1, 1, 1, 1]
    assert judged.scores["verified"].tolist() == [1, 1, 1, 1]


def test_code_in_the_arguments_of_a_call(code):
    def call(name, arguments):
        calls = [{"id": "c", "type": "function", "function": {"name": name, "arguments": arguments}}]
        return {
            "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": None, "tool_calls": calls}]
        }

    rows = [
        call("python", '{"code": "f(\\n1"}'), call("run", '{"language": "javascript", "code": "let x = 1"}'),
        call("shop", '{"code": "SAVE10"}'), call("query", '{"sql": "SELECT 1 FROM t"}'), call("x", "{not json"),
    ]  # fmt: skip
    scores = code.judge(batch_of(rows)).scores
    assert scores["blocks"].tolist() == [1, 1, 0, 1, 0]
    assert scores["refuted"].tolist() == [1, 0, 0, 0, 0]


def test_shares_and_counts_decide(code):
    rows = [{"prompt": "q", "response": answers(*blocks)} for blocks in (
        [("python", "x"), ("python", "x = = 1")], [("python", "x"), ("perl", "x")], [("python", "x")], [],
    )]  # fmt: skip
    batch = batch_of(rows)

    def reasons(**options):
        found = CodeFilter(CodeOptions(**options)).judge(batch)
        again = CodeFilter.decide(code.judge(batch).scores, CodeOptions(**options))
        assert again.tolist() == found.reason.tolist()
        return [list(CodeFilter.reasons)[r] if r >= 0 else None for r in again.tolist()]

    assert reasons() == ["code_refuted", None, None, None]
    assert reasons(most_refuted=1) == [None, None, None, None]
    assert reasons(unverifiable="drop", without="drop") == ["code_refuted", "code_unverifiable", None, "code_missing"]
    assert reasons(refuted="keep", least_verified=0.6) == [
        "code_too_little_verified",
        "code_too_little_verified",
        None,
        None,
    ]


@pytest.mark.parametrize("name", ["python", "c", "javascript", "html", "yaml", "toml", "sql", "latex", "ruby"])
def test_hostile_texts_end_soon_and_say_what_they_are(code, name):
    n = 700
    texts = ["(" * n, "[" * n + "]" * n, "{" * n, "<a>" * n, "-" * n + "1", "a." * n + "b", "f(1)" + "(1)" * n, "x=\0(",
             "if a:\n" * 900, "$" * n,

                         "'" * n, '"' * n, "\\begin{a}" * 400, "/*" * n, "a<" * n, "not " * n,
             "SELECT (" * 400, "&a [*a," * 400, "`" * 2 * n, "\\" * n]  # fmt: skip
    started = time.perf_counter()
    rules(code, *[(name, t) for t in texts])
    assert time.perf_counter() - started < 30


def test_a_block_over_the_bound_is_not_parsed():
    small = CodeFilter(CodeOptions(most_bytes=10))
    assert rules(small, ("python", "x = 1234567")) == ["unverifiable:python:too_large"]


def test_work_is_bounded_by_counting_not_by_time(monkeypatch):
    monkeypatch.setattr(grammars, "STEPS", 1)
    assert grammars.parse("c", b"int x;" * 1000) is not None
    monkeypatch.setattr(grammars, "BYTES_A_STEP", 1 << 20)
    assert grammars.parse("c", b"int x;" * 10_000) is None
    assert grammars.parse("c", b"int x;") is not None


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=80),
    st.sampled_from(["python", "c", "js", "json", "html", "sql", "yaml", "latex", "bash", "toml", "xml", "go", ""]),
)
def test_any_text_gets_a_verdict_and_no_other_record_changes_it(code, text, name):
    rows = [
        {"prompt": "q", "response": f"```{name}\n{text}\n```"},
        {"prompt": "q", "response": answers(("python", "f("))},
    ]
    both = code.judge(batch_of(rows))
    alone = code.judge(batch_of(rows[:1]))
    assert both.reason.tolist()[:1] == alone.reason.tolist()
    total = sum(int(both.scores[s][0]) for s in ("verified", "legacy", "refuted", "unverifiable"))
    assert total == int(both.scores["blocks"][0])


def test_what_is_not_installed_is_said_in_one_line(monkeypatch):
    from filters.code import parsers

    monkeypatch.setattr(parsers, "find_spec", lambda name: None if name == "tree_sitter_go" else True)
    with pytest.raises(ConfigError, match=r"tree-sitter-go.*corpusmill\[code\]") as error:
        CodeFilter()
    assert "\n" not in str(error.value)
