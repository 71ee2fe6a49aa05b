"""Records whose turns are columns (prompt/response, Alpaca, plain text), and the columns beside any conversation."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from filters.batch import ASSISTANT, CONTENT, METADATA, REASONING, RECORD_TURN, SYSTEM, TOOL_DEFINITION, USER
from pipelines.schemas import inline
from pipelines.schemas.arrays import is_list, is_null, is_string, list_offsets, list_values, text_of
from pipelines.schemas.layout import Layout
from pipelines.schemas.messages import json_values, other_text

ORDER_METADATA = 1 << 24


def lay_out(layout: Layout, batch: pa.RecordBatch, mapping: dict[str, str], first_turn: np.ndarray) -> None:
    """System, prompt (with its input), reasoning and response columns as turns, from ``first_turn`` of each record on."""
    rows = np.arange(batch.num_rows)
    turn = first_turn.astype(np.int64)
    for name, role in (("system", SYSTEM), ("prompt", USER), ("response", ASSISTANT)):
        if name not in mapping:
            continue
        array = batch.column(mapping[name])
        here = ~is_null(array) if name == "system" else np.ones(len(rows), bool)
        if name == "system":
            # A system column is often null or empty; then there is no such turn.
            text = text_of(array)
            here &= text.ends > text.starts
        layout.turns(rows[here], turn[here], np.full(here.sum(), role), is_null(array)[here])
        if name == "response" and "reasoning" in mapping:
            reasoning = batch.column(mapping["reasoning"])
            layout.strings((mapping["reasoning"],), reasoning, record=rows, turn=turn, role=role, channel=REASONING)
        _text(layout, mapping[name], array, here, turn, role)
        if name == "prompt" and "input" in mapping:
            layout.strings(
                (mapping["input"],), batch.column(mapping["input"]),
                record=rows, turn=turn, role=role, channel=CONTENT, order=2,
            )  # fmt: skip
        turn = turn + here


def lay_out_text(layout: Layout, column: str, array: pa.Array) -> None:
    """Plain text: one assistant turn a record, since that is what a model would be trained to write."""
    rows = np.arange(len(array))
    zeros = np.zeros(len(array), np.int64)
    layout.turns(rows, zeros, np.full(len(array), ASSISTANT), is_null(array))
    _text(layout, column, array, np.ones(len(array), bool), zeros, ASSISTANT)


def _text(layout: Layout, column: str, array: pa.Array, here: np.ndarray, turn: np.ndarray, role: int) -> None:
    text = text_of(array)
    assistant = here & (role == ASSISTANT)
    for piece in inline.pieces(text, assistant, np.zeros(len(here), bool)):
        keep = here[piece.element]
        e = piece.element[keep]
        layout.pieces(
            (column,), text, e, piece.start[keep], piece.end[keep],
            record=e, turn=turn[e], role=role, channel=piece.channel[keep], order=piece.order[keep],
            names=None if piece.names is None else piece.names.filter(pa.array(keep)),
        )  # fmt: skip


def lay_out_tools(layout: Layout, column: str, array: pa.Array) -> None:
    """Tool definitions of each record, turn -1: a JSON string as it is, structs as JSON without Arrow's padding nulls."""
    rows = np.arange(len(array))
    columns = {"turn": RECORD_TURN, "role": SYSTEM, "channel": TOOL_DEFINITION}
    if is_string(array.type):
        layout.strings((column,), array, record=rows, **columns)
    elif is_list(array.type) and is_string(array.type.value_type):
        record = np.repeat(rows, np.diff(list_offsets(array)))
        layout.strings((column, "[]"), list_values(array), record=record, order=np.arange(len(record)), **columns)
    else:
        json_values(layout, (column,), array, np.flatnonzero(~is_null(array)), record=rows, **columns)


def lay_out_metadata(layout: Layout, column: str, array: pa.Array) -> None:
    """Any other column's strings, turn -1."""
    rows = np.arange(len(array))
    if is_string(array.type):
        layout.strings(
            (column,), array, record=rows, turn=RECORD_TURN, role=SYSTEM, channel=METADATA, order=ORDER_METADATA
        )
    else:
        other_text(layout, (column,), array, rows, np.full(len(rows), RECORD_TURN), np.full(len(rows), SYSTEM))
