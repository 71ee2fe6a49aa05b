"""A second opinion: what a language's own compiler says of a block, beside what our parser says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from filters.code import fragments
from filters.code.blocks import Block
from filters.code.check import SIBLINGS
from filters.code.compile import Compilers
from filters.code.grammar_check import LONGEST_FRAGMENT, PREPROCESSED, WRAPPERS
from filters.code.tools import OK, PART, SYNTAX
from filters.code.verdict import PARSES, REFUTED, UNVERIFIABLE, VERIFIED, Verdict

Found = tuple[Block, str, Verdict]
"""A block, its language, and what is said of it."""

OPEN = frozenset(("macros", "grammar", "too_complex", "parser_failed", "elided", "fragment", "truncated"))
"""Causes for which our parser cannot tell and a compiler may: not where the text is no program, like a transcript."""

SETTLED = frozenset(("macros", "grammar", "too_complex", "parser_failed"))
"""Those of them that speak of our parser and not of the block: there a compiler's error counts."""


MORE = {"javascript": ((b"class A extends B {\n", b"\n}"),)}
"""What our grammar takes anywhere and a compiler does not: a call of ``super``."""


def review(compilers: Compilers, found: Sequence[Found], holds: Callable[[str, bytes], bool]) -> list[Found]:
    """The same blocks. What the compiler takes is verified. What it refuses is refuted if nothing excuses it and it is no part of a
    program either; a refusal of ours stands unless the compiler takes the block. holds: whether our parser takes a text as a language."""
    out = list(found)
    for language in sorted(compilers.languages):
        chosen = [i for i, one in enumerate(found) if _is_asked(language, one)]
        said = _asked(compilers, language, [found[i][0].code for i in chosen])
        for i, (word, line) in zip(chosen, said, strict=True):
            block, _, verdict = found[i]
            if word == PART and compilers.is_whole(language, block.code):
                word = SYNTAX
            if word == OK:
                out[i] = (block, language, PARSES)
            elif word == SYNTAX and _counts(language, block, verdict, offset(block.code, line), holds):
                out[i] = (block, language, Verdict(REFUTED, "compiler", offset(block.code, line)))
    return out


def _is_asked(language: str, one: Found) -> bool:
    block, found, verdict = one
    if found != language or 0 in block.code or (language == "bash" and block.name not in (None, "bash", "sh", "shell")):
        return False
    return verdict.status in (VERIFIED, REFUTED) or (verdict.status == UNVERIFIABLE and verdict.cause in OPEN)


def _asked(compilers: Compilers, language: str, codes: Sequence[bytes]) -> list[tuple[str, int]]:
    """As a program, and what is none as what it may be a part of."""
    said = compilers.ask(language, [_program(language, c) for c in codes])
    again = [i for i, (word, _) in enumerate(said) if word in (SYNTAX, PART) and len(codes[i]) <= LONGEST_FRAGMENT]
    forms = [(i, form) for i in again for form in _forms(language, codes[i])]
    for (i, _), (word, _) in zip(forms, compilers.ask(language, [form for _, form in forms]), strict=True):
        if word == OK:
            said[i] = (OK, 1)
    return said


def _program(language: str, code: bytes) -> bytes:
    return b"<?php " + code if language == "php" and b"<?" not in code else code


_CAPITALS = re.compile(rb"\b[A-Z][A-Z0-9_]{2,}\b")
_DEFINED = re.compile(rb"#[ \t]*define[ \t]+(\w+)")
_STANDARD = frozenset(b"NULL EOF FILE TRUE FALSE SIZE_MAX INT_MAX INT_MIN EXIT_SUCCESS EXIT_FAILURE RAND_MAX".split())


def _may_be_a_macro(language: str, verdict: Verdict, code: bytes, at: int) -> bool:
    """Whether there is a name in capitals that a C or C++ text does not define: a compiler that does not know it stumbles, there or
    later. Anywhere, in a text that our parser takes; by the line of the error, where it cannot tell either."""
    if language not in PREPROCESSED:
        return False
    line = code.count(b"\n", 0, at)
    near = code if verdict.holds else b"\n".join(code.split(b"\n")[max(line - 2, 0) : line + 3])
    return bool(set(_CAPITALS.findall(near)) - set(_DEFINED.findall(code)) - _STANDARD)


def _forms(language: str, code: bytes) -> Iterator[bytes]:
    if language == "php" and b"<?" in code:
        return
    if code.lstrip()[:1] == b".":
        yield b"x" + code.lstrip()
    for before, after in (*WRAPPERS.get(language, ()), *MORE.get(language, ())):
        # A tool for Go wants a package before everything.
        lead = b"package a\n" if language == "go" and not before.startswith(b"package") else b""
        yield lead + before + code + after


def _counts(language: str, block: Block, verdict: Verdict, at: int, holds: Callable[[str, bytes], bool]) -> bool:
    """Whether an error of the compiler's speaks against a block: our parser did not refuse it, and nothing excuses it."""
    if verdict.status == REFUTED or not block.closed or not (verdict.holds or verdict.cause in SETTLED):
        return False
    if _may_be_a_macro(language, verdict, block.code, at) or fragments.excuse(language, block.code, at) is not None:
        return False
    return verdict.holds or not any(holds(other, block.code) for other in SIBLINGS.get(language, ()))


def offset(code: bytes, line: int) -> int:
    """Where a line begins, counted from 1."""
    at = 0
    for _ in range(line - 1):
        following = code.find(b"\n", at) + 1
        if not following or following >= len(code):
            break
        at = following
    return at
