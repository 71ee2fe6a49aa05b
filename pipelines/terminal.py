"""Words for a terminal: what others wrote (names of files and columns, text of records) cannot move its cursor or give it orders."""

from __future__ import annotations

import re
import sys
from typing import Any, TextIO

_ORDERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but for tab and newline; what turns the direction of the text around it; halves of surrogate pairs, which no
encoding can print."""


def printable(text: str) -> str:
    r"""The text with each control character as its escape, ``\x1b``."""
    return _ORDERS.sub(lambda found: ascii(found[0])[1:-1], text)


def tell(line: str) -> None:
    """One line of ours on standard error."""
    print(f"corpusmill: {printable(line)}", file=sys.stderr)


class Printable:
    """A stream that takes text as ``printable`` shows it; all else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(printable(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
