"""What is looked at in a batch: who is mentioned, and beside which words; personal data; languages and licences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from filters.batch import CHANNELS, CONTENT, REASONING, Batch
from filters.language import LanguageFilter
from filters.language.model import UNDETERMINED, family
from filters.mentions.finder import Finder
from filters.mentions.lexicon import LANGUAGES, built_in, digest, read
from filters.pii import PiiFilter, PiiOptions
from pipelines.audit import contact, strata
from pipelines.audit.found import Found, near
from pipelines.audit.tally import Batched, Key, Tally, distinct

READ_CHANNELS = (CONTENT, REASONING)
"""Where mentions are looked for, whatever the role; calls, results and tool definitions are data of tools."""
FACTS = ("license", "generator")
PAIR = ("male", "female")
"""Groups of the axis gender that are told apart as one, the other or both."""


class Looker:
    """Every model loaded, once a process. lexicons: paths of further ones. Raises ConfigError for one that is broken."""

    def __init__(self, lexicons: Sequence[str] = ()) -> None:
        self._finder = Finder([read(path) for path in lexicon_paths(lexicons)])
        self._pii = PiiFilter(pii_options())
        self._language = LanguageFilter()

    def look(self, batch: Batch, stratum: np.ndarray, names: Sequence[str]) -> dict[str, Tally]:
        """Counts by stratum. stratum: int64[n], an index into names for each record."""
        into = Batched(stratum, len(names))
        found = Found(batch, self._finder.find(batch.segments, batch.segments.where(channels=READ_CHANNELS)))
        for axis in found.axes:
            _axis(found, axis, into)
        near(batch, found, into)
        _personal(batch, self._pii.places(batch), into)
        _facts(batch, pa.array(self._language.judge(batch).scores["language"], pa.string()), into)
        _hold(into, ((record, ("unreadable",)) for record, _ in batch.unreadable))
        return dict(zip(names, into.tallies, strict=True))


def lexicon_paths(more: Sequence[str] = ()) -> list[Path]:
    return [*built_in(helpers=True), *map(Path, more)]


def lexicon_digests(more: Sequence[str] = ()) -> dict[str, str]:
    """sha256 of each lexicon by file name."""
    return {path.name: digest(path) for path in lexicon_paths(more)}


def pii_options() -> PiiOptions:
    return PiiOptions(action="annotate")


def not_scanned() -> list[str]:
    return list(PiiFilter.not_scanned(pii_options()))


def _axis(found: Found, axis: str, into: Batched) -> None:
    """("mentions", axis): the record mentions it. ("group", axis, g), ("only", axis, g): a group, or no other one.
    ("pair", …): male, female or both. Things: (axis, group); (axis + " words", group, identifier); ("gendered", male or female)."""
    record, group, word = found.of(axis)
    groups = found.groups
    into.hold(record, np.zeros_like(record), [("mentions", axis)])
    into.hold(record, group, [("group", axis, g) for g in groups])
    once, its, _ = distinct(record, group)
    one = np.bincount(once)[once] == 1
    into.hold(once[one], its[one], [("only", axis, g) for g in groups])
    into.count(record, group, [(axis, g) for g in groups])
    used, code = np.unique(group * len(found.words) + word, return_inverse=True)
    named = [(groups[u // len(found.words)], found.words[u % len(found.words)]) for u in used]
    into.count(record, code, [(f"{axis} words", *names) for names in named])
    if axis == "gender":
        _pair(once, its, groups, into)
        two = np.isin(group, [groups.index(g) for g in PAIR if g in groups])
        into.count(record[two], group[two], [("gendered", g) for g in groups])


def _pair(record: np.ndarray, group: np.ndarray, groups: Sequence[str], into: Batched) -> None:
    male, female = (record[group == groups.index(g)] if g in groups else record[:0] for g in PAIR)
    both = np.intersect1d(male, female)
    sets = {"male only": np.setdiff1d(male, both), "female only": np.setdiff1d(female, both), "both": both}
    _hold(into, ((int(r), ("pair", name)) for name, records in sets.items() for r in records))
    _hold(into, ((int(r), ("pair", "one")) for name in ("male only", "female only") for r in sets[name]))


def _personal(batch: Batch, places: Iterable[Any], into: Batched) -> None:
    """("pii", …): a record with a finding that counts. Things: ("findings", entity, level) all; ("entities", …), ("channels",
    …) and ("contacts …", …) those that count."""
    held: list[tuple[int, Key]] = []
    things: dict[str, list[tuple[int, Key]]] = {}
    for place in places:
        record = int(batch.segments.record[place.segment])
        channel = CHANNELS[batch.segments.channel[place.segment]]
        held.append((record, ("pii_level", place.entity, place.level)))
        keys: list[Key] = [("findings", place.entity, place.level)]
        if place.counts:
            held += [(record, ("pii",)), (record, ("pii", place.entity)), (record, ("pii_channel", channel))]
            keys += [("entities", place.entity), ("channels", channel)]
            if place.entity in contact.ENTITIES:
                whose = contact.kind(place.entity, *_value(batch, place))
                held.append((record, ("contact", place.entity, whose)))
                keys.append((f"contacts {place.entity}", whose))
        for key in keys:
            things.setdefault(key[0], []).append((record, key))
    _hold(into, held)
    for pairs in things.values():
        into.count(*_coded(pairs))


def _value(batch: Batch, place: Any) -> tuple[str, str]:
    """What was found, and what stands before it."""
    data = batch.segments.bytes(place.segment)
    before = data[max(0, place.start - 4 * contact.BEFORE) : place.start].decode("utf-8", "ignore")
    return data[place.start : place.end].decode("utf-8", "ignore"), before[-contact.BEFORE :]


def _facts(batch: Batch, language: pa.Array, into: Batched) -> None:
    """("language", code), as identified, and ("license", …), ("generator", …), as declared. ("no lexicon",): it is in a language
    of which no lexicon knows the words."""
    record = np.arange(len(batch))
    nothing = pa.nulls(len(batch), pa.string())
    columns = {"language": language, **{f: batch.facts.get(f, nothing) for f in FACTS}}
    spoken = {family(code) for code in LANGUAGES} | {UNDETERMINED}
    _hold(into, ((r, ("no lexicon",)) for r, code in enumerate(language.to_pylist()) if family(code) not in spoken))
    for fact, values in columns.items():
        codes, names = strata.shown(values)
        into.hold(record, codes, [(fact, name) for name in names])


def _hold(into: Batched, held: Iterable[tuple[int, Key]]) -> None:
    into.hold(*_coded(held))


def _coded(pairs: Iterable[tuple[int, Key]]) -> tuple[np.ndarray, np.ndarray, list[Key]]:
    listed = list(pairs)
    keys = sorted({key for _, key in listed})
    index = {key: i for i, key in enumerate(keys)}
    records, codes = np.array([r for r, _ in listed], np.int64), np.array([index[k] for _, k in listed], np.int64)
    return records, codes, keys
