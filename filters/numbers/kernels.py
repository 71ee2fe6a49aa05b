"""One compiled pass: the relation signs that numbers stand around, out of all bytes of a text."""

from __future__ import annotations

import numpy as np
from numba import njit

REACH = 96
"""Bytes on either side of a sign in which a digit is looked for."""

_DIGIT = np.array([48 <= c <= 57 for c in range(256)])
_WORK = np.isin(np.arange(256), np.frombuffer(b"+-*/^!%xX\\", np.uint8)) | (np.arange(256) >= 0x80)
"""What one of the two sides must hold: an operator, a LaTeX command, or the first byte of one beyond ASCII."""
_COMPARING = np.isin(np.arange(256), np.frombuffer(b"=!<>:+-*/", np.uint8))
"""Bytes that make an equals sign before or behind them another operator (``==``, ``!=``, ``=>``)."""


@njit(cache=True, nogil=True)
def _is_sign(data, p, high) -> int:  # type: ignore[no-untyped-def]
    """Bytes of the relation sign at p, or 0: = ≈ ≡ ≃ ≅ ＝ \\approx \\equiv \\simeq."""
    c = data[p]
    if c == 61:
        before = p > 0 and data[p - 1] != 45 and _COMPARING[data[p - 1]]
        after = p + 1 < high and (data[p + 1] == 61 or data[p + 1] == 62)
        return 0 if before or after else 1
    if c == 0xE2 and p + 2 < high and data[p + 1] == 0x89:
        return 3 if data[p + 2] in (0x88, 0xA1, 0x83, 0x85) else 0
    if c == 0xEF and p + 2 < high and data[p + 1] == 0xBC and data[p + 2] == 0x9D:
        return 3
    if c == 92 and p + 6 < high:
        a, b, d = data[p + 1], data[p + 2], data[p + 3]
        if (
            (a == 97 and b == 112 and d == 112)
            or (a == 101 and b == 113 and d == 117)
            or (a == 115 and b == 105 and d == 109)
        ):
            return 6
    return 0


@njit(cache=True, nogil=True)
def signs(data, low, high, out) -> int:  # type: ignore[no-untyped-def]
    """Offsets of the signs in data[low:high] with a digit on both sides and an operator on one, on their line and within REACH;
    written to ``out``. Returns how many there are, at most as many as ``out`` takes."""
    found = 0
    p = low
    while p < high and found < len(out):
        width = _is_sign(data, p, high)
        if width == 0:
            p += 1
            continue
        digits, work = 0, False
        q = p - 1
        while q >= low and q > p - REACH and data[q] != 10:
            work |= _WORK[data[q]]
            if _DIGIT[data[q]]:
                digits |= 1
            q -= 1
        q = p + width
        while q < high and q < p + width + REACH and data[q] != 10:
            work |= _WORK[data[q]]
            if _DIGIT[data[q]]:
                digits |= 2
            q += 1
        if digits == 3 and work:
            out[found] = p - low
            found += 1
        p += width
    return found
