"""Tool definitions that are not where they belong: in a metadata column, in the system prompt, in the first question."""

from __future__ import annotations

import json
import re
from typing import Any

from filters.batch import ASSISTANT, CONTENT, METADATA, SYSTEM, USER, Batch
from filters.structure.definitions import Reader
from filters.structure.tools import NO_TOOLS, ToolSet, names_only

MAX_PARSES = 200
"""JSON values tried in one text."""

_CHANNELS = (CONTENT, METADATA)
_OPENING = re.compile(r"[\[{]")
_KEYS = ("parameters", "input_schema", "inputSchema", "function", "description", "arguments")
# <tools> with one <name> a tool (Qwen3-Coder), harmony's TypeScript, Python signatures as Gorilla and Llama prompts list them.
_XML_NAME = re.compile(r"<function>\s*<name>\s*([\w.\-]{1,64})\s*</name>|<tool name=\"([\w.\-]{1,64})\"")
_TYPESCRIPT = re.compile(r"^\s*type (\w{1,64}) = \(", re.MULTILINE)
_SIGNATURE = re.compile(r"^\s*(?:async )?def (\w{1,64})\(", re.MULTILINE)
_DECODER = json.JSONDecoder()


def find(batch: Batch, record: int, reader: Reader) -> ToolSet:
    """Everything that looks like a definition outside the tools column; NO_TOOLS when nothing does."""
    out = NO_TOOLS
    segments = batch.segments
    for segment in range(int(batch.record_start[record]), int(batch.record_start[record + 1])):
        channel, role = int(segments.channel[segment]), int(segments.role[segment])
        if channel not in _CHANNELS or (channel == CONTENT and role not in (SYSTEM, USER)):
            continue
        if segments.length[segment] > reader.max_bytes:
            continue
        found = in_text(segments.text(segment), reader, system=role == SYSTEM or channel == METADATA)
        out = found.merged(out) if found.count else out
        if role == ASSISTANT:
            break
    return out


def in_text(text: str, reader: Reader, *, system: bool) -> ToolSet:
    """system: the text is a system prompt or metadata, where signatures name tools rather than somebody's code."""
    if '"name' in text or 'name\\"' in text:
        values = [v for v in _values(text) if _defines(v)]
        if values:
            found = reader.from_values(values)
            # Text around definitions is prose: what in it is no definition is no defect either.
            return ToolSet(found.tools, [], found.count)
    names = [a or b for a, b in _XML_NAME.findall(text)]
    if system:
        names += _TYPESCRIPT.findall(text) if "namespace " in text else []
        names += _SIGNATURE.findall(text)
    return names_only(names) if names else NO_TOOLS


def _values(text: str) -> list[Any]:
    """JSON objects and lists in prose, outermost first."""
    values, at = [], 0
    for _ in range(MAX_PARSES):
        match = _OPENING.search(text, at)
        if match is None:
            break
        try:
            value, at = _DECODER.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            at = match.start() + 1
            continue
        values.append(value)
    return values


def _defines(value: Any) -> bool:
    if isinstance(value, list):
        return any(_defines(v) for v in value[:50])
    if not isinstance(value, dict):
        return False
    for key in ("tools", "functions"):
        if isinstance(value.get(key), (list, str)):
            return bool(value[key])
    function = value.get("function")
    inner = function if isinstance(function, dict) else value
    return isinstance(inner.get("name"), str) and any(k in value or k in inner for k in _KEYS)
