"""SQL: by sqlglot, in the dialect that the fence names, or in any."""

from __future__ import annotations

import logging
import re

from filters.code.languages import SQL_DIALECTS
from filters.code.verdict import PARSES, Verdict, broken, open_
from filters.contract import ConfigError

LONGEST = 16 << 10
"""Bytes; the parser is in Python, and takes milliseconds a line and dialect, more where nothing fits."""

MANY = 2 << 10
"""Bytes of a text that is tried in every dialect; a longer one only in its own and in the common one."""

ANY = ("", "postgres", "mysql", "tsql", "oracle", "sqlite", "bigquery", "snowflake", "duckdb")

_PROCEDURAL = re.compile(
    rb"(?im)\bdelimiter\b|\b(?:create|alter)\s+(?:or\s+\w+\s+)?(?:definer\s*=\s*\S+\s+)?(?:procedure|function|trigger|package|event|rule|policy|domain"
    rb"|operator|aggregate|cast|publication|extension|virtual|role|user|login|server)\b|\bdeclare\b|\bbegin\s*$"
    rb"|\bend\s+if\b|\bloop\b|^[ \t]*\\\w|^[ \t]*\.\w+|^[ \t]*go\s*$"
    rb"|\$\$|^[ \t]*(?:exec|execute|call|grant|revoke|set|explain|analyze|vacuum|pragma|show|use|load|lock"
    rb"|prepare|do|print|raise|optimize|sp_\w+)\b|^[ \t]*@"
)
"""Statements that sqlglot does not claim to read: procedures, clients' own commands, administration."""


def check(code: bytes, name: str | None) -> Verdict:
    """verified if one dialect takes every statement; refuted if none does, at the error of the first that was tried."""
    try:
        import sqlglot
        from sqlglot import errors
    except ImportError:
        raise ConfigError("code: the package sqlglot is not installed: pip install 'corpusmill[code]'") from None
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
    if len(code) > LONGEST:
        return open_("too_large")
    text = code.decode("utf-8", "replace")
    told = SQL_DIALECTS.get(name or "")
    first: int | None = None
    for dialect in ((told,) if told else ()) + (ANY if len(code) <= MANY else ANY[:2]):
        try:
            parsed = sqlglot.parse(text, dialect=dialect or None, error_level=errors.ErrorLevel.RAISE)
        except errors.SqlglotError as error:
            if _PROCEDURAL.search(code):
                return open_("dialect", _place(code, error))
            first = _place(code, error) if first is None else first
            continue
        except (RecursionError, ValueError, AttributeError, TypeError, IndexError, KeyError):
            return open_("too_complex")
        if any(statement is not None and statement.key == "command" for statement in parsed):
            return open_("dialect")
        return PARSES
    return broken(first or 0)


def _place(code: bytes, error: Exception) -> int:
    line = next((e.get("line") for e in getattr(error, "errors", ()) if e.get("line")), None)
    if line is None:
        return 0
    return sum(len(part) + 1 for part in code.split(b"\n")[: int(line) - 1])
