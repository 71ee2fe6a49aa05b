"""A remote file, read by ranges. What was read last is kept, since columns of a row group are read in turns."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable

BLOCK = 4 << 20
"""Bytes of a request: at 30 ms a request, one reader gets some 50 MB/s, several times what it can judge."""

KEPT = 16
"""Blocks kept, 64 MiB a reader. A Parquet reader goes forward in every column at once: with more large columns than this, blocks
are fetched again."""


class Ranged(io.RawIOBase):
    """fetch: the bytes from a start up to an end."""

    def __init__(self, size: int, fetch: Callable[[int, int], bytes]) -> None:
        super().__init__()
        self._size, self._fetch, self._at = size, fetch, 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("a place before the file's beginning")
        self._at = base + offset
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """As many bytes as asked for, or up to the end: never fewer."""
        end = self._size if size is None or size < 0 else min(self._size, self._at + size)
        pieces = []
        while self._at < end:
            number, start = divmod(self._at, BLOCK)
            piece = self._block(number)[start : start + end - self._at]
            pieces.append(piece)
            self._at += len(piece)
        return b"".join(pieces)

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _block(self, number: int) -> bytes:
        if (block := self._blocks.pop(number, None)) is None:
            block = self._fetch(number * BLOCK, min(self._size, (number + 1) * BLOCK))
        self._blocks[number] = block
        while len(self._blocks) > KEPT:
            self._blocks.popitem(last=False)
        return block
