"""From counts to figures: shares with intervals, each with what it is a share of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from filters.batch import CHANNELS
from filters.mentions.lexicon import AXES
from filters.pii.certainty import LEVELS
from pipelines import statistics
from pipelines.audit import contact
from pipelines.audit.tally import Key, Stratum
from pipelines.statistics import Moments, Share

TOP = 20
"""Identifiers told an axis, the most frequent first."""
RECORDS = "records"
ANY = "(any)"
"""Whichever group or certainty. Some axes have a group called any: people of colour, of no ethnicity that is named, say."""
FACTS = ("language", "license", "generator")


@dataclass(frozen=True)
class Figure:
    """One share. section: mentions, pii, language, …; axis: an axis of mention or an entity; value: a group, an identifier, a
    level. measure says what is counted and ``among`` what it is a share of. numerator and denominator count in the sample
    (unweighted); share, low and high speak of all records."""

    section: str
    axis: str
    value: str
    measure: str
    among: str
    numerator: int
    denominator: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Skew:
    """One group against another: the first's share of both, and how many times as many that is (None: of the other, there may be
    none). balanced: one half is within the interval."""

    axis: str
    first: str
    second: str
    measure: str
    numerator: int
    denominator: int
    share: float
    low: float
    high: float
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None

    @property
    def balanced(self) -> bool:
        return self.low <= 0.5 <= self.high


class Counted:
    """Strata of a dataset, or of several, as one population."""

    def __init__(self, strata: Sequence[Stratum]) -> None:
        self.strata = [s for s in strata if s.of]
        self.n = sum(s.tally.n for s in self.strata)
        self.of = sum(s.of for s in self.strata)

    def keys(self, family: str) -> list[Key]:
        """Keys of records that were counted, whose first word this is."""
        return sorted({k for s in self.strata for k in s.tally.records if k[0] == family})

    def things(self, family: str) -> list[Key]:
        """Keys of things, the most frequent first."""
        found: dict[Key, float] = {}
        for s in self.strata:
            for key, sums in s.tally.sums.items():
                if key[0] == family and len(key) > 1:
                    found[key] = found.get(key, 0) + int(sums[0]) * s.of / s.tally.n
        return sorted(found, key=lambda k: (-found[k], k))

    def record_moments(self, key: Key, among: Key | None = None) -> list[Moments]:
        return [s.records(key, among) for s in self.strata]

    def thing_moments(self, key: Key) -> list[Moments]:
        return [s.things(key) for s in self.strata]

    def holding(self, key: Key, among: Key | None = None) -> tuple[int, Share]:
        return _share(self.record_moments(key, among))

    def figure(self, key: Key, section: str, axis: str, value: str, measure: str = RECORDS, among: Key | None = None,
               among_is: str = RECORDS) -> Figure:  # fmt: skip
        """The share of records that ``key`` is true of."""
        return _figure(section, axis, value, measure, among_is, self.record_moments(key, among))

    def thing(self, key: Key, section: str, axis: str, value: str, measure: str, among_is: str) -> Figure:
        return _figure(section, axis, value, measure, among_is, self.thing_moments(key))


def _share(moments: Sequence[Moments]) -> tuple[int, Share]:
    return sum(m.y for m in moments), statistics.ratio(moments)


def _figure(section: str, axis: str, value: str, measure: str, among: str, moments: Sequence[Moments]) -> Figure:
    hits, found = _share(moments)
    return Figure(section, axis, value, measure, among, hits, found.n, found.share, found.low, found.high)


def complement(figure: Figure, value: str, measure: str) -> Figure:
    """The share of those that it is not true of."""
    f = figure
    return Figure(
        f.section, f.axis, value, measure, f.among, f.denominator - f.numerator, f.denominator, 1 - f.share, 1 - f.high,
        1 - f.low,
    )  # fmt: skip


def figures(counted: Counted, review: Mapping[str, Any] | None = None) -> list[Figure]:
    """Everything that is said of a population of records, in the order in which it is told."""
    return [
        *(f for axis in AXES for f in _axis(counted, axis)),
        *_pii(counted),
        *_reviewed(counted, review or {}),
        *(counted.figure(k, fact, "", k[1]) for fact in FACTS for k in _most(counted, fact)),
        counted.figure(("no lexicon",), "reading", "", "no lexicon"),
        counted.figure(("unreadable",), "reading", "", "unreadable"),
    ]


def _most(counted: Counted, family: str) -> list[Key]:
    return sorted(counted.keys(family), key=lambda k: (-counted.holding(k)[1].share, k))[: 2 * TOP]


def _axis(counted: Counted, axis: str) -> Iterator[Figure]:
    mention: Key = ("mentions", axis)
    among = f"records that mention {axis}"
    any_ = counted.figure(mention, "mentions", axis, ANY)
    yield any_
    yield complement(any_, "", "records with no mention")
    if not any_.numerator:
        return
    if axis == "gender":
        for name in ("male only", "female only", "both"):
            yield counted.figure(("pair", name), "mentions", axis, name)
    for key in (k for k in counted.keys("group") if k[1] == axis):
        yield counted.figure(key, "mentions", axis, key[2])
        yield counted.figure(key, "mentions", axis, key[2], among=mention, among_is=among)
        yield counted.figure(("only", *key[1:]), "mentions", axis, key[2], "records, no other group", mention, among)
    for key in counted.things(axis):
        yield counted.thing(key, "mentions", axis, key[1], "mentions", f"mentions of {axis}")
    for key in counted.things(f"{axis} words")[:TOP]:
        yield counted.thing(key, "identifiers", axis, key[2], f"mentions ({key[1]})", f"mentions of {axis}")


def _pii(counted: Counted) -> Iterator[Figure]:
    yield counted.figure(("pii",), "pii", "", ANY)
    for key in (k for k in counted.keys("pii") if len(k) > 1):
        yield counted.figure(key, "pii", key[1], ANY)
    for key in counted.things("entities"):
        yield counted.thing(key, "pii", key[1], ANY, "findings", "findings")
    for key in sorted(counted.keys("pii_level"), key=lambda k: (k[1], -LEVELS.index(k[2]))):
        yield counted.figure(key, "pii", key[1], key[2])
    for key in counted.things("findings"):
        yield counted.thing(key, "pii", key[1], key[2], "findings", "findings, unlikely ones too")
    for key in sorted(counted.keys("pii_channel"), key=lambda k: CHANNELS.index(k[1])):
        yield counted.figure(key, "pii channel", "", key[1])
    for key in counted.things("channels"):
        yield counted.thing(key, "pii channel", "", key[1], "findings", "findings")
    for key in counted.keys("contact"):
        yield counted.figure(key, "contact", key[1], key[2])
    for entity in contact.ENTITIES:
        for key in counted.things(f"contacts {entity}"):
            yield counted.thing(key, "contact", entity, key[1], "findings", f"findings of {entity}")


def _reviewed(counted: Counted, review: Mapping[str, Any]) -> Iterator[Figure]:
    """Shares of records with a finding that is right, where people said how many are: both intervals' lower bounds multiplied,
    and both upper ones. A record counts as right as one finding of it; the true share is no smaller where records hold several."""
    for entity, told in review.items():
        if precision := told.get("precision"):
            f = counted.figure(("pii", entity), "pii", entity, ANY)
            yield Figure(
                "pii", entity, "right by review", RECORDS, RECORDS, round(f.numerator * precision["estimate"]),
                f.denominator, f.share * precision["estimate"], f.low * precision["low"], f.high * precision["high"],
            )  # fmt: skip


def skews(counted: Counted) -> list[Skew]:
    """Male against female: records that mention only one of the two, and mentions."""
    records = counted.record_moments(("pair", "male only"), ("pair", "one"))
    found = [_skew("records that mention only male or only female words", records)]
    found.append(_skew("mentions of either", counted.thing_moments(("gendered", "male"))))
    return [s for s in found if s is not None]


def _skew(measure: str, moments: Sequence[Moments]) -> Skew | None:
    hits, found = _share(moments)
    if not found.n:
        return None
    odds = [p / (1 - p) if p < 1 else None for p in (found.share, found.low, found.high)]
    return Skew(
        "gender",
        "male",
        "female",
        measure,
        hits,
        found.n,
        found.share,
        found.low,
        found.high,
        odds[0],
        odds[1],
        odds[2],
    )
