"""Messages as Arrow structs: OpenAI, Nemotron v2/v3 and ShareGPT, laid out column by column."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.batch import (
    ASSISTANT,
    CONTENT,
    METADATA,
    OTHER,
    REASONING,
    SYSTEM,
    TOOL,
    TOOL_CALL,
    TOOL_RESULT,
    USER,
)
from pipelines.schemas import inline
from pipelines.schemas.arrays import Text, is_list, is_null, is_string, list_offsets, list_values, text_of
from pipelines.schemas.layout import Layout, codes
from pipelines.schemas.recognise import CONTENT_FIELDS, ROLE_FIELDS

ROLE_NAMES = {
    "system": SYSTEM,
    "developer": SYSTEM,
    "user": USER,
    "human": USER,
    "assistant": ASSISTANT,
    "gpt": ASSISTANT,
    "model": ASSISTANT,
    "bot": ASSISTANT,
    "chatgpt": ASSISTANT,
    "function_call": ASSISTANT,
    "tool_call": ASSISTANT,
    "tool": TOOL,
    "function": TOOL,
    "observation": TOOL,
    "tool_response": TOOL,
    "ipython": TOOL,
}
CALL_ROLES = ("function_call", "tool_call")
REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")
TEXT_PARTS = ("text", "input_text", "output_text", *REASONING_FIELDS)
"""Types of content parts that are text, or ought to be."""
DATA = re.compile(rb"data:[\w.+\-/]{0,100}(?:;[\w=\-]{1,60})?;base64,")
PART_TEXTS = ("value", "content")
"""What some call the text of a part, whatever its type: ``{type: text, value: ...}``, ``{type: tool_call, value: ...}``."""
_NOT_TEXT = frozenset({"type", "id", "tool_call_id", "role", "from", "name", "finish_reason", "weight"})

ORDER_REASONING, ORDER_CONTENT, ORDER_CALL, ORDER_REST = 0, 1, 2, 1 << 20


def lay_out(layout: Layout, column: str, array: pa.Array, first: np.ndarray | int = 0) -> None:
    """All turns and segments of a list<struct> column, or of a struct column: one message a record. Turns count from ``first`` of
    each record."""
    path: tuple[str, ...] = (column,)
    record, turn, values = np.arange(len(array)), np.zeros(len(array), np.int64), array
    if is_list(array.type):
        offsets = list_offsets(array)
        record = np.repeat(record, np.diff(offsets))
        turn = np.arange(len(record)) - offsets[:-1][record]
        values, path = list_values(array), (column, "[]")
    turn = turn + (first if isinstance(first, int) else first[record])
    fields = {values.type.field(i).name: values.field(i) for i in range(values.type.num_fields)}
    role_name = fields[next(f for f in ROLE_FIELDS if f in fields)]
    role = codes(role_name, ROLE_NAMES, OTHER)
    content_field = next(f for f in CONTENT_FIELDS if f in fields)
    content = fields[content_field]

    facts = {"other_parts": _other_parts(content), "odd": _is_odd(content)}
    layout.turns(record, turn, role, is_null(content) | is_null(values), role_name, **facts)
    where = {"record": record, "turn": turn, "role": role}
    ids = {
        "names": _strings_or_nulls(fields.get("name"), len(values)),
        "call_ids": _strings_or_nulls(fields.get("tool_call_id"), len(values)),
    }
    call_turn = pc.is_in(pc.utf8_lower(role_name.cast(pa.large_string())), pa.array(CALL_ROLES, pa.large_string()))
    _content(layout, (*path, content_field), content, where, ids, call_turn.to_numpy(zero_copy_only=False))
    done = {content_field}
    for name in REASONING_FIELDS:
        if name in fields and is_string(fields[name].type):
            layout.strings((*path, name), fields[name], channel=REASONING, order=ORDER_REASONING, **where)
            done.add(name)
    for name in ("tool_calls", "function_call"):
        if name in fields:
            done |= {name} if _calls(layout, (*path, name), fields[name], where) else set()
    for name, field in fields.items():
        if name not in done | _NOT_TEXT:
            other_text(layout, (*path, name), field, **where)


def other_text(
    layout: Layout, path: tuple[str, ...], array: pa.Array, record: np.ndarray, turn: np.ndarray, role: np.ndarray
) -> None:
    """Every string anywhere below as metadata: nobody's words for a filter of style, but scanned for personal data."""
    if is_string(array.type):
        text = text_of(array)
        # Under a null struct Arrow keeps an empty string for every field, which is nobody's text.
        e = np.flatnonzero(~text.null & (text.ends > text.starts) & ~_is_data(text))
        layout.pieces(
            path, text, e, text.starts[e], text.ends[e],
            record=record[e], turn=turn[e], role=role[e], channel=METADATA, order=ORDER_REST,
        )  # fmt: skip
    elif is_list(array.type):
        at = np.repeat(np.arange(len(array)), np.diff(list_offsets(array)))
        other_text(layout, (*path, "[]"), list_values(array), record[at], turn[at], role[at])
    elif pa.types.is_struct(array.type):
        for i in range(array.type.num_fields):
            if (name := array.type.field(i).name) not in _NOT_TEXT:
                other_text(layout, (*path, name), array.field(i), record, turn, role)


def _content(
    layout: Layout, path: tuple[str, ...], array: pa.Array, where: dict[str, Any], ids: dict[str, Any], call: np.ndarray
) -> None:
    if is_list(array.type):
        at = np.repeat(np.arange(len(array)), np.diff(list_offsets(array)))
        where, ids = {k: v[at] for k, v in where.items()}, {k: v.take(pa.array(at)) for k, v in ids.items()}
        inside = _parts if pa.types.is_struct(array.type.value_type) else _content
        inside(layout, (*path, "[]"), list_values(array), where, ids, call[at])
        return
    if not is_string(array.type):
        other_text(layout, path, array, **where)
        return
    text = text_of(array)
    for piece in inline.pieces(text, where["role"] == ASSISTANT, call):
        e = piece.element
        role = where["role"][e]
        channel = np.where((role == TOOL) & (piece.channel == CONTENT), TOOL_RESULT, piece.channel)
        names = ids["names"].take(pa.array(e)) if piece.names is None else piece.names
        layout.pieces(
            path,
            text,
            e,
            piece.start,
            piece.end,
            record=where["record"][e],
            turn=where["turn"][e],
            role=role,
            channel=channel,
            order=piece.order,
            names=names,
            call_ids=ids["call_ids"].take(pa.array(e)),
        )


def _parts(
    layout: Layout, path: tuple[str, ...], parts: pa.Array, where: dict[str, Any], ids: dict[str, Any], call: np.ndarray
) -> None:
    """Multi-part content: text and thoughts, in order; what else has strings in it is scanned with the metadata."""
    kind = _field(parts, "type")
    for i in range(parts.type.num_fields):
        name, field = parts.type.field(i).name, parts.field(i)
        if name == "text" and is_string(field.type):
            _content(layout, (*path, name), field, where, ids, call)
        elif name in PART_TEXTS and is_string(field.type) and kind is not None and is_string(kind.type):
            _typed(layout, (*path, name), field, kind, where, ids)
        elif name in REASONING_FIELDS and is_string(field.type):
            layout.strings((*path, name), field, channel=REASONING, order=ORDER_REASONING, **where)
        elif name not in _NOT_TEXT:
            other_text(layout, (*path, name), field, **where)


def _typed(
    layout: Layout, path: tuple[str, ...], field: pa.Array, kind: pa.Array, where: dict[str, Any], ids: dict[str, Any]
) -> None:
    """What a part says in a field that is called the same whatever it is: its type tells."""
    thought, call = _is_one_of(kind, REASONING_FIELDS), _is_one_of(kind, CALL_ROLES)
    said = _is_one_of(kind, TEXT_PARTS) & ~thought | call

    def only(which: np.ndarray) -> pa.Array:
        return pc.if_else(pa.array(which), field, pa.scalar(None, field.type))

    _content(layout, path, only(said), where, ids, call)
    layout.strings(path, only(thought), channel=REASONING, order=ORDER_REASONING, **where)
    other_text(layout, path, only(~said & ~thought), **where)


def _is_one_of(names: pa.Array, wanted: tuple[str, ...]) -> np.ndarray:
    found = pc.is_in(names.cast(pa.large_string()), pa.array(wanted, pa.large_string()))
    return found.to_numpy(zero_copy_only=False)


def _other_parts(content: pa.Array) -> np.ndarray:
    """int32: parts of each content that are no text. A text part without a text is an empty text."""
    if not (is_list(content.type) and pa.types.is_struct(content.type.value_type)):
        return np.zeros(len(content), np.int32)
    parts = list_values(content)
    other = ~is_null(parts)
    for name in ("text", *REASONING_FIELDS):
        if (field := _field(parts, name)) is not None:
            other &= is_null(field)
    kind = _field(parts, "type")
    if kind is not None and is_string(kind.type):
        other &= ~_is_one_of(kind, TEXT_PARTS)
        for name in PART_TEXTS:
            if (field := _field(parts, name)) is not None and is_string(field.type):
                other &= ~(_is_one_of(kind, CALL_ROLES) & ~is_null(field))
    at = np.repeat(np.arange(len(content)), np.diff(list_offsets(content)))
    return np.bincount(at[other], minlength=len(content)).astype(np.int32)


def _is_odd(content: pa.Array) -> np.ndarray:
    plain = is_string(content.type) or is_list(content.type) or pa.types.is_null(content.type)
    return np.zeros(len(content), bool) if plain else ~is_null(content)


def _is_data(text: Text) -> np.ndarray:
    """Strings that are ``data:`` URIs: an image's bytes, in which a scan would find numbers and break them."""
    out = np.zeros(len(text.starts), bool)
    long = np.flatnonzero(text.ends - text.starts > len(b"data:;base64,"))
    for i, byte in enumerate(b"data:"):
        long = long[text.data[text.starts[long] + i] == byte]
    out[long] = [DATA.match(text.data[text.starts[e] : text.starts[e] + 128].tobytes()) is not None for e in long]
    return out


def _calls(layout: Layout, path: tuple[str, ...], array: pa.Array, where: dict[str, np.ndarray]) -> bool:
    """Tool calls in any of their shapes: list<struct{id, function{name, arguments}}>, flat, legacy, or a JSON string."""
    if is_string(array.type):
        return _json_calls(layout, path, array, where)
    order = np.full(len(array), ORDER_CALL)
    if is_list(array.type):
        offsets = list_offsets(array)
        at = np.repeat(np.arange(len(array)), np.diff(offsets))
        where = {k: v[at] for k, v in where.items()}
        order = ORDER_CALL + np.arange(len(at)) - offsets[:-1][at]
        array, path = list_values(array), (*path, "[]")
    if not pa.types.is_struct(array.type):
        return False
    length = len(array)
    call_ids = _strings_or_nulls(_field(array, "id"), length)
    present = ~is_null(array)
    function = _field(array, "function")
    if function is not None and pa.types.is_struct(function.type):
        present &= ~is_null(function)
        array, path = function, (*path, "function")
    arguments = _field(array, "arguments")
    if arguments is None:
        return False
    columns = {
        **where,
        "channel": TOOL_CALL,
        "order": order,
        "names": _strings_or_nulls(_field(array, "name"), length),
        "call_ids": call_ids,
    }
    path = (*path, "arguments")
    if is_string(arguments.type):
        missing = present & is_null(arguments)
        layout.strings(path, arguments, **columns)
    else:
        missing = np.zeros(length, bool)
        json_values(layout, path, arguments, np.flatnonzero(present & ~is_null(arguments)), **columns)
        missing = present & is_null(arguments)
    # A call without arguments is still a call: an empty segment with its name.
    rows = np.flatnonzero(missing)
    if len(rows):
        columns = {k: pick(v, rows) for k, v in columns.items()}
        targets = [(int(r), ()) for r in rows]
        layout.values(path, [""] * len(rows), targets, **columns)
    return True


def json_values(layout: Layout, path: tuple[str, ...], array: pa.Array, rows: np.ndarray, **columns: Any) -> None:
    """Structs, maps or lists as JSON text, without the nulls that Arrow pads structs with."""
    if not len(rows):
        return
    texts = [to_json(value) for value in array.take(pa.array(rows)).to_pylist()]
    columns = {k: pick(v, rows) for k, v in columns.items()}
    layout.values(path, texts, [(int(r), ()) for r in rows], **columns)


def to_json(value: Any) -> str:
    return json.dumps(without_nulls(value), ensure_ascii=False, default=str)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return [without_nulls(v) for v in value] if isinstance(value, list) else value


def _json_calls(layout: Layout, path: tuple[str, ...], array: pa.Array, where: dict[str, np.ndarray]) -> bool:
    """A JSON list of calls in a string: each call's arguments are a byte range of it, where it parses."""
    text = text_of(array)
    rows = np.flatnonzero((text.ends - text.starts) > 2)
    for piece in inline.call_pieces(text, rows):
        e = piece.element
        columns = {k: v[e] for k, v in where.items()}
        layout.pieces(
            path,
            text,
            e,
            piece.start,
            piece.end,
            channel=piece.channel,
            order=piece.order,
            names=piece.names,
            **columns,
        )
    return True


def pick(value: Any, rows: np.ndarray) -> Any:
    if isinstance(value, np.ndarray):
        return value[rows]
    return value.take(pa.array(rows)) if isinstance(value, pa.Array) else value


def _field(array: pa.Array, name: str) -> pa.Array | None:
    at = array.type.get_field_index(name)
    return array.field(at) if at >= 0 else None


def _strings_or_nulls(array: pa.Array | None, length: int) -> pa.Array:
    if array is None or not (is_string(array.type) or pa.types.is_integer(array.type)):
        return pa.nulls(length, pa.string())
    return array.cast(pa.string())
