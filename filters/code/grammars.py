"""Tree-sitter: a grammar a language, out of a wheel of its own, with a bound on the work that a text may cause."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

from filters.contract import ConfigError

GRAMMARS = {
    "python": ("tree_sitter_python", "language"),
    "c": ("tree_sitter_c", "language"),
    "cpp": ("tree_sitter_cpp", "language"),
    "cuda": ("tree_sitter_cpp", "language"),
    "csharp": ("tree_sitter_c_sharp", "language"),
    "java": ("tree_sitter_java", "language"),
    "javascript": ("tree_sitter_javascript", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "go": ("tree_sitter_go", "language"),
    "rust": ("tree_sitter_rust", "language"),
    "ruby": ("tree_sitter_ruby", "language"),
    "php": ("tree_sitter_php", "language_php"),
    "kotlin": ("tree_sitter_kotlin", "language"),
    "scala": ("tree_sitter_scala", "language"),
    "lua": ("tree_sitter_lua", "language"),
    "bash": ("tree_sitter_bash", "language"),
    "css": ("tree_sitter_css", "language"),
}
PACKAGES = ("tree-sitter", *sorted({module.replace("_", "-") for module, _ in GRAMMARS.values()}))

CHUNK = 1 << 16
STEPS = 50
"""Calls of the parser's progress hook that any block may cost, and one more for each of its BYTES_A_STEP: counted, not timed, so
that the verdict is the same on a slow machine. Real code takes one a 180 bytes; a text that makes the parser follow many readings
at once takes far more."""
BYTES_A_STEP = 20


def parse(language: str, code: bytes, *, strict: bool = False) -> Any:
    """The tree, or None if it would take more work than a text of its size may; strict: or as soon as there is an error.

    Recovering from errors is most of the work, and of no use where only a text without any counts."""
    parser, left = _parser(language), STEPS + len(code) // BYTES_A_STEP

    def enough(_offset: int, error: bool) -> bool:
        nonlocal left
        left -= 1
        return left < 0 or (strict and error)

    try:
        return parser.parse(lambda at, _point: code[at : at + CHUNK], progress_callback=enough)
    except ValueError:  # "Parsing failed": stopped by the hook
        # What a scanner kept of the text must not meet the next one: another parser is made.
        _parser.cache_clear()
        return None


def errors(root: Any) -> Iterator[Any]:
    """ERROR and MISSING nodes, outermost first and in the order of the text."""
    stack = [root]
    while stack:
        node = stack.pop()
        if node.is_error or node.is_missing:
            yield node
        elif node.has_error:
            stack.extend(reversed(node.children))


@cache
def _parser(language: str) -> Any:
    module, function = GRAMMARS[language]
    try:
        from tree_sitter import Language, Parser

        grammar = getattr(import_module(module), function)()
    except ImportError as error:
        raise ConfigError(
            f"code: the package {error.name or module} is not installed: pip install 'corpusmill[code]'"
        ) from None
    return Parser(Language(grammar))
