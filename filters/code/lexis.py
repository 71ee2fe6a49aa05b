"""Brackets of a C-like text by its lexical rules alone: what a grammar that has gaps cannot be asked."""

from __future__ import annotations

import re

_COMMENTS = rb"//[^\n]*|/\*.*?(?:\*/|\Z)"
_STRINGS = rb"\"(?:\\.|[^\"\\\n])*\"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'"
_BRACKETS = rb"(?P<open>[(\[{])|(?P<close>[)\]}])"
_DIRECTIVES = rb"^[ \t]*#[ \t]*(?P<directive>\w*)(?:\\\r?\n|/\*.*?\*/|[^\n])*"
_RAW = {
    "csharp": rb"\"\"\".*?\"\"\"|\$?@\$?\"(?:[^\"]|\"\")*\"|",
    "kotlin": rb"\"\"\".*?\"\"\"|",
    "cpp": rb"\bR\"(?P<mark>[^\s()\\]{0,16})\(.*?\)(?P=mark)\"|",
    "css": rb"url\([^)\n]*\)|",
}
_PAIR = {b"(": b")", b"[": b"]", b"{": b"}"}


def _tokens(language: str) -> re.Pattern[bytes]:
    raw, directives = _RAW.get("cpp" if language in ("c", "cuda") else language, b""), _DIRECTIVES
    comments = rb"/\*.*?(?:\*/|\Z)" if language == "css" else _COMMENTS
    first = b"" if language in ("css", "kotlin") else directives + b"|"
    return re.compile(first + raw + comments + b"|" + _STRINGS + b"|" + _BRACKETS, re.DOTALL | re.MULTILINE)


LANGUAGES = {language: _tokens(language) for language in ("c", "cpp", "cuda", "csharp", "kotlin", "css")}


def unpaired(language: str, code: bytes) -> int | None:
    """Byte of the first bracket without a partner. Of a preprocessor's conditional the first branch counts."""
    stack: list[tuple[bytes, int]] = []
    branches: list[list[tuple[bytes, int]]] = []
    skipped: list[list[tuple[bytes, int]]] = []
    for token in LANGUAGES[language].finditer(code):
        directive = token.groupdict().get("directive")
        if directive in (b"if", b"ifdef", b"ifndef"):
            branches.append(list(stack))
            skipped.append([])
        elif directive in (b"else", b"elif") and branches:
            # The first branch's end is what goes on after the conditional.
            skipped[-1] = skipped[-1] or list(stack)
            stack = list(branches[-1])
        elif directive == b"endif" and branches:
            branches.pop()
            stack = skipped.pop() or stack
        elif token["open"]:
            stack.append((_PAIR[token["open"]], token.start()))
        elif token["close"]:
            if not stack:
                return token.start()
            wanted, at = stack.pop()
            if wanted != token["close"]:
                return at  # the one that was never closed says more than where it shows
    return stack[-1][1] if stack else None
