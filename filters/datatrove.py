"""datatrove's own filters as filters of a recipe: ``datatrove.GopherQualityFilter: {min_doc_words: 20}``.

What they judge is a record's answers (or its plain text), joined by blank lines, as one document. Only classes of
``datatrove.pipeline.filters`` can be named: a recipe is data, and does not get to import what it likes.
"""

from __future__ import annotations

import inspect
import re
from functools import cache
from typing import Any, ClassVar

import msgspec
import numpy as np
import pyarrow as pa

from filters.batch import ASSISTANT, CONTENT, Batch
from filters.contract import KEPT, ConfigError, Evidence, Filter, Judgement, Options

PREFIX = "datatrove."
_NOT_OPTIONS = frozenset({"self", "exclusion_writer", "batch_size"})
FETCHES = ("C4BadWordsFilter", "FastTextClassifierFilter", "LanguageFilter", "URLFilter", "UnigramLogProbFilter")
"""Filters that fetch word lists, models or suffix lists once they judge; nothing of ours fetches anything."""


class DatatroveFilter(Filter):
    """Base of the classes that ``wrapped`` makes, one for each of datatrove's filters."""

    summary = "A filter of datatrove's, over a record's answers."
    reasons: ClassVar = {
        "datatrove_rejected": "datatrove's filter drops the text; the evidence's rule is its own reason."
    }
    scores: ClassVar = {"characters": pa.int64()}
    target: ClassVar[type[Any]]

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        try:
            self._filter = self.target(**msgspec.structs.asdict(self.options))
        except Exception as error:
            raise ConfigError(f"datatrove's {self.target.__name__} does not start: {error}") from None

    def judge(self, batch: Batch) -> Judgement:
        """scores: characters of the text that was judged; a record without any is kept."""
        from datatrove.data import Document
        from datatrove.pipeline.filters.base_filter import get_filter_result

        texts = answers(batch)
        reason = np.full(len(batch), KEPT, np.int16)
        evidence = Evidence()
        for record, text in enumerate(texts):
            if not text:
                continue
            kept, why = get_filter_result(self._filter.filter(Document(text=text, id=str(record))))
            if not kept:
                reason[record] = 0
                turn = int(batch.segments.turn[_answer_segments(batch, record)[0]])
                evidence.add_turn(record, turn, CONTENT, _code(why or self.target.__name__))
        size = np.array([len(t) for t in texts], np.int64)
        return Judgement(reason, {"characters": size}, evidence)


def answers(batch: Batch) -> list[str]:
    """Each record's assistant content, turns joined by blank lines."""
    return ["\n\n".join(batch.segments.text(i) for i in _answer_segments(batch, r)) for r in range(len(batch))]


def _answer_segments(batch: Batch, record: int) -> list[int]:
    s = batch.segments
    span = range(batch.record_start[record], batch.record_start[record + 1])
    return [i for i in span if s.role[i] == ASSISTANT and s.channel[i] == CONTENT and s.length[i]]


def _code(reason: str) -> str:
    """datatrove's reason as a rule's name; anything that is not its own short code stays out of the annotations."""
    return re.sub(r"[^a-z0-9]+", "_", reason.lower()).strip("_")[:60]


@cache
def wrapped(name: str) -> type[Filter]:
    """The filter for ``datatrove.NAME``. Raises ConfigError when datatrove has none of that name."""
    from datatrove.pipeline import filters as theirs
    from datatrove.pipeline.filters.base_filter import BaseFilter

    kinds = {n: k for n, k in vars(theirs).items() if inspect.isclass(k) and issubclass(k, BaseFilter)}
    target = kinds.get(name.removeprefix(PREFIX))
    if target is None:
        raise ConfigError(f"datatrove has no filter {name.removeprefix(PREFIX)!r}; it has {', '.join(sorted(kinds))}")
    if target.__name__ == "LambdaFilter":
        raise ConfigError(
            "datatrove's LambdaFilter takes a function, filter_function, and a recipe holds none: write a filter"
        )
    if target.__name__ in FETCHES:
        raise ConfigError(
            f"datatrove's {target.__name__} fetches files when it runs, and nothing is fetched here: use another"
        )
    fields = [
        (p.name, Any) if p.default is inspect.Parameter.empty else (p.name, Any, p.default)
        for p in inspect.signature(target).parameters.values()
        if p.name not in _NOT_OPTIONS
    ]
    options = msgspec.defstruct(f"{target.__name__}Options", fields, bases=(Options,), kw_only=True, frozen=True)
    made = {"name": name, "target": target, "Options": options, "__doc__": inspect.getdoc(target)}
    return type(target.__name__, (DatatroveFilter,), made)
