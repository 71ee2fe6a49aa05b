"""Where the elements of a JSON array begin and end, by its bytes alone."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def separators(data: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Where an element begins or ends. state carries depth, and whether we are in a string and after a backslash, to the next chunk."""
    depth, string, escaped = state[0], state[1], state[2]
    found = np.empty(len(data), np.int64)
    n = 0
    for i in range(len(data)):
        c = data[i]
        if string:
            if escaped:
                escaped = 0
            elif c == 0x5C:
                escaped = 1
            elif c == 0x22:
                string = 0
        elif c == 0x22:
            string = 1
        elif c == 0x7B or c == 0x5B:
            if depth == 0 and c == 0x5B:
                found[n] = i
                n += 1
            depth += 1
        elif c == 0x7D or c == 0x5D:
            depth = max(depth - 1, 0)
            if depth == 0:
                found[n] = i
                n += 1
        elif c == 0x2C and depth == 1:
            found[n] = i
            n += 1
    state[0], state[1], state[2] = depth, string, escaped
    return found[:n]
