"""Files that are small on the disk and large in memory: the shard fails in one line, in bounded memory, and the others go on."""

from __future__ import annotations

import gzip
import json
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from pipelines import memory
from tests.pipelines.conftest import Command, write_shard
from tests.security.support import curated, in_child

MIB = 1 << 20
SHARE = 512
"""MiB a worker may allocate in these tests: the bombs ask for a gigabyte and more."""


def dictionary(path: Path) -> None:
    """A megabyte of text once, and 6,000 rows that point to it after a few that look harmless."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 64 + [1] * 6_000, pa.int32()), pa.array(["Hi.", "A" * MIB]))
    pq.write_table(
        pa.table({"text": texts.cast(pa.dictionary(pa.int32(), pa.large_string()))}), path, store_schema=False
    )


def nulls(path: Path) -> None:
    """One row with a list of three hundred million nulls: a few bytes of repetition levels."""
    count = 300_000_000
    empty = [pa.py_buffer(bytes((count + 7) // 8)), pa.py_buffer(bytes(4 * (count + 1))), pa.py_buffer(b"")]
    lists = pa.ListArray.from_arrays(pa.array([0, count], pa.int32()), pa.Array.from_buffers(pa.string(), count, empty))
    pq.write_table(pa.table({"text": ["Hi."], "more": lists}), path, write_statistics=False)


def gzipped(path: Path) -> None:
    """A gigabyte of one line of JSONL."""
    with gzip.open(path, "wb", compresslevel=1) as file:
        _line(file)


def packed(path: Path) -> None:
    """The same in a few kB of zstd."""
    with path.open("wb") as raw, zstandard.ZstdCompressor().stream_writer(raw) as file:
        _line(file)


def _line(file: Any) -> None:
    file.write(b'{"text": "')
    for _ in range(16):
        file.write(b"A" * (64 * MIB))


def keys(path: Path) -> None:
    """Another key in every line."""
    path.write_text("".join(json.dumps({f"k{i}": 1}) + "\n" for i in range(5_000)))


BOMBS: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "dictionary": ("bomb.parquet", dictionary, "more memory"),
    "keys": ("bomb.jsonl", keys, "different keys"),
}
SLOW = {
    "gzip": ("bomb.jsonl.gz", gzipped, "more memory"),
    "zstd": ("bomb.jsonl.zst", packed, "more memory"),
    "nulls": ("bomb.parquet", nulls, ""),
}


def go_off(command: Command, name: str, make: Callable[[Path], None]) -> tuple[dict[str, str], int]:
    """What became of the shards, and by how many MiB the run's memory grew."""
    given = command.home / "in"
    given.mkdir()
    make(given / name)
    write_shard(given / "good.parquet", rows=10)
    assert (given / name).stat().st_size < 40 * MIB

    def run() -> tuple[dict[str, str], int]:
        os.environ[memory.LIMIT] = str(SHARE)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        fates = curated(command, given, command.home / "out")
        return fates, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024

    return in_child(run)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is bounded on Linux alone")
@pytest.mark.parametrize("bomb", [*BOMBS, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_a_bomb_is_told_in_one_line_and_the_other_shards_go_on(corpusmill: Command, bomb: str) -> None:
    name, make, why = {**BOMBS, **SLOW}[bomb]
    fates, grown = go_off(corpusmill, name, make)
    assert fates["good.parquet"] == "read"
    assert why in fates[name]
    assert grown < SHARE + 300


def test_the_bound_is_taken_away_again() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with memory.bounded():
        pass
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
