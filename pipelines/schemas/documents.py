"""Messages kept as JSON text in a string column: parsed row by row, laid out like any others."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from filters.batch import (
    ASSISTANT,
    CONTENT,
    METADATA,
    OTHER,
    REASONING,
    RECORD_TURN,
    SYSTEM,
    TOOL,
    TOOL_CALL,
    TOOL_RESULT,
)
from pipelines.schemas import inline
from pipelines.schemas.arrays import Text, text_of
from pipelines.schemas.layout import JsonPath, Layout
from pipelines.schemas.messages import (
    CALL_ROLES,
    DATA,
    ORDER_CALL,
    ORDER_CONTENT,
    ORDER_REASONING,
    ORDER_REST,
    PART_TEXTS,
    REASONING_FIELDS,
    ROLE_NAMES,
    TEXT_PARTS,
    to_json,
)
from pipelines.schemas.recognise import CONTENT_FIELDS, ROLE_FIELDS

_SKIPPED = frozenset(
    {"role", "from", "type", "id", "tool_call_id", "name", "weight", *CONTENT_FIELDS, *REASONING_FIELDS}
)

_SKIPPED_IN_PARTS = frozenset({"role", "from", "type", "id", "tool_call_id", "name", "weight"})


def lay_out(layout: Layout, column: str, array: pa.Array) -> None:
    """All turns of a column of JSON documents. A document that is not a list of messages is unreadable, and its raw text
    stays one segment, of no turn since there is none, so that it is scrubbed like the rest."""
    text = text_of(array)
    rows = _Rows()
    raw: list[int] = []
    for row in np.flatnonzero(~text.null):
        document = text.data[text.starts[row] : text.ends[row]].tobytes()
        messages = parse(document)
        if isinstance(messages, dict):
            messages = messages.get("messages", messages.get("conversations"))
        if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
            layout.unreadable.append((int(row), "messages_not_json"))
            raw.append(int(row))
            continue
        for turn, message in enumerate(messages):
            rows.message(int(row), turn, message)
    rows.lay_out(layout, column)
    if raw:
        element = np.array(raw)
        layout.pieces(
            (column,), text, element, text.starts[element], text.ends[element],
            record=element, turn=RECORD_TURN, role=SYSTEM, channel=METADATA,
        )  # fmt: skip


def parse(document: bytes) -> Any:
    """The JSON value, or None. Lone surrogates (legal in JSON, not in Unicode) parse too."""
    try:
        return orjson.loads(document)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(document)
    except (ValueError, RecursionError):
        return None


def clean(text: str) -> str:
    """Without lone surrogates, which no Arrow string can hold."""
    return text.encode("utf-8", "replace").decode() if any("\ud800" <= c <= "\udfff" for c in text) else text


class _Rows:
    """Segments in the making, as Python lists: this is the slow path, and says so in `plan`."""

    def __init__(self) -> None:
        self.turns: list[tuple[int, int, int, bool, int, bool, str | None]] = []
        self.found: list[tuple[str, int, int, int, int, int, bool, str | None, str | None, JsonPath]] = []

    def message(self, row: int, turn: int, message: dict[str, Any]) -> None:
        raw_role = next((message[f] for f in ROLE_FIELDS if f in message), None)
        role_name = raw_role if isinstance(raw_role, str) else None
        role = ROLE_NAMES.get((role_name or "").strip().lower(), OTHER)
        field = next((f for f in CONTENT_FIELDS if f in message), "content")
        content = message.get(field)
        parts = content if isinstance(content, list) else []
        calls_out = (role_name or "").strip().lower() in CALL_ROLES
        odd = not (content is None or isinstance(content, (str, list)) or (calls_out and isinstance(content, dict)))
        told = clean(role_name) if role_name else None
        self.turns.append((row, turn, role, content is None, sum(map(_is_other, parts)), odd, told))
        at = (row, turn, role)
        for name in REASONING_FIELDS:
            if isinstance(message.get(name), str):
                self.add(message[name], at, REASONING, ORDER_REASONING, path=(turn, name))
        names = (_text(message.get("name")), _text(message.get("tool_call_id")))
        if calls_out and isinstance(content, dict):
            self.add_call(content, at, 0, (turn, field))
        elif calls_out and isinstance(content, str):
            self.add(content, at, CONTENT, ORDER_CALL, path=(turn, field), raw_call=True)
        elif isinstance(content, str) or odd:
            self.add_content(content if isinstance(content, str) else to_json(content), at, names, (turn, field))
        for i, part in enumerate(parts):
            self.add_part(part, at, names, (turn, field, i))
        calls = message.get("tool_calls")
        calls = _loads(calls) if isinstance(calls, str) else calls
        if isinstance(calls, list):
            for i, call in enumerate(calls):
                self.add_call(call, at, i, (turn, "tool_calls", i))
        if message.get("function_call"):
            self.add_call(message["function_call"], at, 0, (turn, "function_call"))
        for key, value in message.items():
            if key not in _SKIPPED and key not in ("tool_calls", "function_call"):
                self.add_rest(value, at, (turn, key))

    def add_part(
        self, part: Any, at: tuple[int, int, int], names: tuple[str | None, str | None], path: JsonPath
    ) -> None:
        """Text and thoughts; what else has strings in it is scanned with the metadata."""
        if isinstance(part, str):
            self.add_content(part, at, names, path)
        for key, value in part.items() if isinstance(part, dict) else ():
            # A value is what the part's type says; a text is a text.
            kind = str(part.get("type")) if key in PART_TEXTS else key
            if kind in REASONING_FIELDS and isinstance(value, str):
                self.add(value, at, REASONING, ORDER_REASONING, path=(*path, key))
            elif kind in TEXT_PARTS and isinstance(value, str) and (key in PART_TEXTS or key == "text"):
                self.add_content(value, at, names, (*path, key))
            elif kind in CALL_ROLES and isinstance(value, str) and key in PART_TEXTS:
                self.add(value, at, CONTENT, ORDER_CALL, path=(*path, key), raw_call=True)
            elif key not in _SKIPPED_IN_PARTS:
                self.add_rest(value, at, (*path, key))

    def add(
        self, text: str, at: tuple[int, int, int], channel: int, order: int, *,
        path: JsonPath, name: str | None = None, call_id: str | None = None, raw_call: bool = False,
    ) -> None:  # fmt: skip
        self.found.append((clean(text), *at, channel, order, raw_call, name, call_id, path))

    def add_content(
        self, text: str, at: tuple[int, int, int], names: tuple[str | None, str | None], path: JsonPath
    ) -> None:
        channel = TOOL_RESULT if at[2] == TOOL else CONTENT
        self.add(text, at, channel, ORDER_CONTENT, path=path, name=names[0], call_id=names[1])

    def add_call(self, call: Any, at: tuple[int, int, int], i: int, path: JsonPath) -> None:
        inner = call.get("function", call) if isinstance(call, dict) else None
        if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
            self.add(to_json(call), at, TOOL_CALL, ORDER_CALL + i, path=path)
            return
        path = (*path, "function") if inner is not call else path
        arguments = inner.get("arguments", "")
        text = arguments if isinstance(arguments, str) else to_json(arguments)
        name, call_id = clean(inner["name"]), _text(call.get("id"))
        self.add(text, at, TOOL_CALL, ORDER_CALL + i, path=(*path, "arguments"), name=name, call_id=call_id)

    def add_rest(self, value: Any, at: tuple[int, int, int], path: JsonPath) -> None:
        if isinstance(value, str):
            if value and not DATA.match(value[:128].encode("utf-8", "replace")):
                self.add(value, at, METADATA, ORDER_REST, path=path)
        elif isinstance(value, (list, dict)) and value:
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for key, inner in items:
                self.add_rest(inner, at, (*path, key))

    def lay_out(self, layout: Layout, column: str) -> None:
        if self.turns:
            row, turn, role, null, parts, odd, names = zip(*self.turns, strict=True)
            layout.turns(
                np.array(row), np.array(turn), np.array(role), np.array(null), pa.array(names, pa.string()),
                other_parts=np.array(parts), odd=np.array(odd),
            )  # fmt: skip
        if not self.found:
            return
        texts, row, turn, role, channel, order, raw_call, names, call_ids, paths = zip(*self.found, strict=True)
        text = text_of(pa.array(texts, pa.large_string()))
        columns = {"record": row, "turn": turn, "role": role, "channel": channel, "order": order}
        arrays = {k: np.array(v, np.int64) for k, v in columns.items()}
        targets = list(zip(row, paths, strict=True))
        ids = pa.array(names, pa.string()), pa.array(call_ids, pa.string())
        _pieces(layout, column, text, arrays, np.array(raw_call), *ids, targets)


def _pieces(
    layout: Layout, column: str, text: Text, arrays: dict[str, np.ndarray], raw_call: np.ndarray, names: pa.Array,
    call_ids: pa.Array, targets: list[tuple[int, JsonPath]],
) -> None:  # fmt: skip
    """Decoded strings; an assistant's inline markup and written-out calls are split as in any other schema."""
    content = (arrays["channel"] == CONTENT) & (arrays["role"] == ASSISTANT) | raw_call
    rest = np.flatnonzero(~content)
    layout.pieces(
        (column,), text, rest, text.starts[rest], text.ends[rest], targets=targets,
        names=names.take(pa.array(rest)), call_ids=call_ids.take(pa.array(rest)),
        **{k: v[rest] for k, v in arrays.items()},
    )  # fmt: skip
    hidden = text.null | ~content
    only = Text(text.data, text.starts, text.ends, hidden)
    for piece in inline.pieces(only, content & ~raw_call, raw_call & content):
        e = piece.element
        layout.pieces(
            (column,), text, e, piece.start, piece.end, targets=targets, names=piece.names,
            record=arrays["record"][e], turn=arrays["turn"][e], role=arrays["role"][e],
            channel=piece.channel, order=np.minimum(piece.order, arrays["order"][e]),
        )  # fmt: skip


def _is_other(part: Any) -> bool:
    """A part that is no text. A text part without a text is an empty text."""
    if not isinstance(part, dict):
        return part is not None and not isinstance(part, str)
    texts = (part.get(name) for name in ("text", *REASONING_FIELDS))
    if part.get("type") in CALL_ROLES:
        return not any(isinstance(part.get(name), str) for name in PART_TEXTS)
    return part.get("type") not in TEXT_PARTS and not any(isinstance(t, str) for t in texts)


def _text(value: Any) -> str | None:
    return clean(str(value)) if isinstance(value, (str, int)) else None


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
