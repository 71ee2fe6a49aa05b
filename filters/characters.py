"""What kinds of characters there are, as tables that kernels look code points up in."""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np

SPACE, ALPHA, SYMBOL, WORD, ALONE, TERMINAL = (1 << i for i in range(6))
"""Bits of a character: white space; a letter; punctuation; part of a word; a word by itself (ideographs, kana); ends a sentence."""


@cache
def kinds() -> np.ndarray:
    """uint8[0x110000]: the bits of every character."""
    from datatrove.utils.text import PUNCTUATION_SET, TERMINAL_PUNCTUATION

    out = np.zeros(0x110000, np.uint8)
    # Planes beyond these hold no letters and no spaces.
    for point in (*range(0xD800), *range(0xE000, 0x32400)):
        c = chr(point)
        out[point] = SPACE * c.isspace() + ALPHA * c.isalpha() + WORD * (c.isalnum() or c == "_" or _is_mark(c))
    for c in PUNCTUATION_SET:
        out[ord(c)] |= SYMBOL
    for c in TERMINAL_PUNCTUATION:
        out[ord(c)] |= TERMINAL
    for low, high in ((0x2E80, 0xA000), (0xF900, 0xFB00), (0x20000, 0x32000)):
        letters = (out[low:high] & ALPHA) != 0
        out[low:high][letters] |= ALONE
    return out


def _is_mark(c: str) -> bool:
    return ord(c) > 0x2FF and unicodedata.category(c)[0] == "M"


@cache
def folded() -> np.ndarray:
    """uint32[0x110000]: each character's lower case, where that is one character."""
    out = np.arange(0x110000, dtype=np.uint32)
    for point in range(0x1E944):
        lower = chr(point).lower()
        if len(lower) == 1:
            out[point] = ord(lower)
    return out
