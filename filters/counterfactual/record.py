"""One record's swaps, all of them or none: a record of which a part cannot be swapped rightly is left alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from filters.counterfactual import grammar, people
from filters.counterfactual.lexicon import FIGURE, NAME, PRONOUN, WORD, WORD_NAME, Swap
from filters.counterfactual.values import Strings, Value, fixed, is_json
from filters.counterfactual.wordlist import words

AROUND = 100
"""Bytes before and after a hit that are looked at."""

KEY = Value("", True)
"""A name in a key, or outside any string."""

TITLE, CODE, VALUE, LANGUAGE, UNSURE = "title", "outside_prose", "value", "other_language", "unsure_name"

_QUOTES = str.maketrans({"’": "'", "‘": "'"})
_CLERGY = words("father mother brother sister lady sir madam")
_KIN = words(
    """uncle aunt auntie grandpa grandma granny grandfather grandmother dad mom mum daddy mommy mummy grandad granddad"""
)
_FORMS = words("he she himself herself mr mrs ms miss sir madam ma'am")
_SLASHED = re.compile(r"(?:\bs/|\(s\))$")
_ADDRESS = re.compile(r"://|@|\w\.\w|/")
_CAPITAL_NEXT = re.compile(r"\s[A-Z][a-z]")


class LeftAlone(Exception):
    """Why a record has no counterfactual copy: one of ``REASONS``."""


@dataclass(frozen=True)
class Hit:
    """One hit as it stands. raw: its text; before, after: what stands around it, up to AROUND bytes, with
    straight quotes; curly: a curly one follows, of three bytes."""

    segment: int
    start: int
    end: int
    swap: Swap
    prose: bool
    raw: str
    before: str
    after: str
    english: bool = True
    curly: bool = False

    @property
    def word(self) -> str:
        return self.raw.lower()


Change = tuple[int, int, int, str, str]
"""Segment, start, end, what is put there, and what was swapped (word or name)."""


class Record:
    """text: the bytes of a segment, by number. definitions: the declared tools' texts."""

    def __init__(
        self, text: Callable[[int], bytes], calls: frozenset[int], definitions: Callable[[], list[bytes]]
    ) -> None:
        self._text, self._calls, self._definitions = text, calls, definitions
        self._strings: dict[int, Strings | Value | None] = {}
        self._fixed: frozenset[str] | None = None

    def changes(self, hits: Sequence[Hit]) -> list[Change]:
        """The swaps of a record. Raises LeftAlone."""
        placed = [(hit, self._value(hit)) for hit in hits]
        for hit, value in placed:
            if value is None and not hit.english:
                raise LeftAlone(LANGUAGE)
            if hit.swap.kind in (WORD, PRONOUN) and not hit.prose and not _in_address(hit):
                raise LeftAlone(CODE)
        prose = [hit for hit, value in placed if hit.prose and value is None]
        names = _names(prose)
        _check_elsewhere(names, placed)
        found: list[Change] = []
        for hit, value in placed:
            if value is not None:
                self._check_value(hit, value, names)
            if (change := _change(hit, names, alone=value is not None)) is not None:
                found.append(change)
        return found

    def _value(self, hit: Hit) -> Value | None:
        """The JSON string that the hit stands in; None in prose. Raises LeftAlone for a key, whose value would not fit it."""
        if hit.segment not in self._strings:
            raw = self._text(hit.segment)
            bare = Value.of(raw) if hit.segment in self._calls else None
            self._strings[hit.segment] = Strings(raw) if is_json(raw) else bare
        strings = self._strings[hit.segment]
        if not isinstance(strings, Strings):
            return strings
        value = strings.value(hit.start)
        if value is None and hit.swap.kind in (WORD, PRONOUN):
            raise LeftAlone(VALUE)
        return KEY if value is None else value

    def _check_value(self, hit: Hit, value: Value, names: frozenset[str]) -> None:
        """Raises LeftAlone where the value would have to be swapped and may not."""
        if hit.swap.kind in (NAME, WORD_NAME) and hit.swap.entry.identifier not in names:
            return
        if self._fixed is None:
            self._fixed = fixed(self._definitions())
        word = hit.swap.kind in (WORD, PRONOUN)
        if value is KEY or value.text in self._fixed or (word and value.alone):
            raise LeftAlone(VALUE)


def _names(hits: Sequence[Hit]) -> frozenset[str]:
    """The given names of people who are spoken of in prose. Raises LeftAlone where one of them may not be."""
    said: dict[str, set[int]] = {}
    last: tuple[int, int] = (-1, -1)
    for hit in hits:
        kind = hit.swap.kind
        if kind in (NAME, WORD_NAME):
            beside = last == (hit.segment, hit.start - 1) and hit.before.endswith(" ")
            male = hit.swap.entry.group == "male"
            what = people.of_name(hit.before, hit.after, after_name=beside, male=male)
            if kind == WORD_NAME and what == people.PERSON:
                what = people.of_word(hit.before, hit.after)
            said.setdefault(hit.swap.entry.identifier, set()).add(what)
            last = (hit.segment, hit.end)
    if any(people.TITLED in what for what in said.values()):
        raise LeftAlone(TITLE)
    if any(people.KNOWN in what for what in said.values()):
        raise LeftAlone(FIGURE)
    names = {n for n, what in said.items() if people.PERSON in what and people.SURNAME not in what}
    if any(people.UNSURE in said[n] for n in names):
        raise LeftAlone(UNSURE)
    return frozenset(names)


def _check_elsewhere(names: frozenset[str], placed: Sequence[tuple[Hit, Value | None]]) -> None:
    """Raises LeftAlone where a swapped name stands in code, too, or its counterpart stands for somebody who keeps the name."""
    taken = {
        hit.swap.target
        for hit, _ in placed
        if hit.swap.kind in (NAME, WORD_NAME) and hit.swap.entry.identifier in names
    }
    for hit, _ in placed:
        if hit.swap.kind in (NAME, WORD_NAME):
            name = hit.swap.entry.identifier
            if name in names and not hit.prose and not _in_address(hit):
                raise LeftAlone(CODE)
            if name in taken and name not in names:
                raise LeftAlone(UNSURE)


def _change(hit: Hit, names: frozenset[str], *, alone: bool) -> Change | None:
    """What becomes of one hit. alone: it stands in a JSON value, where capitals are no titles."""
    if not hit.prose:
        return None
    kind = hit.swap.kind
    if kind in (NAME, WORD_NAME):
        if hit.swap.entry.identifier not in names or _is_place(hit):
            return None
        return _named(hit)
    if kind == WORD:
        if _SLASHED.search(hit.before):
            return None
        if not alone:
            _check_title(hit)
        target = hit.swap.target
    else:
        target = hit.swap.target or (grammar.of_her if hit.word == "her" else grammar.of_his)(hit.before, hit.after)
    return hit.segment, hit.start, hit.end, _cased(hit.raw, target), "GENDERED_WORD"


def _is_place(hit: Hit) -> bool:
    return people.of_name(hit.before, hit.after, after_name=False, male=False) == people.PLACE


def _named(hit: Hit) -> Change:
    """A possessive of s keeps its sense: James' book is Jessica's."""
    new, end = _cased(hit.raw, hit.swap.target), hit.end
    bare = re.match(r"'(?= \w)", hit.after)
    if bare and hit.word.endswith("s") and new[-1:] not in "sS" and "'" not in hit.before[-1:]:
        new += "'s"
        end += 3 if hit.curly else 1
    return hit.segment, hit.start, end, new, "GIVEN_NAME"


def _check_title(hit: Hit) -> None:
    """Raises LeftAlone for a capital that says this is a title or a name: The Girl on the Train, Mother Teresa, Sir Isaac."""
    if not hit.raw[:1].isupper() or hit.raw.isupper():
        return
    word = hit.word
    follows = _CAPITAL_NEXT.match(hit.after) is not None
    if word in _CLERGY and follows:
        raise LeftAlone(TITLE)
    if word in _KIN or word in _FORMS:
        return
    if follows or not people.begins(hit.before):
        raise LeftAlone(TITLE)


def _in_address(hit: Hit) -> bool:
    """Part of a web or mail address, a path or a dotted name: nobody's he or she."""
    left = re.search(r"\S*$", hit.before)
    right = re.match(r"\S*", hit.after)
    assert left is not None and right is not None
    return _ADDRESS.search(left[0] + hit.raw + right[0].rstrip(".,")) is not None


def _cased(raw: str, target: str) -> str:
    """In the capitals of what stood there."""
    if raw.isupper() and len(raw) > 1:
        return target.upper()
    return target[:1].upper() + target[1:] if raw[:1].isupper() else target


def hit_of(text: bytes, segment: int, start: int, end: int, swap: Swap, *, prose: bool, english: bool) -> Hit:
    before = text[max(0, start - AROUND) : start].decode("utf-8", "ignore").translate(_QUOTES)
    after = text[end : end + AROUND].decode("utf-8", "ignore").translate(_QUOTES)
    raw = text[start:end].decode("utf-8", "replace")
    curly = text[end : end + 3] == "’".encode()
    return Hit(segment, start, end, swap, prose, raw, before, after, english, curly)
