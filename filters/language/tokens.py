"""Tokens of a line, compiled: markup is skipped, words are told from code and copied. UTF-8, never decoded.

What is here is compiled into ``kernels.collect``, and only that is cached.
"""

from __future__ import annotations

from numba import njit

MAX_WORD = 30
"""ASCII words longer than this are identifiers, hashes or noise."""

NEUTRAL, WORD, CODE = 0, 1, 2


@njit(nogil=True)
def is_letter(c: int) -> bool:
    return 97 <= (c | 32) <= 122


@njit(nogil=True)
def is_space(c: int) -> bool:
    return c <= 32


@njit(nogil=True)
def find(data, a, b, c, d) -> int:  # type: ignore[no-untyped-def]
    """Offset of byte c (followed by d, unless d is 0) in a:b, or -1."""
    for p in range(a, b):
        if data[p] == c and (d == 0 or (p + 1 < b and data[p + 1] == d)):
            return p
    return -1


@njit(nogil=True)
def skip_markup(data, p, b) -> tuple[int, bool]:  # type: ignore[no-untyped-def]
    """Past inline code, a formula or a tag that begins at p (p itself if none does), and whether a display formula opens."""
    c = data[p]
    following = data[p + 1] if p + 1 < b else 32
    if c == 96:  # `code`
        run = p
        while run < b and data[run] == 96:
            run += 1
        close = find(data, run, b, 96, 0)
        while close >= 0 and close < b and data[close] == 96:
            close += 1
        return (close if close > 0 else run), False
    if c == 36:  # $x$ or $$; an amount of money begins with a digit
        if following == 36:
            close = find(data, p + 2, b, 36, 36)
            return (close + 2, False) if close >= 0 else (b, True)
        if following > 32 and not 48 <= following <= 57:
            close = find(data, p + 1, b, 36, 0)
            return (close + 1 if close >= 0 else p + 1), False
        return p + 1, False
    if c == 92:  # \( \), \[ \], \command
        if following == 40 or following == 91:
            close = find(data, p + 2, b, 92, following + (1 if following == 40 else 2))
            if close >= 0:
                return close + 2, False
            return (b, True) if following == 91 else (p + 2, False)
        p += 1
        while p < b and (is_letter(data[p]) or data[p] == 92):
            p += 1
        while p < b and data[p] == 123:  # {argument}
            close = find(data, p, b, 125, 0)
            if close < 0:
                break
            p = close + 1
        return p, False
    if c == 60 and (is_letter(following) or following == 47 or following == 33):  # <tag>
        close = find(data, p, min(b, p + 200), 62, 0)
        if close >= 0:
            return close + 1, False
    return p, False


@njit(nogil=True)
def ascii_word(data, a, b) -> tuple[int, int, int]:  # type: ignore[no-untyped-def]
    """What an ASCII token is, and the bounds of its letters: a word, code, or neither (numbers, bullets, addresses)."""
    while a < b and not is_letter(data[a]) and data[a] in (34, 39, 40, 91, 42, 95, 45, 62, 35):  # "'([*_->#
        a += 1
    quoted = False
    while a < b and data[b - 1] in (46, 44, 59, 58, 33, 63, 41, 93, 34, 39, 42, 95):  # .,;:!?)]"'*_
        if data[b - 1] == 34 and b < len(data) and data[b] == 58:
            quoted = True  # "key":
        b -= 1
    if a == b:
        return NEUTRAL, a, b
    letters = symbols = 0
    operators = humps = brackets = False
    for p in range(a, b):
        c = data[p]
        if is_letter(c):
            letters += 1
            humps |= p > a and c <= 90 and 97 <= data[p - 1] <= 122
        elif (c == 58 and p + 2 < b and data[p + 1] == 47 and data[p + 2] == 47) or c == 64:  # ://
            return NEUTRAL, a, b
        elif (c == 39 or c == 45) and p > a:  # ' -
            pass
        else:
            symbols += 1
            brackets |= c in (40, 41, 123, 125, 91, 93)  # (){}[]
            operators |= c in (61, 60, 62, 124, 95, 43, 59, 38)  # =<>|_+;&
    if quoted:
        return CODE, a, b
    if letters == 0:
        return (CODE if brackets else NEUTRAL), a, b  # arithmetic in a sentence is no code
    if symbols == 0 and not humps and b - a <= MAX_WORD:
        return WORD, a, b
    return (CODE if brackets or operators or humps or (symbols > 0 and letters > 2) else NEUTRAL), a, b


@njit(nogil=True)
def copy_ascii(data, a, b, text, at) -> int:  # type: ignore[no-untyped-def]
    """The word and a space; words in capitals are lowered, since the model was trained on running text."""
    capitals = b - a > 1
    for p in range(a, b):
        capitals &= not 97 <= data[p] <= 122
    for p in range(a, b):
        c = data[p]
        text[at] = c | 32 if capitals and 65 <= c <= 90 else c
        at += 1
    text[at] = 32
    return at + 1


@njit(nogil=True)
def copy_wide(data, a, b, text, at) -> tuple[int, int]:  # type: ignore[no-untyped-def]
    """A token with letters beyond ASCII, cleaned, and a space. Returns where it ends and the letters in it.

    ASCII letters stay among accented, Cyrillic or Arabic ones and go among scripts of three bytes (a Latin name in a
    Chinese sentence says nothing of the language).
    """
    dense = False
    for p in range(a, b):
        if 0xE0 <= data[p] < 0xF0 and data[p] != 0xE2:
            # Vietnamese and old Greek have letters of three bytes, too (E1 B8 to E1 BF).
            dense |= data[p] != 0xE1 or p + 1 == b or data[p + 1] < 0xB8
    begun, letters = at, 0
    p = a
    while p < b:
        c = data[p]
        n = 1 if c < 0x80 else 2 if c < 0xE0 else 3 if c < 0xF0 else 4
        n = min(n, b - p)
        second = data[p + 1] if n > 1 else 0
        weight = 0  # of a letter; 0: kept but not counted; -1: a space instead
        if n == 1:
            weight = -1 if not is_letter(c) or dense else 1
            if (c == 39 or c == 45) and not dense:
                weight = 0
        elif n == 2:
            weight = 1
            if c == 0xC2 or (c == 0xC3 and (second == 0x97 or second == 0xB7)):
                weight = -1
        elif c == 0xE2 and second < 0xB0:
            weight = -1
            if second == 0x80 and n == 3 and data[p + 2] == 0x99:  # ’
                text[at] = 39
                at += 1
                p += 3
                continue
        elif n == 4:
            weight = -1
            if 0xA0 <= second <= 0xB3 and c == 0xF0:
                weight = 3
        elif (c == 0xE3 and second == 0x80) or (c == 0xEF and second >= 0xB8):  # punctuation and wide forms
            weight = 0
        elif c == 0xE3 and 0x83 < second < 0x90:  # Bopomofo, circled signs
            weight = 1
        elif 0xE3 <= c <= 0xE9 or (c == 0xEA and second >= 0xB0) or 0xEB <= c <= 0xED:  # kana, ideographs, Hangul
            weight = 3
        else:
            weight = 1
        if weight < 0:
            text[at] = 32
            at += 1
        else:
            letters += weight
            for j in range(n):
                text[at] = data[p + j]
                at += 1
        p += n
    if letters == 0:
        return begun, 0
    text[at] = 32
    return at + 1, letters
