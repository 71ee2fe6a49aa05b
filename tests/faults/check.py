"""What must hold after every fault: nobody has seen anything but a whole dataset, and the same command again ends with the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from pipelines.publish import MARKER
from pipelines.rollback import kept
from pipelines.verify import verify
from tests.faults.warm import Ended, Warm
from tests.pipelines.conftest import LIGHT, contents, manifest, write_shard

STATE = ".corpusmill"
OLD, NEW, CUT, SMALLER = "old", "new", "cut short", "without the shard"
MISSING = "cut short, no data/"
"""What a fault can leave: a whole dataset; one that its marker tells of, each folder whole; or, with the exit code 3 and its name, one
without a shard that cannot be read."""


@dataclass(frozen=True)
class World:
    """home/old: a dataset that is published. home/new: what the command makes of it, undisturbed, when ``home/in`` has changed."""

    home: Path
    warm: Warm

    def command(self, out: Path, *more: str, source: Path | None = None, workers: int = 1) -> list[str]:
        recipe, source = self.home / "recipe.yaml", source or self.home / "in"
        return ["run", *map(str, (recipe, "--input", source, "--output", out, "--workers", workers)), *more]

    def ran(self, argv: list[str], env: dict[str, str] | None = None) -> Ended:
        return self.warm.wait(self.warm.start(*argv, env=env))

    def copy(self, name: str, to: Path) -> Path:
        subprocess.run(["cp", "-a", self.home / name, to], check=True)
        return to


def world(home: Path, shim: Path) -> World:
    """Make it: three shards, of which one has changed since ``old`` and one, the largest, which is read first, is new."""
    (home / "recipe.yaml").write_text(LIGHT, "utf-8")
    for folder in ("first", "in", "logs"):
        (home / folder).mkdir()
    for folder, seeds in (("first", (70, 1)), ("in", (71, 1, 2))):
        for s, seed in enumerate(seeds):
            write_shard(home / folder / f"s{s}.parquet", seed, rows=60 if s == 2 else 40)
    first = ["run", home / "recipe.yaml", "--input", home / "first", "--output", home / "old", "--workers", "1"]
    made = World(home, Warm(shim, home / "logs", *first))
    made.ran(["verify", str(home / "old")])
    new = made.copy("old", home / "new")
    assert made.ran(made.command(new)).code == 0
    return made


class Reader:
    """Looks at a dataset all the while, as training code would: ``with`` it."""

    def __init__(self, out: Path) -> None:
        self.out, self.over = out, threading.Event()
        self.seen: set[str] = set()
        self.manifests: set[str] = set()
        self.missing = 0
        self.thread = threading.Thread(target=self._look)

    def __enter__(self) -> Reader:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def _look(self) -> None:
        while not self.over.wait(0.005):
            try:
                self.manifests.add(manifest(self.out)["digest"])
                if (found := data_of(self.out)) is not None:
                    self.seen.add(found)
            except FileNotFoundError:
                self.missing += 1


def data_of(out: Path) -> str | None:
    """A digest of ``data/`` as somebody reads it who opens the folder once; None where it was taken away meanwhile."""
    handle = os.open(out / "data", os.O_RDONLY)
    try:
        opened = Path(f"/proc/self/fd/{handle}")
        found = {path.name: path.read_bytes() for path in sorted(opened.iterdir())}
        if {path.name for path in opened.iterdir()} != found.keys():
            return None
    except FileNotFoundError:
        return None
    finally:
        os.close(handle)
    return hashlib.sha256(repr(found).encode()).hexdigest()


def told_clearly(ended: Ended) -> str:
    """Killed without a word, or an exit code of ours with one line, or one for each shard. Returns the first."""
    assert "Traceback" not in ended.err, ended.err
    assert ended.code in (-9, 0, 2, 3, 5), f"exit {ended.code}: {ended.err}"
    if ended.code in (2, 3, 5):
        shards = [line for line in ended.said if " is not in the dataset: " in line]
        assert len(ended.said) == max(1, len(shards)), ended.said
        assert all(line.startswith("corpusmill: ") for line in ended.said), ended.said
    elif ended.code == 0:
        assert ended.said == []
    else:  # Python's own helper, which outlives a run that is killed alone, speaks of the semaphores that it clears away
        assert all("resource_tracker" in line for line in ended.said), ended.said
        return ""
    return ended.said[0].removeprefix("corpusmill: ") if ended.said else ""


def left(made: World, out: Path, ended: Ended) -> str:
    """Which dataset stands there after a fault. Fails where it is none, or a run that says it is done has left another."""
    if (out / STATE / MARKER).exists():
        assert verify(out) == ["a publish was cut short: run the same command again"]
        state = CUT if (out / "data").exists() else MISSING
        assert state == MISSING or data_of(out) in {data_of(made.home / name) for name in (OLD, NEW)}
    else:
        assert verify(out) == []
        found = contents(out)
        state = next((name for name in (OLD, NEW) if found == contents(made.home / name)), SMALLER)
    if ended.code == 0:
        assert state == NEW, "exit code 0"
    if state == SMALLER:
        missing = {s["path"] for s in manifest(made.home / NEW)["inputs"]} - read_of(out)
        assert ended.code == 3 and missing and all(any(m in line for line in ended.said) for m in missing), ended.said
    return state


def read_of(out: Path) -> set[str]:
    """The shards that are in a dataset."""
    return {s["path"] for s in manifest(out)["inputs"] if s["status"] == "read"}


def seen_only_whole(made: World, reader: Reader, *, also: Path | None = None, gaps: bool = False) -> None:
    """also: a dataset that may have been seen besides. gaps: the file system cannot exchange two folders."""
    places = [made.home / OLD, made.home / NEW, *([also] if also else [])]
    assert reader.seen <= {data_of(place) for place in places}
    assert reader.manifests <= {manifest(place)["digest"] for place in places}
    assert gaps or not reader.missing


def mended(made: World, out: Path, argv: list[str], expected: Path, *, code: int = 0, report: bool = True) -> None:
    """The same command again: the same bytes as undisturbed, and nothing left over. code: undisturbed, too. report: it is compared as
    well, though it speaks of the run before."""
    ended = made.ran(argv)
    assert ended.code == code, ended.err
    here, there = contents(out), contents(expected)
    if not report:
        here.pop("report.html"), there.pop("report.html")
    assert here == there
    assert verify(out) == []
    clean(out)


def clean(out: Path) -> None:
    """No staging, no temporary names, no units or versions that nothing is made of."""
    state = out / STATE
    assert not list((state / "staging").glob("*"))
    assert not [p for p in out.rglob(".*.*") if re.fullmatch(r"\..+\.[0-9a-f]{32}", p.name)]
    known = {STATE, "data", "rejected", "annotations", "manifest.json", "run.json", "report.html"}
    assert {p.name for p in out.iterdir()} >= known
    units = {entry["unit"] for version in kept(out) for entry in manifest(version.path)["outputs"]}
    assert {p.name for p in (state / "units").glob("*/*")} == units
    assert {p.name for p in (state / "versions").iterdir()} == {v.digest for v in kept(out)}
    assert not [name for name in ("forgetting", "forgetting.json", "publishing") if (state / name).exists()]


def plain(line: str, made: World, out: Path) -> str:
    """A line without what differs from run to run."""
    for path, name in ((out, "OUT"), (made.home / "in", "IN"), (out.parent, "HOME")):
        line = line.replace(str(path), name)
    line = re.sub(r"\b[0-9a-f]{64}\b", "DIGEST", line)
    return re.sub(r"process \d+ on \S+?(?=[;,: ]|$)", "process N on HOST", line)


def as_json(rows: dict[str, dict[str, str]]) -> str:
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"
