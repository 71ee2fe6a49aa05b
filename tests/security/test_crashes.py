"""A native library that dies of a record takes its worker along: the run tells which shard it was, and does all the others."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.pipelines.conftest import Command, manifest, write_shard

CRASH = """
import os, signal
import filters.language

judge = filters.language.LanguageFilter.judge

def crash(self, batch):
    if any(b"POISON" in batch.segments.bytes(i) for i in range(len(batch.segments))):
        os.kill(os.getpid(), signal.SIGSEGV)
    return judge(self, batch)

filters.language.LanguageFilter.judge = crash
"""


@pytest.mark.slow
def test_a_crash_in_a_worker_costs_its_shard_alone(corpusmill: Command, tmp_path: Path) -> None:
    """Nine shards and one of poison: nine are published; once it failed twice it is set aside, and no worker dies any more."""
    (tmp_path / "in").mkdir()
    for i in range(9):
        write_shard(tmp_path / "in" / f"s{i}.parquet", i, rows=6)
    pq.write_table(pa.table({"text": ["POISON " * 2_000]}), tmp_path / "in" / "poison.parquet")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(CRASH, "utf-8")
    path = os.pathsep.join([str(tmp_path / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
    for told in ("its worker died", "its worker died", "set aside, since it failed 2 times"):
        said = corpusmill.run(tmp_path / "in", tmp_path / "out", "--workers", "2", code=3, env={"PYTHONPATH": path})
        [line] = [line for line in said.splitlines() if "is not in the dataset" in line]
        assert line.startswith("corpusmill: poison.parquet") and told in line
        assert manifest(tmp_path / "out")["records"]["read"] == 54
    corpusmill("verify", tmp_path / "out")
