"""What does not parse and is not broken: transcripts, diffs, elisions, templates, pseudo-code, cut listings."""

from __future__ import annotations

import re

_DIFF = re.compile(rb"(?m)^(?:@@ .*@@|diff --git |--- \S+|\+\+\+ \S+|<<<<<<< |=======$|>>>>>>> )")
_CHANGED = re.compile(rb"(?m)^[+-](?![+-])[ \t]?\S")
_TRANSCRIPT = re.compile(
    rb"(?m)^[ \t]*(?:>>> ?|\$ \S|% \w|In \[\d+\]:|Out\[\d+\]:|irb\S*[>*] |mysql> |\w*[=-][#>] |sqlite> |PS [A-Z]:"
    rb"|[\w.-]+@[\w.-]+[:~]\S*[$#] |node> |scala> |jshell> |julia> "
    rb"|ghci> |Prelude> |C:\\.*>|=> |#=> |Traceback \(most recent call last\)|(?:Output|Result|Console"
    rb"|Terminal)\s*:\s*$|\w+Error: |\tat [\w.$]+\()"
)
_DOTS = re.compile(
    "…|⋮|(?m:^[\\s#/*;%<!-]*\\.{3,}[\\s*/->]*$)|(?<![\\w.\\])>?'\"`])\\.{3}(?![\\w.$(\\[{&'\"@])|[\\w)\\]>]\\s+\\.{3}(?![\\w.$(\\[{&])"
    "|(?://|#|/\\*|--|<!--|;)[^\\n]{0,200}(?:\\.{3}|\\b(?:rest of|remaining|existing code|previous code|omitted|same as|your "
    "code|other (?:code|methods"
    "|fields|properties)|goes here|and so on|etc\\b|snip|unchanged|continue))".encode(),
    re.IGNORECASE,
)
_TEMPLATE = re.compile(
    rb"\{\{.{0,300}?\}\}|\{%.{0,300}?%\}|<%.{0,300}?%>|\{#.{0,300}?#\}|\[\[(?-i:[A-Z_ ]+)\]\]"
    rb"|\b__(?-i:[A-Z_]+)__\b|\bYOUR_\w+|\[(?:your|insert|add)\b[^\]\n]*\]",
    re.DOTALL | re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    rb"<(?:[a-z]{1,30}(?:[-_ ][a-z0-9]{1,30}){1,8}|[A-Z]{1,30}(?:[-_ ][A-Z0-9]{1,30}){1,8}|your|name|path|file"
    rb"|filename|value|url|type|key|id"
    rb"|number|string|expression|condition|statements?|code|body)>|<\.\.\.>"
)
_INTERPOLATED = re.compile(rb"\$\{[^}\n]+\}|\$\([^)\n]+\)|%\(\w+\)s|%[sd]\b|\$[A-Z_]{2,}|@\w+@|#\{[^}\n]+\}")
_WORDS = re.compile(rb"(?<![\w'\".])(?:[A-Za-z][a-z']{0,20} ){3,20}[a-z]{1,20}(?![\w.(])")
_KEYWORDS = frozenset(
    b"and as assert async await break case catch class const continue def default del do elif else enum except export "
    b"extends final finally fn "
    b"for foreach from func function global goto if impl implements import in inline int interface is lambda let long "
    b"match mut namespace new "
    b"nil none not null or package pass private protected public raise return self short signed static struct super "
    b"switch template then this "
    b"throw throws trait try type typedef typename union unless unsigned until use using val var virtual void volatile "
    b"when where while with "
    b"yield char double float bool string true false end local begin module override abstract data object fun my sub our".split()
)
_QUOTED = re.compile(rb"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|(?://|#|--|/\*|<!--).*")
_NOTED = re.compile(rb"(?m)^[ \t]*(?:\*|/\*|//|#|--|;|[rR]?\"\"\"|''').*$")
_VARIADIC = re.compile(rb"[(,]\s*\.{3}\s*\)")
_COMMANDS = re.compile(
    rb"\s*(?:\$ )?(?:sudo |cd |pip3? |conda |python3? |npm |npx |yarn |pnpm |git |apt(?:-get)? |brew |curl |wget "
    rb"|docker |kubectl |cargo |go (?:run|build|get|mod|install|test) |mkdir |rm |cp |mv |ls\b|chmod |export [A-Z_]+="
    rb"|source \S+/|echo |make\s|cmake |gcc |g\+\+ "
    rb"|javac? |node |ruby |gem |bundle |php |composer |dotnet |poetry |uv |pytest |uvicorn |flask |streamlit "
    rb"|jupyter |ssh |scp |tar |unzip |cat |touch )"
)

WORDS = 4

NEAR = 2
"""Lines before and after an error in which dots, placeholders and prose excuse it."""

REACH = 1000
"""Bytes of long lines that are looked at on either side."""

FEW_LINES = 3
"""Lines of a block that is too short to be a program: a header, a closing line."""

VARIADIC = frozenset(("lua", "c", "cpp", "cuda"))
"""Languages in which ``f(a, ...)`` is no elision."""

PROSELIKE = frozenset(("sql", "bash", "html", "xml", "yaml", "latex"))
MARKUP = frozenset(
    ("html", "xml", "javascript", "typescript", "tsx", "cpp", "java", "csharp", "rust", "php", "kotlin", "scala")
)
FILLED = frozenset(("json", "json5", "toml", "xml", "html", "sql", "css", "latex"))
"""Languages in which ``${name}`` stands for something that is put there later, and is no text."""


def excuse(language: str, code: bytes, at: int) -> str | None:
    """Why a block that does not parse at byte ``at`` may be right all the same; None if nothing speaks for it.

    What is left out or filled in excuses the lines around it, not a long listing as a whole: dots in some comment say nothing of an
    error on the next page.
    """
    near, line = _around(code, at, NEAR), _around(code, at, 0)
    if language in VARIADIC:
        near = _VARIADIC.sub(b")", near)
    if _is_diff(code):
        return "diff"
    if _is_transcript(code, line):
        return "transcript"
    if _DOTS.search(near):
        return "elided"
    if _TEMPLATE.search(near) or (language not in MARKUP and _PLACEHOLDER.search(near)):
        return "template"
    if language in FILLED and _INTERPOLATED.search(line):
        return "template"
    if language not in PROSELIKE and _reads_as_prose(_around(code, at, 1)):
        return "pseudo_code"
    if language != "bash" and _COMMANDS.match(code):
        return "mislabelled"
    lines = [line for line in code.split(b"\n") if line.strip()]
    if len(lines) <= FEW_LINES and language not in ("json", "yaml", "toml") and _only_open(code):
        return "fragment"
    return None


def _around(code: bytes, at: int, lines: int) -> bytes:
    """The line of a byte, with so many lines before it and after it."""
    low = high = min(at, len(code))
    for _ in range(lines + 1):
        low = max(code.rfind(b"\n", 0, low), 0)
        high = code.find(b"\n", high + 1) if high >= 0 else -1
    high = high if high >= 0 else len(code)
    return code[max(low, at - REACH) : min(high, at + REACH)]


def _is_transcript(code: bytes, line: bytes) -> bool:
    """Prompts or output where the error is, or on the first line, or on one line in five."""
    found = len(_TRANSCRIPT.findall(code))
    return bool(found) and bool(
        found * 5 >= code.count(b"\n") + 1 or _TRANSCRIPT.match(code.lstrip(b"\n")) or _TRANSCRIPT.search(line)
    )


def _is_diff(code: bytes) -> bool:
    if _DIFF.search(code) and _CHANGED.search(code):
        return True
    changed, lines = len(_CHANGED.findall(code)), code.count(b"\n") + 1
    return changed >= 2 and changed * 3 >= lines and b"\n+" in b"\n" + code


def _reads_as_prose(near: bytes) -> bool:
    """Whether a line holds words in a row, outside of quotes and comments, four of which are no keywords."""
    runs = _WORDS.findall(_QUOTED.sub(b"", _NOTED.sub(b"", near)))
    return any(sum(len(w) > 1 and w.lower() not in _KEYWORDS for w in run.split()) >= WORDS for run in runs)


def _only_open(code: bytes) -> bool:
    """Whether all that a short block lacks is what comes before or after it."""
    bare = _QUOTED.sub(b"", code).strip()
    return (
        bare[:1] in b"})]"
        or bare[-1:] in b"{([,:"
        or bare.endswith((b"then", b"do", b"else", b"&&", b"||", b"->", b"=>", b"|"))
    )
