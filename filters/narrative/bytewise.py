r"""Patterns written over characters, made to run over bytes.

In the scanner's UTF-8 mode a gap such as ``[^.\n]{0,40}`` takes seconds to compile and may not compile at all, since each
of its forty positions becomes a machine for all of Unicode. Over bytes it is one state. What differs, and is put right:

* ``，?`` would make the last byte optional: a quantified character is wrapped;
* ``[个名]`` becomes ``(?:个|名)``; a range of non-ASCII characters becomes any bytes beyond ASCII;
* ``[^。\n]{0,20}`` loses its non-ASCII members and counts three bytes a character (no hit may cross the end of a sentence
  anyway, see ``context.crosses_sentence``);
* ``\s+`` is one white space: a run would multiply the states of everything that follows;
* ``\w`` takes in every byte beyond ASCII; ``\b`` and case are those of ASCII.
"""

from __future__ import annotations

import re

from filters.contract import ConfigError

_TOKEN = re.compile(
    r"""(?P<escape>\\.)
    |(?P<class>\[\^?\]?(?:\\.|[^\]\\])*\])
    |(?P<wide>[^\x00-\x7f])
    |(?P<other>.)""",
    re.X | re.S,
)
_QUANTIFIER = re.compile(r"[?*+]|\{\d+(?:,\d*)?\}")
_BOUND = re.compile(r"\{(\d+),(\d+)\}")
_BEYOND = r"\x80-\xff"


def bytewise(expression: str) -> str:
    """The expression for a byte scanner, matching at least the same texts. Raises ValueError for an unclosed class, or a NUL, at which
    the compiler would stop reading."""
    if "\0" in expression:
        raise ConfigError(rf"narrative: {expression!r:.80} holds a NUL: write \x00")
    out: list[str] = []
    at = 0
    while at < len(expression):
        match = _TOKEN.match(expression, at)
        assert match is not None  # the last alternative takes anything
        at = match.end()
        token = match[0]
        if match["class"]:
            token = _class(token)
            if match[0].startswith("[^") and (bound := _BOUND.match(expression, at)):
                token += f"{{{bound[1]},{_stretched(match[0], int(bound[2]))}}}"
                at = bound.end()
        elif token == "[":
            raise ValueError("a class is not closed")
        elif token == r"\s" and expression[at : at + 1] == "+":
            at += 1
        elif token == r"\w":
            token = rf"[\w{_BEYOND}]"
        elif match["wide"] and _QUANTIFIER.match(expression, at):
            token = f"(?:{token})"
        out.append(token)
    return "".join(out)


def _stretched(members: str, most: int) -> int:
    """The bound in bytes: a class that names wide characters is for text written in them."""
    return most * 3 if not members.isascii() else most


def _class(token: str) -> str:
    if token.isascii():
        return token.replace(r"\w", rf"\w{_BEYOND}")
    negated = token.startswith("[^")
    body = token[2:-1] if negated else token[1:-1]
    narrow = "".join(re.findall(r"\\.|[\x00-\x7f]", body))
    if negated:
        return f"[^{narrow}]"
    if "-" in body:
        return f"[{narrow.replace('-', '')}{_BEYOND}]"
    members = [c if c.startswith("\\") else re.escape(c) for c in re.findall(r"\\.|.", body)]
    return "(?:" + "|".join(members) + ")"
