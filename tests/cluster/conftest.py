"""Runs on real clusters of several nodes, all on this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.pipelines.conftest import Command, contents, manifest, write_shard

RECIPE = """
name: shared
filters:
  - language: {allow: [en, de]}
  - duplicates: {method: near, threshold: 0.95}
"""


class Cluster:
    """A folder of shards, every second one a copy of the one before it, what a local run makes of them, and runs of the same on the
    cluster."""

    def __init__(self, home: Path, options: list[str]) -> None:
        self.home, self.options = home, options
        self.corpusmill = Command(home)
        self.corpusmill.recipe.write_text(RECIPE, "utf-8")
        self.shards = home / "shards"
        self.shards.mkdir()
        for s in range(8):
            write_shard(self.shards / f"s{s}.parquet", s // 2, rows=400)
        self.corpusmill.run(self.shards, home / "local", "--workers", "1")
        self.expected = contents(home / "local")
        assert manifest(home / "local")["records"] == {"read": 3200, "kept": 1372, "rejected": 1828}

    def start(self, out: Path, *options: str, **environment: str) -> subprocess.Popen:
        command = ["run", self.corpusmill.recipe, "--input", self.shards, "--output", out, *self.options, *options]
        return self.corpusmill.popen(*command, env=environment)

    def run(self, out: Path, *options: str, code: int = 0, **environment: str) -> str:
        """Standard output and error of a run that ends with the code, and with no traceback."""
        return self.end(self.start(out, *options, **environment), code)

    @staticmethod
    def end(process: subprocess.Popen, code: int = 0) -> str:
        try:
            out, err = process.communicate(timeout=150)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert process.returncode == code, f"exit {process.returncode}\n{out}\n{err}"
        assert "Traceback" not in err, err
        return out + err


def until(what: Callable[[], object], seconds: float = 60) -> object:
    """Wait for something to be so, and return it."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"not so after {seconds} s"
        time.sleep(0.1)
    return found


def receipts(out: Path) -> list[Path]:
    return list((out / ".corpusmill" / "units").glob("*/*/receipt.json"))


def processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def commands(found: Callable[[list[bytes]], bool]) -> list[int]:
    """Processes whose command line is such."""
    matching = []
    for pid in processes():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if found(words):
            matching.append(pid)
    return matching


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "out"
