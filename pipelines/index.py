"""Where keys stand in a long list of them: millions in two arrays, where a dict would take a few hundred bytes for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

NOWHERE = -1


class Index:
    """Positions of keys, each of which is ``width`` bytes; of one that comes again the first. 12 bytes a key beside the keys."""

    def __init__(self, keys: np.ndarray) -> None:
        """keys: uint8[n, width], width at least 8; they should be spread evenly over their first eight bytes, as digests are."""
        self.keys = keys
        heads = _heads(keys)
        self._order = np.argsort(heads, kind="stable").astype(np.uint32)
        self._heads = heads[self._order]
        starts = np.flatnonzero(np.diff(self._heads, prepend=~self._heads[:1]) != 0)
        self._longest = int(np.diff(starts, append=len(heads)).max(initial=0))

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, keys: np.ndarray) -> np.ndarray:
        """int64[m]: where each of these keys stands, NOWHERE if it does not."""
        found = np.full(len(keys), NOWHERE, np.int64)
        at = np.searchsorted(self._heads, _heads(keys))
        for step in range(self._longest):  # more than one where two keys begin with the same eight bytes
            near = np.minimum(at + step, len(self.keys) - 1)
            place = self._order[near]
            same = (found == NOWHERE) & (self.keys[place] == keys).all(axis=1)
            found[same] = place[same]
        return found

    def one(self, key: bytes) -> int:
        """Of a single key."""
        return int(self.find(np.frombuffer(key, np.uint8).reshape(1, -1))[0])


def of_hex(keys: Iterable[str], width: int) -> np.ndarray:
    """uint8[n, width] of keys as hexadecimal text. Raises ValueError for any other."""
    data = bytearray()
    for key in keys:
        data += bytes.fromhex(key)
    return np.frombuffer(data, np.uint8).reshape(-1, width)


def of_column(column: pa.ChunkedArray) -> np.ndarray:
    """uint8[n, width] of a column of fixed width that has no nulls."""
    width = column.type.byte_width
    pieces = [
        np.frombuffer(c.buffers()[1], np.uint8)[c.offset * width : (c.offset + len(c)) * width] for c in column.chunks
    ]
    return np.concatenate(pieces).reshape(-1, width) if pieces else np.zeros((0, width), np.uint8)


def to_column(keys: np.ndarray) -> pa.Array:
    """Keys as a column of fixed width."""
    buffer = pa.py_buffer(np.ascontiguousarray(keys))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(keys.shape[1]), len(keys), [None, buffer])


def to_hex(keys: np.ndarray, piece: int = 1 << 16) -> Iterator[str]:
    """The text of each key."""
    digits = 2 * keys.shape[1]
    for at in range(0, len(keys), piece):
        text = keys[at : at + piece].tobytes().hex()
        yield from (text[i : i + digits] for i in range(0, len(text), digits))


def _heads(keys: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(keys[:, :8]).view(">u8").ravel().astype(np.uint64)
