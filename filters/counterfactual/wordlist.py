"""Lists of words as they are read: side by side."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())
