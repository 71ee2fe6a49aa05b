"""Conversations whose element is an exchange, not a message: ``{human, assistant}`` (Firefly), ``{system, input, output}`` (XTuner)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from filters.batch import ASSISTANT, SYSTEM, USER
from pipelines.schemas import inline
from pipelines.schemas.arrays import Text, is_list_of_struct, is_null, is_string, list_offsets, list_values, text_of
from pipelines.schemas.layout import Layout

ASKS = ("human", "user", "input", "question", "query", "prompt")
ANSWERS = ("assistant", "bot", "gpt", "output", "answer", "response")


def is_pairs(kind: pa.DataType) -> bool:
    return is_list_of_struct(kind) and bool(_named(kind, ASKS) and _named(kind, ANSWERS))


def lay_out(layout: Layout, column: str, array: pa.Array) -> None:
    """Two turns an exchange, or three where it has a system prompt."""
    offsets = list_offsets(array)
    record = np.repeat(np.arange(len(array)), np.diff(offsets))
    values = list_values(array)
    named = [
        (_named(array.type, names), role) for names, role in ((("system",), SYSTEM), (ASKS, USER), (ANSWERS, ASSISTANT))
    ]
    fields = [(name, values.field(name), role) for name, role in named if name]
    here = np.array([_is_there(field, role) for _, field, role in fields])
    turn = np.cumsum(here.T.ravel()).reshape(here.T.shape).T - 1
    before = np.concatenate([[0], np.cumsum(here.sum(0))])[offsets[:-1]]
    for (name, field, role), there, number in zip(fields, here, turn, strict=True):
        at = number - before[record]
        layout.turns(record[there], at[there], np.full(there.sum(), role), is_null(field)[there])
        text = text_of(field)
        said = Text(text.data, text.starts, text.ends, text.null | ~there)
        for piece in inline.pieces(said, np.full(len(at), role == ASSISTANT), np.zeros(len(at), bool)):
            e = piece.element
            layout.pieces(
                (column, "[]", name), text, e, piece.start, piece.end,
                record=record[e], turn=at[e], role=role, channel=piece.channel, order=piece.order, names=piece.names,
            )  # fmt: skip


def _is_there(field: pa.Array, role: int) -> np.ndarray:
    """A system prompt that is null or empty is none."""
    text = text_of(field)
    return text.ends > text.starts if role == SYSTEM else np.ones(len(field), bool)


def _named(kind: pa.DataType, names: tuple[str, ...]) -> str | None:
    """The first of these that is a string of the exchange."""
    fields = {f.name for f in kind.value_type if is_string(f.type)}
    return next((n for n in names if n in fields), None)
