"""Text inside JSON: looking at it without its escapes, and changing it so that the document still parses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

CODED = rb"\\u[0-9a-fA-F]{4}"
"""A character by its number. A scan of the raw bytes sees nothing through it, so a text that has one is looked at."""
_CODED = re.compile(rb"(\\+)u[0-9a-fA-F]{4}(?:\1u[0-9a-fA-F]{4})*")
_ESCAPES = re.compile(rb"(\\+)([nrtbf\"/])")
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*', re.DOTALL)
_OPENERS = (b"{", b"[", b'"')
Edit = tuple[int, int, str]


def looks_like(data: bytes) -> bool:
    return data[:64].lstrip()[:1] in _OPENERS


def parses(data: bytes) -> bool:
    return _parse(data) is not None


def _parse(data: bytes) -> Any:
    try:
        return (orjson.loads(data),)
    except orjson.JSONDecodeError:
        return None


@dataclass(frozen=True)
class View:
    """A text as a reader sees it. at: where each of its bytes, and its end, stand in the text as written; None: in place."""

    data: bytes
    at: np.ndarray | None = None

    def written(self, at: int) -> int:
        return at if self.at is None else int(self.at[at])

    def seen(self, start: int, end: int) -> str:
        """What stands between two places of the text as written."""
        if self.at is not None:
            start, end = (int(i) for i in np.searchsorted(self.at, (start, end)))
        return self.data[start:end].decode("utf-8", "replace")


def view(data: bytes) -> View:
    r"""JSON with escaped white space and quotes blanked, so that ``\n555`` is not read as "n555", and with the characters that
    ``\u0040`` stands for. Any other text as it is."""
    if b"\\" not in data or not looks_like(data):
        return View(data)
    data = _ESCAPES.sub(_blank, data)
    return _decoded(data) if b"\\u" in data else View(data)


def _decoded(data: bytes) -> View:
    out: list[bytes] = []
    at: list[np.ndarray] = []
    last = 0
    for run in _CODED.finditer(data):
        out.append(data[last : run.start()])
        at.append(np.arange(last, run.start()))
        stride = len(run.group(1)) + 5
        units = bytes.fromhex(run.group().replace(run.group(1) + b"u", b"").decode())
        text = units.decode("utf-16-be", "replace")
        # Two units make one character beyond the first 65,536; half of such a pair by itself is a character of no use.
        count = [2 if ord(c) > 0xFFFF else 1 for c in text]
        sizes = [len(c.encode()) for c in text]
        first = run.start() + stride * (np.cumsum(count) - count)
        out.append(text.encode())
        at.append(np.repeat(first, sizes))
        last = run.end()
    out.append(data[last:])
    at.append(np.arange(last, len(data) + 1))
    return View(b"".join(out), np.concatenate(at))


def _blank(match: re.Match[bytes]) -> bytes:
    slashes, letter = match.group(1), match.group(2)
    # In nested documents an escape has several backslashes; an even number may also be literal backslashes, which is as well.
    last = letter if letter in b'"/' else b"\n"
    return b" " * len(slashes) + last if letter != b"/" else slashes[:-1] + b" /"


def fit(data: bytes, edits: list[Edit]) -> list[Edit]:
    """The edits (byte ranges, sorted, apart) as they have to be for the document to parse; as they are when it is no JSON.

    Inside a string a replacement is escaped; a number, or a part of one, becomes a string unless the
    replacement is a number.
    """
    if not looks_like(data) or not parses(data):
        return edits
    fitted = _fit(data, 0, len(data), edits, 0)
    return fitted if parses(apply(data, fitted)) else _whole_tokens(data, edits)


def _fit(data: bytes, low: int, high: int, edits: list[Edit], depth: int) -> list[Edit]:
    out: list[Edit] = []
    at = 0
    for token in _TOKENS.finditer(data, low, high):
        while at < len(edits) and edits[at][1] <= token.start():
            at += 1
        mine = [e for e in edits[at:] if e[0] < token.end() and e[1] > token.start()]
        if not mine:
            if at >= len(edits):
                break
            continue
        if data[token.start()] != 0x22:
            out.append((token.start(), token.end(), _scalar(mine[0][2])))
            continue
        inside = [_inside(data, token.start() + 1, token.end() - 1, e) for e in mine]
        out += _nested(data, token.start(), token.end(), [e for e in inside if e[0] < e[1]])
    return out


def _scalar(text: str) -> str:
    """In the place of a number: a number if the replacement is one (a made-up telephone), or else a string."""
    return text if re.fullmatch("[1-9][0-9]*", text, re.ASCII) else orjson.dumps(text).decode()


def _inside(data: bytes, low: int, high: int, edit: Edit) -> Edit:
    r"""The edit within one string, not starting or ending in the middle of an escape such as ``\u00e9``."""
    start, end, text = max(low, edit[0]), min(high, edit[1]), edit[2]
    for match in re.compile(rb"\\(?:u[0-9a-fA-F]{4}|.)", re.DOTALL).finditer(
        data, max(low, _run(data, low, start)), high
    ):
        if match.start() < start < match.end():
            start = match.start() if match.group()[1:2] == b"u" else match.end()
        if match.start() < end < match.end():
            end = match.end()
        if match.start() >= end:
            break
    return start, end, orjson.dumps(text)[1:-1].decode()


def _run(data: bytes, low: int, start: int) -> int:
    """A place before ``start`` that is surely not inside an escape: where the last run without backslashes began."""
    at = start - 6
    while (at > low and data[at] == 0x5C) or (at > low and data[at - 1] == 0x5C):
        at -= 1
    return max(at, low)


def _nested(data: bytes, low: int, high: int, edits: list[Edit]) -> list[Edit]:
    """Edits of one string that may itself hold a JSON document, in which bare numbers must become strings too."""
    raw = data[low:high]
    inner = _parse(raw)
    if (
        not edits
        or inner is None
        or not isinstance(inner[0], str)
        or not looks_like(inner[0].encode("utf-8", "replace"))
    ):
        return edits
    if not parses(inner[0].encode("utf-8", "replace")) or _nested_parses(data, low, high, edits):
        return edits
    quoted = []
    for start, end, text in edits:
        while start > low + 1 and data[start - 1 : start] in b"-+.0123456789eE":
            start -= 1
        while end < high - 1 and data[end : end + 1] in b"-+.0123456789eE":
            end += 1
        bare = data[low:start].rstrip()[-1:] in (b":", b"[", b",") and data[end:high].lstrip()[:1] in (b",", b"}", b"]")
        quoted.append((start, end, f'\\"{text}\\"' if bare and not text.isdigit() else text))
    return quoted


def _nested_parses(data: bytes, low: int, high: int, edits: list[Edit]) -> bool:
    changed = _parse(apply(data[low:high], [(s - low, e - low, t) for s, e, t in edits]))
    return changed is not None and isinstance(changed[0], str) and parses(changed[0].encode("utf-8", "replace"))


def _whole_tokens(data: bytes, edits: list[Edit]) -> list[Edit]:
    """The last resort: whatever string or number an edit touches is replaced as a whole."""
    out = []
    for token in _TOKENS.finditer(data):
        mine = [e for e in edits if e[0] < token.end() and e[1] > token.start()]
        if mine:
            text = mine[0][2]
            out.append(
                (token.start(), token.end(), _scalar(text) if token[0][:1] != b'"' else orjson.dumps(text).decode())
            )
    return out


def apply(data: bytes, edits: list[Edit]) -> bytes:
    out, at = [], 0
    for start, end, text in edits:
        out += [data[at:start], text.encode()]
        at = end
    return b"".join([*out, data[at:]])
