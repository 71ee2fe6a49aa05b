"""Text to tokens, straight from Arrow's bytes: words in spaced scripts, characters in CJK, Thai and their neighbours.

A token is a run of letters, a run of digits, one character of a script written without spaces, or one operator sign.
Letters are folded to lower case (ASCII only); commas, full stops, quotes, brackets and Markdown's signs are passed over,
so that a loop is seen through changes of punctuation. A run longer than PIECE bytes is cut into pieces, and so is a run of
passed-over bytes: ``aaaa...`` or ten thousand newlines turn into a loop of tokens and need no rule of their own.
"""

from __future__ import annotations

import numpy as np
from numba import njit

PIECE = 64
"""Bytes after which a run is cut."""

SKIP, SIGN, LETTER, DIGIT, WIDE = range(5)
"""Classes of bytes. WIDE: the first byte of a character beyond ASCII, looked at in ``_wide``."""

NUMBER = np.uint64(1 << 63)
"""Bit set in the code of a number; the rest is its value (or a hash, with HASHED set, when it has more than 17 digits)."""
HASHED = np.uint64(1 << 62)

_SEED = np.uint64(0x9E3779B97F4A7C15)
_PRIME = np.uint64(0x100000001B3)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_LOW = np.uint64((1 << 62) - 1)
_SHIFT = np.uint64(29)
_TEN = np.uint64(10)


def _classes() -> np.ndarray:
    table = np.full(256, SKIP, np.uint8)
    table[list(b"+-=<>|/?!^&%$@~\\{}[]")] = SIGN
    table[list(range(ord("a"), ord("z") + 1)) + list(range(ord("A"), ord("Z") + 1)) + [ord("_")]] = LETTER
    table[list(range(ord("0"), ord("9") + 1))] = DIGIT
    table[0x80:] = WIDE
    return table


CLASSES = _classes()


@njit(cache=True, nogil=True)
def _wide(text: np.ndarray, at: int, end: int) -> tuple[int, int]:
    """(class, bytes) of the character at ``at``, whose first byte is not ASCII. WIDE here: a token by itself."""
    lead = text[at]
    if lead < 0xE0:  # U+0080..U+07FF: Latin, Greek, Cyrillic, Hebrew, Arabic
        size = min(2, end - at)
        return (SKIP if lead == 0xC2 else LETTER), size  # U+0080..U+00BF are controls, spaces and signs
    if lead >= 0xF0:
        size = min(4, end - at)
        # U+20000 and up are ideographs, U+1xxxx mostly emoji and mathematical letters: all stand for themselves.
        return WIDE, size
    size = min(3, end - at)
    second = text[at + 1] if size > 1 else 0
    third = text[at + 2] if size > 2 else 0
    code = (int(lead & 0x0F) << 12) | (int(second & 0x3F) << 6) | int(third & 0x3F)
    if code < 0x0E00:  # Indic scripts
        return LETTER, size
    if code < 0x0F00 or 0x1000 <= code < 0x10A0 or 0x1780 <= code < 0x1800:  # Thai, Lao; Burmese; Khmer
        return WIDE, size
    if 0x2000 <= code < 0x2070:  # dashes, quotes, thin spaces, dots
        return SKIP, size
    if 0x2070 <= code < 0x2C00:  # arrows, operators, box drawing
        return SIGN, size
    if 0x3000 <= code < 0x3040:  # CJK punctuation
        return SKIP, size
    if 0x3040 <= code < 0xA000 or 0xF900 <= code < 0xFB00:  # kana, ideographs
        return WIDE, size
    if 0xFF00 <= code < 0xFFF0:  # full-width forms, mostly punctuation
        return SKIP, size
    return LETTER, size


@njit(cache=True, nogil=True)
def tokenize(
    text: np.ndarray,
    start: int,
    end: int,
    fences: int,
    classes: np.ndarray,
    codes: np.ndarray,
    starts: np.ndarray,
    sizes: np.ndarray,
    words: np.ndarray,
    fence: np.ndarray,
) -> tuple[int, int, int, int]:
    """Fill the token arrays from ``text[start:end]`` until the text or the arrays end.

    codes: what is compared. starts: byte offset from ``start``. sizes: bytes, at most PIECE. words: how many words stand
    before the token (one more entry than tokens); a sign is no word. fence: how many code fences were passed, so an odd
    number is code. Returns how many tokens there are, the byte after the last, fences passed and how many are numbers.
    """
    room = len(codes)
    count, word, numbers, at = 0, 0, 0, start
    while at < end and count < room:
        kind, size = classes[text[at]], 1
        if kind == WIDE:
            kind, size = _wide(text, at, end)
        begin = at
        if kind == LETTER:
            value = _SEED
            limit = min(end, begin + PIECE)
            while True:
                if size == 1:
                    byte = text[at]
                    if byte <= 0x5A:
                        byte |= 0x20
                    value = (value ^ np.uint64(byte)) * _PRIME
                else:
                    for k in range(at, at + size):
                        value = (value ^ np.uint64(text[k])) * _PRIME
                at += size
                if at >= limit:
                    break
                after = classes[text[at]]
                size = 1
                if after == WIDE:
                    after, size = _wide(text, at, end)
                if after != LETTER or at + size > limit:
                    break
            value = ((value ^ (value >> _SHIFT)) * _MIX) & _LOW
        elif kind == DIGIT:
            value = np.uint64(0)
            limit = min(end, begin + PIECE)
            while at < limit and classes[text[at]] == DIGIT:
                value = value * _TEN + np.uint64(text[at] - 48)
                at += 1
            if at - begin > 17:
                value = (value * _MIX & _LOW) | HASHED
            value |= NUMBER
            numbers += 1
        elif kind == SKIP:
            limit = min(end, begin + PIECE)
            same = _SEED
            while True:
                same = (same ^ np.uint64(text[at])) * _PRIME
                at += size
                if at >= limit:
                    break
                after = classes[text[at]]
                size = 1
                if after == WIDE:
                    after, size = _wide(text, at, end)
                if after != SKIP:
                    break
            # Three backticks or tildes at the start of a line open or close a code block.
            for k in range(begin, min(at, end) - 2):
                mark = text[k]
                if mark == 0x60 and text[k + 1] == mark and text[k + 2] == mark:
                    if k == start or text[k - 1] == 0x0A or text[k - 1] == 0x20:
                        fences += 1
                    break
            if at - begin < PIECE:
                continue
            value = (same * _MIX) & _LOW
        else:
            value = _SEED
            for k in range(begin, min(begin + size, end)):
                value = (value ^ np.uint64(text[k])) * _PRIME
            value = ((value ^ (value >> _SHIFT)) * _MIX) & _LOW
            at += size
        codes[count] = value
        starts[count] = begin - start
        sizes[count] = at - begin
        words[count] = word
        fence[count] = fences
        if kind != SIGN:
            word += 1
        count += 1
    words[count] = word
    return count, at, fences, numbers
