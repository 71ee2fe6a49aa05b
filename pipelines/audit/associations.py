"""Which groups stand beside which occupations and which sentiment more often than the other groups of their axis do.

The unit is the record: a group and a word *go together* in it if one of its sentences holds both. For a group and a word, records
in which they go together, of all that mention the group, are set against records in which any other group of the axis and the word
do. The log odds ratio is Mantel and Haenszel's over the strata. A record that mentions several groups counts on both sides, which
can only make the interval too wide.

There are hundreds of such pairs, so Benjamini and Hochberg's procedure decides which to believe: at 5 %, of those that are told, one in
twenty is a fluke on average. Holm's would bound the chance of a single fluke instead, and miss most of what is there: this list
is read as a list of things to look into. Intervals of those that are told are made wider for their having been picked (Benjamini
and Yekutieli 2005). No correction for a finite population is made: the question is what the text's makers tend to write.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines import statistics
from pipelines.audit.figures import Counted
from pipelines.audit.tally import Key, Stratum

RATE = 0.05
"""Share of false ones among those told, on average."""
LEAST = 5
"""Records expected on either side if nothing went together; with fewer a test says nothing, and is not made."""


@dataclass(frozen=True)
class Association:
    """together and mention: records in which group and word go together, and that mention the group; other_…: the same of the
    other groups of the axis. odds: how many times the odds are; low/high: its interval. found: believed."""

    axis: str
    group: str
    kind: str
    word: str
    together: int
    mention: int
    other_together: int
    other_mention: int
    odds: float
    low: float
    high: float
    p: float
    found: bool


def associations(counted: Counted) -> list[Association]:
    """Every pair that could be tested, those believed first, then by p."""
    tested = [(key, tables) for key in _pairs(counted) if (tables := _tables(counted, key)) is not None]
    logs = [statistics.log_odds(tables) for _, tables in tested]
    ps = [statistics.p_value(log / error) for log, error in logs]
    found = statistics.discoveries(ps, RATE)
    wide = statistics.quantile_among(sum(found), len(tested), RATE)
    told = []
    for (key, tables), (log, error), p, believed in zip(tested, logs, ps, found, strict=True):
        reach = (wide if believed else statistics.Z95) * error
        a, b, c, d = (int(sum(cells)) for cells in zip(*tables, strict=True))
        low, high = math.exp(log - reach), math.exp(log + reach)
        told.append(
            Association(key[1], key[2], key[3], key[4], a, a + b, c, c + d, math.exp(log), low, high, p, believed)
        )
    return sorted(told, key=lambda t: (not t.found, t.p, t.axis, t.group, t.word))


def _pairs(counted: Counted) -> Iterator[Key]:
    """("near", axis, group, kind, word). Of two groups one is tested: the other's is the same test."""
    groups: dict[str, set[str]] = {}
    for key in counted.keys("group"):
        groups.setdefault(key[1], set()).add(key[2])
    words: dict[str, set[Key]] = {}
    for key in counted.keys("near_axis"):
        words.setdefault(key[1], set()).add(key[2:])
    for axis in sorted(words):
        names = sorted(groups[axis])
        for group in names[1:] if len(names) == 2 else names:
            for word in sorted(words[axis]):
                yield ("near", axis, group, *word)


def _tables(counted: Counted, key: Key) -> list[statistics.Table] | None:
    """One table a stratum; None where too few are expected on either side."""
    tables = [_table(s, key) for s in counted.strata]
    a, b, c, d = (sum(cells) for cells in zip(*tables, strict=True))
    if not a + b or not c + d:
        return None
    expected = (a + c) * min(a + b, c + d) / (a + b + c + d)
    spare = (b + d) * min(a + b, c + d) / (a + b + c + d)
    return tables if min(expected, spare) >= LEAST else None


def _table(stratum: Stratum, key: Key) -> statistics.Table:
    count = stratum.tally.records
    axis, group, word = key[1], key[2], key[3:]
    a = count[key]
    c = count["near_axis", axis, *word] - count["near_only", axis, group, *word]
    mention = count["group", axis, group]
    other = count["mentions", axis] - count["only", axis, group]
    return (a, mention - a, c, other - c)
