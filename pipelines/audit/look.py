"""What is looked at in a batch: who is mentioned, and beside which words; personal data; languages and licences."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pyarrow as pa

from filters.batch import CHANNELS, CONTENT, REASONING, TOOL_CALL, TOOL_RESULT, Batch
from filters.contract import ConfigError
from filters.language import LanguageFilter
from filters.mentions.finder import Finder
from filters.mentions.lexicon import HELPERS, built_in, digest, read
from filters.pii import PiiFilter, PiiOptions
from pipelines.audit import contact, nearby, strata
from pipelines.audit.tally import Batched, Key, Tally

READ_CHANNELS = (CONTENT, REASONING, TOOL_CALL, TOOL_RESULT)
"""Where mentions are looked for: what a model reads and writes. Tool definitions and other columns are left out."""
SENTIMENT = "sentiment"
PAIR = ("male", "female")
"""Groups of the axis gender that are told apart as one, the other or both."""


class Looker:
    """Every model loaded, once a process."""

    def __init__(self) -> None:
        self._finder = Finder([read(path) for path in lexicons()])
        self._pii = PiiFilter(pii_options())
        self._language = LanguageFilter()

    def look(self, batch: Batch, stratum: np.ndarray, names: list[str]) -> dict[str, Tally]:
        """Counts by stratum. stratum: int64[n], an index into names for each record."""
        into = Batched(stratum, len(names))
        self._mentions(batch, into)
        self._personal(batch, into)
        _facts(batch, self._language.judge(batch).scores["language"], into)
        refused = np.array([r for r, _ in batch.unreadable], np.int64)
        into.hold(refused, np.zeros_like(refused), [("unreadable",)])
        return dict(zip(names, into.tallies, strict=True))

    def _mentions(self, batch: Batch, into: Batched) -> None:
        found = Found(batch, self._finder.find(batch.segments, batch.segments.where(channels=READ_CHANNELS)))
        for axis in found.axes:
            _axis(found, axis, into)
        _near(batch, found, into)

    def _personal(self, batch: Batch, into: Batched) -> None:
        record, findings, keys = [], [], []
        for place in self._pii.places(batch):
            channel = CHANNELS[batch.segments.channel[place.segment]]
            record.append(int(batch.segments.record[place.segment]))
            findings.append((place.entity, place.level, channel, place.counts, _whose(batch, place)))
        for r, (entity, level, channel, counts, whose) in zip(record, findings, strict=True):
            keys.append((r, ("pii_level", entity, level)))
            if counts:
                keys += [(r, ("pii",)), (r, ("pii", entity)), (r, ("pii_channel", channel))]
            if whose:
                keys.append((r, ("contact", entity, whose)))
        _hold(into, keys)
        counted = [(r, f) for r, f in zip(record, findings, strict=True) if f[3]]
        _count(into, [(r, ("findings", f[0], f[1])) for r, f in zip(record, findings, strict=True)])
        _count(into, [(r, ("entities", f[0])) for r, f in counted])
        _count(into, [(r, ("channels", f[2])) for r, f in counted])
        for entity in contact.ENTITIES:
            _count(into, [(r, (f"contacts {entity}", f[4])) for r, f in counted if f[0] == entity])


@cache
def lexicons() -> tuple:  # type: ignore[type-arg]
    return tuple(built_in(helpers=True))


def lexicon_digests() -> dict[str, str]:
    """sha256 of each lexicon by file name."""
    return {path.name: digest(path) for path in lexicons()}


def pii_options() -> PiiOptions:
    return PiiOptions(action="annotate")
