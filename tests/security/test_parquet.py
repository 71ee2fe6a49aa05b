"""Parquet files with lies in them: each is read, or named in one line; what is read is whole, and the others go on."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow.parquet as pq
import pytest

from tests.pipelines.conftest import Command, write_shard
from tests.security import parquet
from tests.security.support import curated, in_child, rows_of


def fates_of(command: Command, numbers: Iterable[int]) -> dict[str, str] | str:
    """What became of mutated files beside a good one, in one run in a process of its own; the name of a signal that ended it."""
    numbers = list(numbers)
    given, out = command.home / f"in-{numbers[0]}", command.home / f"out-{numbers[0]}"
    given.mkdir()
    for number in numbers:
        (given / f"f{number}.parquet").write_bytes(parquet.mutated(number))
    write_shard(given / "good.parquet", rows=10)
    fates = in_child(lambda: curated(command, given, out))
    if isinstance(fates, dict):
        assert fates["good.parquet"] == "read"
        assert rows_of(out, "good.parquet") == list(range(10))
        for shard, fate in fates.items():
            # Little, and what a terminal takes as text. An unknown schema is told with an example on a line of its own.
            assert len(fate) < 600 and fate.replace("\n", "").isprintable(), shard
    return fates


def test_the_fuzzer_reaches_every_part_of_a_file() -> None:
    """Mutations differ, some files stay readable, and what is not changed comes out as it went in."""
    made = [parquet.mutated(n) for n in range(80)]
    assert len(set(made)) > 70
    for seed in parquet.seeds():
        assert parquet.joined(*parquet.split(seed)) == seed
        pq.ParquetFile(parquet.pa.BufferReader(seed)).read()


def test_mutated_files_are_read_or_named(corpusmill: Command) -> None:
    fates = fates_of(corpusmill, range(60))
    assert isinstance(fates, dict), f"the run was ended by {fates}"
    read = sum(fate == "read" for fate in fates.values())
    assert 10 < read < 50, "the mutations are too weak, or too strong"


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 2000, 50))
def test_a_thousand_mutated_files(corpusmill: Command, first: int) -> None:
    fates = fates_of(corpusmill, range(first, first + 50))
    assert isinstance(fates, dict), f"the run was ended by {fates}"
