"""Which columns hold what. One mapping from standard names to columns covers every schema; recipes may give their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec
import pyarrow as pa

from filters import paths
from pipelines.errors import ShardError, UsageError
from pipelines.names import nearest
from pipelines.schemas.arrays import is_list, is_list_of_struct, is_string
from pipelines.schemas.pairs import is_pairs

STANDARD = {
    "messages": "list of messages (structs with a role and a content), or the same as a JSON string",
    "system": "system prompt",
    "prompt": "what the user asked",
    "input": "what the prompt is to be applied to (Alpaca)",
    "reasoning": "the reasoning before the response",
    "response": "what the assistant answered",
    "chosen": "of two answers the better one, where it is a message of its own, or messages",
    "text": "plain text without roles",
    "tools": "tool definitions: JSON string, list of JSON strings, or list of structs",
    "id": "a unique key of the record",
    "license": "licence of the record",
    "generator": "model that wrote the response",
    "language": "declared language",
    "finish_reason": "why generation stopped",
    "train_turns": "which turns are trained on, as a list of flags",
    "url": "address the record was taken from",
    "user": "who wrote the prompt",
}
ROLE_FIELDS = ("role", "from")
CONTENT_FIELDS = ("content", "value", "text")

_NAMES: dict[str, tuple[str, ...]] = {
    "messages": ("messages", "conversations", "conversation", "dialogue", "dialog", "chat", "trajectory", "turns"),
    "chosen": ("chosen", "chosen_messages"),
    "system": ("system", "system_prompt"),
    "prompt": ("prompt", "instruction", "question", "query", "problem"),
    "input": ("input", "context"),
    "reasoning": ("reasoning_content", "reasoning", "thinking", "rationale"),
    "response": ("response", "output", "completion", "solution", "answer", "chosen"),
    "text": ("text", "content", "document", "raw_content", "chosen"),
    "tools": ("tools", "functions", "available_tools"),
    "id": ("uuid", "id", "record_id", "conversation_id", "uid"),
    "license": (
        "license",
        "licence",
        "licenses",
        "licences",
        "license_name",
        "license_type",
        "license_id",
        "metadata.license",
        "metadata.licence",
        "meta.license",
        "max_stars_repo_licenses",
        "detected_licenses",
    ),
    "generator": ("generator", "model", "teacher"),
    "language": ("language", "lang"),
    "finish_reason": ("finish_reason", "stop_reason"),
    "train_turns": ("train_turns", "train_mask", "loss_mask"),
    "url": ("url", "source_url", "uri", "link", "webpage_url"),
    "user": ("user_id", "user", "username", "author", "author_id"),
}
_FACTS = ("id", "license", "generator", "language", "finish_reason", "train_turns")
PERSONAL_FACTS = ("url", "user")
"""Facts that can name a person: they are scanned as text too."""
_OPAQUE = frozenset({"source", "category", "version", "split", "dataset", "used_in_training", "set", "domain", "task"})
"""Columns that describe the record's place in a collection, not a person's words: not scanned as text."""


class Columns(msgspec.Struct, frozen=True):
    """A recognised schema. name is for people; mapping is standard name -> column; metadata are other text columns."""

    name: str
    mapping: Mapping[str, str]
    metadata: tuple[str, ...] = ()


def recognise(schema: pa.Schema, given: Mapping[str, str] | None = None) -> Columns:
    """The columns of an Arrow schema, from their names and types, or as a recipe maps them.

    Raises ShardError with the columns there are and how to map them when nothing fits.
    """
    mapping = _given(schema, given) if given else _guess(schema)
    if not ({"messages", "response", "text"} & mapping.keys() or "prompt" in mapping):
        raise ShardError(unknown_schema(schema))
    for name in (*_FACTS, *PERSONAL_FACTS):
        if name not in mapping and (column := next((n for n in _NAMES[name] if paths.inside(schema, n)), None)):
            mapping[name] = column
    used = {column for name, column in mapping.items() if name not in PERSONAL_FACTS} | _OPAQUE
    metadata = tuple(f.name for f in schema if f.name not in used and holds_text(f.type))
    return Columns(_name(schema, mapping), mapping, metadata)


def unknown_schema(schema: pa.Schema) -> str:
    columns = ", ".join(f"{f.name} ({_short(f.type)})" for f in schema)
    return (
        f"no known schema. Columns: {columns}. Map them in the recipe, for example\n"
        f"  input: {{columns: {{prompt: COLUMN, response: COLUMN}}}}   (names: {', '.join(STANDARD)})"
    )


def holds_text(kind: pa.DataType) -> bool:
    """A string anywhere inside."""
    if is_string(kind):
        return True
    if is_list(kind):
        return holds_text(kind.value_type)
    return pa.types.is_struct(kind) and any(holds_text(kind.field(i).type) for i in range(kind.num_fields))


def _guess(schema: pa.Schema) -> dict[str, str]:
    mapping: dict[str, str] = {}
    if column := _first(schema, (*_NAMES["messages"], "prompt", "input", *_NAMES["chosen"]), _is_messages):
        mapping = {"messages": column, **_answer(schema, column)}
    elif column := (_first(schema, _NAMES["messages"], is_pairs) or _first(schema, _NAMES["messages"][:3], is_string)):
        mapping["messages"] = column
    else:
        for name in ("prompt", "response", "reasoning"):
            if column := _first(schema, _NAMES[name], is_string):
                mapping[name] = column
        if "prompt" not in mapping and "response" in mapping and (column := _first(schema, ("input",), is_string)):
            mapping["prompt"] = column
        if "prompt" in mapping and "response" in mapping:
            column = _first(schema, _NAMES["input"], is_string)
            if column and column not in mapping.values():
                mapping["input"] = column
        elif "prompt" not in mapping:
            mapping = {}
            if column := _first(schema, _NAMES["text"], is_string):
                mapping["text"] = column
    if mapping and "text" not in mapping:
        for name, test in (("system", is_string), ("tools", holds_text)):
            if column := _first(schema, _NAMES[name], test):
                mapping[name] = column
    return mapping


def _answer(schema: pa.Schema, messages: str) -> dict[str, str]:
    """The column with the answer where the conversation does not end with one: Nemotron v1, RL sets, preferences."""
    asked = messages in ("prompt", "input")
    if asked and (answer := _first(schema, _NAMES["response"], is_string)):
        return {"response": answer}
    if messages not in _NAMES["chosen"] and "rejected" in schema.names:
        if answer := _first(schema, _NAMES["chosen"], is_string):
            return {"response": answer}
        # A list beside a conversation is that conversation again, unless the conversation is what was asked.
        if answer := _first(schema, _NAMES["chosen"], lambda k: _is_message(k) or (asked and _is_messages(k))):
            return {"chosen": answer}
    return {}


def _given(schema: pa.Schema, given: Mapping[str, str]) -> dict[str, str]:
    for name, column in given.items():
        if name not in STANDARD:
            raise UsageError(f"input.columns: no standard name {name!r}{nearest(name, STANDARD)}")
        if not (column in schema.names or (name in _FACTS and column.partition(".")[0] in schema.names)):
            raise ShardError(
                f"no column {column!r}{nearest(column, schema.names)}; there are {', '.join(schema.names)}"
            )
    for name in ("system", "prompt", "input", "reasoning", "response", "text"):
        if name in given and not is_string(schema.field(given[name]).type):
            raise ShardError(
                f"column {given[name]!r} is mapped to {name} but is {_short(schema.field(given[name]).type)}"
            )
    for name, tests in (("messages", (_is_messages, is_pairs, is_string)), ("chosen", (_is_messages, _is_message))):
        if name in given and not any(test(schema.field(given[name]).type) for test in tests):
            raise ShardError(
                f"column {given[name]!r} is mapped to {name} but is {_short(schema.field(given[name]).type)}"
            )
    return dict(given)


def _name(schema: pa.Schema, mapping: Mapping[str, str]) -> str:
    if "messages" in mapping:
        kind = schema.field(mapping["messages"]).type
        if is_string(kind):
            return "messages as JSON strings"
        if not _is_messages(kind):
            return "pairs"
        if kind.value_type.get_field_index("from") >= 0:
            return "ShareGPT"
        return "Nemotron v1" if "response" in mapping else "OpenAI messages"
    if "text" in mapping:
        return "plain text"
    if mapping.get("prompt") == "instruction":
        return "Alpaca"
    return "prompt/response" if "response" in mapping else "prompts"


def _first(schema: pa.Schema, names: Iterable[str], test: Callable[[pa.DataType], bool]) -> str | None:
    return next((n for n in names if n in schema.names and test(schema.field(n).type)), None)


def _is_messages(kind: pa.DataType) -> bool:
    return is_list_of_struct(kind) and _is_message(kind.value_type)


def _is_message(kind: pa.DataType) -> bool:
    if not pa.types.is_struct(kind):
        return False
    fields = {kind.field(i).name for i in range(kind.num_fields)}
    return bool(fields & set(ROLE_FIELDS)) and bool(fields & set(CONTENT_FIELDS))


def _short(kind: pa.DataType) -> str:
    text = str(kind)
    return text if len(text) <= 60 else text[:57] + "..."
