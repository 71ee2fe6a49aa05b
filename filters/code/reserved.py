"""Reserved words where a grammar took them for names.

Tree-sitter reads a word as a keyword only where the grammar expects one; an ``end`` or ``fi`` that closes nothing, or a ``null`` after a
misspelt ``return``, becomes a name, and the text parses. No program may use them so.
"""

from __future__ import annotations

import re
from typing import Any

_C = "return while for if else switch case break continue do goto sizeof struct typedef enum union static const void default"
_CPP = f"{_C} class namespace template using new delete public private protected try catch throw true false nullptr this typename"
_JVM = "return while for if else switch case break continue do class void null true false new public private protected try catch finally throw"
WORDS = {
    "c": _C,
    "cpp": _CPP,
    "cuda": _CPP,
    "csharp": f"{_JVM} namespace foreach override sealed const static struct enum interface",
    "java": f"{_JVM} throws extends implements import package static final interface instanceof this super",
    "javascript": "return while for if else switch case break continue do class function new try catch finally throw null true false const "
    "import export extends in instanceof var with debugger",
    "go": "return for if else switch case break continue go func package import struct interface type range var const defer select chan map",
    "rust": "return while for if else match loop break continue fn impl struct enum pub use let mut mod trait where const static true false",
    "ruby": "end then do elsif when rescue ensure unless until while",
    "php": "return while foreach if else elseif switch case break continue do function new class echo try catch finally throw",
    "kotlin": "return while for if else when break continue do class fun null true false try throw val var package in",
    "scala": "return while for if else match case do class def null true false try catch throw val var object import extends yield",
    "lua": "end then do else elseif until return while for if function local nil true false and or not",
    "bash": "fi then do done esac else elif",
}
WORDS["typescript"] = WORDS["tsx"] = WORDS["javascript"]
_PATTERNS = {
    lang: re.compile(rf"(?<![\w.:$@&'\"-])(?:{words.replace(' ', '|')})(?![\w:?!'\"-])".encode())
    for lang, words in WORDS.items()
}

_NAMES = frozenset(
    ("identifier", "type_identifier", "name", "simple_identifier", "word", "namespace_identifier", "package_identifier")
)


def misplaced(language: str, root: Any, code: bytes) -> int | None:
    """Byte of the first reserved word that the tree holds as a name."""
    pattern = _PATTERNS.get(language)
    if pattern is None:
        return None
    for word in pattern.finditer(code):
        leaf = root.descendant_for_byte_range(word.start(), word.end())
        if leaf.type not in _NAMES or (leaf.start_byte, leaf.end_byte) != word.span():
            continue
        if language == "bash" and leaf.parent.type != "command_name":
            continue  # an argument
        if language == "ruby" and leaf.parent.type in ("method", "alias", "singleton_method", "undef"):
            continue  # def end
        return word.start()
    return None
