"""Thrift's compact protocol as trees: enough to take a Parquet footer or page header apart, change it and put it together.

A struct is a dict of field id -> Value, a list a Value of Values; every Value keeps its wire type, so what is not changed comes out as
it went in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
INTEGERS = (I16, I32, I64)


@dataclass
class Value:
    """kind: the wire type. value: int, bytes, a list of Values, or a dict of Values. inner: the type of a list's elements."""

    kind: int
    value: Any
    inner: int = 0


def parse(data: bytes, at: int = 0) -> tuple[Value, int]:
    """The struct that begins at ``at``, and where it ends."""
    return _struct(data, at)


def write(value: Value) -> bytes:
    out = bytearray()
    _write(out, value)
    return bytes(out)


def walk(value: Value) -> Iterator[Value]:
    """Every value below, and itself."""
    yield value
    if value.kind == STRUCT:
        for inner in value.value.values():
            yield from walk(inner)
    elif value.kind in (LIST, SET):
        for inner in value.value:
            yield from walk(inner)


def _struct(data: bytes, at: int) -> tuple[Value, int]:
    fields: dict[int, Value] = {}
    number = 0
    while head := data[at]:
        at += 1
        if head >> 4:
            number += head >> 4
        else:
            raw, at = _varint(data, at)
            number = _unzigzag(raw)
        fields[number], at = _value(data, at, head & 15)
    return Value(STRUCT, fields), at + 1


def _value(data: bytes, at: int, kind: int) -> tuple[Value, int]:
    if kind in (TRUE, FALSE):
        return Value(kind, None), at
    if kind == BYTE:
        return Value(kind, data[at]), at + 1
    if kind in INTEGERS:
        raw, at = _varint(data, at)
        return Value(kind, _unzigzag(raw)), at
    if kind == DOUBLE:
        return Value(kind, data[at : at + 8]), at + 8
    if kind == BINARY:
        size, at = _varint(data, at)
        return Value(kind, data[at : at + size]), at + size
    if kind in (LIST, SET):
        size, inner, at = data[at] >> 4, data[at] & 15, at + 1
        if size == 15:
            size, at = _varint(data, at)
        found = []
        for _ in range(size):
            one, at = (Value(data[at], None), at + 1) if inner in (TRUE, FALSE) else _value(data, at, inner)
            found.append(one)
        return Value(kind, found, inner), at
    if kind == STRUCT:
        return _struct(data, at)
    raise ValueError(f"wire type {kind}")


def _write(out: bytearray, value: Value) -> None:
    if value.kind == STRUCT:
        last = 0
        for number, inner in value.value.items():
            step = number - last
            if 0 < step < 16:
                out.append(step << 4 | inner.kind)
            else:
                out.append(inner.kind)
                _write_varint(out, _zigzag(number))
            last = number
            _write(out, inner)
        out.append(0)
    elif value.kind == BYTE:
        out.append(value.value)
    elif value.kind in INTEGERS:
        _write_varint(out, _zigzag(value.value))
    elif value.kind == DOUBLE:
        out += value.value
    elif value.kind == BINARY:
        _write_varint(out, len(value.value))
        out += value.value
    elif value.kind in (LIST, SET):
        if len(value.value) < 15:
            out.append(len(value.value) << 4 | value.inner)
        else:
            out.append(0xF0 | value.inner)
            _write_varint(out, len(value.value))
        for inner in value.value:
            if value.inner in (TRUE, FALSE):
                out.append(inner.kind)
            else:
                _write(out, inner)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7


def _write_varint(out: bytearray, number: int) -> None:
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)


def _zigzag(number: int) -> int:
    return (number << 1 ^ number >> 63) & (1 << 64) - 1


def _unzigzag(number: int) -> int:
    return number >> 1 ^ -(number & 1)
