"""Licences that stand in texts: SPDX headers, and the notices that licences ask to be put on top of a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from filters.batch import CONTENT, REASONING, TOOL_CALL, TOOL_RESULT, Batch
from filters.scan import Pattern, PatternSet

BEFORE, AFTER = 200, 2500
"""Bytes around a hit that a notice is read from: the two- and three-clause BSD differ a thousand bytes in."""
MOST_HITS = 200
"""Hits looked at in one segment."""

_GAP = r"(?:\\[nrt]|[^A-Za-z0-9\\]){1,40}"
"""What may stand between two words of a notice: a line's end and the next line's comment sign; in JSON, ``\\n``."""


def _words(text: str) -> str:
    return _GAP.join(text.split())


@dataclass(frozen=True)
class Notice:
    """anchor: words that a scan finds; reads: the notice in plain words around it -> SPDX expression."""

    id: str
    anchor: str
    reads: Callable[[str], str | None]


_GNU = re.compile(
    r"the terms of (?:version (?P<v1>[\d.]+) of )?the gnu (?P<kind>lesser |library |affero )?general public licen[sc]e"
    r"(?:,? ?version (?P<v2>[\d.]+)|,? ?v(?P<v3>[\d.]+))?,? ?(?:\(?[al]?gpl\)?,? ?)?as published by the free software foundation"
    r"(?P<rest>.{0,200})"
)
_VERSION = re.compile(r"version (\d(?:\.\d)?)")


def _gnu(text: str) -> str | None:
    """The GNU licences' own notice. Without a version in it, any was meant."""
    found = _GNU.search(text)
    if not found:
        return None
    rest = re.split(r"this (?:program|library|file|software)|you should have received", found["rest"])[0]
    version = found["v1"] or found["v2"] or found["v3"] or ((m := _VERSION.search(rest)) and m[1])
    name = {"lesser ": "LGPL", "library ": "LGPL", "affero ": "AGPL"}.get(found["kind"] or "", "GPL")
    if not version:
        return f"LicenseRef-unversioned-{name}"
    version = version.rstrip(".")
    made = f"{name}-{version if '.' in version else version + '.0'}"
    if made not in ("GPL-1.0", "GPL-2.0", "GPL-3.0", "LGPL-2.0", "LGPL-2.1", "LGPL-3.0", "AGPL-3.0"):
        return None
    later = re.search(r"(?:any|or) (?:\(at your option\) )?(?:any )?later", rest)
    return f"{made}-{'or-later' if later else 'only'}"


def _bsd(text: str) -> str | None:
    found = re.search(
        r"redistribution and use (?:of [\w ]+ )?in source and binary forms,? with or without modification", text
    )
    if not found or "as is" not in text:
        return None
    if "all advertising materials mentioning" in text:
        return "BSD-4-Clause"
    named = re.search(r"neither the names? |may not be used to endorse|be used to endorse or promote", text)
    return "BSD-3-Clause" if named else "BSD-2-Clause"


def _mit(text: str) -> str | None:
    if "to use, copy, modify, merge, publish, distribute, sublicense" not in text:
        return None
    return "MIT" if "shall be included in all copies" in text else None


def _reader(pattern: str, expression: str) -> Callable[[str], str | None]:
    compiled = re.compile(pattern)
    return lambda text: expression if compiled.search(text) else None


NOTICES = (
    Notice("gnu", "free software foundation", _gnu),
    Notice(
        "apache", "licensed under the apache license",
        _reader(r"licensed under the apache license,? version 2\.0", "Apache-2.0"),
    ),
    Notice("mit", "permission is hereby granted free of charge", _mit),
    Notice("bsd", "redistribution and use", _bsd),
    Notice(
        "mpl", "subject to the terms of the mozilla public",
        _reader(r"subject to the terms of the mozilla public license,? v(?:\.|ersion)? ?2\.0", "MPL-2.0"),
    ),
    Notice("isc", "permission to use copy modify and or distribute",
           _reader(r"permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby "
                   r"granted, provided that the above copyright notice", "ISC")),
    Notice("cc", "licensed under a creative commons",
           _reader(r"licensed under a creative commons attribution[- ]noncommercial", "LicenseRef-unversioned-CC-BY-NC")),
)  # fmt: skip

SPDX = r"SPDX-License-Identifier:[ \t]*[(A-Za-z0-9]"
_SPDX = re.compile(rb"SPDX-License-Identifier:[ \t]*([^\r\n\"'`<>*\\{}\[\]#|]{1,300})")
_OPERATORS = frozenset({"AND", "OR", "WITH"})


@dataclass(frozen=True)
class Found:
    """A licence in a text: expression as written or read off; start and end in bytes from the segment's start."""

    segment: int
    start: int
    end: int
    expression: str


class Notices:
    """One scan for all of them. ``spdx`` makes a header's expression canonical, None if it is none."""

    def __init__(self, spdx: Callable[[str], str | None]) -> None:
        patterns = [Pattern("spdx", SPDX, caseless=False), *(Pattern(n.id, _words(n.anchor)) for n in NOTICES)]
        self._set = PatternSet(patterns)
        self._spdx = spdx

    def found(self, batch: Batch) -> Iterator[Found]:
        """By segment and place, in everything that was said, called or answered."""
        segments = batch.segments
        which = segments.where(channels=(CONTENT, REASONING, TOOL_CALL, TOOL_RESULT))
        for segment in self._set.candidates(segments, which):
            yield from self._in(segments.bytes(int(segment)), int(segment))

    def _in(self, text: bytes, segment: int) -> Iterator[Found]:
        last: dict[int, int] = {}
        hits = sorted(self._set.matches_in(text, segment), key=lambda m: (m.start, m.pattern))
        for hit in hits[:MOST_HITS]:
            if hit.pattern == 0:
                yield from self._header(text, hit.start, segment)
            elif hit.start >= last.get(hit.pattern, 0):
                made = NOTICES[hit.pattern - 1].reads(plain(text[max(0, hit.start - BEFORE) : hit.end + AFTER]))
                if made:
                    last[hit.pattern] = hit.end
                    yield Found(segment, hit.start, hit.end, made)

    def _header(self, text: bytes, start: int, segment: int) -> Iterator[Found]:
        line = _SPDX.match(text, start)
        if line and (given := _expression(line[1].decode("utf-8", "replace"))) and (made := self._spdx(given)):
            yield Found(segment, start, line.start(1) + len(given.encode()), made)


def _expression(line: str) -> str:
    """As much of a line as is an expression: ids, joined by operators and parentheses; prose after it is not."""
    out: list[str] = []
    names = 0
    for token in re.findall(r"\s+|[()]|[A-Za-z0-9.+:-]+|.", line):
        if token.isspace() or token in "()" or token.upper() in _OPERATORS:
            names = names if token.isspace() or token in "()" else 0
            out.append(token)
        elif names or not re.fullmatch(r"[A-Za-z0-9.+:-]+", token):
            break
        else:
            names = 1
            out.append(token)
    return re.sub(r"(?:[\s(.,:;-]|\b(?:AND|OR|WITH)\b)+$", "", "".join(out), flags=re.IGNORECASE)


def plain(raw: bytes) -> str:
    r"""Lower-case words and their punctuation on one line: comment signs, quotes, line ends and JSON's ``\n`` are spaces."""
    spaced = re.sub(rb"\\[nrt]|[\s*#\"'`|<>%\\]+|--+|;;+", b" ", raw)
    text = re.sub(rb"(?<![:\w])//+", b" ", spaced).decode("utf-8", "replace")
    return " ".join(text.casefold().split())


def in_text(text: str) -> list[str]:
    """Every notice's expression in a text that is a licence, or holds several."""
    words = plain(text.encode())
    return list(dict.fromkeys(made for n in NOTICES if (made := n.reads(words))))


def by_record(batch: Batch, found: list[Found]) -> dict[int, list[Found]]:
    out: dict[int, list[Found]] = {}
    for one in found:
        out.setdefault(int(batch.segments.record[one.segment]), []).append(one)
    return out
