"""What a schema out of the data may not do: loop, multiply, point elsewhere, or hold a pattern that explodes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any

MAX_DEPTH = 64
"""Levels of schema within schema; deeper ones are refused. The deepest in 3,813 published records has 3."""

MAX_FANOUT = 1000
"""References followed for one value. Doubling references ("billion laughs") go far beyond."""

MAX_VISITS = 10_000_000
"""References followed for one call's arguments, at worst, if the validator remembered nothing."""

ONE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", "additionalItems",
        "unevaluatedItems", "unevaluatedProperties")  # fmt: skip
MANY = ("allOf", "anyOf", "oneOf", "prefixItems")
NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_IN_PLACE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "$ref", "$dynamicRef")


class Unsafe(ValueError):
    """A schema that must not be compiled; the message says why."""


def check_references(schema: dict[str, Any]) -> int:
    """References followed for one value at most; 0 when there are none.

    Raises Unsafe for a ``$ref`` out of the document, to nothing, or in a loop that consumes no input.
    """
    nodes = list(_nodes(schema))
    if not any("$ref" in n or "$dynamicRef" in n for n in nodes):
        return 0
    costs: dict[int, int] = {}
    return max(_cost(node, schema, costs, set()) for node in nodes)


def too_costly(fanout: int, arguments: Any) -> bool:
    """References that double at each level of a deeply nested value would take longer than anyone can wait."""
    return fanout > 1 and fanout ** _depth(arguments) > MAX_VISITS


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level and depth < MAX_DEPTH:
        depth += 1
        level = [
            inner
            for v in level
            if isinstance(v, (dict, list))
            for inner in (v.values() if isinstance(v, dict) else v)
            if isinstance(inner, (dict, list))
        ]
    return depth


def _cost(node: Any, root: dict[str, Any], costs: dict[int, int], path: set[int], depth: int = 0) -> int:
    """References applied to the same value as this schema."""
    if not isinstance(node, dict):
        return 0
    if id(node) in costs:
        return costs[id(node)]
    if id(node) in path or depth > MAX_DEPTH * 4:
        raise Unsafe("$ref loops")
    path.add(id(node))
    total = 0
    for key in _IN_PLACE:
        value = node.get(key)
        for part in value if isinstance(value, list) else [value]:
            if part is None:
                continue
            refers = key in ("$ref", "$dynamicRef")
            target = resolve(part, root) if refers else part
            total += refers + _cost(target, root, costs, path, depth + 1)
    path.discard(id(node))
    if total > MAX_FANOUT:
        raise Unsafe("$ref multiplies")
    costs[id(node)] = total
    return total


def resolve(reference: Any, root: dict[str, Any]) -> Any:
    """What a local ``#/...`` reference points at."""
    if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
        raise Unsafe("$ref points out of the schema")
    node: Any = root
    for part in reference[2:].split("/") if len(reference) > 1 else []:
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, dict) and part in node:
            node = node[part]
        else:
            raise Unsafe("$ref points at nothing")
    return node


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    stack = [schema]
    while stack:
        node = stack.pop()
        if not isinstance(node, dict):
            continue
        yield node
        for key in ONE:
            stack.append(node.get(key))
        for key in MANY:
            stack.extend(node.get(key, ()))
        for key in NAMED:
            stack.extend(node.get(key, {}).values())


def patterns(schema: Any) -> Iterator[str]:
    for node in _nodes(schema):
        if "pattern" in node:
            yield node["pattern"]
        yield from node.get("patternProperties", ())


def is_explosive(pattern: str) -> bool:
    """A repeat whose body is, but for parts that may be empty, one more repeat: ``(a+)+``, ``(\\w+\\s?)*``.

    Our engine runs it in linear time; a trainer or a constrained decoder that compiles the same schema may not.
    """
    if len(pattern) > 10_000:
        return True
    if not any(c in pattern for c in "+*{"):
        return False
    import re._parser as parser

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _explosive(parser.parse(pattern), parser)
    except (re.error, RecursionError, OverflowError, ValueError):
        return False


def _explosive(parsed: Any, parser: Any) -> bool:
    for op, value in parsed:
        if op in (parser.MAX_REPEAT, parser.MIN_REPEAT):
            _, most, body = value
            if most == parser.MAXREPEAT and _starts_over(body, parser):
                return True
        if any(_explosive(inner, parser) for inner in _bodies(op, value, parser)):
            return True
    return False


def _bodies(op: Any, value: Any, parser: Any) -> list[Any]:
    if op in (parser.MAX_REPEAT, parser.MIN_REPEAT):
        return [value[2]]
    if op is parser.SUBPATTERN:
        return [value[-1]]
    if op is parser.BRANCH:
        return list(value[1])
    if op in (parser.ASSERT, parser.ASSERT_NOT):
        return [value[1]]
    return []


def _starts_over(body: Any, parser: Any) -> bool:
    """The body can be cut in two at any point of an inner repeat: all its other parts may be empty."""
    items = list(body)
    if len(items) == 1 and items[0][0] in (parser.SUBPATTERN, parser.BRANCH):
        op, value = items[0]
        return any(_starts_over(inner, parser) for inner in _bodies(op, value, parser))
    for i, (op, value) in enumerate(items):
        if op not in (parser.MAX_REPEAT, parser.MIN_REPEAT) or value[1] != parser.MAXREPEAT:
            continue
        rest = items[:i] + items[i + 1 :]
        if all((o in (parser.MAX_REPEAT, parser.MIN_REPEAT) and v[0] == 0) or o is parser.AT for o, v in rest):
            return True
    return False
