"""What a machine cannot know of a dataset and a recipe declares: the section ``about``.

The fields are those that a model card's training-data section (NVIDIA's Nemotron 3 cards: collection period and method, labelling
method, collecting organisation, seed dataset, model used for generation) and the EU AI Office's template for the public summary of
training content (sections 2.1 to 2.6, 3.1 and 3.2) ask for. What is not declared is listed as undeclared, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from pipelines.errors import UsageError
from pipelines.names import nearest

Origin = Literal["public", "licensed", "third_party", "crawled", "user", "synthetic", "own", "other"]
ORIGINS: tuple[str, ...] = get_args(Origin)
Method = Literal["automated", "human", "synthetic", "hybrid", "undetermined"]


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A dataset or a model that is not ours, by name; a name alone will do."""

    name: Annotated[str, Meta(min_length=1)]
    url: str | None = None
    licence: str | None = None
    collected_from: str | None = None
    collected_to: str | None = None


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """None: not declared. An empty list is a declaration: there are none."""

    title: Annotated[str | None, Meta(description="what people call the dataset")] = None
    description: Annotated[str | None, Meta(description="what is in it, in a sentence or two")] = None
    version: Annotated[str | None, Meta(description="its version; quote it, or YAML makes 1.10 a number")] = None
    origin: Annotated[
        Origin | None,
        Meta(
            description="where it comes from: `public` (published datasets), `licensed` (from rightsholders, under a contract), "
            "`third_party` (other private datasets of third parties), `crawled`, `user` (data of a service's users), `synthetic`, "
            "`own` (made by the organisation itself), `other`"
        ),
    ] = None
    urls: Annotated[tuple[str, ...] | None, Meta(description="where it, or what it was made from, can be found")] = None
    sources: Annotated[
        tuple[Source, ...] | None,
        Meta(
            description="the datasets it was made from: names, or `{name, url, licence, collected_from, collected_to}`"
        ),
    ] = None
    collected_from: Annotated[
        str | None, Meta(description="start of the collection period: YYYY, YYYY-MM, or a day")
    ] = None
    collected_to: Annotated[str | None, Meta(description="its end")] = None
    collection_method: Annotated[
        Method | None,
        Meta(description="who collected: `automated`, `human`, `synthetic`, `hybrid`, or `undetermined`"),
    ] = None
    labelling_method: Annotated[Method | None, Meta(description="who wrote the labels or answers; the same words")] = (
        None
    )
    organisation: Annotated[str | None, Meta(description="the organisation that collected it")] = None
    seed_datasets: Annotated[
        tuple[Source, ...] | None, Meta(description="what synthetic data was made from, as `sources`")
    ] = None
    generator_models: Annotated[
        tuple[Source, ...] | None, Meta(description="the models that wrote synthetic data, as `sources`")
    ] = None
    crawlers: Annotated[tuple[str, ...] | None, Meta(description="names of the crawlers that fetched it")] = None
    licence: Annotated[str | None, Meta(description="its licence, as an SPDX identifier where there is one")] = None
    consent: Annotated[
        str | None, Meta(description="whose consent it rests on, and how that was asked; or why none is needed")
    ] = None
    opt_out: Annotated[
        str | None,
        Meta(description="how reservations of rights are respected, and how somebody gets a record out of it"),
    ] = None
    illegal_content: Annotated[str | None, Meta(description="what was done to keep illegal content out")] = None
    contact: Annotated[
        str | None, Meta(description="whom to write to; the only field that may hold an e-mail address")
    ] = None
    intended_use: Annotated[str | None, Meta(description="what it is for")] = None
    limitations: Annotated[
        str | None, Meta(description="what it should not be used for, and what is known to be wrong with it")
    ] = None
    citation: Annotated[str | None, Meta(description="how to cite it (BibTeX, say)")] = None
    modality: Annotated[str, Meta(description="what kind of data it holds")] = "text"
    partition: Annotated[
        Literal["training", "validation", "testing"], Meta(description="what part of a model's data it is")
    ] = "training"
    strict: Annotated[
        bool, Meta(description="refuse to run while something that must be declared is not (also `run --strict`)")
    ] = False


ALWAYS = ("title", "description", "version", "origin", "collected_from", "collected_to", "collection_method",
          "labelling_method", "organisation", "licence", "consent", "opt_out", "illegal_content", "contact",
          "intended_use")  # fmt: skip
"""What every dataset must declare; ``undeclared`` adds what its origin asks for."""

_BY_ORIGIN: Mapping[str, tuple[str, ...]] = {
    "public": ("urls", "sources"),
    "crawled": ("urls", "crawlers"),
    "synthetic": ("seed_datasets", "generator_models"),
}
_PERIOD = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
_EMAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+")
_LISTS = ("sources", "seed_datasets", "generator_models")
_DATES = ("collected_from", "collected_to")


def parse(given: Any, source: str) -> About:
    """The section as a recipe gives it. Raises UsageError, in one line, for anything that is wrong with it."""
    where = f"{source}: about"
    if given is None:
        return About()
    if not isinstance(given, dict):
        raise UsageError(f"{where}: a mapping of fields is wanted; there are {', '.join(About.__struct_fields__)}")
    _known(given, About, where)
    plain = {**given, **{k: str(given[k]) for k in _DATES if isinstance(given.get(k), int)}}
    for name in _LISTS:
        if isinstance(given.get(name), list):
            plain[name] = [_source(entry, f"{where}.{name}") for entry in given[name]]
    try:
        told = msgspec.convert(plain, About)
    except msgspec.ValidationError as error:
        raise UsageError(f"{where}: {error}") from None
    for path, text in _texts(msgspec.to_builtins(told)):
        if path != "contact" and _EMAIL.search(text):
            raise UsageError(
                f"{where}.{path} holds an e-mail address: only about.contact may, as the address to write to"
            )
    for period in (told, *(s for name in _LISTS for s in getattr(told, name) or ())):
        _check_period(period, where)
    return told


def undeclared(about: About) -> list[str]:
    """Names of the fields that must be declared and are not, in the order of the reference page."""
    wanted = {*ALWAYS, *_BY_ORIGIN.get(about.origin or "", ())}
    if "synthetic" in (about.collection_method, about.labelling_method):
        wanted.update(_BY_ORIGIN["synthetic"])
    return [name for name in About.__struct_fields__ if name in wanted and getattr(about, name) is None]


def told(about: About) -> dict[str, Any]:
    """As the manifest tells it: every field, null where it is not declared, and the list of those that should be."""
    fields = msgspec.json.decode(msgspec.json.encode(about))
    del fields["strict"]
    return {**fields, "undeclared": undeclared(about)}


def refuse_undeclared(about: About) -> None:
    """Raises UsageError in strict mode while something is missing."""
    if about.strict and (missing := undeclared(about)):
        raise UsageError(
            f"strict: about does not declare {', '.join(missing)}; declare them in the recipe (docs/provenance.md)"
        )


def _source(entry: Any, where: str) -> Any:
    if isinstance(entry, str):
        return {"name": entry}
    if isinstance(entry, dict):
        _known(entry, Source, where)
        return {**entry, **{k: str(entry[k]) for k in _DATES if isinstance(entry.get(k), int)}}
    return entry


def _known(given: Mapping[str, Any], kind: type[msgspec.Struct], where: str) -> None:
    fields = kind.__struct_fields__
    for key in given:
        if key not in fields:
            raise UsageError(f"{where}: no field {key!r}{nearest(str(key), fields)}; there are {', '.join(fields)}")


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a declaration with its place."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner, path)


def _check_period(period: About | Source, where: str) -> None:
    for name in _DATES:
        value = getattr(period, name)
        if value is not None and not _is_date(value):
            raise UsageError(f"{where}.{name}: {value!r} is no date: write YYYY, YYYY-MM or YYYY-MM-DD")
    start, end = period.collected_from, period.collected_to
    if start and end and start[: len(end)] > end[: len(start)]:
        raise UsageError(f"{where}: collected_from {start} is after collected_to {end}")


def _is_date(value: str) -> bool:
    if not _PERIOD.fullmatch(value):
        return False
    try:
        date.fromisoformat(value + "-01-01"[len(value) - 4 :])
    except ValueError:
        return False
    return True
