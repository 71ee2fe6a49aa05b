"""Options of the PII filter, and which entities they ask for. Imports nothing heavy: `corpusmill filters` reads it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from filters import contract
from filters.contract import ConfigError

DOMAINS: dict[str, tuple[str, ...]] = {
    "contact": ("EMAIL_ADDRESS", "PHONE_NUMBER", "IP_ADDRESS"),
    "financial": ("CREDIT_CARD", "IBAN_CODE", "CRYPTO"),
    "secrets": ("API_KEY", "JWT", "PRIVATE_KEY", "PASSWORD"),
}
NAMED = ("PERSON", "LOCATION", "ORGANIZATION")
"""What only a model finds."""
OURS = frozenset(DOMAINS["secrets"])
DEFAULT_REGIONS = ("US", "GB", "DE", "FR", "IL", "IN", "CA", "BR", "ES", "IT", "JP", "CN")
"""Presidio's eight, and the home regions of the other languages."""

LANGUAGES = ("en", "fr", "de", "it", "es", "ja", "zh", "fi", "ko", "pl", "sv", "th", "tr")
"""Languages for which Presidio has recognizers of its own, and the seven we answer for."""


class Recognizer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pattern recognizer of the user's own, as Presidio has them."""

    entity: Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9_]*$", description="name in placeholders and evidence")]
    patterns: Annotated[tuple[str, ...], Meta(min_length=1, description="regular expressions of the regex module")]
    score: Annotated[float, Meta(gt=0, le=1, description="0.4 and more count as plausible")] = 0.5
    context: tuple[str, ...] = ()
    language: str = ""


class PiiOptions(contract.Options, frozen=True, kw_only=True):
    entities: Annotated[
        tuple[str, ...], Meta(description="Presidio's entity names, or ours, to look for; instead of `domain`")
    ] = ()
    domain: Annotated[
        tuple[Literal["contact", "financial", "secrets", "all"], ...],
        Meta(
            min_length=1, description="Sets of entities; `all` is everything that Presidio enables by default, and ours"
        ),
    ] = ("contact", "financial", "secrets")
    regions: Annotated[
        tuple[str, ...],
        Meta(min_length=1, description="Regions whose telephone numbers are recognised without a country code"),
    ] = DEFAULT_REGIONS
    languages: Annotated[
        tuple[str, ...], Meta(min_length=1, description="Languages whose recognizers and context words are used")
    ] = ("en", "fr", "de", "it", "es", "ja", "zh")
    recognizers: Annotated[
        tuple[Recognizer, ...],
        Meta(description="Pattern recognizers of your own: entity, patterns, score, context, language"),
    ] = ()
    model: Annotated[
        str,
        Meta(
            description="spaCy model, a package or a folder, that finds PERSON, LOCATION and ORGANIZATION in prose; without "
            "one they are not scanned for"
        ),
    ] = ""
    action: Annotated[
        Literal["replace", "mask", "hash", "surrogate", "drop", "annotate"],
        Meta(
            description="`replace`: `<EMAIL_1>`, numbered per record; `mask`: asterisks; `hash`: keyed by the environment "
            "variable CORPUSMILL_HASH_KEY; `surrogate`: a made-up value; `drop`: reject the record; `annotate`: only say where"
        ),
    ] = "replace"
    min_certainty: Annotated[
        Literal["unlikely", "plausible", "verified"],
        Meta(description="Findings less certain than this are counted apart and left"),
    ] = "plausible"
    allow: Annotated[
        tuple[str, ...],
        Meta(
            description="Values that are no finding: exact, or `@domain` for every address there. Reserved ranges never are"
        ),
    ] = ()
    allow_file: Annotated[
        str,
        Meta(description="Allow-list that `corpusmill review import --allow` wrote: values people refuted, as hashes"),
    ] = ""


def wanted(options: PiiOptions) -> set[str] | None:
    """Entities asked for; None for all."""
    by_model = named(options)
    if options.entities:
        return set(options.entities) | {r.entity for r in options.recognizers}
    if "all" in options.domain:
        return None
    by_domain = {e for name in options.domain for e in DOMAINS[name]}
    return by_domain | {r.entity for r in options.recognizers} | by_model


def named(options: PiiOptions) -> set[str]:
    """Entities that the model is to find. Raises ConfigError where one is asked for and there is no model."""
    asked = set(options.entities) & set(NAMED)
    if asked and not options.model:
        raise ConfigError(f"pii: {min(asked)} needs a model: set `model` to a spaCy package or folder")
    if not options.model:
        return set()
    if options.entities and not asked:
        raise ConfigError(f"pii: a model is given, and `entities` names none of {', '.join(NAMED)}")
    return asked or set(NAMED)


def not_scanned(options: PiiOptions) -> list[str]:
    """Kinds of personal data that people ask about and that these options leave out."""
    asked = wanted(options)
    known = {e for names in DOMAINS.values() for e in names} if asked is None else asked
    every = [*(e for names in DOMAINS.values() for e in names), *NAMED]
    return [e for e in every if e not in known | named(options)]


def check_names(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raises ConfigError for the first name that is not known, with the nearest one that is."""
    names = sorted(known)
    for name in given:
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise ConfigError(f"pii: no {what} {name!r}{hint}")
