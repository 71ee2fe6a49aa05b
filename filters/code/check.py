"""One block, one verdict: what is told without a parser, and what parsers say, in a process of theirs (``filters.code.parsers``)."""

from __future__ import annotations

from filters.code import formats, fragments, grammar_check, languages, markup, python, sql
from filters.code.blocks import Block
from filters.code.grammars import GRAMMARS
from filters.code.verdict import LEGACY, PARSES, REFUTED, Verdict, broken, open_

SIBLINGS = {
    "javascript": ("tsx", "typescript"), "c": ("cpp",), "cpp": ("c",), "typescript": ("tsx",), "tsx": ("typescript",),
    "html": ("xml", "tsx"), "java": ("kotlin", "csharp"), "bash": (), "yaml": ("json5",), "json": ("yaml",), "scala": ("java",),
    "csharp": ("java",), "php": ("html",), "css": (),
}  # fmt: skip
"""What a block may be in instead of what its fence says; ``tsx`` code in a ``typescript`` fence is what it says."""
SAME = {("typescript", "tsx"), ("tsx", "typescript"), ("c", "cpp"), ("php", "html")}

LANGUAGES = (
    "python",
    "json",
    "json5",
    "yaml",
    "toml",
    "xml",
    "html",
    "latex",
    "sql",
    *sorted(set(GRAMMARS) - {"python"}),
)
"""All that can be parsed."""


def told(block: Block, most_bytes: int) -> tuple[str, Verdict | None] | None:
    """The language of a block, and what is said of it if no parser has to be asked; None if it is no code, or nobody says which."""
    name = block.name
    if name in languages.NO_CODE or not block.code.strip():
        return None
    for cause, group in (
        ("transcript", languages.TRANSCRIPTS),
        ("diff", languages.DIFFS),
        ("pseudo_code", languages.PSEUDO),
    ):
        if name in group:
            return None if cause == "pseudo_code" else ("bash" if cause == "transcript" else "diff", open_(cause))
    language = block.language
    if language is None:
        return None
    if not language:
        return "other", open_("no_parser")
    if len(block.code) > most_bytes:
        return language, open_("too_large")
    return language, None


def judged(language: str, name: str | None, code: bytes, *, closed: bool) -> Verdict:
    """What its parsers say of a text, and of what a fragment may be a part of. name: as its fence declares it."""
    if 0 in code:
        return broken(code.index(0))
    if language == "python" and (typed := python.inputs(code)) is not None:
        return PARSES if parsed("python", typed).holds else open_("transcript")
    found = parsed(language, code, name)
    if found.status != REFUTED:
        return found
    if not closed:
        return open_("truncated", found.at)
    for other in SIBLINGS.get(language, ()):
        if _may_be(other, language, code) and _holds(other, code):
            return PARSES if (language, other) in SAME else open_("mislabelled", found.at)
    if name is None and _is_in_first_line(code, found.at):
        # The language was guessed from what follows: an agent's command with its text (``edit 1:3``) begins so.
        return open_("mislabelled", found.at)
    cause = fragments.excuse(language, code, found.at)
    return found if cause is None else open_(cause, found.at)


def _is_in_first_line(code: bytes, at: int) -> bool:
    return b"\n" not in code[:at].lstrip()


def _holds(language: str, code: bytes) -> bool:
    return grammar_check.parses(language, code) if language in GRAMMARS else parsed(language, code).holds


def _may_be(other: str, language: str, code: bytes) -> bool:
    """YAML takes most of JSON's faults, and HTML any text: not where the text is plainly in the language it is said to be."""
    if (language, other) == ("json", "yaml"):
        return code.lstrip()[:1] not in b"{["
    return not (other == "html" and b"<?" in code)


def parsed(language: str, code: bytes, name: str | None = None) -> Verdict:
    """By the language's parser alone."""
    if language == "python":
        found = python.check(code)
        # What was asked for as Python 2 is no older than it should be.
        return PARSES if found.status == LEGACY and name in ("python2", "py2", "python2.7") else found
    if language in formats.CHECKS:
        return formats.CHECKS[language](code)
    if language == "html":
        return markup.check_html(code)
    if language == "latex":
        return markup.check_latex(code)
    if language == "sql":
        return sql.check(code, name)
    return grammar_check.check(language, code)
