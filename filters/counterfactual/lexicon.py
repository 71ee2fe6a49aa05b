"""What is swapped for what, and what makes a record be left alone: a data file, spelled out for the scan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

from filters.mentions import lexicon as mentions
from filters.mentions.lexicon import Entry, expanded

FILE = Path(__file__).parent / "en.yaml"

WORD, PRONOUN, NAME, WORD_NAME, PHRASE, LEAVE = range(6)
"""What a hit is: a word of a pair; him, his, her or hers; a given name; one that is a word as well; a phrase no part of which
is swapped; something that makes a record be left alone."""
SWAPPED = (WORD, PRONOUN, NAME, WORD_NAME)

AMBIGUOUS = {"him": "her", "hers": "his", "his": "", "her": ""}
"""What is put for a pronoun; empty where only its surroundings tell (``grammar``)."""

SEX_SPECIFIC, GAME, FIGURE, LANGUAGE = "sex_specific", "game", "figure", "other_language"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    about: str
    sources: dict[str, str]
    pairs: tuple[tuple[str, str], ...]
    small_pairs: tuple[tuple[str, str], ...]
    exact_pairs: tuple[tuple[str, str], ...]
    one_way: dict[str, str]
    exact_one_way: dict[str, str]
    phrases: tuple[str, ...]
    leave: dict[str, tuple[str, ...]]
    figures: tuple[str, ...]
    surnames: tuple[str, ...]
    names: dict[str, str]
    word_names: dict[str, str]


@dataclass(frozen=True)
class Swap:
    """kind: one of the above. target: what is put there; for LEAVE the reason. entry: its forms, as the scan takes them."""

    kind: int
    target: str
    entry: Entry


@cache
def _file() -> _File:
    # Imported here: planning needs no YAML of ours.
    import yaml

    return msgspec.convert(yaml.safe_load(FILE.read_text("utf-8")), _File)


@cache
def surnames() -> frozenset[str]:
    """Surnames that many have, so that a full name need not be somebody known."""
    return frozenset(_file().surnames)


@cache
def load() -> tuple[Swap, ...]:
    """Everything that is looked for."""
    told = _file()
    return (*_words(told), *_names(told), *_left_alone(told))


def _words(told: _File) -> Iterator[Swap]:
    for pairs, exact in ((told.pairs, False), (told.small_pairs, True), (told.exact_pairs, True)):
        for male, female in pairs:
            yield _swap(WORD, male, female, exact=exact)
            yield _swap(WORD, female, male, exact=exact)
    for one_way, exact in ((told.one_way, False), (told.exact_one_way, True)):
        for word, target in one_way.items():
            yield _swap(WORD, word, target, exact=exact)
    for word, target in AMBIGUOUS.items():
        yield _swap(PRONOUN, word, target)


def _names(told: _File) -> Iterator[Swap]:
    for kind, names in ((NAME, told.names), (WORD_NAME, told.word_names)):
        for male, female in names.items():
            yield _swap(kind, male, female, *_loud(kind, male), exact=True, group="male")
            yield _swap(kind, female, male, *_loud(kind, female), exact=True)


def _left_alone(told: _File) -> Iterator[Swap]:
    for phrase in told.phrases:
        yield _swap(PHRASE, phrase, "", *expanded(phrase, phrase))
    for reason, terms in told.leave.items():
        for term in terms:
            yield _swap(LEAVE, term, reason, *expanded(term, term))
    for name in told.figures:
        yield _swap(LEAVE, name, FIGURE, exact=True)
    # Where another language speaks of him and her, half of a translation would be swapped.
    for path in mentions.built_in([name for name in mentions.LANGUAGES if name != "en"]):
        for entry in mentions.entries(mentions.read(path)):
            if entry.axis == "gender" and not entry.only and not entry.unless:
                yield Swap(LEAVE, LANGUAGE, entry)


def _swap(kind: int, word: str, target: str, *forms: str, exact: bool = False, group: str = "") -> Swap:
    identifier = forms[0] if kind in (PHRASE, LEAVE) and forms else word
    every = tuple(dict.fromkeys((identifier, *forms)))
    return Swap(kind, target, Entry("en", "gender", group, identifier, every, exact))


def _loud(kind: int, name: str) -> tuple[str, ...]:
    """A name in capitals throughout; WILL and MARK are words, TED an acronym."""
    return (name.upper(),) if kind == NAME and len(name) > 3 else ()
