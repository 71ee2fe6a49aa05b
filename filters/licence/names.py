"""The plain form of what people call a licence: one key for all spellings of one name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

LATER = "+"
"""The token of "or any later version"."""

_TOKEN = re.compile(r"[^\W\d_]+|\d+(?:\.\d+)*|\+(?!\w)")
_V = re.compile(r"(?<=[a-z])v(?=\d)")
"""The v of ``gplv3``."""
_OR_LATER = re.compile(
    r"[\s,(-]{0,3}\bor[\s-]{1,3}(?:\(?\s?at your option\s?\)?\s?)?(?:any[\s-]{1,3})?"
    r"(?:later|newer|above|greater|higher)\b(?:\sversions?\b)?\)?",
    re.IGNORECASE,
)
"""Gaps are bounded: a run of them in a hostile value must not take time that grows with its square."""
_AT_LEAST = re.compile(r"\(?\s*(?:>=|≥)\s*v?(\d[\d.]*)\s*\)?")


def tidy(text: str) -> str:
    """One line in compatibility form, with "or later" in all its spellings as ``+``."""
    text = " ".join(unicodedata.normalize("NFKC", text).split())
    return _OR_LATER.sub(LATER, _AT_LEAST.sub(r" \1+", text))


class Namer:
    """Makes keys. words: phrase -> short name; noise: words that tell no licences apart."""

    def __init__(self, words: Mapping[str, str], noise: Iterable[str]) -> None:
        self._noise = frozenset(noise)
        self._phrases = {tuple(_TOKEN.findall(p)): _TOKEN.findall(short) for p, short in words.items()}
        self._longest = max(map(len, self._phrases), default=0)
        self._starts = {phrase[0] for phrase in self._phrases}

    def key(self, text: str) -> str:
        """``Apache License, Version 2.0``, ``apache_v2`` and ``Apache-2.0`` are all ``apache 2.0``."""
        tokens = _TOKEN.findall(_V.sub(" ", tidy(text).casefold()))
        return " ".join(_number(t) for t in self._short(self._short(tokens)) if t not in self._noise)

    def _short(self, tokens: list[str]) -> list[str]:
        """Phrases replaced by the names that stand for them, the longest first."""
        out: list[str] = []
        i = 0
        while i < len(tokens):
            for size in range(self._longest if tokens[i] in self._starts else 0, 0, -1):
                short = self._phrases.get(tuple(tokens[i : i + size]))
                if short is not None:
                    out += short
                    i += size
                    break
            else:
                out.append(tokens[i])
                i += 1
        return out


def _number(token: str) -> str:
    """``2``, ``2.0`` and ``2.0.0`` are one version."""
    if not token[0].isdecimal():
        return token
    return f"{short}.0" if "." not in (short := re.sub(r"(?:\.0+)+$", "", token)) else short
