"""Tool schemas of the ordinary kind, checked without a validator.

Nearly every published tool takes an object of typed properties. Compiling a JSON Schema validator for each costs more than
everything else that is done with it, so such a schema becomes a small table here, and arguments that the table accepts are
not looked at again. The table only ever says yes: it accepts nothing that the validator would refuse, and knows nothing of
why arguments are wrong. Whatever it does not accept, and every schema with any other keyword, goes to the validator.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

import msgspec

from filters.structure.safety import MANY, NAMED, ONE
from filters.structure.schemas import COMBINED, TYPES, USED

STRING, INTEGER, FLOAT, BOOLEAN, ARRAY, OBJECT, NULL = (1 << i for i in range(7))
ANYTHING = (1 << 7) - 1
_NAMES = {"string": STRING, "integer": INTEGER, "number": INTEGER | FLOAT, "boolean": BOOLEAN, "array": ARRAY,
          "object": OBJECT, "null": NULL}  # fmt: skip
_MASKS = {alias: _NAMES[name] for alias, name in TYPES.items()}
"""Only names that are spelt exactly like this; the validator's side understands more."""

_KINDS: dict[type, int] = {
    str: STRING, int: INTEGER, float: FLOAT, bool: BOOLEAN, list: ARRAY, dict: OBJECT, type(None): NULL,
}  # fmt: skip

DEPTH = 8
"""Objects and arrays within the outermost one that a table follows; the deepest in 3,813 published records has 3 levels."""

EXACT = 1 << 53
"""Numbers beyond this are left to the validator, which compares them as floating point."""

_EVERY = frozenset({*ONE, *MANY, *NAMED, *USED, *COMBINED, "nullable"})
_OF_A_LEAF = frozenset({"enum", "minimum", "maximum"})
_NOT_ON_A_LEAF = _EVERY - _OF_A_LEAF
_NOT_ON_AN_OBJECT = _EVERY - {"properties", "required", "additionalProperties"}
_NOT_ON_AN_ARRAY = _EVERY - {"items"}

Value = int | tuple[Any, ...]
"""What one value may be: a mask of kinds, or (mask, part) where part is an Object, the Value of an array's items, a
frozenset of strings, or a pair of bounds."""


class Object(msgspec.Struct, frozen=True, gc=False):
    """properties by name, the names that are required, and whether others are refused."""

    properties: dict[str, Any]
    required: list[str]
    closed: bool

    def accepts(self, value: dict[str, Any]) -> bool:
        """True only where the validator would say so too. The value must come from orjson (finite, whole characters)."""
        for name in self.required:
            if name not in value:
                return False
        properties = self.properties
        for name, given in value.items():
            wanted = properties.get(name)
            if wanted is None:
                if self.closed:
                    return False
            elif not (_KINDS[type(given)] & wanted if type(wanted) is int else _accepts(wanted, given)):
                return False
        return True


def _accepts(wanted: Value, given: Any) -> bool:
    if isinstance(wanted, int):
        return bool(_KINDS[type(given)] & wanted)
    mask, part = wanted
    kind = _KINDS[type(given)]
    if not kind & mask:
        return False
    if isinstance(part, Object):
        return kind != OBJECT or part.accepts(given)
    if isinstance(part, frozenset):
        return kind == STRING and given in part
    if isinstance(part, list):
        return not kind & (INTEGER | FLOAT) or (abs(given) < EXACT and part[0] <= given <= part[1])
    return kind != ARRAY or all(_accepts(part[0], item) for item in given)


def table(parameters: Any, *, strict: bool) -> Object | None:
    """The table of a tool's parameters as they stand in the definition; None where there is more to them."""
    if type(parameters) is not dict or not ("type" in parameters or "properties" in parameters):
        return None
    kind = parameters.get("type")
    if kind is not None and (type(kind) is not str or _MASKS.get(kind) != OBJECT):
        return None
    return _object(parameters, strict, root=True, depth=0)


def _object(schema: dict[str, Any], strict: bool, *, root: bool, depth: int) -> Object | None:
    if depth > DEPTH or not _NOT_ON_AN_OBJECT.isdisjoint(schema):
        return None
    given, required = schema.get("properties", _NOTHING), schema.get("required", _NOBODY)
    if type(given) is not dict or not _are_names(required):
        return None
    properties: dict[str, Value] = {}
    for name, inner in given.items():
        if type(inner) is not dict:
            return None
        kind = inner.get("type")
        if type(kind) is str and _EVERY.isdisjoint(inner):
            value: Value | None = _MASKS.get(kind)
        else:
            value = _value(inner, strict, depth + 1)
        if value is None:
            return None
        properties[name] = value
    others = schema.get("additionalProperties", _NOTHING)
    if type(others) is bool:
        return Object(properties, required, not others)
    return Object(properties, required, bool(given) and (root or strict)) if others is _NOTHING else None


def _mask(schema: dict[str, Any]) -> int | None:
    kind = schema.get("type")
    if type(kind) is str:
        return _MASKS.get(kind)
    if kind is None:
        return ANYTHING
    if type(kind) is not list or not kind or not all(type(k) is str and k in _MASKS for k in kind):
        return None
    return reduce(or_, (_MASKS[k] for k in kind))


def _value(schema: dict[str, Any], strict: bool, depth: int) -> Value | None:
    """A value with more to it than a type: one of an enum, a range, an array of something, an object."""
    if type(schema.get("required")) is bool:
        # Some dialects say of a property that it is required, rather than of the object that it requires it.
        schema = {key: value for key, value in schema.items() if key != "required"}
    mask = _mask(schema)
    if mask is None or depth > DEPTH:
        return None
    if _EVERY.isdisjoint(schema):
        return mask
    if _NOT_ON_A_LEAF.isdisjoint(schema):
        return _leaf(schema, mask)
    if _NOT_ON_AN_ARRAY.isdisjoint(schema):
        items = schema["items"]
        inner = _value(items, strict, depth + 1) if type(items) is dict else None
        return None if inner is None else (mask, (inner,))
    table = _object(schema, strict, root=False, depth=depth)
    return None if table is None else (mask, table)


def _leaf(schema: dict[str, Any], mask: int) -> Value | None:
    if "enum" in schema:
        enum = schema["enum"]
        plain = len(schema.keys() & _OF_A_LEAF) == 1 and mask & STRING and _are_names(enum) and enum
        return (mask, frozenset(enum)) if plain else None
    low, high = schema.get("minimum", -EXACT), schema.get("maximum", EXACT)
    return (mask, [low, high]) if type(low) in _BOUNDS and type(high) in _BOUNDS else None


def _are_names(value: Any) -> bool:
    """A list of different strings."""
    if type(value) is not list:
        return False
    if len(value) < 2:
        return not value or type(value[0]) is str
    return set(map(type, value)) == _STR and len(set(value)) == len(value)


_NOTHING: dict[str, Any] = {}
_NOBODY: list[str] = []
_STR = {str}
_BOUNDS = frozenset({int, float})
