"""Records as every filter sees them: turns, and a flat table of text segments over Arrow's own buffers.

A *segment* is one stretch of text with one purpose: the answer of turn 3, its reasoning, the arguments of its second
tool call. Segments are byte ranges into the buffers of the columns that were read, so laying out a batch copies no text.
They are sorted by record, then turn, then position within the turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa

ROLES = ("system", "user", "assistant", "tool", "other")
SYSTEM, USER, ASSISTANT, TOOL, OTHER = range(len(ROLES))

CHANNELS = ("content", "reasoning", "tool_call", "tool_result", "tool_definition", "metadata")
CONTENT, REASONING, TOOL_CALL, TOOL_RESULT, TOOL_DEFINITION, METADATA = range(len(CHANNELS))

RECORD_TURN = -1
"""The turn of a segment that belongs to the record as a whole: tool definitions, metadata."""


@dataclass(frozen=True)
class Turns:
    """One row a message, sorted by record and position. A prompt/response row has two.

    record: int32, turn: int32 (counts from 0 within the record), role: int8 index into ROLES.
    null_content: bool, the message's content was null rather than a string.
    other_parts: int32, parts of the content that are no text: images, calls and the like.
    odd_content: bool, the content is neither null, a string nor a list: an object or a number, say.
    role_names: the role as the source spells it (may be null).
    """

    record: np.ndarray
    turn: np.ndarray
    role: np.ndarray
    null_content: np.ndarray
    other_parts: np.ndarray
    odd_content: np.ndarray
    role_names: pa.Array

    def __len__(self) -> int:
        return len(self.record)


@dataclass(frozen=True)
class Segments:
    """The flat table of text, one row a segment, columns aligned.

    buffers: uint8 arrays over Arrow data buffers; ``buffer`` says which one a segment lies in and ``start``/``end`` are
    byte offsets into it. record/turn: int32 (turn -1: the record as a whole). role/channel: int8 into ROLES/CHANNELS.
    names: the tool's name for calls and results. call_ids: the call's id, or the id a result answers. Both nullable.
    leaf/element/base: where the text lives in the source (which string leaf, which of its elements, how many bytes in),
    so that one place can write edits back; filters do not need them.
    """

    buffers: tuple[np.ndarray, ...]
    buffer: np.ndarray
    start: np.ndarray
    end: np.ndarray
    record: np.ndarray
    turn: np.ndarray
    role: np.ndarray
    channel: np.ndarray
    names: pa.Array
    call_ids: pa.Array
    leaf: np.ndarray
    element: np.ndarray
    base: np.ndarray

    def __len__(self) -> int:
        return len(self.record)

    @cached_property
    def length(self) -> np.ndarray:
        """Bytes in each segment, int64."""
        return self.end - self.start

    def bytes(self, i: int) -> bytes:
        return self.buffers[self.buffer[i]][self.start[i] : self.end[i]].tobytes()

    def text(self, i: int) -> str:
        """The text of segment i. Readers guarantee valid UTF-8, so this cannot fail."""
        return self.bytes(i).decode("utf-8")

    def where(self, *, channels: tuple[int, ...] | None = None, roles: tuple[int, ...] | None = None) -> np.ndarray:
        """Indices of the non-empty segments in any of these channels and roles."""
        mask = self.length > 0
        if channels is not None:
            mask &= np.isin(self.channel, channels)
        if roles is not None:
            mask &= np.isin(self.role, roles)
        return np.flatnonzero(mask)

    def to_arrow(self) -> pa.Table:
        """A copy as a plain Arrow table (record, turn, role, channel, name, call_id, text), for people to look at."""
        return pa.table(
            {
                "record": self.record,
                "turn": self.turn,
                "role": [ROLES[r] for r in self.role],
                "channel": [CHANNELS[c] for c in self.channel],
                "name": self.names,
                "call_id": self.call_ids,
                "text": pa.array([self.text(i) for i in range(len(self))], pa.large_string()),
            }
        )


@dataclass(frozen=True)
class Batch:
    """Consecutive records of one shard, laid out once and seen by every filter.

    source: the rows as read. ids: one id a record. facts: record-level columns under standard names where the source has
    them (license, generator, finish_reason, language). unreadable: (record, reason) of records that reading itself
    refused; their text still stands in ``segments`` as far as it could be laid out, so that it can be scrubbed.
    """

    source: pa.RecordBatch
    ids: pa.Array
    turns: Turns
    segments: Segments
    facts: Mapping[str, pa.Array] = field(default_factory=dict)
    unreadable: tuple[tuple[int, str], ...] = ()

    def __len__(self) -> int:
        return self.source.num_rows

    @cached_property
    def record_start(self) -> np.ndarray:
        """int64[n + 1]: segments of record r are ``record_start[r]:record_start[r + 1]``."""
        return np.searchsorted(self.segments.record, np.arange(len(self) + 1))

    @cached_property
    def turn_start(self) -> np.ndarray:
        """int64[n + 1]: turns of record r are ``turn_start[r]:turn_start[r + 1]``."""
        return np.searchsorted(self.turns.record, np.arange(len(self) + 1))
