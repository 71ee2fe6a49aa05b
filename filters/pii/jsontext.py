"""Text inside JSON: looking at it without its escapes, and changing it so that the document still parses."""

from __future__ import annotations

import re
from typing import Any

import orjson

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


def view(data: bytes) -> bytes:
    r"""The same bytes with escaped white space and quotes blanked, so that ``\n555`` is not read as "n555". Same length."""
    if b"\\" not in data or not looks_like(data):
        return data
    return _ESCAPES.sub(_blank, data)


def _blank(match: re.Match[bytes]) -> bytes:
    slashes, letter = match.group(1), match.group(2)
    # In nested documents an escape has several backslashes; an even number may also be literal backslashes, which is as well.
    last = letter if letter in b'"/' else b"\n"
    return b" " * len(slashes) + last if letter != b"/" else slashes[:-1] + b" /"


def fit(data: bytes, edits: list[Edit]) -> list[Edit]:
    """The edits (byte ranges, sorted, apart) as they have to be for the document to parse; as they are when it is no JSON.

    Inside a string a replacement is escaped; a number, or a part of one, becomes a string.
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
            out.append((token.start(), token.end(), orjson.dumps(mine[0][2]).decode()))
            continue
        inside = [_inside(data, token.start() + 1, token.end() - 1, e) for e in mine]
        out += _nested(data, token.start(), token.end(), [e for e in inside if e[0] < e[1]])
    return out


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
        quoted.append((start, end, f'\\"{text}\\"' if bare else text))
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
            out.append((token.start(), token.end(), orjson.dumps(mine[0][2]).decode()))
    return out


def apply(data: bytes, edits: list[Edit]) -> bytes:
    out, at = [], 0
    for start, end, text in edits:
        out += [data[at:start], text.encode()]
        at = end
    return b"".join([*out, data[at:]])
