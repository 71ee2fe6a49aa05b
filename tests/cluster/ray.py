"""A Ray of two nodes on this machine, one of which is the head."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.cluster.conftest import free_ports, until


class Ray:
    """address: for executor.address. Each node is a raylet with workers of its own, in a process group that can be killed."""

    def __init__(self, home: Path) -> None:
        [port] = free_ports(1)
        self.home, self.address = home, f"127.0.0.1:{port}"
        self.nodes: list[subprocess.Popen] = []
        self.add("--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={home}/ray")
        self.add(f"--address={self.address}")

    def add(self, *options: str) -> None:
        """One more node of one CPU, when it says that it has started; without options, one like the last."""
        options = options or (f"--address={self.address}",)
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats", *options]
        limits = [
            "--node-ip-address=127.0.0.1",
            "--num-cpus=1",
            "--memory=3000000000",
            "--object-store-memory=100000000",
        ]
        log = self.home / f"start-{time.monotonic_ns()}.out"
        with log.open("wb") as told:
            self.nodes.append(subprocess.Popen([*command, *limits], stdout=told, stderr=told, start_new_session=True))
        until(lambda: "Ray runtime started" in log.read_text("utf-8"), 90)

    def kill(self) -> None:
        """The last node, its raylet and workers, at once."""
        node = self.nodes.pop()
        os.killpg(node.pid, signal.SIGKILL)
        node.wait()

    def down(self) -> None:
        while self.nodes:
            self.kill()


def missing() -> str:
    """Why there can be no cluster here; empty when there can."""
    return "" if importlib.util.find_spec("ray") else "ray is not installed (make test-ray installs it)"
