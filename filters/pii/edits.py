"""From places to edits: overlaps settled, the same value followed through the record, JSON kept whole."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from filters.batch import Batch
from filters.pii import jsontext
from filters.pii.certainty import LEVELS
from filters.pii.scrub import Record

_PLACEHOLDER = re.compile(rb"<([A-Z][A-Z_]*)_(\d{1,6})>")
_SEPARATORS = rb"[ .\-/()]{0,3}"


@dataclass(frozen=True)
class Place:
    """start/end: bytes in the segment. level: its certainty; counts: whether that is enough."""

    segment: int
    start: int
    end: int
    entity: str
    level: str
    counts: bool


@dataclass(frozen=True)
class _Value:
    """A place with the text that stands for it when values are compared."""

    place: Place
    text: str


def record_edits(
    batch: Batch, record: int, counted: list[Place], action: str, key: bytes
) -> tuple[list[Place], list[tuple[int, int, int, str, str]]]:
    """(places, edits of (segment, start, end, replacement, entity)) of one record; spans of a segment do not overlap."""
    segments = batch.segments
    mine = range(int(batch.record_start[record]), int(batch.record_start[record + 1]))
    texts = {i: segments.bytes(i) for i in mine if segments.length[i]}
    by_segment: dict[int, list[_Value]] = defaultdict(list)
    for place in counted:
        by_segment[place.segment].append(_Value(place, _text(texts[place.segment], place)))
    values = [v for found in by_segment.values() for v in found]
    _follow(texts, values, by_segment)
    replacements = Record(action, key, _taken(texts.values()))
    places: list[Place] = []
    edits: list[tuple[int, int, int, str, str]] = []
    for segment in sorted(by_segment):
        settled = settle(by_segment[segment])
        places += [v.place for v in settled]
        plain = [(v.place.start, v.place.end, replacements.replacement(v.place.entity, v.text)) for v in settled]
        for start, end, text in jsontext.fit(texts[segment], plain):
            entity = next((v.place.entity for v in settled if v.place.start < end and v.place.end > start), "")
            edits.append((segment, start, end, text, entity))
    return places, edits


def settle(found: list[_Value]) -> list[_Value]:
    """Overlapping places become one: the more certain names it, then the longer; it covers all of them."""
    out: list[_Value] = []
    end = -1
    group: list[_Value] = []
    for value in sorted(found, key=lambda v: (v.place.start, v.place.end)):
        if group and value.place.start >= end:
            out.append(_merge(group, end))
            group = []
        group.append(value)
        end = max(value.place.end, end) if len(group) > 1 else value.place.end
    if group:
        out.append(_merge(group, end))
    return out


def _merge(group: list[_Value], end: int) -> _Value:
    best = max(
        group,
        key=lambda v: (LEVELS.index(v.place.level), v.place.end - v.place.start, -v.place.start, v.place.entity),
    )
    p = best.place
    return _Value(Place(p.segment, group[0].place.start, end, p.entity, p.level, True), best.text)


def _text(data: bytes, place: Place) -> str:
    return jsontext.view(data).seen(place.start, place.end)


def _follow(texts: dict[int, bytes], values: list[_Value], by_segment: dict[int, list[_Value]]) -> None:
    """Adds every other place of the record where a value found once stands again, with less around it to tell it by."""
    known: dict[bytes, _Value] = {}
    for value in values:
        if (form := _form(value)) is not None:
            known.setdefault(form, value)
    forms = []
    for written, value in known.items():
        alone = rb"(?<![A-Za-z0-9\x80-\xff])(?:" + written + rb")(?![A-Za-z0-9\x80-\xff])"
        forms.append((re.compile(alone, re.IGNORECASE), value))
    for segment, data in texts.items():
        seen = jsontext.view(data)
        for expression, value in forms:
            for match in expression.finditer(seen.data):
                start, end = (seen.written(i) for i in match.span())
                place = Place(segment, start, end, value.place.entity, value.place.level, True)
                again = _Value(place, match.group().decode("utf-8", "replace"))
                if not any(
                    o.place.start <= place.start and o.place.end >= place.end for o in by_segment.get(segment, ())
                ):
                    by_segment[segment].append(again)


def _form(value: _Value) -> bytes | None:
    """An expression for other spellings of the value; None for what is too short to be followed."""
    entity, text = value.place.entity, value.text
    if entity in ("PHONE_NUMBER", "CREDIT_CARD"):
        digits = re.sub(r"\D", "", re.sub(r"(?i)\s*(?:x|ext|#).*$", "", text, flags=re.DOTALL))
        if not digits.isascii() or len(digits) < 7:
            return None
        prefix = rb""
        if entity == "PHONE_NUMBER" and len(digits) > 9:
            digits, prefix = digits[-9:], rb"(?:\+|00)?\d{0,4}" + _SEPARATORS
        return prefix + _SEPARATORS.join(bytes([d]) for d in digits.encode())
    return re.escape(text.encode()) if len(text) >= 6 else None


def _taken(texts: Iterable[bytes]) -> dict[str, int]:
    """The highest number of each label that the record's text already uses, so that ours do not collide with it."""
    highest: dict[str, int] = {}
    for data in texts:
        for match in _PLACEHOLDER.finditer(data):
            name = match.group(1).decode()
            highest[name] = max(highest.get(name, 0), int(match.group(2)))
    return highest
