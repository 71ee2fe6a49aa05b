"""The verdict that reading itself gives: records that could not be read at all, or not safely.

It stands first in every recipe, without being named. What it refuses is still laid out as far as possible, so that the
other filters annotate it and scrubbing reaches it.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from filters.batch import Batch
from filters.contract import KEPT, Filter, Judgement


class ReadFilter(Filter):
    name = "read"
    summary = "Rejects records that cannot be read: broken JSON, bytes that are not UTF-8, texts over the size limit."
    reasons = {
        "json_invalid": "The line is not a JSON object (JSONL input). The line itself stays in the input.",
        "invalid_utf8": "A text holds bytes that are not UTF-8.",
        "lone_surrogate": "A JSON text holds half of a surrogate pair, which no Unicode text can.",
        "messages_not_json": "The messages are a string that is not a JSON list of messages.",
        "record_too_large": "The record's text is larger than input.max_record_bytes.",
    }
    scores = {"bytes": pa.int64(), "segments": pa.int32()}

    def judge(self, batch: Batch) -> Judgement:
        """scores: bytes of text in the record, and segments."""
        reason = np.full(len(batch), KEPT, np.int16)
        for record, code in batch.unreadable:
            reason[record] = self.reason_index(code)
        segments = batch.segments
        size = np.bincount(segments.record, weights=segments.length, minlength=len(batch)).astype(np.int64)
        count = np.diff(batch.record_start).astype(np.int32)
        return Judgement(reason, {"bytes": size, "segments": count})
