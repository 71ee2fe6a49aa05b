"""A tool's parameters as a JSON Schema that is safe to compile, whatever dialect it was written in.

Schemas come from the data, so they are hostile until shown otherwise: depth and size are bounded, a ``$ref`` may only point
inside its own document and must not loop without consuming input, nothing is fetched, and patterns run on an engine
without backtracking.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from filters.structure.safety import MANY, MAX_DEPTH, NAMED, ONE, Unsafe, check_references, is_explosive, patterns

_TYPES = {
    "object": ("dict", "map", "hashmap", "hashtable", "struct", "record", "mapping", "json"),
    "array": ("list", "tuple", "arraylist", "linkedlist", "set", "vector", "queue", "stack", "sequence"),
    "string": ("str", "char", "character", "text", "date", "datetime", "time", "uuid", "url", "uri", "email"),
    "integer": ("int", "long", "short", "byte", "bigint", "int32", "int64", "uint"),
    "number": ("float", "double", "decimal", "numeric", "float32", "float64"),
    "boolean": ("bool",),
    "null": ("none", "nonetype"),
}
TYPES = {alias: name for name, aliases in _TYPES.items() for alias in (name, *aliases)}
"""Type names as Python, Java and people spell them (BFCL and ToolBench do) -> JSON Schema's. Others: no constraint."""

COMBINED = frozenset({"allOf", "anyOf", "oneOf", "$ref", "$dynamicRef", "patternProperties", "if"})
_KEYWORDS = frozenset({"type", "properties", "required", "additionalProperties", "description", "title", "enum", "items",
                       "anyOf", "oneOf", "allOf", "$ref", "$defs", "definitions", "patternProperties"})  # fmt: skip
_NUMBERS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_COUNTS = frozenset({"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"})
_WORDS = frozenset({"pattern", "$ref", "$id", "$anchor", "$dynamicRef", "format"})
USED = (_NUMBERS | _COUNTS | _WORDS | {"required", "enum", "uniqueItems", "$schema", "const", "nullable"}) - {"format"}
"""Keywords, besides types and schemas within schemas, that can make a difference; ``format`` is not checked."""
_PROGRAM_TYPE = re.compile(rb'"type":"[A-Z][a-z]')
_FIRST_WORD = re.compile(r"[A-Za-z0-9]+")


class Invalid(ValueError):
    """Parameters that are no schema at all."""


def prepare(parameters: Any, raw: bytes, *, strict: bool) -> tuple[dict[str, Any], int]:
    """A tool's parameters as a schema that is safe to compile, and how many references it follows for one value.

    raw: the definition as compact JSON, to know what it cannot contain. Raises Unsafe or Invalid.
    """
    dialect = Dialect(strict, expressions=not strict and _PROGRAM_TYPE.search(raw) is not None)
    schema = normalise(as_schema(parameters), dialect)
    fanout = check_references(schema) if b"Ref" in raw or b"$ref" in raw else 0
    if b"attern" in raw and any(is_explosive(p) for p in patterns(schema)):
        raise Unsafe("a pattern can take exponential time")
    return schema, fanout


def compile_schema(schema: dict[str, Any]) -> Any:
    """A validator of a prepared schema. Raises Invalid."""
    kind = jsonschema_rs.validator_cls_for(schema) if "$schema" in schema else jsonschema_rs.Draft202012Validator
    try:
        return kind(schema, retriever=_refuse, pattern_options=jsonschema_rs.RegexOptions(), validate_formats=False)
    except (ValueError, jsonschema_rs.ValidationError):
        pass
    # Look-around needs the other engine; a limit on its steps bounds the time.
    limited = jsonschema_rs.FancyRegexOptions(backtrack_limit=10_000)
    try:
        return kind(schema, retriever=_refuse, pattern_options=limited, validate_formats=False)
    except (ValueError, jsonschema_rs.ValidationError) as error:
        raise Invalid(str(error).split("\n", 1)[0]) from None


def as_schema(parameters: Any) -> dict[str, Any]:
    """Parameters as an object schema: null or absent ones take nothing in particular, a bare map of properties is one."""
    if parameters is None or parameters == [] or parameters == "":
        return {}
    if not isinstance(parameters, dict):
        raise Invalid("parameters are not an object")
    if parameters and not (_KEYWORDS & parameters.keys()) and all(isinstance(v, dict) for v in parameters.values()):
        return {"type": "object", "properties": parameters}
    return parameters


@dataclass(frozen=True)
class Dialect:
    """strict: unknown type names are an error rather than no constraint.

    expressions: types are those of a programming language (``String``, ``HashMap``), so what is called is code, and an
    argument of any type may be an expression in a string.
    """

    strict: bool
    expressions: bool


def normalise(schema: Any, dialect: Dialect, depth: int = 0) -> Any:
    """The schema in JSON Schema's own words.

    A function takes the arguments it lists and no others, unless it says so; objects inside arguments are open, as in JSON
    Schema, except under strict rules.
    """
    if depth > MAX_DEPTH:
        raise Unsafe(f"nested deeper than {MAX_DEPTH} levels")
    if not isinstance(schema, dict):
        return schema if isinstance(schema, bool) else True
    out: dict[str, Any] = {}
    for key, value in schema.items():
        if value is None:
            continue
        if key == "type":
            _type(out, value, dialect)
        elif key in NAMED:
            if not isinstance(value, dict):
                raise Invalid(f"{key} is not an object")
            out[key] = {k: normalise(v, dialect, depth + 1) for k, v in value.items() if v is not None}
        elif key in ONE:
            if isinstance(value, (dict, bool)):
                out[key] = normalise(value, dialect, depth + 1)
        elif key in MANY:
            if isinstance(value, list) and value:
                out[key] = [normalise(v, dialect, depth + 1) for v in value]
        elif _usable(key, value):
            out[key] = value
    if "enum" in out and "type" in out:
        _fit_enum(out)
    if out.get("nullable") is True and "type" in out:
        out["type"] = [*([out["type"]] if isinstance(out["type"], str) else out["type"]), "null"]
        if "enum" in out:
            out["enum"] = [*out["enum"], None]
    if (depth == 0 or dialect.strict) and out.get("properties") and not (COMBINED & out.keys()):
        out.setdefault("additionalProperties", False)
    return out


def _type(out: dict[str, Any], value: Any, dialect: Dialect) -> None:
    names = value if isinstance(value, list) else [value]
    known = []
    for name in names:
        if not isinstance(name, str):
            raise Invalid("type is not a name")
        word = _FIRST_WORD.match(name)
        mapped = TYPES.get(word.group().lower()) if word else None
        if mapped is None:
            if dialect.strict and name.lower() != "any":
                raise Invalid(f"no type {name[:40]!r}")
            return
        known.append(mapped)
    if dialect.expressions:
        known.append("string")
    if known:
        out["type"] = known[0] if len(set(known)) == 1 else list(dict.fromkeys(known))


_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,),
    "null": (type(None),),
}  # fmt: skip


def _fit_enum(out: dict[str, Any]) -> None:
    """An enum none of whose values has the declared type can never be met. On an array it is meant for the items."""
    names = [out["type"]] if isinstance(out["type"], str) else out["type"]
    kinds = tuple(kind for name in names for kind in _PYTHON_TYPES[name])
    if any(isinstance(v, kinds) for v in out["enum"]):
        return
    values = out.pop("enum")
    if names == ["array"] and isinstance(out.setdefault("items", {}), dict):
        out["items"].setdefault("enum", values)


def _usable(key: str, value: Any) -> bool:
    """Keywords with a value of the wrong kind (``required: true`` on a property, an enum that is a string) say nothing."""
    if key == "required":
        return isinstance(value, list) and all(isinstance(v, str) for v in value) and len(set(value)) == len(value)
    if key == "enum":
        return isinstance(value, list) and bool(value)
    if key in _WORDS:
        return isinstance(value, str)
    if key in _NUMBERS:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and (key != "multipleOf" or value > 0)
    if key in _COUNTS:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if key == "uniqueItems":
        return isinstance(value, bool)
    if key == "$schema":
        return isinstance(value, str) and re.search(r"json-schema\.org/draft-0[4-7]/schema", value) is not None
    return key in ("const", "nullable")


def _refuse(uri: str) -> Any:
    raise ValueError(f"not fetched: {uri[:80]}")
