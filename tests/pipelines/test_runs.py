"""Same input, same recipe, same bytes: whatever the workers, the order, a kill and a resume."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.pipelines.conftest import contents, manifest, write_shard


def test_one_worker_two_workers_and_another_order_give_the_same_bytes(corpusmill, shards, tmp_path):
    corpusmill.run(shards, tmp_path / "one", "--workers", "1")
    corpusmill.run(shards, tmp_path / "two", "--workers", "2")
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in sorted(shards.iterdir(), reverse=True):
        shutil.copyfile(path, moved / path.name)
    corpusmill.run(moved, tmp_path / "three", "--workers", "2")
    one = contents(tmp_path / "one")
    assert one.keys() >= {
        "data/s0.parquet",
        "rejected/s3.parquet",
        "annotations/s1.parquet",
        "manifest.json",
        "report.html",
    }
    assert one == contents(tmp_path / "two") == contents(tmp_path / "three")


def test_units_of_one_shard_are_numbered_in_order_and_workers_do_not_show(corpusmill, tmp_path):
    folder = tmp_path / "big"
    folder.mkdir()
    write_shard(folder / "s.parquet", rows=3000)
    cut = ("--set", "work.unit_bytes=65536")
    corpusmill.run(folder, tmp_path / "one", *cut, "--workers", "1")
    corpusmill.run(folder, tmp_path / "two", *cut, "--workers", "2")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    parts = sorted(p.name for p in (tmp_path / "one" / "data").iterdir())
    assert parts == ["s.part-00000.parquet", "s.part-00001.parquet"]
    rows = [r for p in parts for r in pq.read_table(tmp_path / "one" / "annotations" / p)["row"].to_pylist()]
    assert rows == list(range(3000))


@pytest.mark.slow  # tests/faults kill at every change of a file
def test_killed_at_random_moments_the_same_command_ends_with_the_same_bytes(corpusmill, shards, tmp_path):
    for s in range(4, 12):
        write_shard(shards / f"s{s}.parquet", s, rows=400)
    began = time.monotonic()
    corpusmill.run(shards, tmp_path / "undisturbed", "--workers", "2")
    whole = time.monotonic() - began
    expected, rng, killed = contents(tmp_path / "undisturbed"), random.Random(7), 0
    for attempt in range(60):
        out = tmp_path / f"out{killed // 3}"
        process = corpusmill.popen(
            "run", corpusmill.recipe, "--input", shards, "--output", out, "--workers", str(1 + attempt % 2),
            start_new_session=True,
        )  # fmt: skip
        time.sleep(rng.uniform(0.05, 1.1) * whole)
        finished = process.poll() is not None
        # Half of the time only the parent dies: its workers must not outlive it and write.
        (os.killpg if attempt % 4 < 2 and not finished else os.kill)(
            process.pid, signal.SIGKILL
        ) if not finished else None
        process.communicate(timeout=60)
        killed += not finished
        if killed >= 10:
            break
    assert killed >= 10
    for out in sorted(tmp_path.glob("out*")):
        corpusmill.run(shards, out, "--workers", "2")
        assert contents(out) == expected
        assert "as the manifest says" in corpusmill("verify", out)


def test_the_same_command_again_does_nothing_and_says_so(corpusmill, shards, tmp_path):
    out = tmp_path / "out"
    corpusmill.run(shards, out)
    before = {p: (out / p).stat().st_mtime_ns for p in contents(out)}
    assert "nothing to do" in corpusmill.run(shards, out)
    assert {p: (out / p).stat().st_mtime_ns for p in contents(out)} == before


def test_a_new_shard_is_the_only_work(corpusmill, shards, tmp_path):
    out = tmp_path / "out"
    corpusmill.run(shards, out)
    before = {p: (out / p).stat().st_ino for p in contents(out) if p.startswith("data/")}
    write_shard(shards / "s4.parquet", 4)
    assert '"to_do": 1' in corpusmill.run(shards, out)
    assert {p: (out / p).stat().st_ino for p in before} == before
    assert manifest(out)["records"]["read"] == 200


def test_a_shard_that_is_gone_leaves_the_dataset(corpusmill, shards, tmp_path):
    out = tmp_path / "out"
    corpusmill.run(shards, out)
    (shards / "s1.parquet").unlink()
    corpusmill.run(shards, out)
    assert not (out / "data" / "s1.parquet").exists()
    assert manifest(out)["records"]["read"] == 120
    corpusmill("verify", out)


def test_a_changed_recipe_is_noticed(corpusmill, shards, tmp_path):
    out = tmp_path / "out"
    corpusmill.run(shards, out)
    kept = manifest(out)["records"]["kept"]
    assert '"to_do": 4' in corpusmill.run(shards, out, "--set", "language.allow=[en, de, pl]")
    assert manifest(out)["records"]["kept"] > kept
    corpusmill("verify", out)


def test_a_changed_input_of_the_same_size_and_time_is_noticed(corpusmill, shards, tmp_path):
    out = tmp_path / "out"
    corpusmill.run(shards, out)
    path = shards / "s0.parquet"
    before = path.stat()
    write_shard(path, 9)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert '"to_do": 1' in corpusmill.run(shards, out)
    assert "9-0" in pq.read_table(out / "data" / "s0.parquet")["id"].to_pylist()


def test_a_published_file_that_was_lost_comes_back(corpusmill, shards, tmp_path):
    out = tmp_path / "out"
    corpusmill.run(shards, out)
    expected = contents(out)
    (out / "data" / "s2.parquet").unlink()
    (out / "manifest.json").unlink()
    corpusmill.run(shards, out)
    assert contents(out) == expected


def test_workers_see_our_packages_whatever_the_working_directory_holds(corpusmill, shards, tmp_path):
    place = tmp_path / "place"
    for name in ("filters", "pipelines"):
        (place / name).mkdir(parents=True)
        (place / name / "__init__.py").write_text("raise RuntimeError('not ours')")
    corpusmill.run(shards, tmp_path / "out", "--workers", "2", cwd=place)
    assert manifest(tmp_path / "out")["records"]["read"] == 160


def test_another_package_in_the_way_is_named(corpusmill, shards, tmp_path):
    (tmp_path / "theirs" / "filters").mkdir(parents=True)
    (tmp_path / "theirs" / "filters" / "__init__.py").write_text("")
    said = corpusmill.run(shards, tmp_path / "out", code=2, env={"PYTHONPATH": str(tmp_path / "theirs")})
    assert "another package called filters is in the way" in said


def test_two_runs_at_once_the_second_is_turned_away(corpusmill, shards, tmp_path):
    import fcntl

    out = tmp_path / "out"
    corpusmill.run(shards, out)
    before = contents(out)
    with (Path(out) / ".corpusmill" / "lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "is being written by" in corpusmill.run(shards, out, code=5)
    assert contents(out) == before


def test_a_jsonl_shard_that_changed_is_read_by_its_new_schema_in_the_same_process(corpusmill, tmp_path):
    """Two runs of one process: nothing of the first file is remembered for the second."""
    shard = tmp_path / "in" / "a.jsonl"
    shard.parent.mkdir()
    for column in ("first", "second"):
        shard.write_text(
            json.dumps({"prompt": "Why does bread rise?", "response": "Because of gas.", column: "x"}) + "\n"
        )
        corpusmill.run(shard.parent, tmp_path / "out")
        assert column in pq.read_schema(tmp_path / "out" / "data" / "a.parquet").names
