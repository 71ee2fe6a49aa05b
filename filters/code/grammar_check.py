"""Languages with a tree-sitter grammar: parsed as a program, then as what a fragment may be a part of."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

from filters.code import grammars, lexis, reserved
from filters.code.verdict import PARSES, Verdict, broken, open_

_C = ((b"void f(void) {\n", b"\n}"), (b"int x[] = {\n", b"\n};"), (b"int x = (\n", b"\n);"), (b"struct a {\n", b"\n};"))
_CPP = ((b"class A {\n", b"\n};"), (b"void f() {\n", b"\n}"), (b"auto x = (\n", b"\n);"), (b"enum A {\n", b"\n};"))
_JS = (
    (b"async function* f() {\n", b"\n}"), (b"class A {\n", b"\n}"), (b"x = {\n", b"\n}"), (b"x = (\n", b"\n)"),
    (b"switch (x) {\n", b"\n}"), (b"x = [\n", b"\n]"),
)  # fmt: skip
_TS = (
    *_JS,
    (b"interface A {\n", b"\n}"),
    (b"declare module 'a' {\n", b"\n}"),
    (b"type A =\n", b"\n"),
    (b"enum A {\n", b"\n}"),
)
WRAPPERS: dict[str, tuple[tuple[bytes, bytes], ...]] = {
    "c": _C,
    "cpp": _CPP,
    "cuda": _CPP,
    "csharp": ((b"class A {\n", b"\n}"), (b"class A { async void F() {\n", b"\n}}"), (b"enum A {\n", b"\n}"), (b"interface A {\n", b"\n}")),
    "java": (
        (b"class A {\n", b"\n}"), (b"class A { void f() {\n", b"\n}}"), (b"enum A {\n", b"\n}"), (b"class A { Object o = (\n", b"\n);}"),
    ),
    "javascript": _JS,
    "typescript": _TS,
    "tsx": _TS,
    "go": (
        (b"package a\n", b"\n"), (b"package a\nfunc f() {\n", b"\n}\n"), (b"type A struct {\n", b"\n}\n"),
        (b"type A interface {\n", b"\n}\n"), (b"var x = []T{\n", b"\n}\n"), (b"func f() { switch x {\n", b"\n}}\n"),
    ),
    "rust": (
        (b"fn f() {\n", b"\n}"), (b"impl A {\n", b"\n}"), (b"trait A {\n", b"\n}"), (b"fn f() { match x {\n", b"\n}}"),
        (b"struct A {\n", b"\n}"), (b"enum A {\n", b"\n}"),
    ),
    "php": ((b"<?php\n", b"\n"), (b"<?php class A {\n", b"\n}"), (b"<?php $x = [\n", b"\n];")),
    "kotlin": ((b"class A {\n", b"\n}"), (b"fun f() {\n", b"\n}"), (b"enum class A {\n", b"\n}"), (b"fun f() { when (x) {\n", b"\n}}")),
    "scala": ((b"object A {\n", b"\n}"), (b"def f = x match {\n", b"\n}")),
    "ruby": ((b"class A\n", b"\nend"), (b"x = {\n", b"\n}"), (b"x = [\n", b"\n]"), (b"case x\n", b"\nend")),
    "lua": ((b"x = {\n", b"\n}"), (b"x = (\n", b"\n)")),
    "css": ((b"a {\n", b"\n}"),),
    "bash": (),
}  # fmt: skip
"""What a fragment may stand in. A wrapper closes what it opens, so a bracket that the fragment lacks stays missing."""

CLOSERS = {
    "(": ")",
    "[": "]",
    "{": "}",
    "${": "}",
    "#{": "}",
    "$(": ")",
    "if": "fi",
    "case": "esac",
    "do": "done",
    "<(": ")",
    "((": "))",
    "[[": "]]",
}
_KEYWORDS = frozenset({"if", "fi", "case", "esac", "do", "done"})

_MACRO = re.compile(
    rb"\b[A-Z][A-Z0-9_]{2,}\b|\b_\w+|\b\w+_[A-Z]{2,}\w*|#[ \t]*(?:if|el|end|define|pragma|region)|\bva_arg\b"
    rb"|\boffsetof\b|\btypeof\b|\boperator\b"
    rb"|\b[a-z]+_[a-z]+\b\s*$",
    re.MULTILINE,
)
_DIRECTIVE = re.compile(rb"#[ \t]*(?:if|el|end|define|pragma|region)")
_OWN_HEADERS = re.compile(rb"(?m)^[ \t]*#\s*include\s*\"")

LONGEST_FRAGMENT = 16 << 10
"""Bytes of a text that is tried as a part of something; a longer one is a program of its own."""

ENDS = dict.fromkeys(("c", "cpp", "cuda", "csharp", "java", "php", "rust"), (b";", b" {}"))
"""Ends that the last line of a fragment may lack: a statement quoted without its semicolon, a head without a body."""

GAPPY = frozenset(("c", "cpp", "cuda", "csharp", "css", "bash", "kotlin"))
"""Languages whose grammar leaves parts out: an error refutes only where a bracket has no partner, or no gap is near."""

_DECLARES = re.compile(
    rb"\bfunction\s*\(.*\)\s*:|^[ \t]*global\s*\{|^[ \t]*<\w+ (?:extends|=)|^[ \t]*(?:in|out) [A-Z]", re.MULTILINE
)
"""What the grammar of TypeScript does not know: functions without a name or a body, ``global``, some signatures of declaration files."""

LINES_BEFORE = 4
"""Lines before an error in which a macro may have opened what goes wrong there."""

MOST_ERRORS = 20
"""Errors whose neighbourhood is looked at."""

PREPROCESSED = frozenset(("c", "cpp", "cuda", "csharp"))


def check(language: str, code: bytes) -> Verdict:
    tree = grammars.parse(language, code)
    if tree is None:
        return open_("too_complex")
    root = tree.root_node
    if not root.has_error:
        lost = reserved.misplaced(language, root, code)
        return PARSES if lost is None else broken(lost)
    if _is_part(language, code):
        return PARSES
    at = _first(root)
    if len(code) <= LONGEST_FRAGMENT and any(_clean(language, code + end) for end in ENDS.get(language, ())):
        return open_("fragment", at)
    lonely = lexis.unpaired(language, code) if language in lexis.LANGUAGES else unpaired(root, shell=language == "bash")
    if lonely is not None:
        return broken(lonely)
    if reserved.misspelt(language, _near(root, code)) or reserved.misspelt_anywhere(language, code):
        return broken(at)
    if language in PREPROCESSED and _near_macro(language, root, code):
        return open_("macros", at)
    if language in GAPPY - PREPROCESSED or (
        language in ("typescript", "tsx") and _DECLARES.search(code, max(code.rfind(b"\n", 0, at), 0), at + 200)
    ):
        return open_("grammar", at)
    return broken(at)


def _wrappers(language: str, code: bytes) -> tuple[tuple[bytes, bytes], ...]:
    if len(code) > LONGEST_FRAGMENT:
        return ()
    chained = code.lstrip()[:1] == b"." and language != "css"
    return ((b"x", b"\n"), (b"x", b";\n"), *WRAPPERS.get(language, ())) if chained else WRAPPERS.get(language, ())


def parses(language: str, code: bytes) -> bool:
    """Whether it is a program or a part of one, without saying where it is not."""
    return _clean(language, code) or _is_part(language, code)


def _is_part(language: str, code: bytes) -> bool:
    return any(_clean(language, before + code + after) for before, after in _wrappers(language, code))


def _clean(language: str, code: bytes) -> bool:
    tree = grammars.parse(language, code, strict=True)
    if tree is None or tree.root_node.has_error:
        return False
    return reserved.misplaced(language, tree.root_node, code) is None


def _first(root: Any) -> int:
    node = next(grammars.errors(root), None)
    return 0 if node is None else node.start_byte


def _near(root: Any, code: bytes) -> bytes:
    """The line at which the first error begins, and the one before it."""
    at = _first(root)
    low = max(code.rfind(b"\n", 0, max(code.rfind(b"\n", 0, at), 0)), 0)
    high = code.find(b"\n", at)
    return code[low : high if high >= 0 else len(code)]


def _near_macro(language: str, root: Any, code: bytes) -> bool:
    """Whether a name in capitals, a reserved name or a directive stands by an error, or headers of one's own are included: a macro may
    expand to anything."""
    if _OWN_HEADERS.search(code):
        return True
    for node in islice(grammars.errors(root), MOST_ERRORS):
        low = node.start_byte
        for _ in range(1 + LINES_BEFORE):
            low = max(code.rfind(b"\n", 0, low), 0)
        high = code.find(b"\n", code.find(b"\n", min(node.end_byte, node.start_byte + 400)) + 1)
        if (_DIRECTIVE if language == "csharp" else _MACRO).search(code, low, high if high >= 0 else len(code)):
            return True
    return False


def unpaired(root: Any, *, shell: bool = False) -> int | None:
    """Byte of a bracket without its partner, by the grammar's own tokens, so that strings and comments do not count.

    Of the branches of a preprocessor's conditional only the first is counted, where the others close what it opens.
    """
    stack: list[tuple[str, int]] = []
    branches: list[list[tuple[str, int]]] = []
    for kind, at in _tokens(root):
        if kind in ("#if", "#ifdef", "#ifndef"):
            branches.append(list(stack))
        elif kind in ("#else", "#elif") and branches:
            stack = list(branches[-1])
        elif kind == "#endif" and branches:
            branches.pop()
        elif kind in CLOSERS and (shell or kind not in _KEYWORDS):
            stack.append((CLOSERS[kind], at))
        elif kind in (")", "]", "}", "))", "]]") or (shell and kind in _KEYWORDS):
            if shell and kind == ")" and (not stack or stack[-1][0] != ")"):
                continue  # a pattern of case
            wanted, opened = stack.pop() if stack else ("", at)
            if wanted != kind:
                return opened
    return stack[-1][1] if stack else None


def _tokens(root: Any) -> Any:
    """(type, byte) of the leaves that are there."""
    cursor = root.walk()
    while True:
        if cursor.goto_first_child():
            continue
        node = cursor.node
        if not node.is_named and not node.is_missing:
            yield node.type, node.start_byte
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return
