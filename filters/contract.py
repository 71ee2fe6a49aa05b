"""What a filter is: it takes a batch and returns a judgement. It changes nothing and keeps nothing between batches.

Every filter sees the source text, whatever other filters say, so verdicts do not depend on the order of the stages.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.batch import Batch

KEPT = -1
"""The reason code of a record that is kept."""

CHECKED = ("answer", "code")
"""What of a record filters can check: its final answer, its code. Of each there is a column among the signatures (int8): 1 where the
recipe's filters found it right, -1 where one found it wrong, 0 where none could tell."""

EVIDENCE_LIMIT = 100
"""Evidence rows kept a record and filter. A loop can match a million times; the first hundred places say enough."""


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A filter's options: typed, bounded and described by msgspec.Meta; the reference page is made from them."""


class ConfigError(ValueError):
    """An option whose value makes no sense, or something the machine lacks. Printed in one line, without a traceback."""


class JudgeError(Exception):
    """A filter cannot judge now, through no fault of the records: a service is down. The unit fails with this one line, and the
    next run does it again. Never with record text."""


@dataclass
class Evidence:
    """Where the reason stands. Rows are appended; ``segment`` -1 means the turn (or record) as a whole.

    start/end are bytes from the segment's start here; annotations count code points.
    """

    segment: list[int] = field(default_factory=list)
    record: list[int] = field(default_factory=list)
    turn: list[int] = field(default_factory=list)
    channel: list[int] = field(default_factory=list)
    start: list[int] = field(default_factory=list)
    end: list[int] = field(default_factory=list)
    rule: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rule)

    def add_span(self, batch: Batch, segment: int, start: int, end: int, rule: str) -> None:
        """A byte span of one segment."""
        segments = batch.segments
        self._add(
            segment, segments.record[segment], segments.turn[segment], segments.channel[segment], start, end, rule
        )

    def add_turn(self, record: int, turn: int, channel: int, rule: str) -> None:
        """A turn (or, with turn -1, the record) as a whole: there is no text to point at."""
        self._add(-1, record, turn, channel, 0, 0, rule)

    def _add(self, segment: int, record: int, turn: int, channel: int, start: int, end: int, rule: str) -> None:
        self.segment.append(int(segment))
        self.record.append(int(record))
        self.turn.append(int(turn))
        self.channel.append(int(channel))
        self.start.append(int(start))
        self.end.append(int(end))
        self.rule.append(rule)


@dataclass
class Edits:
    """Replacements a scrubber asks for: bytes ``start:end`` of a segment become ``replacement``; spans do not overlap.

    label names what was replaced (the entity), for counting.
    """

    segment: list[int] = field(default_factory=list)
    start: list[int] = field(default_factory=list)
    end: list[int] = field(default_factory=list)
    replacement: list[str] = field(default_factory=list)
    label: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.segment)

    def add(self, segment: int, start: int, end: int, replacement: str, label: str) -> None:
        self.segment.append(int(segment))
        self.start.append(int(start))
        self.end.append(int(end))
        self.replacement.append(replacement)
        self.label.append(label)


@dataclass
class Judgement:
    """One filter's word on one batch, aligned to its records.

    reason: int16[n], KEPT or an index into the filter's ``reasons``.
    scores: an array of n values for each field the filter declares.
    """

    reason: np.ndarray
    scores: Mapping[str, np.ndarray | pa.Array] = field(default_factory=dict)
    evidence: Evidence = field(default_factory=Evidence)
    edits: Edits = field(default_factory=Edits)
    signatures: pa.RecordBatch | None = None
    """What a filter that ``compares`` needs of each record later on; null in the first column where a record is not to be compared.
    No text."""

    @property
    def keep(self) -> np.ndarray:
        return self.reason == KEPT


@dataclass(frozen=True)
class Part:
    """Signatures of some records that are compared: a unit's, or another dataset's.

    signatures: ``row`` (int64), ``id`` (string) and what the filter gave, in order of ``row``; of our own records also a column for each
    of CHECKED. name: of the shard. world: records are compared within it alone (copies made by augmenting are one of their own).
    dataset: the other dataset's name, whose records are compared with and never rejected; empty for ours.
    """

    name: str
    signatures: pa.Table
    world: str = ""
    dataset: str = ""


class Filter(ABC):
    """Base of every filter.

    A subclass declares its name, the closed list of its reasons (code -> what it means, most severe first), its scores
    (name -> Arrow type) and its Options, and implements ``judge``. Construction is where models and rules are loaded:
    it happens once a worker, and raises ConfigError when something is missing.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    reasons: ClassVar[Mapping[str, str]]
    scores: ClassVar[Mapping[str, pa.DataType]] = {}
    Options: ClassVar[type[Options]] = Options
    measured_with: ClassVar[tuple[str, ...] | None] = None
    """Options that go into the scores; all others only turn scores into verdicts, and ``decide`` can do that again from
    annotations. None: scores alone do not make this filter's verdicts."""

    tables: ClassVar[Mapping[str, str]] = {}
    """Tables of the manifest: name -> score whose values are counted over the kept records. Short values from a closed list only:
    no text. A table named like a fact's (``languages``) replaces it."""

    thresholds: ClassVar[Mapping[str, str]] = {}
    """Score -> the option it is compared with, for people who look at how the scores are spread. An option of 0 is off."""

    summed: ClassVar[tuple[str, ...]] = ()
    """Scores whose sums over kept records the manifest tells; a null adds nothing. See ``totals``."""

    spent: ClassVar[tuple[str, ...]] = ()
    """Scores whose sums over all records, kept or not, the manifest tells as well: what judging them took."""

    packages: ClassVar[tuple[str, ...]] = ()
    """Packages that decide its scores and that only recipes with it need; their versions are part of what keys the work."""

    withholds: ClassVar[bool] = False
    """Whether nothing of a record that it rejects may be kept, not even in rejected/."""

    checks: ClassVar[str] = ""
    """Which of CHECKED its scores tell of, by ``checked``; empty: none."""

    compares: ClassVar[bool] = False
    """Whether its verdicts need all records. ``judge`` then keeps every record, its scores null, and gives ``signatures``; when every
    unit is there, ``resolve`` decides from those of the records that all filters keep which do not compare, and those before it which
    do. Where a record is rejected since another stands for it, the scores say in ``at`` (``SHARD:ROW``) and ``dataset`` (null: this one)
    which."""

    resolved_with: ClassVar[tuple[str, ...]] = ()
    """Options that ``resolve`` alone looks at: another value needs no record to be judged again."""

    def __init__(self, options: Any = None) -> None:
        self.options = self.Options() if options is None else options

    @abstractmethod
    def judge(self, batch: Batch) -> Judgement:
        """Verdict, scores, evidence and edits for each record of the batch."""

    @classmethod
    def decide(cls, scores: Mapping[str, Any], options: Any) -> np.ndarray:
        """int16 reason of each record, from the recorded scores (numpy arrays; text as object arrays) and options alone.

        The same verdicts as ``judge``'s, for any options that differ in nothing that is in ``measured_with``.
        """
        raise NotImplementedError(f"{cls.__name__} does not decide from scores")

    @classmethod
    def resolve(cls, parts: Sequence[Part], options: Any) -> pa.Table:
        """The records of which it says anything: ``part`` (int32, which of ``parts``), ``row`` (int64, as the signatures have it),
        ``reason`` (int16, KEPT or an index) and the filter's scores. Parts come in the order of their shards; who made them, and when,
        must not show."""
        raise NotImplementedError(f"{cls.__name__} does not compare records")

    @classmethod
    def signature(cls, options: Any) -> pa.Schema:
        """The columns of ``Judgement.signatures``. Where the same column of two runs has the same field metadata, it can be compared."""
        raise NotImplementedError(f"{cls.__name__} does not compare records")

    @classmethod
    def overview(cls, told: pa.Table, options: Any) -> dict[str, Any]:
        """What the manifest says of all that ``resolve`` told, from its reasons (``reason``, null: kept) and recorded scores alone."""
        return {}

    @classmethod
    def needs_checked(cls, options: Any) -> bool:
        """Whether it has no use in a recipe without a filter that ``checks``."""
        return False

    @classmethod
    def checked(cls, scores: Mapping[str, Any]) -> np.ndarray:
        """int8 of each record, from its recorded scores: 1 for what it ``checks`` was found right, -1 wrong, 0 if it could not tell."""
        raise NotImplementedError(f"{cls.__name__} checks nothing")

    @classmethod
    def totals(cls, scores: Mapping[str, pa.Array]) -> Mapping[str, int]:
        """What these records add to the manifest's sums, from their recorded scores alone: so it can be taken away again."""
        return {name: pc.sum(scores[name]).as_py() or 0 for name in cls.summed}

    @classmethod
    def asks_elsewhere(cls, options: Any) -> bool:
        """Whether judging sends texts to a service, so that it must not be tried on anything but records."""
        return False

    @classmethod  # noqa: B027  (most filters have nothing to check)
    def check(cls, options: Any) -> None:
        """Raises ConfigError for options that can never mean anything, where telling so needs no model: before deciding anew."""

    @classmethod
    def assets(cls, options: Any) -> Mapping[str, str]:
        """Models and rule packs the verdicts depend on: name -> sha256. Cheap: no model is loaded for it."""
        return {}

    @classmethod
    def programs(cls, options: Any) -> Mapping[str, str]:
        """Programs of the machine that its verdicts depend on: name -> version, the same text on every worker. Part of what keys the
        work. Raises ConfigError for one that is not there."""
        return {}

    @classmethod
    def not_scanned(cls, options: Any) -> Sequence[str]:
        """What a reader could believe this filter looked for, and it did not: told in the manifest and the report."""
        return ()

    @classmethod
    def summarise(cls, tables: Mapping[str, Mapping[str, int]], options: Any) -> dict[str, Any]:
        """What the manifest says beside the counts, made from its tables alone, so that it can be made again."""
        return {}

    def reason_index(self, code: str) -> int:
        return list(self.reasons).index(code)
