"""Runs through the public door: the command, in a process of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.cli import main

LIGHT = """
name: light
filters:
  - language: {allow: [en, de]}
"""


class Command:
    """``corpusmill`` in a folder of its own, with a recipe file that is there."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.recipe = home / "recipe.yaml"
        self.recipe.write_text(LIGHT, "utf-8")

    def popen(self, *args: str | Path, **options) -> subprocess.Popen:
        command = [sys.executable, "-P", "-m", "pipelines", *map(str, args)]
        environment = {**os.environ, **options.pop("env", {})}
        return subprocess.Popen(
            command, cwd=options.pop("cwd", self.home), env=environment, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, **options,
        )  # fmt: skip

    def __call__(self, *args: str | Path, code: int = 0, **options) -> str:
        """Run it; standard output and error together. The exit code must be as said, and no traceback shown.

        In this process, which spares the seconds of a start, and with one worker unless the test says how many; in a process of
        its own when it is given an environment or anything else that a process has."""
        told = self._process(args, options) if options else self._here([str(a) for a in args])
        found, out, err = told
        assert found == code, f"exit {found}\n{out}\n{err}"
        assert "Traceback" not in err, err
        return out + err

    def _process(self, args: Sequence[str | Path], options: dict) -> tuple[int, str, str]:
        process = self.popen(*args, **options)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def _here(self, args: list[str]) -> tuple[int, str, str]:
        if args[:1] == ["run"] and "--workers" not in args:
            args = [*args, "--workers", "1"]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.chdir(self.home), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                found = main(args)
            except SystemExit as stop:
                found = stop.code
        return found, out.getvalue(), err.getvalue()

    def run(self, shards: Path, out: Path, *args: str | Path, code: int = 0, **options) -> str:
        return self(
            "run", options.pop("recipe", self.recipe), "--input", shards, "--output", out, *args, code=code, **options
        )


@pytest.fixture
def corpusmill(tmp_path: Path) -> Command:
    return Command(tmp_path)


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Four shards of prompt/response records, every seventh answered in Polish, in two row groups each."""
    folder = tmp_path / "shards"
    folder.mkdir()
    for s in range(4):
        write_shard(folder / f"s{s}.parquet", s)
    return folder


def write_shard(path: Path, seed: int = 0, rows: int = 40) -> None:
    good = "Bread rises because yeast gives off gas, and the dough is stretchy enough to hold it in. Batch number {}."
    other = (
        "Chleb rośnie, ponieważ drożdże wydzielają gaz, a ciasto jest na tyle elastyczne, że go zatrzymuje. Numer {}."
    )
    table = pa.table(
        {
            "id": [f"{seed}-{i}" for i in range(rows)],
            "prompt": [f"Why does bread rise? Ask {seed} {i}" for i in range(rows)],
            "response": [(other if i % 7 == 3 else good).format(f"{seed} {i}") for i in range(rows)],
        }
    )
    pq.write_table(table, path, row_group_size=max(1, rows // 2))


def contents(out: Path) -> dict[str, bytes]:
    """Every published file that a dataset is, by path. run.json is when and where, so not part of it."""
    found = [p for p in out.rglob("*") if p.is_file() and ".corpusmill" not in p.parts and p.name != "run.json"]
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in found}


def manifest(out: Path) -> dict:
    return json.loads((out / "manifest.json").read_text("utf-8"))
