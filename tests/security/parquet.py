"""Parquet files that were changed where it hurts: seeds of every schema and encoding, and structure-aware mutations of them.

A mutation keeps the file a file: the footer is taken apart, changed and put together again with its right length, so that a reader
gets as far as the lie. Everything follows from the seed.
"""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Callable
from functools import cache

import pyarrow as pa
import pyarrow.parquet as pq

from tests.security import thrift
from tests.security.thrift import BINARY, INTEGERS, LIST, STRUCT, Value

MAGIC = b"PAR1"
NOT_WHOLE = (ValueError, IndexError, KeyError, TypeError, AttributeError)
"""What taking a file apart raises where an earlier mutation left nothing to take apart."""
NUMBERS = (
    0,
    1,
    -1,
    2,
    7,
    31,
    127,
    128,
    255,
    256,
    65_535,
    1 << 20,
    (1 << 31) - 1,
    1 << 31,
    -(1 << 31),
    1 << 40,
    (1 << 63) - 1,
    -(1 << 63),
)
NUM_VALUES, SCHEMA, ROW_GROUPS, META, NUM_ROWS = 5, 2, 4, 3, 3


def rows(count: int = 60) -> pa.Table:
    """Nested chat rows with nulls at every level, and a plain column."""
    call = [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}]
    records = []
    for i in range(count):
        messages = [
            {"role": "user", "content": f"Why does bread rise, in {i} words?", "tool_calls": None},
            {
                "role": "assistant",
                "content": None if i % 5 == 0 else "Yeast gives off gas. " * (i % 9),
                "tool_calls": call if i % 7 == 0 else None,
            },
        ]
        records.append(
            {
                "id": f"r{i}",
                "messages": None if i % 11 == 0 else messages[: i % 3],
                "tools": '[{"name": "f"}]',
                "n": i,
                "score": i / 7,
            }
        )
    return pa.Table.from_pylist(records)


def _plain(count: int = 80) -> pa.Table:
    return pa.table(
        {"prompt": [f"Ask {i}" for i in range(count)], "response": ["Bread rises. " * (i % 6) for i in range(count)]}
    )


@cache
def seeds() -> tuple[bytes, ...]:
    """Whole files: schemas, codecs, encodings, page versions, with and without indexes, checksums and dictionaries."""
    nested, plain = rows(), _plain()
    return tuple(
        _written(*told)
        for told in (
            (nested, {"compression": "zstd"}),
            (nested, {"compression": "none", "use_dictionary": False}),
            (nested, {"compression": "snappy", "data_page_version": "2.0", "write_page_index": True}),
            (nested, {"compression": "gzip", "row_group_size": 7, "data_page_size": 64}),
            (nested, {"compression": "lz4", "write_page_checksum": True}),
            (plain, {"compression": "none"}),
            (plain, {"compression": "zstd", "use_dictionary": False, "column_encoding": "DELTA_BYTE_ARRAY"}),
            (
                plain,
                {
                    "compression": "none",
                    "use_dictionary": False,
                    "column_encoding": "DELTA_LENGTH_BYTE_ARRAY",
                    "data_page_version": "2.0",
                },
            ),
            (
                plain.cast(pa.schema([("prompt", pa.large_string()), ("response", pa.string_view())])),
                {"compression": "brotli"},
            ),
            (
                plain.set_column(1, "response", plain["response"].dictionary_encode()),
                {"compression": "none", "data_page_size": 32},
            ),
        )
    )


def _written(table: pa.Table, options: dict) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def mutated(seed: int) -> bytes:
    """One hostile file, the same for the same seed."""
    rng = random.Random(seed)
    data = rng.choice(seeds())
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data = rng.choice(MUTATIONS)(rng, data)
    return data


def split(data: bytes) -> tuple[bytes, Value]:
    """What stands before the footer, and the footer as a tree. Raises ValueError or IndexError where it is none any more."""
    size = int.from_bytes(data[-8:-4], "little")
    if data[-4:] != MAGIC or size + 8 > len(data):
        raise ValueError("no footer")
    return data[: -8 - size], thrift.parse(data[-8 - size : -8])[0]


def joined(body: bytes, footer: Value) -> bytes:
    told = thrift.write(footer)
    return body + told + struct.pack("<I", len(told)) + MAGIC


def _of_footer(change: Callable[[random.Random, Value], None]) -> Callable[[random.Random, bytes], bytes]:
    def mutation(rng: random.Random, data: bytes) -> bytes:
        try:
            body, footer = split(data)
            change(rng, footer)
            return joined(body, footer)
        except NOT_WHOLE:
            return _flip(rng, data)

    return mutation


def _number(rng: random.Random, old: int) -> int:
    return rng.choice((rng.choice(NUMBERS), old + rng.choice((-1, 1, 8, -8)), old * 2, rng.getrandbits(16), -old))


def _any_number(rng: random.Random, footer: Value) -> None:
    """Any integer: counts, sizes, offsets, types, encodings, repetition."""
    one = rng.choice([v for v in thrift.walk(footer) if v.kind in INTEGERS])
    one.value = _number(rng, one.value)


def _any_text(rng: random.Random, footer: Value) -> None:
    """Any string: column names, paths, statistics, the embedded Arrow schema."""
    one = rng.choice([v for v in thrift.walk(footer) if v.kind == BINARY])
    one.value = rng.choice(
        (
            b"",
            b"\0" * 9,
            b"\xff\xfe",
            b"A" * 70_000,
            one.value[: len(one.value) // 2],
            one.value + b"\x1b[31m",
            rng.randbytes(40),
        )
    )


def _schema(rng: random.Random, footer: Value) -> None:
    """The tree of columns: nodes lost, doubled, swapped, with children they do not have, or without the ones they have."""
    nodes = footer.value[SCHEMA].value
    i = rng.randrange(len(nodes))
    match rng.randrange(5):
        case 0:
            del nodes[i]
        case 1:
            nodes.insert(i, nodes[i])
        case 2:
            j = rng.randrange(len(nodes))
            nodes[i], nodes[j] = nodes[j], nodes[i]
        case 3:
            nodes[i].value[NUM_VALUES] = Value(thrift.I32, rng.choice((0, 1, 2, 1000, -1, (1 << 31) - 1)))
            nodes[i].value = dict(sorted(nodes[i].value.items()))
        case _:
            nodes += [nodes[i]] * rng.choice((1, 100, 2000))


def _groups(rng: random.Random, footer: Value) -> None:
    """Row groups and columns: lost, doubled, of another group, out of order."""
    groups = footer.value[ROW_GROUPS].value
    group = rng.choice(groups)
    columns = group.value[1].value
    i, j = rng.randrange(len(columns)), rng.randrange(len(columns))
    match rng.randrange(5):
        case 0:
            del columns[i]
        case 1:
            columns[i] = columns[j]
        case 2:
            columns[i], columns[j] = columns[j], columns[i]
        case 3:
            groups += [group] * rng.choice((1, 50))
        case _:
            columns[i] = rng.choice(rng.choice(groups).value[1].value)


def _field(rng: random.Random, footer: Value) -> None:
    """A field left out of any struct, or a value of another type in its place."""
    one = rng.choice([v for v in thrift.walk(footer) if v.kind == STRUCT and v.value])
    number = rng.choice(list(one.value))
    if rng.random() < 0.5:
        del one.value[number]
    else:
        one.value[number] = rng.choice(
            (Value(thrift.I64, 1 << 40), Value(BINARY, b"x"), Value(LIST, [], thrift.I32), Value(STRUCT, {}))
        )


def _count(rng: random.Random, footer: Value) -> None:
    """Rows and values that are not there, agreed on everywhere."""
    claimed = rng.choice((0, 1, 1000, 1 << 20, 1 << 31, 1 << 40))
    footer.value[NUM_ROWS].value = claimed
    for group in footer.value[ROW_GROUPS].value:
        group.value[NUM_ROWS].value = claimed
        for column in group.value[1].value:
            column.value[META].value[NUM_VALUES].value = claimed


def _page(rng: random.Random, data: bytes) -> bytes:
    """The header of one page: its kind, sizes, number of values, encoding, lengths of levels, statistics."""
    try:
        body, footer = split(data)
        group = rng.choice(footer.value[ROW_GROUPS].value)
        meta = rng.choice(group.value[1].value).value[META].value
        at = meta[rng.choice([f for f in (9, 11) if f in meta])].value
        header, end = thrift.parse(body, at)
        one = rng.choice([v for v in thrift.walk(header) if v.kind in INTEGERS])
        one.value = _number(rng, one.value)
        told = thrift.write(header)
        # Of another length, so what follows moves by a few bytes; half of the time its first bytes give way.
        end = end if rng.random() < 0.5 else at + len(told)
        return joined(body[:at] + told + body[end:], footer)
    except NOT_WHOLE:
        return _flip(rng, data)


def _body(rng: random.Random, data: bytes) -> bytes:
    """Bytes of pages: levels, dictionary indices, lengths and text, changed or put elsewhere; the footer stays."""
    try:
        body, footer = split(data)
    except NOT_WHOLE:
        return _flip(rng, data)
    out = bytearray(body)
    for _ in range(rng.choice((1, 3, 20))):
        at = rng.randrange(4, len(out))
        out[at : at + rng.choice((1, 2, 4))] = rng.choice((b"\xff" * 4, b"\0" * 4, rng.randbytes(4), out[4:8]))
    return joined(bytes(out), footer)


def _flip(rng: random.Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 5, 50))):
        if out:
            out[rng.randrange(len(out))] = rng.getrandbits(8)
    return bytes(out)


def _torn(rng: random.Random, data: bytes) -> bytes:
    """Cut short, without its middle, or with its end put on again."""
    at = rng.randrange(len(data) + 1)
    return rng.choice((data[:at], data[:at] + data[at + rng.randrange(200) :], data[:at] + data[-200:], data[at:]))


MUTATIONS: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _of_footer(_any_number),
    _of_footer(_any_number),
    _of_footer(_any_text),
    _of_footer(_schema),
    _of_footer(_groups),
    _of_footer(_field),
    _of_footer(_count),
    _page,
    _page,
    _body,
    _flip,
    _torn,
)
