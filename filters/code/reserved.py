"""Reserved words where a grammar took them for names.

Tree-sitter reads a word as a keyword only where the grammar expects one; an ``end`` or ``fi`` that closes nothing, or a ``null`` after a
misspelt ``return``, becomes a name, and the text parses. No program may use them so.
"""

from __future__ import annotations

import re
from typing import Any

from filters.code.languages import words

_C = "return while for if else switch case break continue do goto sizeof struct typedef enum union static const void default"
_CPP = f"{_C} class namespace template using new delete public private protected try catch throw nullptr typename"
_JVM = "return while for if else switch case break continue do class void null true false new public private protected try catch "
_JVM += "finally throw"
WORDS = {
    "c": _C,
    "cpp": _CPP,
    "cuda": _CPP,
    "csharp": f"{_JVM} namespace foreach override sealed const static struct enum interface",
    "java": f"{_JVM} throws extends implements import package static final interface instanceof this super",
    "javascript": "return while for if else switch case break continue do class function new try catch finally throw null true false const "
    "import export extends in instanceof var with debugger",
    "go": "return for if else switch case break continue go func package import struct interface type range var const "
    "defer select chan map",
    "rust": "return while for if else match loop break continue fn impl struct enum pub use let mut mod trait where "
    "const static true false",
    "ruby": "end then do elsif when rescue ensure unless until while",
    "php": "return while foreach if else elseif switch case break continue do function class echo try catch finally throw",
    "kotlin": "return while for if else when break continue do class fun true false try throw val var package",
    "scala": "return while for if else match case do class def null true false try catch throw val var object import extends yield",
    "lua": "end then do else elseif until return while for if function local nil true false and or not",
    "bash": "fi then do done esac else elif",
}
WORDS["typescript"] = WORDS["tsx"] = WORDS["javascript"]


def _swapped(words: str) -> list[str]:
    """Words with two letters swapped that no one would give to a thing."""
    return [w[:i] + w[i + 1] + w[i] + w[i + 2 :] for w in words.split() for i in range(len(w) - 1) if w[i] != w[i + 1]]


_TAKEN = dict.fromkeys(
    ("c", "cpp", "cuda"), " ".join(_swapped("struct typedef static return while switch const union"))
)
"""Misspelt keywords that the grammar of C takes for the name of a type: ``strcut a {`` is a function's head to it."""

_PATTERNS = {
    lang: re.compile(
        rf"(?<![\w.:$@&'\"->])(?:{f'{told} {_TAKEN.get(lang, str())}'.strip().replace(' ', '|')})(?![\w:?!'\"-])".encode()
    )
    for lang, told in WORDS.items()
}

_NAMES = frozenset(
    ("identifier", "type_identifier", "name", "simple_identifier", "word", "namespace_identifier", "package_identifier")
)

_ALLOWED = words(
    "token_tree token_repetition token_tree_pattern token_repetition_pattern export_specifier import_specifier "
    "method method_declaration member_call_expression scoped_call_expression "
    "const_element class_constant_access_expression enum_case argument alias singleton_method undef"
)
"""Where a language lets them be names: methods of Ruby and PHP, ``export {x as null}``; a macro's tokens are no names at all."""


def misplaced(language: str, root: Any, code: bytes) -> int | None:
    """Byte of the first reserved word that the tree holds as a name."""
    pattern = _PATTERNS.get(language)
    if pattern is None or language == "kotlin":  # whose grammar takes true, break and the like for names by itself
        return None
    for word in pattern.finditer(code):
        leaf = root.descendant_for_byte_range(word.start(), word.end())
        if leaf.type not in _NAMES or (leaf.start_byte, leaf.end_byte) != word.span():
            continue
        if leaf.parent.type in _ALLOWED or (language == "bash" and leaf.parent.type != "command_name"):
            continue
        return word.start()
    return None


def misspelt(language: str, text: bytes) -> bool:
    """Whether a word is a reserved word of four letters or more with two of them swapped, one missing or one twice."""
    return not _NEAR.get(language, frozenset()).isdisjoint(re.findall(rb"[A-Za-z]+", text))


def _slips(words: str) -> frozenset[bytes]:
    out: set[str] = set()
    for word in words.split():
        if len(word) >= 4:
            out |= {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)}
            out |= {word[:i] + word[i + 1 :] for i in range(1, len(word))}
            out |= {word[:i] + word[i] + word[i:] for i in range(len(word))}
        elif len(word) == 3:
            out |= {word[1] + word[0] + word[2], word[0] + word[2] + word[1]}
    return frozenset(w.encode() for w in out - set(words.split()) - _REAL)


_REAL = words(
    "form cass elf eth fro caught cath vat wile hile trow fase cast lass ase est sting witch cases tryp var val"
)
"""Slips that are words."""

_NEAR = {language: _slips(f"{words} import override return using extends") for language, words in WORDS.items()}


_SWAPPED = {
    "kotlin": re.compile(
        rf"(?<![\w\"])(?:{'|'.join(_swapped(WORDS['kotlin'] + ' import override'))})(?![\w\"])".encode()
    )
}
"""Where the grammar gives up from the first line on, so that no error has a place."""


def misspelt_anywhere(language: str, code: bytes) -> bool:
    pattern = _SWAPPED.get(language)
    return pattern is not None and any(m[0] not in _NO_SLIP for m in pattern.finditer(code))


_NO_SLIP = frozenset(word.encode() for word in _REAL) | {b"fi", b"od", b"fro", b"ni"}
