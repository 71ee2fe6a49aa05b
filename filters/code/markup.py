"""HTML and LaTeX: whether what is opened is closed, in order. A browser or TeX knows more, and forgives more or less."""

from __future__ import annotations

import re

from filters.code.verdict import PARSES, Verdict, broken, open_

VOID = frozenset(
    b"area base br col embed hr img input link meta param source track wbr frame basefont keygen command".split()
)
OPTIONAL = frozenset(
    b"p li dt dd tr td th thead tbody tfoot colgroup option optgroup html head body rt rp caption".split()
)
"""Elements whose end tag may be left out (HTML Living Standard, 13.1.2.4 Optional tags)."""

_RAW = rb"(?:script|style|textarea|title|pre)"
_HTML = re.compile(
    rb"<!--.*?(?P<comment>-->|\Z)|<!\[CDATA\[.*?\]\]>|<[!?][^>]*>"
    rb"|<(?P<end>/?)(?P<name>[A-Za-z][\w:.-]*)(?P<attributes>(?:[^<>\"'=/]|/(?!>)|=\s*(?:\"[^\"]*\"|'[^']*')?|\"[^\"]*\"|'[^']*')*)(?P<close>/?>)?",
    re.DOTALL,
)
_VERBATIM = re.compile(rb"(?s)<(script|style)\b[^>]*>.*?</\1\s*>|<(script|style)\b[^>]*>.*\Z", re.IGNORECASE)


def check_html(code: bytes) -> Verdict:
    """Refuted: an end tag for nothing, an element that must be closed and is not, a tag without its ``>``, an open comment."""
    stack: list[tuple[bytes, int]] = []
    text = _VERBATIM.sub(
        lambda m: b"<i>" + re.sub(rb"[^\n]", b" ", m[0][3:-4]) + b"</i>" if m[1] else m[0][:7].ljust(len(m[0])), code
    )
    for tag in _HTML.finditer(text):
        if tag["comment"] == b"":
            return broken(tag.start())
        name = (tag["name"] or b"").lower()
        if not name:
            continue
        if tag["close"] is None:
            return broken(tag.start())
        if tag["end"]:
            if not _closed(stack, name) and name not in VOID and name not in OPTIONAL:
                return broken(tag.start())
        elif name not in VOID and tag["close"] != b"/>":
            stack.append((name, tag.start()))
    unclosed = [at for name, at in stack if name not in OPTIONAL]
    return broken(unclosed[0]) if unclosed else PARSES


def _closed(stack: list[tuple[bytes, int]], name: bytes) -> bool:
    """Take elements off up to the one of this name, if all above it may be left open."""
    for depth in range(len(stack) - 1, -1, -1):
        if stack[depth][0] == name:
            del stack[depth:]
            return True
        if stack[depth][0] not in OPTIONAL:
            return False
    return False


_LATEX = re.compile(
    rb"\\begin\s*\{(?P<verbatim>verbatim\*?|lstlisting|minted|[BL]?Verbatim|comment|filecontents\*?|alltt)\}.*?(?:\\end\s*\{(?P=verbatim)\}|\Z)"
    rb"|\\verb\*?(?P<bar>[^\w\s*]).*?(?P=bar)|(?<!\\)%[^\n]*|\\(?P<be>begin|end)\s*\{(?P<name>[^{}\\]*)\}|\\(?P<math>[\[\]()])|\\."
    rb"|(?P<open>\{)|(?P<close>\})|(?P<dollar>\$\$?)|(?P<left>)(?!)",
    re.DOTALL,
)
_OWN_MACROS = re.compile(
    rb"\\(?:catcode|def|edef|gdef|let|newenvironment|renewenvironment|NewDocumentEnvironment|csname|DocInput|makeat|lstset)\b"
)
_DEFINES = re.compile(rb"\\(?:re|provide)?newcommand\b|\\providecommand\b|\\DeclareMathOperator\b")


def check_latex(code: bytes) -> Verdict:
    """Refuted: braces, environments or math delimiters that are not in pairs. Not judged: texts that change TeX's own rules."""
    found = _latex(code)
    if not found.holds and (_OWN_MACROS.search(code) or (_DEFINES.search(code) and rb"\begin" in code)):
        return open_("macros", found.at)
    return found


def _latex(code: bytes) -> Verdict:
    stack: list[tuple[bytes, int]] = []
    for token in _LATEX.finditer(code):
        at = token.start()
        mark = token["name"] if token["be"] else token["math"] or token["open"] or token["close"] or token["dollar"]
        if mark is None:
            continue
        if token["dollar"]:
            if stack and stack[-1][0] == b"$":
                stack.pop()
            else:
                stack.append((b"$", at))
        elif token["be"] == b"begin" or token["open"] or token["math"] in (b"[", b"("):
            stack.append((_PAIR.get(mark, mark), at))
        elif not stack or stack.pop()[0] != mark:
            return broken(at)
    return broken(stack[-1][1]) if stack else PARSES


_PAIR = {b"{": b"}", b"[": b"]", b"(": b")"}
