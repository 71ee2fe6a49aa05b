"""The texts as they are sent: as they stand, or with personal data and secrets replaced by placeholders."""

from __future__ import annotations

from collections import defaultdict

from filters.batch import Batch
from filters.contract import Edits


class Sent:
    """edits: the pii filter's, made in what is sent and nowhere else; None: texts are sent as they stand."""

    def __init__(self, batch: Batch, edits: Edits | None) -> None:
        self._segments = batch.segments
        self._edits: dict[int, list[tuple[int, int, bytes]]] = defaultdict(list)
        if edits is not None:
            for segment, start, end, made in zip(edits.segment, edits.start, edits.end, edits.replacement, strict=True):
                self._edits[segment].append((start, end, made.encode()))
        for each in self._edits.values():
            each.sort()

    def text(self, segment: int, start: int, end: int) -> str:
        """Bytes start:end of a segment. Of a span that a piece's end divides, the placeholder stands in the first part."""
        segments, parts, at = self._segments, [], start
        # A view, since a long text is cut into many pieces.
        whole = segments.buffers[segments.buffer[segment]][segments.start[segment] : segments.end[segment]]
        for a, b, made in self._edits.get(segment, ()):
            if b <= start or a >= end:
                continue
            parts.append(whole[at : max(a, at)].tobytes())
            parts.append(made if a >= start else b"")
            at = min(b, end)
        parts.append(whole[at:end].tobytes())
        return b"".join(parts).decode("utf-8", "ignore")
