"""Rule packs: YAML files of patterns with their purpose, their weight and the examples that test them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from filters import yamlfile
from filters.contract import ConfigError
from filters.narrative import lexicon
from filters.narrative.bytewise import bytewise

FOLDER = Path(__file__).parent / "packs"

REASONS = {
    "party_alignment": "The assistant speaks a party's or government's line as its own.",
    "nationalist_voice": "The assistant speaks as a member or champion of a nation.",
    "political_refusal": "The assistant declines a question because it is political or sensitive.",
    "teacher_identity": "The assistant names the model it is or the company that made it.",
    "refusal_boilerplate": "The assistant declines, or speaks of itself as a language model, in set phrases.",
    "custom_rule": "A rule of a pack that the recipe brought along matched.",
}
"""Codes that a pack's rules may give, most severe first."""

Context = Literal["quoted", "requested", "view_asked", "attributed", "denied", "negated", "modest"]
Place = Literal["answer", "reasoning"]


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text the assistant writes, and the prompt it answers."""

    text: str
    prompt: str = ""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A pattern in one language (``pattern``), or classes of words that meet in one sentence, in every language (``all``).

    weight: 2 is enough to drop a record, 1 needs a second rule near it. unless: contexts in which a hit does not count.
    ``{name}`` in a pattern stands for the pack's word list of that name, as an alternation. ``all`` names word classes, ``a|b`` for either;
    the first is looked for everywhere and should be rare, the others only in the sentence where it stands. none: classes that
    must not stand in that sentence.
    """

    id: str
    about: str
    pattern: str = ""
    all: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    lang: str = ""
    weight: Annotated[int, msgspec.Meta(ge=1, le=2)] = 2
    reason: str = ""
    where: tuple[Place, ...] = ("answer", "reasoning")
    unless: tuple[Context, ...] = ("quoted", "requested", "view_asked", "attributed", "denied")
    caseless: bool = True
    match: tuple[str | Example, ...] = ()
    no_match: tuple[str | Example, ...] = ()


class PackFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A pack as written.

    languages: whose word classes its ``all`` rules are made for. words: lists of its own. controls: texts that must be kept;
    bound: the share of them that may be dropped all the same.
    """

    name: str
    version: int
    about: str
    reason: str = "custom_rule"
    languages: tuple[str, ...] = ()
    words: dict[str, list[str]] = {}
    rules: tuple[Rule, ...]
    controls: tuple[str | Example, ...] = ()
    bound: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0


Words = tuple[str, ...]
"""A word class: the expressions of its phrases."""


@dataclass(frozen=True)
class Loaded:
    """A rule ready to compile, in one language: its name in evidence (pack/language-id), expanded expressions and reason code.

    key: what it is called whatever the language. needs/bars: of each group of word classes, one must (of the bars: none may)
    match in the hit's sentence. shard: what is compiled together, see scan.Pattern.
    """

    name: str
    expressions: tuple[str, ...]
    reason: str
    rule: Rule
    key: str
    needs: tuple[tuple[Words, ...], ...] = ()
    bars: tuple[tuple[Words, ...], ...] = ()
    shard: str = ""


def built_in() -> list[str]:
    return sorted(p.stem for p in FOLDER.glob("*.yaml"))


def locate(pack: str) -> Path:
    """The file of a built-in pack, or of a path (anything with a slash or a .yaml ending)."""
    is_path = "/" in pack or pack.endswith((".yaml", ".yml"))
    path = Path(pack) if is_path else FOLDER / f"{pack}.yaml"
    if not path.is_file():
        raise ConfigError(
            f"narrative: no rule pack {pack!r}; there are {', '.join(built_in())}, or give a path to a .yaml file"
        )
    return path


@lru_cache(maxsize=64)
def _digest(path: str, _size: int, _changed: int) -> str:
    content = hashlib.sha256(Path(path).read_bytes())
    for language in read(Path(path)).languages:
        content.update(lexicon.file_of(language).read_bytes())
    return content.hexdigest()


def digest(path: Path) -> str:
    """sha256 of a pack's file and of the word classes that its rules are made of."""
    stat = path.stat()
    return _digest(str(path), stat.st_size, stat.st_mtime_ns)


def read(path: Path) -> PackFile:
    """The pack in a file. Raises ConfigError naming the file and what is wrong with it."""
    pack = yamlfile.read(path, PackFile, f"narrative: rule pack {path.name}")
    _check(pack)
    return pack


def rules_of(pack: PackFile) -> list[Loaded]:
    return [loaded for rule in pack.rules for loaded in _loaded(pack, rule)]


def _loaded(pack: PackFile, rule: Rule) -> list[Loaded]:
    key, reason = f"{pack.name}/{rule.id}", rule.reason or pack.reason
    if rule.pattern:
        return [Loaded(key, (_expanded(pack, rule),), reason, rule, key)]
    out = []
    for language in pack.languages:
        known = {**lexicon.classes(language), **_own_classes(pack, language)}
        wanted = [_either(names, known) for names in (*rule.all, *(n for n in ("script",) if n in known))]
        if all(wanted):
            first, *needs = wanted
            bars = tuple(bar for names in (*rule.none, "other_script") if (bar := _either(names, known)))
            name, looked_for = f"{pack.name}/{language}-{rule.id}", tuple(chain.from_iterable(first))
            out.append(Loaded(name, looked_for, reason, rule, key, tuple(needs), bars, "" if pack.words else language))
    if not out:
        raise ConfigError(f"narrative: rule {key}: no language has the word classes {', '.join(rule.all)}")
    return out


def _own_classes(pack: PackFile, language: str) -> dict[str, Words]:
    return {name: tuple(lexicon.spelled(w, language) for w in words) for name, words in pack.words.items()}


def _either(names: str, known: Mapping[str, Words]) -> tuple[Words, ...]:
    """``a|b`` as those of the classes that the language has; empty for none."""
    return tuple(tuple(bytewise(phrase) for phrase in known[name]) for name in names.split("|") if name in known)


def _check(pack: PackFile) -> None:
    seen: set[str] = set()
    for rule in pack.rules:
        if rule.id in seen:
            raise ConfigError(f"narrative: rule pack {pack.name}: two rules are called {rule.id}")
        seen.add(rule.id)
        if bool(rule.pattern) == bool(rule.all):
            raise ConfigError(f"narrative: rule {pack.name}/{rule.id}: give a pattern, or word classes as 'all'")
        if rule.pattern and (rule.none or not rule.lang):
            raise ConfigError(f"narrative: rule {pack.name}/{rule.id}: a pattern needs 'lang' and takes no 'none'")
        if (rule.reason or pack.reason) not in REASONS:
            raise ConfigError(f"narrative: rule {pack.name}/{rule.id}: reason must be one of {', '.join(REASONS)}")
        _loaded(pack, rule)


_WORD_LIST = re.compile(r"\{([a-z][a-z_]*)\}")
MOST_CHARACTERS = 100_000
"""Of a pattern with its word lists put in: lists of lists multiply. The longest that comes with the package has 2,000."""


def _expanded(pack: PackFile, rule: Rule) -> str:
    """The pattern with word lists put in; lists may use lists that stand before them."""
    lists: dict[str, str] = {}

    def put(match: re.Match[str]) -> str:
        if match[1] not in lists:
            raise ConfigError(f"narrative: rule {pack.name}/{rule.id}: no word list {match[1]!r}")
        return lists[match[1]]

    for name, words in pack.words.items():
        lists[name] = "(?:" + "|".join(_WORD_LIST.sub(put, w) for w in words) + ")"
        if len(lists[name]) > MOST_CHARACTERS:
            raise ConfigError(f"narrative: rule pack {pack.name}: the word list {name!r} unfolds to too long a pattern")
    try:
        return bytewise(_WORD_LIST.sub(put, rule.pattern))
    except ValueError as error:
        raise ConfigError(f"narrative: rule {pack.name}/{rule.id}: {error}") from None


def example(value: str | Example) -> Example:
    return Example(value) if isinstance(value, str) else value
