"""What does not parse and is not broken: transcripts, diffs, elisions, templates, pseudo-code, cut listings."""

from __future__ import annotations

import re

_DIFF = re.compile(rb"(?m)^(?:@@ .*@@|diff --git |--- \S+|\+\+\+ \S+|<<<<<<< |=======$|>>>>>>> )")
_CHANGED = re.compile(rb"(?m)^[+-](?![+-])[ \t]?\S")
_TRANSCRIPT = re.compile(
    rb"(?m)^\s*(?:>>> ?|\$ \S|% \w|In \[\d+\]:|Out\[\d+\]:|irb\S*[>*] |mysql> |\w*[=-][#>] |sqlite> |PS [A-Z]:|[\w.-]+@[\w.-]+[:~]\S*[$#] |node> |scala> |jshell> |julia> "
    rb"|ghci> |Prelude> |C:\\.*>|=> |#=> |Traceback \(most recent call last\)|(?:Output|Result|Console|Terminal)\s*:\s*$|\w+Error: |\tat [\w.$]+\()"
)
_DOTS = re.compile(
    "…|⋮|（|(?m:^[\\s#/*;%<!-]*\\.{3,}[\\s*/->]*$)|(?<![\\w.\\])>?'\"`])\\.{3}(?![\\w.$(\\[{&'\"@])|[\\w)\\]>]\\s+\\.{3}(?![\\w.$(\\[{&])"
    "|(?://|#|/\\*|--|<!--|;)[^\\n]*(?:\\.{3}|\\b(?:rest of|remaining|existing code|previous code|omitted|same as|your code|other (?:code|methods"
    "|fields|properties)|goes here|and so on|etc\\b|snip|unchanged|continue))".encode(),
    re.IGNORECASE,
)
_TEMPLATE = re.compile(
    rb"\{\{.*?\}\}|\{%.*?%\}|<%.*?%>|\{#.*?#\}|\[\[[A-Z_ ]+\]\]|\b__[A-Z_]+__\b|\bYOUR_\w+|\[(?:your|insert|add)\b[^\]\n]*\]",
    re.DOTALL | re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    rb"<(?:[a-z]+(?:[-_ ][a-z0-9]+)+|[A-Z]+(?:[-_ ][A-Z0-9]+)+|your|name|path|file|filename|value|url|type|key|id|number|string|expression|condition|statements?|code|body)>|<\.\.\.>"
)
_INTERPOLATED = re.compile(rb"\$\{[^}\n]+\}|\$\([^)\n]+\)|%\(\w+\)s|%[sd]\b|\$[A-Z_]{2,}|@\w+@|#\{[^}\n]+\}")
_PROSE = re.compile(rb"(?<![\w'\"])(?:[A-Za-z][a-z']*,? ){4,}[a-z]+")
_QUOTED = re.compile(rb"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|(?://|#|--|/\*|<!--).*")
_COMMANDS = re.compile(
    rb"\s*(?:\$ )?(?:sudo |cd |pip3? |conda |python3? |npm |npx |yarn |pnpm |git |apt(?:-get)? |brew |curl |wget |docker |kubectl |cargo |go |mkdir |rm |cp |mv |ls\b|chmod |export |source |echo |make\b|cmake |gcc |g\+\+ "
    rb"|javac? |node |ruby |gem |bundle |php |composer |dotnet |poetry |uv |pytest |uvicorn |flask |streamlit |jupyter |ssh |scp |tar |unzip |cat |touch )"
)

FEW_LINES = 3
"""Lines of a block that is too short to be a program: a header, a closing line."""

PROSELIKE = frozenset(("sql", "bash", "html", "xml", "yaml", "latex"))
MARKUP = frozenset(
    ("html", "xml", "javascript", "typescript", "tsx", "cpp", "java", "csharp", "rust", "php", "kotlin", "scala")
)
DATA = frozenset(("json", "json5", "yaml", "toml", "xml", "html", "sql", "css", "latex"))


def excuse(language: str, code: bytes, at: int) -> str | None:
    """Why a block that does not parse at byte ``at`` may be right all the same; None if nothing speaks for it."""
    if _is_diff(code):
        return "diff"
    if _TRANSCRIPT.search(code) and not (
        language in ("cpp", "ruby") and not re.search(rb"(?m)^\s*(?:\$ |>>> |irb)", code)
    ):
        return "transcript"
    if _DOTS.search(code):
        return "elided"
    if (
        _TEMPLATE.search(code)
        or (language not in MARKUP and _PLACEHOLDER.search(code))
        or (language in DATA and _INTERPOLATED.search(code))
    ):
        return "template"
    if language not in PROSELIKE and _reads_as_prose(code, at):
        return "pseudo_code"
    if language != "bash" and _COMMANDS.match(code):
        return "mislabelled"
    lines = [line for line in code.split(b"\n") if line.strip()]
    if len(lines) <= FEW_LINES and language not in ("json", "yaml", "toml") and _only_open(code):
        return "fragment"
    return None


def _is_diff(code: bytes) -> bool:
    if _DIFF.search(code) and _CHANGED.search(code):
        return True
    changed, lines = len(_CHANGED.findall(code)), code.count(b"\n") + 1
    return changed >= 2 and changed * 3 >= lines and b"\n+" in b"\n" + code


def _reads_as_prose(code: bytes, at: int) -> bool:
    """Whether the line of the error, or the one before it, holds five words in a row outside of quotes and comments."""
    low = code.rfind(b"\n", 0, max(code.rfind(b"\n", 0, at), 0)) + 1
    high = code.find(b"\n", at + 1)
    return bool(_PROSE.search(_QUOTED.sub(b"", code[low : high if high >= 0 else len(code)])))


def _only_open(code: bytes) -> bool:
    """Whether all that a short block lacks is what comes before or after it."""
    bare = _QUOTED.sub(b"", code).strip()
    return (
        bare[:1] in b"})]"
        or bare[-1:] in b"{([,:"
        or bare.endswith((b"then", b"do", b"else", b"&&", b"||", b"->", b"=>", b"|"))
    )
