"""The elements of a JSON array, one at a time: a set that is one array of records is read in the memory of its largest record.

Only brackets, commas and strings are looked at here. What an element is, and whether it is JSON at all, its reader finds out, so
that a broken one is rejected by itself, like a broken line.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import IO

import numpy as np

CHUNK = 1 << 20
BOM = b"\xef\xbb\xbf"


def records(stream: IO[bytes]) -> Iterator[bytes]:
    """What stands between the commas of the outermost array, or on each line where there is none; stripped, and none is empty. What is
    left at the end of a torn file comes last, as it is."""
    head = stream.read(CHUNK).removeprefix(BOM)
    # Imported here: numba takes a second, which `plan` has no use for.
    from pipelines.formats.separators import separators

    state = np.zeros(3, np.int64) if head.lstrip().startswith(b"[") else None
    pending: list[bytes] = []
    for chunk in chain([head], iter(lambda: stream.read(CHUNK), b"")):
        data = np.frombuffer(chunk, np.uint8)
        start = 0
        for at in np.flatnonzero(data == 0x0A) if state is None else separators(data, state):
            if record := b"".join((*pending, chunk[start:at])).strip():
                yield record
            pending, start = [], int(at) + 1
        pending.append(chunk[start:])
    if record := b"".join(pending).strip():
        yield record


def are_records(head: bytes) -> bool:
    """Whether a file that begins so is an array of objects, or objects one a line. A ``.json`` file may as well hold settings."""
    head = head.removeprefix(BOM).lstrip()
    if head.startswith(b"["):
        return head[1:].lstrip().startswith(b"{")
    line, _, rest = head.partition(b"\n")
    return line.startswith(b"{") and line.rstrip().endswith(b"}") and rest.lstrip().startswith(b"{")
