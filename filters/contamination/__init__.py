"""Records that hold a benchmark's items: what a model has seen in training, a benchmark can not measure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import pyarrow as pa

from filters.batch import ASSISTANT, CONTENT, REASONING, TOOL_CALL, TOOL_RESULT, Batch
from filters.contamination import items
from filters.contract import EVIDENCE_LIMIT, KEPT, ConfigError, Evidence, Filter, Judgement, Options

Channel = Literal["content", "reasoning", "tool_call", "tool_result"]
_CHANNELS = {"content": CONTENT, "reasoning": REASONING, "tool_call": TOOL_CALL, "tool_result": TOOL_RESULT}


class ContaminationOptions(Options, frozen=True, kw_only=True):
    benchmarks: Annotated[
        str,
        msgspec.Meta(
            description="Folder of benchmarks as Parquet or JSON (or one file); a benchmark is named after its folder or file."
        ),
    ] = ""
    question: Annotated[
        str, msgspec.Meta(description="Column of the items' questions; empty: question, problem, prompt and the like.")
    ] = ""
    answer: Annotated[
        str, msgspec.Meta(description="Column of their answers; empty: answer, solution, target and the like, if any.")
    ] = ""
    words: Annotated[int, msgspec.Meta(description="Words of an n-gram.", ge=2, le=50)] = 5
    max_overlap: Annotated[
        float,
        msgspec.Meta(
            description="Share of an item's n-grams from which on a record that has them is dropped.", gt=0, le=1
        ),
    ] = 0.4
    max_overlap_answered: Annotated[
        float, msgspec.Meta(description="The same for a record in which the item's answer is said, too.", gt=0, le=1)
    ] = 0.3
    least: Annotated[int, msgspec.Meta(description="N-grams of an item that a record must have at least.", ge=1)] = 4
    common: Annotated[
        int,
        msgspec.Meta(description="N-grams that stand in more items than this are set phrases and do not count.", ge=1),
    ] = 10
    shortest: Annotated[
        int,
        msgspec.Meta(description="Words from which on a text that is an item, and nothing else, is one.", ge=1),
    ] = 5
    channels: Annotated[tuple[Channel, ...], msgspec.Meta(description="Where to look, in the turns of every role.")] = (
        "content",
        "reasoning",
    )


class ContaminationFilter(Filter):
    """Looks every n-gram of words up among those of the benchmarks; a record goes for one item, never for many a little."""

    name = "contamination"
    summary = "Drops records that hold a benchmark's items, by overlap of n-grams; the report counts them by benchmark."
    reasons: ClassVar[Mapping[str, str]] = {
        "benchmark_item": "A text of the record is an item of a benchmark, word for word.",
        "benchmark_overlap": "The record has too large a share of the n-grams of one item.",
    }
    scores: ClassVar[Mapping[str, pa.DataType]] = {
        "overlap": pa.float32(),
        "ngrams": pa.int32(),
        "answered": pa.bool_(),
        "exact": pa.bool_(),
        "benchmark": pa.string(),
        "item": pa.int64(),
    }
    thresholds: ClassVar[Mapping[str, str]] = {"overlap": "max_overlap"}
    Options = ContaminationOptions
    options: ContaminationOptions
    measured_with = ("benchmarks", "question", "answer", "words", "common", "shortest", "channels")

    def __init__(self, options: ContaminationOptions | None = None) -> None:
        super().__init__(options)
        o = self.options
        if not o.benchmarks:
            raise ConfigError(
                "contamination: it needs benchmarks, for example  contamination: {benchmarks: benchmarks/}"
            )
        from filters.contamination.index import build

        loaded = items.load(o.benchmarks, o.question, o.answer)
        self._answers = pa.chunked_array([chunk for b in loaded for chunk in b.answers.chunks], pa.large_string())
        self._index = build(loaded, o.words, o.common, o.shortest)
        if not len(self._index.grams):
            raise ConfigError(f"contamination: no item at {o.benchmarks} has {o.words} words: set `words` lower")

    @classmethod
    def assets(cls, options: Any) -> Mapping[str, str]:
        return items.digest(options.benchmarks) if options.benchmarks else {}

    @classmethod
    def not_scanned(cls, options: Any) -> tuple[str, ...]:
        return tuple(f"benchmark items in {name}" for name in _CHANNELS if name not in options.channels)

    def judge(self, batch: Batch) -> Judgement:
        """scores: of the item that a record has most of, the share of its n-grams and their number, whether its answer is said, and
        which it is (row, from 0, of that benchmark); exact: a text is the item. Evidence: the overlap, by benchmark."""
        segments = batch.segments
        which = segments.where(channels=tuple(_CHANNELS[c] for c in self.options.channels))
        hits = self._index.find(segments, which)
        found = _Found(batch, self._index, hits, self._answers)
        scores = found.scores()
        reason = self.decide(scores, self.options)
        evidence = Evidence()
        for record in np.flatnonzero(reason != KEPT).tolist():
            for segment, start, end in found.places(record)[:EVIDENCE_LIMIT]:
                evidence.add_span(batch, segment, start, end, str(scores["benchmark"][record]))
        kinds = {"benchmark": pa.string(), "item": pa.int64()}
        return Judgement(reason, {n: pa.array(v, kinds.get(n, self.scores[n])) for n, v in scores.items()}, evidence)

    @classmethod
    def decide(cls, scores: Mapping[str, Any], options: ContaminationOptions) -> np.ndarray:
        overlap = np.asarray(scores["overlap"], np.float32)
        limit = np.where(
            np.asarray(scores["answered"], bool),
            np.float32(min(options.max_overlap_answered, options.max_overlap)),
            np.float32(options.max_overlap),
        )
        reason = np.full(len(overlap), KEPT, np.int16)
        reason[(overlap >= limit) & (np.asarray(scores["ngrams"]) >= options.least)] = 1
        reason[np.asarray(scores["exact"], bool)] = 0
        return reason


class _Found:
    """What one batch has of the index."""

    def __init__(self, batch: Batch, index: Any, hits: Any, answers: pa.ChunkedArray) -> None:
        self.batch, self.index, self.hits, self.answers = batch, index, hits, answers
        self.record = batch.segments.record[hits.segment].astype(np.int64)
        self._by_record = np.argsort(self.record, kind="stable")
        self.item, self.count = self._best()

    def _best(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each record, the item of which it has the largest share of different n-grams (-1: of none), and how many."""
        n, index = len(self.batch), self.index
        item, count = np.full(n, -1), np.zeros(n, np.int64)
        if not len(self.record):
            return item, count
        pairs = np.unique(np.stack([self.record, self.hits.gram], 1), axis=0)
        times = index.first[pairs[:, 1] + 1] - index.first[pairs[:, 1]]
        at = np.repeat(index.first[pairs[:, 1]] - np.concatenate([[0], np.cumsum(times)[:-1]]), times) + np.arange(
            times.sum()
        )
        owned, numbers = np.unique(
            np.stack([np.repeat(pairs[:, 0], times), index.owners[at]], 1), axis=0, return_counts=True
        )
        share = numbers / index.size[owned[:, 1]]
        order = np.lexsort((owned[:, 1], -numbers, -share, owned[:, 0]))
        records, first = np.unique(owned[order, 0], return_index=True)
        item[records], count[records] = owned[order[first], 1], numbers[order[first]]
        return item, count

    def scores(self) -> dict[str, np.ndarray]:
        n, index = len(self.batch), self.index
        exact = np.zeros(n, bool)
        for segment, item in self.hits.whole.tolist():
            record = self.batch.segments.record[segment]
            if not exact[record]:
                exact[record], self.item[record], self.count[record] = True, item, index.size[item]
        known = self.item >= 0
        share = np.zeros(n, np.float32)
        share[known] = self.count[known] / np.maximum(index.size[self.item[known]], 1)
        names, numbers = np.full(n, None, object), np.full(n, None, object)
        for record in np.flatnonzero(known):
            names[record] = index.names[index.benchmark[self.item[record]]]
            numbers[record] = int(index.number[self.item[record]])
        answered = np.array([bool(k) and self._answered(r) for r, k in enumerate(known)], bool)
        return {
            "overlap": np.minimum(share, 1), "ngrams": self.count.astype(np.int32), "answered": answered, "exact": exact,
            "benchmark": names, "item": numbers,
        }  # fmt: skip

    def _answered(self, record: int) -> bool:
        """Whether an assistant turn of the record says the item's answer."""
        answer = _folded(self.answers[self.item[record]].as_py())
        if not answer.strip():
            return False
        segments = self.batch.segments
        own = range(self.batch.record_start[record], self.batch.record_start[record + 1])
        return any(
            segments.role[i] == ASSISTANT and _says(segments.bytes(i), answer) for i in own if segments.length[i]
        )

    def places(self, record: int) -> list[tuple[int, int, int]]:
        """Stretches of text in which the record's item stands: segment, start and end in bytes."""
        own = self._of_item(record)
        found: list[tuple[int, int, int]] = []
        for segment, start, end in zip(
            self.hits.segment[own].tolist(), self.hits.start[own].tolist(), self.hits.end[own].tolist(), strict=True
        ):
            if found and found[-1][0] == segment and start <= found[-1][2]:
                found[-1] = (segment, found[-1][1], max(end, found[-1][2]))
            else:
                found.append((segment, start, end))
        whole = self.hits.whole[self.batch.segments.record[self.hits.whole[:, 0]] == record, 0].tolist()
        return found or [(s, 0, int(self.batch.segments.length[s])) for s in whole]

    def _of_item(self, record: int) -> np.ndarray:
        """Which hits of the record are n-grams of its item. Only its own are looked at: the index may hold millions."""
        index = self.index
        mine = self._by_record[slice(*np.searchsorted(self.record, (record, record + 1), sorter=self._by_record))]
        grams = self.hits.gram[mine]
        first, times = index.first[grams], index.first[grams + 1] - index.first[grams]
        owners = index.owners[np.repeat(first - np.cumsum(times) + times, times) + np.arange(times.sum())]
        return mine[np.unique(np.repeat(np.arange(len(mine)), times)[owners == self.item[record]])]


def _says(text: bytes, answer: str) -> bool:
    """Whether the words of a folded answer stand in a text. Most texts lack one of them, which bytes alone tell of ASCII."""
    if text.isascii() and not all(word.encode() in text.lower() for word in answer.split()):
        return False
    return answer in _folded(text.decode("utf-8", "replace"))


def _folded(text: str) -> str:
    """Words of a text in lower case, with one space between and around, so that ``in`` compares whole words."""
    import re

    return " " + " ".join(re.findall(r"\w+", text.lower())) + " "
