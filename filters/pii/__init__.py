"""Personal data: Presidio's findings, weighed by evidence, scrubbed so that a conversation still makes sense."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from filters.batch import Batch
from filters.contract import EVIDENCE_LIMIT, KEPT, Evidence, Filter, Judgement
from filters.pii import allow
from filters.pii.options import PiiOptions, not_scanned

if TYPE_CHECKING:
    from filters.pii.edits import Place


class PiiFilter(Filter):
    """Finds, weighs, and asks for edits. Every channel is looked at: a tool's result holds addresses as an answer does.

    scores: ``findings`` counts places that count (at least ``min_certainty``), ``unlikely`` those that do not.
    """

    name = "pii"
    summary = "Finds personal data and secrets with Presidio's recognizers, and replaces, masks, hashes or drops them."
    reasons = {"pii_found": "The record holds personal data or a secret, and the recipe says to drop such records."}
    scores = {"findings": pa.int32(), "unlikely": pa.int32()}
    Options = PiiOptions
    options: PiiOptions

    def __init__(self, options: PiiOptions | None = None) -> None:
        super().__init__(options)
        from filters.pii import build, scrub

        self._places = build.places(self.options)
        self._key = scrub.hash_key() if self.options.action == "hash" else b""

    def __getstate__(self) -> dict[str, Any]:
        """Only the options travel to a worker: neither the compiled patterns nor the key do."""
        return {"options": self.options}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["options"])  # type: ignore[misc]

    @classmethod
    def assets(cls, options: Any) -> Mapping[str, str]:
        from filters.pii import names

        found = {"allow_file": allow.digest(options.allow_file)} if options.allow_file else {}
        return found | ({"model": names.digest(options.model)} if options.model else {})

    @classmethod
    def not_scanned(cls, options: Any) -> Sequence[str]:
        return not_scanned(options)

    @property
    def unfiltered(self) -> dict[str, str]:
        """Recognizers for whose patterns no prefilter is known, and why: they run over every text, at Presidio's speed."""
        return dict(self._places.finder.unfiltered)

    def places(self, batch: Batch) -> Iterator[Place]:
        """Every finding, those that do not count too, by segment and start; spans in bytes of the segment."""
        return self._places.of(batch)

    def judge(self, batch: Batch) -> Judgement:
        from filters.pii.edits import record_edits

        n = len(batch)
        findings, unlikely = np.zeros(n, np.int32), np.zeros(n, np.int32)
        edits: list[tuple[int, int, int, str, str]]
        by_record: dict[int, list[Place]] = defaultdict(list)
        for place in self._places.of(batch):
            by_record[int(batch.segments.record[place.segment])].append(place)
        result = Judgement(np.full(n, KEPT, np.int16), {"findings": findings, "unlikely": unlikely})
        for record in sorted(by_record):
            counted = [p for p in by_record[record] if p.counts]
            unlikely[record] = len(by_record[record]) - len(counted)
            if not counted:
                continue
            places, edits = counted, []
            if self.options.action != "annotate":
                action = "replace" if self.options.action == "drop" else self.options.action
                places, edits = record_edits(batch, record, counted, action, self._key)
            findings[record] = len(places)
            for segment, start, end, text, entity in edits:
                result.edits.add(segment, start, end, text, entity)
            _show(batch, places, result.evidence)
            if self.options.action == "drop":
                result.reason[record] = 0
        return result


def _show(batch: Batch, places: list[Any], evidence: Evidence) -> None:
    for place in places[:EVIDENCE_LIMIT]:
        evidence.add_span(batch, place.segment, place.start, place.end, f"{place.entity}:{place.level}")


__all__ = ["PiiFilter", "PiiOptions"]
