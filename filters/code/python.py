"""Python: by its own parser, and where that refuses, as the newer or the older language it may be.

The interpreter's parser knows the syntax of its own version. What came after 3.11 (nested quotes in f-strings, type parameters, ``type``
statements, t-strings) is found by a grammar and written the old way before the parser is asked again, so that a verdict
does not depend on which Python runs. What only Python 2's grammar takes is ``legacy``, not broken.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

from filters.code import grammars
from filters.code.verdict import LEGACY, PARSES, Verdict, broken, open_

PYTHON2 = re.compile(
    rb"\b(?:print|exec)[ \t]+[^=(\s.,)\]]|\bprint[ \t]*(?:\(.{0,200}\)[ \t]*%|>>|$)|\bexcept[^:\n]{1,200},"
    rb"|\braise[ \t]+\w[\w.]*[ \t]*,|<>|`|\b0\d+\b"
    rb"|\b\d+[lL]\b|\b[uU][rR]['\"]|\basync\b|\bprint[ \t]*\(.{0,200}\)[ \t]*,|\bdef[^:\n]{0,200}\(\("
    rb"|\blambda[ \t]*\(|\bexec\b|\t|\bprint\b[^(\n]",
    re.MULTILINE,
)
"""Signs of Python 2, one of which must be there: its grammar in our tables is looser than Python 3's parser elsewhere."""

LONGEST, LONGEST_LINE = 128 << 10, 2000
"""Bytes of a text, and of a line, that Python 2's grammar is asked about; its parser is in Python and backtracks."""

_LIMIT = re.compile(
    "too many nested parentheses|Exceeds the limit|too many levels of indentation|too many statically nested"
)
_MAGIC = re.compile(rb"(?m)^(?P<indent>[ \t]*)(?:[%!]|\?\w).*$|^(?P<help>[ \t]*)[\w.]+\?\??[ \t]*$")
_PROMPT = re.compile(rb"[ \t]*>>>(?:[ \t]|$)", re.MULTILINE)
_BLOCK_END = re.compile(rb":[ \t]*(?:#.*)?\s*\Z")
_CLAUSE = re.compile(rb"\s*(?:(?:elif|else)\b|(except|finally)\b|(case)\b)")


def check(code: bytes) -> Verdict:
    """verified, legacy, refuted at the first error, or unverifiable where a limit of the parser was met."""
    found = _parsed(code)
    if found.holds or found.cause != "syntax":
        return found
    for form in _forms(code):
        if (other := _parsed(form)).holds:
            return other
    if _is_python2(code) or (b"%" in code and _is_python2(_plain(code))):
        return Verdict(LEGACY, "python2")
    return found


def inputs(code: bytes) -> bytes | None:
    """What was typed in an interpreter's transcript; None if it is none: a program may quote one in a docstring."""
    if not _PROMPT.match(code.lstrip(b"\n")):
        return None
    lines = [line.lstrip() for line in code.split(b"\n")]
    typed = [line[4:] for line in lines if line.startswith((b">>> ", b"... ", b">>>\t")) or line in (b">>>", b"...")]
    return b"\n".join(typed) + b"\n"


def _parsed(code: bytes) -> Verdict:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(code.decode("utf-8", "surrogatepass"), "<block>", "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    except SyntaxError as error:
        if _LIMIT.search(error.msg or ""):
            return open_("too_complex")
        return broken(_offset(code, error.lineno or 1))
    except (RecursionError, MemoryError):
        return open_("too_complex")
    except ValueError:  # NUL characters, lone surrogates
        return broken(max(code.find(b"\0"), 0))
    return PARSES


def _offset(code: bytes, line: int) -> int:
    at = 0
    for _ in range(line - 1):
        following = code.find(b"\n", at) + 1
        if not following:
            break
        at = following
    return at


def _forms(code: bytes) -> Iterator[bytes]:
    """Programs that a fragment is a part of, or that mean the same in older Python."""
    plain = _plain(code)
    if plain != code:
        yield plain
    whole = _whole(plain)
    if whole != plain:
        yield whole
    older = _older(whole)
    if older is not None:
        yield older


def _plain(code: bytes) -> bytes:
    """Without a notebook's magics, and with the common indentation taken off."""
    code = _MAGIC.sub(lambda m: (m["indent"] or m["help"] or b"") + b"pass", code.expandtabs(8))
    margin = min((len(line) - len(line.lstrip()) for line in code.split(b"\n") if line.strip()), default=0)
    return re.sub(rb"(?m)^ {%d}" % margin, b"", code) if margin else code


def _whole(code: bytes) -> bytes:
    """A clause gets the statement it belongs to, a header that ends the block gets a body."""
    code = _heads(code) + code
    clause = _CLAUSE.match(code)
    if clause is not None:
        before = b"try:\n pass\n" if clause[1] else b"match 0:\n" if clause[2] else b"if 0:\n pass\n"
        code = before + (re.sub(rb"(?m)^", b" ", code) if clause[2] else code)
    if _BLOCK_END.search(code):
        last = code.rstrip().rsplit(b"\n", 1)[-1]
        code = code.rstrip() + b"\n" + b" " * (len(last) - len(last.lstrip()) + 1) + b"pass\n"
    return code


def _heads(code: bytes) -> bytes:
    """Heads for what a fragment begins in the middle of: one for each indentation that it falls back to."""
    lines = [line for line in code.split(b"\n") if line.strip()]
    margins = [len(line) - len(line.lstrip()) for line in lines]
    if not margins or not margins[0]:
        return b""
    below = sorted({m for m in margins if m < margins[0]})
    return b"".join(b" " * m + b"if 1:\n" for m in below)


_TSTRING = re.compile(rb"\b(?:t|rt|tr)(?=[\"'])", re.IGNORECASE)


def _older(code: bytes) -> bytes | None:
    """The same without syntax newer than 3.11; None where there is none of it, or the grammar finds an error."""
    code = _TSTRING.sub(lambda m: m[0].lower().replace(b"t", b"f"), code)
    tree = grammars.parse("python", code)
    if tree is None or tree.root_node.has_error:
        return None
    spans: list[tuple[int, int, bytes]] = []
    stack: list[Any] = [tree.root_node]
    while stack:
        node = stack.pop()
        if node.type == "type_parameter":
            # Of def and class; elsewhere it is a subscript.
            if node.parent.type in ("function_definition", "class_definition"):
                spans.append((node.start_byte, node.end_byte, b""))
        elif node.type == "type_alias_statement":
            spans.append((node.start_byte, node.end_byte, b"pass"))
        elif node.type == "string" and any(c.type == "interpolation" for c in node.children):
            spans.append(
                (node.start_byte, node.end_byte, b'""' + b"\\\n" * code.count(b"\n", node.start_byte, node.end_byte))
            )
        else:
            stack.extend(node.children)
    for start, end, text in sorted(spans, reverse=True):
        code = code[:start] + text + code[end:]
    return code


def _is_python2(code: bytes) -> bool:
    """Whether Python 2's grammar takes it, and it holds something that only Python 2 has."""
    if len(code) > LONGEST or not PYTHON2.search(code) or max(map(len, code.split(b"\n"))) > LONGEST_LINE:
        return False
    from fissix.pgen2 import driver, parse, tokenize

    try:
        driver.Driver(_grammar2(), convert=_Node).parse_string(code.decode("utf-8", "replace") + "\n")
    except (parse.ParseError, tokenize.TokenError, SyntaxError, RecursionError, AssertionError):
        return False
    return True


class _Node:
    """What the parser's driver asks of a node; no tree is needed."""

    used_names: set[str]

    def __init__(self, grammar: Any, node: Any) -> None:
        pass


@cache
def _grammar2() -> Any:
    """The grammar with the print and exec statements, made from its text: fissix's own loader keeps pickles in the user's folder."""
    import logging
    from importlib.resources import as_file, files

    from fissix.pgen2 import pgen

    logging.getLogger("fissix").setLevel(logging.CRITICAL)
    with as_file(files("fissix").joinpath("Grammar.txt")) as path:
        return pgen.generate_grammar(str(path))
