"""Lexicons: YAML files of the words that mention a group of people, with their forms, sources and what is no mention."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Literal

import msgspec

from filters import yamlfile
from filters.contract import ConfigError
from filters.structure.safety import is_explosive

FOLDER = Path(__file__).parent / "lexicons"

AXES = (
    "age",
    "gender",
    "ethnicity",
    "religion",
    "nationality",
    "disability",
    "sexual_orientation",
    "socioeconomic",
    "appearance",
)
"""What is mentioned of a person: the nine axes of the BBQ benchmark (Parrish et al. 2022)."""
HELPERS = ("occupation", "sentiment")
"""Words that are counted beside mentions; no mentions themselves."""
Language = Literal["en", "zh", "fr", "de", "it", "ja", "es"]
LANGUAGES: tuple[Language, ...] = ("en", "zh", "fr", "de", "it", "ja", "es")
MOST_FORMS = 400
"""Forms that one term may expand to: more is a slip of the pen, and costs memory."""
NEAR, FAR = 40, 120
"""Characters before a term that contexts are looked for in: a few words, or (with a gap such as ``[^.]*``) its sentence."""
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Term(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Words that say the same: ``(a|b)`` in any of them stands for alternatives, the first of all is the identifier.

    each: several terms that share all else; ``~`` in also and sure then stands for each of them. sure: forms that are mentions
    whatever stands around them. case: "exact" where capitals tell (Polish, polish). only: contexts one of which must hold;
    unless: contexts none of which may. A context is a pattern with ``~`` where the term stands and ``{name}`` for a word list.
    number: where the age stands, whose value then chooses the group.
    """

    term: str = ""
    each: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    sure: tuple[str, ...] = ()
    case: Literal["any", "exact"] = "any"
    only: tuple[str | tuple[str, ...], ...] = ()
    unless: tuple[str | tuple[str, ...], ...] = ()
    number: Literal["", "before", "after"] = ""


class Lexicon(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One language's words. sources: for each axis, where its groups and words come from.

    words: lists for use in contexts. no_mention: phrases of which no part is a mention. axes: axis -> group -> terms.
    """

    language: Language
    version: int
    about: str = ""
    sources: dict[str, str]
    words: dict[str, tuple[str, ...]] = {}
    no_mention: tuple[str, ...] = ()
    axes: dict[str, dict[str, tuple[str | Term, ...]]]


@dataclass(frozen=True)
class Entry:
    """A term ready for the finder. forms: spelled out, the identifier first; only/unless: expressions for what stands before
    and after it. An entry without an axis is a phrase that is no mention."""

    language: str
    axis: str
    group: str
    identifier: str
    forms: tuple[str, ...]
    exact: bool = False
    only: tuple[Context, ...] = ()
    unless: tuple[Context, ...] = ()
    number: str = ""


@dataclass(frozen=True)
class Side:
    """What stands on one side of a term. small: it is matched against small letters, several times as fast as without case."""

    pattern: re.Pattern[str]
    small: bool

    @classmethod
    def of(cls, expression: str) -> Side:
        if "(?-i:" in expression or re.search(r"\\[A-Z]", expression):
            return cls(re.compile(expression, re.IGNORECASE), False)
        return cls(re.compile(expression.lower()), True)


@dataclass(frozen=True)
class Context:
    """before must match up to the term, after from its end on. reach: characters that before is looked for in."""

    before: Side | None
    after: Side | None
    reach: int

    def holds(self, before: str, after: str, small_before: str, small_after: str) -> bool:
        # What follows is looked at first: matching at one place is cheaper than searching.
        if self.after is not None and not self.after.pattern.match(small_after if self.after.small else after):
            return False
        if self.before is None:
            return True
        return self.before.pattern.search((small_before if self.before.small else before)[-self.reach :]) is not None


def built_in(languages: Sequence[str] = LANGUAGES, *, helpers: bool = False) -> list[Path]:
    """Files of the lexicons that come with the package: one a language, and with ``helpers`` the words counted beside them."""
    kinds = ("", "-beside") if helpers else ("",)
    paths = [FOLDER / f"{language}{kind}.yaml" for kind in kinds for language in languages]
    return [p for p in paths if p.is_file()]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read(path: Path) -> Lexicon:
    """The lexicon in a file. Raises ConfigError naming the file, the place in it and what is wrong."""
    if not path.is_file():
        raise ConfigError(f"mentions: no lexicon {path}; give the path of a .yaml file")
    lexicon = yamlfile.read(path, Lexicon, f"mentions: lexicon {path.name}")
    try:
        for _ in entries(lexicon):
            pass
    except ConfigError as error:
        raise ConfigError(f"mentions: lexicon {path.name}: {error}") from None
    return lexicon


def entries(lexicon: Lexicon) -> Iterator[Entry]:
    """Every term, spelled out. Raises ConfigError naming the term that cannot be."""
    for axis, groups in lexicon.axes.items():
        if axis not in AXES + HELPERS:
            raise ConfigError(f"no axis {axis!r}; there are {', '.join(AXES + HELPERS)}")
        if axis not in lexicon.sources:
            raise ConfigError(f"axis {axis} names no source; say under `sources` where its words come from")
        for group, terms in groups.items():
            if not _NAME.fullmatch(group):
                raise ConfigError(f"{axis}: a group is named in small letters, digits and _, not {group!r}")
            for given in terms:
                term = Term(term=given) if isinstance(given, str) else given
                if bool(term.term) == bool(term.each):
                    raise ConfigError(f"{axis}.{group}: an entry needs either a term or each, a list of terms")
                for word in term.each or (term.term,):
                    yield from _entries(lexicon, axis, group, word, term)
    for phrase in lexicon.no_mention:
        forms = tuple(expanded(phrase, phrase))
        yield Entry(lexicon.language, "", "", forms[0], forms)


def _entries(lexicon: Lexicon, axis: str, group: str, word: str, term: Term) -> Iterator[Entry]:
    """One entry of the forms that contexts are asked for, and one of those that are mentions in any."""
    where = f"{axis}.{group}: {word}"
    identifier = expanded(word, where)[0]
    only, unless = (
        tuple(_context(lexicon, written, where) for written in _flat(given)) for given in (term.only, term.unless)
    )
    exact = term.case == "exact"
    forms = _forms((word, *term.also), word, where)
    yield Entry(lexicon.language, axis, group, identifier, forms, exact, only, unless, term.number)
    if term.sure:
        yield Entry(lexicon.language, axis, group, identifier, _forms(term.sure, word, where), exact)


def _flat(given: Sequence[str | tuple[str, ...]]) -> Iterator[str]:
    """Contexts, with lists among them (a YAML alias) put in their place."""
    for each in given:
        yield from (each,) if isinstance(each, str) else each


def _forms(written: Sequence[str], word: str, where: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(form for each in written for form in expanded(each.replace("~", word), where)))


def expanded(written: str, where: str) -> list[str]:
    """``wom(an|en)`` as woman, women; a part may be empty."""
    pieces = re.split(r"\(([^()]*)\)", written)
    options = [piece.split("|") if i % 2 else [piece] for i, piece in enumerate(pieces)]
    if any(c in piece for piece in pieces[::2] for c in "()|"):
        raise ConfigError(f"{where}: {written!r} has a bracket that is not closed, or | outside brackets")
    many = prod(len(parts) for parts in options)
    forms = [] if many > MOST_FORMS else [" ".join("".join(parts).split()) for parts in product(*options)]
    if not forms or not all(forms):
        raise ConfigError(f"{where}: {written!r} stands for nothing, or for more than {MOST_FORMS} forms")
    return forms


def _context(lexicon: Lexicon, written: str, where: str) -> Context:
    if written.count("~") != 1:
        raise ConfigError(f"{where}: the context {written!r} needs one ~ where the term stands")
    before, after = (_expression(lexicon, side, where) for side in written.split("~"))
    if is_explosive(before) or is_explosive(after):
        raise ConfigError(
            f"{where}: the context {written!r} can take for ever on some texts: a repetition inside a repetition"
        )
    try:
        return Context(
            Side.of(rf"(?:{before})$") if before else None,
            Side.of(after) if after else None,
            FAR if "[^" in before else NEAR,
        )
    except re.error as error:
        raise ConfigError(f"{where}: the context {written!r}: {error}") from None


def _expression(lexicon: Lexicon, side: str, where: str) -> str:
    def put(match: re.Match[str]) -> str:
        if match[1] not in lexicon.words:
            raise ConfigError(f"{where}: no word list {match[1]!r}")
        return _alternatives(lexicon.words[match[1]])

    side = re.sub(r"\{([a-z][a-z_]*)\}", put, side)
    return side.replace(" ", r"[\s-]+")


def _alternatives(words: Sequence[str]) -> str:
    """The list as an expression: a word alone as it stands, several as whole words, by their first letter, since the matcher
    tries alternatives one after the other."""
    if len(words) == 1:
        return f"(?:{words[0]})"
    by_letter: dict[str, list[str]] = {}
    for word in words:
        plain = len(word) > 1 and word[0].isalpha() and word[1] not in "?*+{"
        by_letter.setdefault(word[0] if plain else "", []).append(word[1:] if plain else word)
    return "(?:" + "|".join(f"{letter}(?:{'|'.join(rest)})" for letter, rest in by_letter.items()) + r")\b"
